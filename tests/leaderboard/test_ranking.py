"""Votes: closed forms, an independent package, symmetries, and what has no finite answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import evalica
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.records import SIMULATED, Score
from leaderboard.ranking import rank
from leaderboard.ranks import simultaneous_ranks
from leaderboard.tables import check_votes
from tests.leaderboard.simulation import World


def votes(*rows: tuple[str, str, str, int]) -> pd.DataFrame:
    """Rows of (left, right, winner, times), over as many prompts and two raters."""
    cells = [
        {"rater": f"r{n % 2}", "prompt": f"p{n}", "left": left, "right": right, "winner": winner}
        for left, right, winner, times in rows
        for n in range(times)
    ]
    return check_votes(pd.DataFrame(cells), "memory")


def scores_of(frame: pd.DataFrame, seed: int = 0) -> list[Score]:
    return rank(frame, rng=np.random.default_rng(seed), resamples=200)


def values(scores: Sequence[Score], metric: str) -> Mapping[str, float]:
    return {score.model: score.value for score in scores if score.metric == metric}


def test_two_models_have_a_closed_form() -> None:
    scores = scores_of(votes(("a", "b", "left", 6), ("b", "a", "left", 2), ("a", "b", "tie", 4)))
    strength = values(scores, "strength")
    assert strength["a"] - strength["b"] == pytest.approx(math.log(6 / 2))
    assert strength["a"] + strength["b"] == pytest.approx(0)
    assert values(scores, "tie_parameter")[""] == pytest.approx(4 / math.sqrt(6 * 2))
    assert values(scores, "rank") == {"a": 1, "b": 2}


def test_without_ties_it_is_bradley_and_terry() -> None:
    scores = scores_of(votes(("a", "b", "left", 3), ("a", "b", "right", 1)))
    strength = values(scores, "strength")
    assert strength["a"] - strength["b"] == pytest.approx(math.log(3))
    assert values(scores, "tie_parameter")[""] == 0


def test_evalica_finds_the_same() -> None:
    world = World(
        scenes=60,
        models={model: {} for model in "abcde"},
        quality=dict(zip("abcde", range(5), strict=True)),
    )
    frame = world.votes(np.random.default_rng(4))
    frame = frame[frame["winner"] != "both_bad"]
    words = {"left": evalica.Winner.X, "right": evalica.Winner.Y, "tie": evalica.Winner.Draw}
    result = evalica.newman(
        list(frame["left"]),
        list(frame["right"]),
        [words[winner] for winner in frame["winner"]],
        tolerance=1e-12,
        limit=10_000,
    )
    theirs = np.log(result.scores)
    theirs -= theirs.mean()
    scores = scores_of(frame)
    for model, strength in values(scores, "strength").items():
        assert strength == pytest.approx(theirs[model], abs=1e-4)
    assert values(scores, "tie_parameter")[""] == pytest.approx(2 * result.v, abs=1e-4)


@given(seed=st.integers(0, 1000))
def test_swapping_left_and_right_changes_nothing(seed: int) -> None:
    frame = World(scenes=8).votes(np.random.default_rng(seed))
    swapped = frame.rename(columns={"left": "right", "right": "left"})
    swapped["winner"] = swapped["winner"].replace({"left": "right", "right": "left"})
    for old, new in zip(scores_of(frame), scores_of(swapped), strict=True):
        assert repr(old) == repr(new)


def test_planted_strengths_are_found() -> None:
    world = World(scenes=150, raters=10)
    scores = scores_of(world.votes(np.random.default_rng(2)))
    qualities = np.array([world.quality[model] for model in world.models])
    for score in scores:
        if score.metric == "strength":
            assert score.low < world.quality[score.model] - qualities.mean() < score.high
        if score.metric == "tie_parameter":
            assert score.low < world.tie < score.high
    assert values(scores, "rank") == {"balanced": 1, "japan": 2, "west": 3}
    assert values(scores, "p_first")["balanced"] > 0.95


def test_both_bad_is_kept_apart_and_reported() -> None:
    plain = votes(("a", "b", "left", 3), ("a", "b", "right", 1))
    frame = pd.concat([plain, votes(("a", "b", "both_bad", 4))])
    assert values(scores_of(frame), "strength") == values(scores_of(plain), "strength")
    (share,) = [score for score in scores_of(frame) if score.metric == "both_bad_share"]
    assert share.value == 0.5
    assert share.n_values == 8


def test_undefeated_and_winless_models_get_a_declared_prior() -> None:
    frame = votes(("a", "b", "left", 5), ("b", "c", "left", 3), ("c", "b", "left", 1))
    scores = scores_of(frame)
    strength = values(scores, "strength")
    assert strength["a"] > strength["b"] > strength["c"]
    assert all(abs(value) < 20 for value in strength.values())
    methods = {score.method for score in scores if score.metric == "strength"}
    assert all("normal prior of SD 10: undefeated a" in method for method in methods)


def test_ties_can_bound_an_undefeated_model() -> None:
    """No ties between b and c hold ν down, so the ties of a and b hold a near b."""
    frame = votes(
        ("a", "b", "left", 5), ("a", "b", "tie", 2), ("b", "c", "left", 3), ("c", "b", "left", 1)
    )
    (method,) = {score.method for score in scores_of(frame) if score.metric == "strength"}
    assert method.startswith("Davidson; ")
    one_pair = scores_of(votes(("a", "b", "left", 5), ("a", "b", "tie", 2)))
    assert "undefeated a and winless b" in one_pair[1].method


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (
            [("a", "b", "left", 2), ("c", "d", "left", 2)],
            "not connected by votes: {a, b} and {c, d}",
        ),
        ([("a", "b", "tie", 3)], "ties only"),
        ([("a", "b", "both_bad", 3)], "every vote says both bad"),
        (
            [("a", "b", "left", 2), ("a", "c", "both_bad", 1)],
            "not connected by votes: {a, b} and {c}",
        ),
    ],
)
def test_what_has_no_answer_says_why(rows: list[tuple[str, str, str, int]], reason: str) -> None:
    for score in scores_of(votes(*rows)):
        if score.metric != "both_bad_share":
            assert math.isnan(score.value)
            assert score.reason == reason


def test_repeats_are_set_aside_and_simulated_raters_are_said() -> None:
    frame = votes(("a", "b", "left", 3), ("a", "b", "right", 1))
    repeats = frame.assign(occasion=1, winner="right")
    assert repr(scores_of(pd.concat([frame, repeats]))) == repr(scores_of(frame))
    said = scores_of(frame.assign(rater_group=SIMULATED))
    assert all(score.method.endswith("simulated raters") for score in said)


def test_ranks_that_cannot_be_told_apart_span_each_other() -> None:
    rng = np.random.default_rng(0)
    values_ = np.array([2.0, 1.0, 0.95, -1.0])
    ranks = simultaneous_ranks(values_, values_ + rng.normal(0, 0.1, (2000, 4)), 0.95)
    assert list(ranks.rank) == [1, 2, 3, 4]
    assert list(ranks.best) == [1, 2, 2, 4]
    assert list(ranks.worst) == [1, 3, 3, 4]
    assert ranks.p_first[0] == 1


def test_equal_values_share_a_rank() -> None:
    ranks = simultaneous_ranks(np.zeros(3), np.zeros((10, 3)), 0.95)
    assert list(ranks.rank) == [1, 1, 1]
    assert list(ranks.worst) == [3, 3, 3]
    assert ranks.p_first == pytest.approx([1 / 3] * 3)
