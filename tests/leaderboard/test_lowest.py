"""The lowest scenes: found again where they are planted, whatever the raters' severity."""

from __future__ import annotations

import numpy as np
import pandas as pd

from leaderboard.lowest import lowest_scenes
from leaderboard.tables import check_ratings


def ratings(severe: float) -> pd.DataFrame:
    """Two models, four scenes of two pictures; scene s2 of model a is bad, and its second picture worse."""
    rows = []
    for model in ("a", "b", "reference"):
        for scene in range(4):
            for picture in range(2):
                bad = (model, scene) == ("a", 2)
                quality = 2.0 - picture if bad else 4.0
                # the severe rater never sees the bad scene
                for rater in ("mild", "fair") if bad else ("severe", "mild", "fair"):
                    rows += [
                        {
                            "rater": rater,
                            "item": f"{model}{scene}{picture}",
                            "criterion": criterion,
                            "value": quality - (severe if rater == "severe" else 0) + lift,
                            "model": model,
                            "prompt": f"s{scene}/home",
                        }
                        for criterion, lift in (("brush", 0.0), ("form", 0.5))
                    ]
    return check_ratings(pd.DataFrame(rows), "the ratings")


def test_the_planted_scene_is_the_lowest_and_so_is_its_picture() -> None:
    for severe in (0.0, 3.0):
        found = [low for low in lowest_scenes(ratings(severe), scenes=2) if low.model == "a"]
        assert found[0].prompt == "s2/home"
        assert found[0].item == "a21"
        assert np.isclose(found[0].value - found[1].value, 1.5 - 4.0, atol=1e-6)
        assert found[0].n_values == 8


def test_scenes_of_one_name_in_two_suites_are_two() -> None:
    both = [ratings(0.0).assign(suite=suite) for suite in ("s", "t")]
    both[1] = both[1].assign(item="t" + both[1]["item"], value=both[1]["value"] + 1)
    found = lowest_scenes(pd.concat(both, ignore_index=True), scenes=2)
    (first, second) = [low for low in found if low.model == "a"]
    assert (first.prompt, second.prompt) == ("s2/home", "s2/home")
    assert second.value == first.value + 1
    assert (first.item, second.item) == ("a21", "ta21")


def test_what_does_not_apply_counts_for_nothing() -> None:
    whole = ratings(1.0)
    blanks = whole.iloc[::7].assign(value=np.nan, not_applicable="true", rater="absent")
    with_blanks = check_ratings(pd.concat([whole, blanks], ignore_index=True), "the ratings")
    assert lowest_scenes(with_blanks) == lowest_scenes(whole)


def test_references_have_no_place_and_every_model_has_its_own() -> None:
    found = lowest_scenes(ratings(0.0), scenes=3)
    assert [low.model for low in found] == ["a"] * 3 + ["b"] * 3


def test_weights_decide_what_is_low() -> None:
    rows = ratings(0.0)
    rows.loc[(rows["criterion"] == "form") & (rows["item"] == "b10"), "value"] = 1.0
    lowest = {
        name: next(
            low.prompt
            for low in lowest_scenes(rows, weights={name: 1.0, other: 0.0})
            if low.model == "b"
        )
        for name, other in (("form", "brush"), ("brush", "form"))
    }
    assert lowest == {"form": "s1/home", "brush": "s0/home"}


def test_no_ratings_no_scenes() -> None:
    assert lowest_scenes(ratings(0.0).iloc[:0]) == []
