"""Scales and schools: planted structure found, halo left out, disagreement of schools reported."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.miscmodels.ordinal_model import OrderedModel

from bench.records import REFERENCE, Score
from leaderboard.scales import scale_structure
from leaderboard.schools import schools
from leaderboard.tables import check_ratings
from tests.leaderboard.simulation import World


def ratings(loading: float, *, halo: float = 0.5, seed: int = 0) -> pd.DataFrame:
    """Three scales of 150 items by six raters; true scores correlate by `loading`²."""
    rng = np.random.default_rng(seed)
    items, raters = 150, 6
    common, own = rng.normal(0, 1, (items, 1)), rng.normal(0, 1, (items, 3))
    true = loading * common + (1 - loading**2) ** 0.5 * own
    mood = halo * rng.normal(0, 1, (items, raters, 1))
    given = true[:, None, :] + mood + rng.normal(0, 0.5, (items, raters, 3))
    item, rater, scale = (part.ravel() for part in np.indices(given.shape))
    frame = pd.DataFrame(
        {
            "item": item.astype(str),
            "rater": rater.astype(str),
            "criterion": np.array(["brush", "form", "spirit"])[scale],
            "value": given.ravel(),
            "model": np.array(["a", "b"])[item % 2],
            "prompt": (item // 2).astype(str),
        }
    )
    return check_ratings(frame, "memory")


def structure(frame: pd.DataFrame) -> list[Score]:
    return list(scale_structure(frame, Score(), np.random.default_rng(0), 300))


@pytest.mark.parametrize("halo", [0.0, 1.0])
def test_halo_does_not_raise_the_correlation_of_true_scores(halo: float) -> None:
    found = [s for s in structure(ratings(0.7, halo=halo)) if s.metric == "scale_correlation"]
    assert {(s.criterion, s.group) for s in found} == {
        ("brush", "form"), ("brush", "spirit"), ("form", "spirit"),
    }  # fmt: skip
    for s in found:
        assert s.value == pytest.approx(0.49, abs=0.15)
        assert s.low < s.value < s.high


def test_one_factor_is_said_and_three_are_not() -> None:
    (one,) = [s for s in structure(ratings(0.97)) if s.metric == "first_factor_share"]
    assert one.value > 0.9
    told = f"from {one.low:.2f} to {one.high:.2f}, all over 0.75: one score says what 3 say"
    assert one.method.startswith(told)
    (many,) = [s for s in structure(ratings(0.3)) if s.metric == "first_factor_share"]
    assert many.value < 0.6
    assert "one score says" not in many.method


def test_one_factor_does_not_depend_on_the_units_of_a_scale() -> None:
    plain, wide = ratings(0.5), ratings(0.5)
    wide["value"] *= np.where(wide["criterion"] == "form", 10.0, 1.0)
    (one,) = [s for s in structure(plain) if s.metric == "first_factor_share"]
    (same,) = [s for s in structure(wide) if s.metric == "first_factor_share"]
    assert same.value == pytest.approx(one.value, abs=0.02)
    assert "one score says" not in same.method


def test_two_scales_are_not_called_one_factor() -> None:
    two = ratings(0.97)
    two = two[two["criterion"] != "form"]
    (share,) = [s for s in structure(two) if s.metric == "first_factor_share"]
    assert share.value > 0.9
    assert "one score says" not in share.method


def test_a_scale_asked_of_few_is_left_out() -> None:
    frame = ratings(0.7)
    few = frame[(frame["criterion"] != "form") | (frame["item"].astype(int) < 30)]
    found = structure(few)
    assert {s.group for s in found if s.metric == "scale_correlation"} == {"spirit"}
    assert all("without form" in s.method for s in found)


def two_schools(shift: float) -> pd.DataFrame:
    """Eight raters of two schools; the second sees `brush` by `shift` higher, and nothing else."""
    frame = World(scenes=40).ratings(np.random.default_rng(0))
    later = frame["rater"].isin(["r4", "r5", "r6", "r7"])
    frame["rater_group"] = np.where(later, "history", "design")
    at = later & (frame["criterion"] == "brush")
    frame.loc[at, "value"] = (frame.loc[at, "value"] + shift).clip(1, 5)
    return frame


def test_a_school_that_reads_one_scale_otherwise_is_found() -> None:
    scores = list(schools(two_schools(1.0), Score(), np.random.default_rng(0), 300))
    found = {s.criterion: s for s in scores if s.metric == "dif"}
    assert {s.group for s in found.values()} == {"design:history"}
    assert found["brush"].high < 0
    assert "large by Jodoin and Gierl's marks" in found["brush"].method
    assert "negligible by" in found["form"].method
    assert "on references" in found["brush"].method
    gaps = {(s.criterion, s.model): s.value for s in scores if s.metric == "school_gap"}
    assert {name for _, name in gaps} == {"balanced", "japan", "west", REFERENCE}
    others = np.mean([gaps[c, "west"] for c in ("spirit", "composition", "form")])
    assert gaps["brush", "west"] == pytest.approx(others - 1, abs=0.3)


@pytest.mark.parametrize("shift", [0.3, 1.0])
def test_the_change_of_r_squared_is_nagelkerkes_by_statsmodels(shift: float) -> None:
    frame = two_schools(shift)
    scores = list(schools(frame, Score(), np.random.default_rng(0), 20))
    (dif,) = [s for s in scores if (s.metric, s.criterion) == ("dif", "brush")]
    wide = frame[frame["model"] == REFERENCE].pivot_table(
        index=["item", "rater", "rater_group"], columns="criterion", values="value"
    )
    assert len(wide) == dif.n_values
    rest = wide[["composition", "form", "spirit"]].mean(axis=1).to_numpy()
    ours = (wide.index.get_level_values("rater_group") == "design").astype(float)
    outcome = pd.Categorical(wide["brush"], ordered=True)

    def likelihood(*columns: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        model = OrderedModel(outcome, np.column_stack(columns), distr="logit")
        return float(model.fit(method="bfgs", maxiter=500, disp=False).llf)

    n = len(wide)
    counts = wide["brush"].value_counts()
    empty = float((counts * np.log(counts / n)).sum())

    def r_squared(found: float) -> float:
        return (1 - np.exp(2 * (empty - found) / n)) / (1 - np.exp(2 * empty / n))

    change = r_squared(likelihood(rest, ours, rest * ours)) - r_squared(likelihood(rest))
    assert f"Nagelkerke's R² by {change:.3f}" in dif.method
    assert change > (0.07 if shift == 1 else 0)


def test_without_groups_there_is_nothing_to_compare() -> None:
    frame = World(scenes=4).ratings(np.random.default_rng(0))
    assert list(schools(frame, Score(), np.random.default_rng(0), 20)) == []


def test_a_school_of_one_says_so() -> None:
    frame = two_schools(0.0)
    frame["rater_group"] = np.where(frame["rater"] == "r0", "alone", "design")
    scores = list(schools(frame, Score(), np.random.default_rng(0), 50))
    assert {s.reason for s in scores if s.metric == "dif"} == {"a school of fewer than two raters"}


def test_each_pair_of_schools_says_whose_raters_are_drawn() -> None:
    """A school of one has none drawn."""
    frame = two_schools(0.0)
    frame["rater_group"] = np.where(frame["rater"] == "r0", "one", frame["rater_group"])
    scores = list(schools(frame, Score(), np.random.default_rng(0), 50))
    alone = {
        (s.group, "for these raters alone" in s.method, "scenes, raters" in s.method)
        for s in scores
        if s.metric == "school_gap"
    }
    assert alone == {
        ("design:history", False, True),
        ("design:one", True, False),
        ("history:one", True, False),
    }


def test_raters_of_two_room_languages_are_compared_apart_from_schools() -> None:
    frame = two_schools(1.0)
    frame["room_language"] = frame["rater_group"].map({"design": "en", "history": "zh"})
    frame["rater_group"] = np.where(frame["rater"].isin(["r0", "r4"]), "design", "history")
    scores = list(schools(frame, Score(), np.random.default_rng(0), 300))
    assert {(s.metric, s.group) for s in scores} == {
        ("school_gap", "design:history"), ("dif", "design:history"),
        ("room_language_gap", "en:zh"), ("room_language_dif", "en:zh"),
    }  # fmt: skip
    brush = {s.metric: s for s in scores if s.criterion == "brush" and s.model in {"", "west"}}
    assert brush["room_language_dif"].high < 0
    assert brush["room_language_gap"].high < 0
    assert "each language by itself" in brush["room_language_gap"].method
    # to schools alone the other column makes no difference
    alone = frame.assign(room_language="zh")
    own = list(schools(alone, Score(), np.random.default_rng(0), 300))
    assert own == [s for s in scores if s.metric in {"school_gap", "dif"}]


def test_a_rater_who_changed_the_language_is_in_neither_and_the_method_says_so() -> None:
    frame = two_schools(1.0)
    frame = frame.assign(room_language=frame["rater_group"], rater_group="")
    plain = {s.metric for s in schools(frame, Score(), np.random.default_rng(0), 50)}
    assert plain == {"room_language_gap", "room_language_dif"}
    some = (frame["rater"] == "r0") & (frame["criterion"] == "form")
    frame.loc[some, "room_language"] = "history"
    scores = list(schools(frame, Score(), np.random.default_rng(0), 50))
    assert {s.n_raters for s in scores} == {7}
    assert all("without 1 rater of both" in s.method for s in scores)


def test_a_language_of_one_rater_says_so() -> None:
    frame = two_schools(0.0).assign(rater_group="")
    frame["room_language"] = np.where(frame["rater"] == "r0", "en", "zh")
    scores = list(schools(frame, Score(), np.random.default_rng(0), 50))
    reasons = {s.reason for s in scores if s.metric == "room_language_dif"}
    assert reasons == {"a language of fewer than two raters"}
    assert (
        list(schools(frame.assign(room_language="zh"), Score(), np.random.default_rng(0), 9)) == []
    )


def test_a_room_language_is_read_as_text_and_may_be_lacking() -> None:
    frame = World(scenes=2).ratings(np.random.default_rng(0))
    assert set(check_ratings(frame.drop(columns="room_language"), "t")["room_language"]) == {""}
    odd = frame.assign(room_language=pd.Series([None, *["en"] * (len(frame) - 1)], dtype="object"))
    assert check_ratings(odd, "t")["room_language"].tolist()[:2] == ["", "en"]


def test_scales_that_nobody_answered_together_say_so() -> None:
    frame = ratings(0.7)
    apart = frame[(frame["rater"].astype(int) % 2 == 0) == (frame["criterion"] == "brush")]
    apart = apart[apart["criterion"] != "form"]
    found = structure(apart)
    assert {s.metric for s in found} == {"scale_correlation", "first_factor_share"}
    assert {s.reason for s in found} == {"no rater answered all scales of any one item"}


def test_a_scale_without_true_variance_correlates_with_nothing() -> None:
    frame = ratings(0.7)
    flat = frame.assign(value=frame["value"].where(frame["criterion"] != "form", 3.0))
    found = {(s.criterion, s.group): s for s in structure(flat) if s.metric == "scale_correlation"}
    assert found["brush", "form"].reason == "no variance of true scores"
    assert found["brush", "spirit"].value == pytest.approx(0.49, abs=0.15)
