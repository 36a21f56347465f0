"""Agreement: published values, an independent package, properties, and what cannot be computed."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import evalica
import krippendorff
import numpy as np
import pandas as pd
import pingouin
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import RequestError
from bench.records import SIMULATED, Score
from leaderboard import coincidence
from leaderboard.additive import fit_additive, incidence, solve_biases
from leaderboard.agreement import _values_of, agreement
from leaderboard.coefficients import LEVELS
from leaderboard.moments import moments_jackknife
from leaderboard.tables import check_ratings, read_ratings

GOLDEN = Path(__file__).parent.parent / "golden"


def example(name: str) -> pd.DataFrame:
    wide = pd.read_csv(GOLDEN / "agreement" / f"{name}.csv")
    long = wide.melt("unit", var_name="rater").dropna().rename(columns={"unit": "item"})
    return check_ratings(long.assign(criterion="c"), name)


def table(grid: Sequence[Sequence[float]]) -> pd.DataFrame:
    """Rows are items, columns raters, NaN a gap."""
    cells = [
        {"rater": f"r{rater}", "item": f"i{item}", "criterion": "c", "value": value}
        for item, row in enumerate(grid)
        for rater, value in enumerate(row)
        if not math.isnan(value)
    ]
    return check_ratings(pd.DataFrame(cells), "grid")


def one(scores: Sequence[Score], metric: str) -> Score:
    (found,) = [score for score in scores if score.metric == metric]
    return found


@pytest.mark.parametrize(
    ("name", "level", "expected"),
    [
        ("krippendorff-four-coders", "nominal", 904 / 1216),
        ("krippendorff-four-coders", "ordinal", 0.815388),
        ("krippendorff-four-coders", "interval", 0.849107),
        ("krippendorff-four-coders", "ratio", 0.797403),
        ("wikipedia-three-coders", "nominal", 0.691358),
        ("wikipedia-three-coders", "interval", 0.810845),
    ],
)
def test_published_alphas(name: str, level: str, expected: float) -> None:
    alpha = one(agreement(example(name), levels=level), "alpha")
    assert alpha.value == pytest.approx(expected, abs=5e-7)
    assert alpha.low < alpha.value < alpha.high <= 1
    assert alpha.level == level


def test_published_gwet_and_intraclass() -> None:
    scores = agreement(example("krippendorff-four-coders"))
    assert one(scores, "percent_agreement").value == pytest.approx(0.8181818, abs=5e-8)
    assert one(scores, "ac2").value == pytest.approx(0.91400, abs=5e-6)
    scores = agreement(example("shrout-fleiss"))
    assert round(one(scores, "icc_2_1").value, 2) == 0.29
    assert round(one(scores, "icc_2_k").value, 2) == 0.62


def test_all_published_alphas_of_imagenhub() -> None:
    ratings = read_ratings([GOLDEN / "imagenhub" / "ratings.csv"])
    expected = pd.read_csv(GOLDEN / "imagenhub" / "expected_alpha.csv")
    found = {
        (score.criterion, score.slice): score.value
        for score in agreement(ratings, by=["model"])
        if score.metric == "alpha"
    }
    assert len(expected) == 21
    for row in expected.itertuples():
        alpha = found[row.criterion, f"model={row.model}"]
        assert round(alpha, 2) == row.published_alpha
        assert round(alpha, 6) == row.recomputed_alpha


grids = st.integers(2, 5).flatmap(
    lambda raters: st.lists(
        st.lists(
            st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0, math.nan]), min_size=raters, max_size=raters
        ),
        min_size=2,
        max_size=12,
    )
)


@given(grid=grids, level=st.sampled_from(LEVELS))
def test_own_sums_equal_krippendorff(grid: list[list[float]], level: str) -> None:
    data = np.array(grid)
    domain = np.unique(data[~np.isnan(data)])
    counts = np.stack([(data == value).sum(axis=1) for value in domain], axis=1).astype(float)
    pairable = counts[counts.sum(axis=1) > 1].sum(axis=0)
    if (pairable > 0).sum() < 2:
        return
    sums = coincidence.summed(counts, coincidence.coincidences)
    ours = float(coincidence.alpha(sums, domain, level))
    theirs = krippendorff.alpha(reliability_data=data.T, level_of_measurement=level)
    assert ours == pytest.approx(theirs, abs=1e-9)


@given(grid=grids)
def test_jackknife_equals_leaving_each_out_by_hand(grid: list[list[float]]) -> None:
    complete = [row for row in grid if not any(math.isnan(cell) for cell in row)]
    if len(complete) < 3 or len({cell for row in complete for cell in row}) < 2:
        return
    scores = agreement(table(complete), levels="interval")
    for rater, left in enumerate(s for s in scores if s.metric == "alpha_without"):
        fewer = [[cell for place, cell in enumerate(row) if place != rater] for row in complete]
        again = one(agreement(table(fewer), levels="interval"), "alpha")
        assert left.value == pytest.approx(again.value, abs=1e-9, nan_ok=True)


@given(grid=grids, seed=st.integers(0, 99))
def test_renaming_and_reordering_change_nothing(grid: list[list[float]], seed: int) -> None:
    if all(math.isnan(cell) for row in grid for cell in row):
        return
    frame = table(grid)
    renamed = frame.sample(frac=1, random_state=seed, ignore_index=True)
    renamed["rater"] = "z" + renamed["rater"].str[::-1]
    renamed["item"] = renamed["item"].str[::-1]
    before = [s for s in agreement(frame) if s.metric != "alpha_without"]
    after = [s for s in agreement(renamed) if s.metric != "alpha_without"]
    for old, new in zip(before, after, strict=True):
        assert (old.metric, old.reason, old.n_values) == (new.metric, new.reason, new.n_values)
        assert new.value == pytest.approx(old.value, abs=1e-9, nan_ok=True)
        assert new.low == pytest.approx(old.low, abs=1e-9, nan_ok=True)


def continuous(n_items: int) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    return table(rng.normal(3, 1, (n_items, 1)) + rng.normal(0, 0.7, (n_items, 4)))


def test_moments_equal_the_sums_of_coincidences() -> None:
    frame = example("krippendorff-four-coders")
    unit, rater, value = (
        pd.factorize(frame[column], sort=True)[0] for column in ("item", "rater", "value")
    )
    domain = np.unique(frame["value"])
    kept = np.bincount(unit)[unit] > 1
    unit = np.unique(unit[kept], return_inverse=True)[1]
    ratings = coincidence.Ratings(unit, rater[kept], value[kept], domain, unit.max() + 1, 4)
    statistic = partial(coincidence.alpha, values=domain, level="interval")
    groups = coincidence.grouped(ratings)
    slow = coincidence.two_way_jackknife(
        groups, coincidence.coincidences, lambda sums: statistic(sums)[..., None]
    )
    alpha, *fast = moments_jackknife(ratings, domain)
    assert alpha == pytest.approx(0.849107, abs=5e-7)
    for ours, theirs in zip(fast, slow, strict=True):
        assert ours == pytest.approx(theirs[..., 0])


@pytest.mark.parametrize("level", ["interval", "ordinal"])
def test_a_continuous_scale_costs_no_more(level: str) -> None:
    scores = agreement(continuous(400), levels=level)
    alpha = one(scores, "alpha")
    assert alpha.low < alpha.value < alpha.high
    assert one(scores, "ac2").reason == "more than 200 different values"
    assert one(scores, "icc_2_1").value > 0.5
    few = continuous(50)
    wide = few.pivot_table(index="rater", columns="item", values="value").to_numpy()
    theirs = krippendorff.alpha(reliability_data=wide, level_of_measurement=level)
    assert one(agreement(few, levels=level), "alpha").value == pytest.approx(theirs)


def test_ranks_that_stay_hardly_move_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = continuous(60)
    frame["value"] = frame["value"].round(1)
    fixed = one(agreement(frame), "alpha")
    assert fixed.method == "two-way jackknife over units and raters, normal"
    monkeypatch.setattr("leaderboard.coefficients._MANY_RANKS", 5)
    again = one(agreement(frame), "alpha")
    assert again.method.endswith("ranks as in the whole")
    assert again.value == pytest.approx(fixed.value, abs=1e-9)
    assert again.high - again.low == pytest.approx(fixed.high - fixed.low, rel=0.05)


def test_many_labels_have_no_nominal_alpha() -> None:
    scores = agreement(continuous(100), levels="nominal")
    assert one(scores, "alpha").reason == "more than 200 different values"


def test_a_rater_who_copies_another_never_lowers_the_number_of_values() -> None:
    frame = table([[1, 2], [2, math.nan], [3, 3], [5, 4]])
    copied = pd.concat([frame, frame[frame["rater"] == "r0"].assign(rater="copy")])
    assert one(agreement(copied), "alpha").n_values >= one(agreement(frame), "alpha").n_values


def test_intervals_shrink_with_more_items() -> None:
    rng = np.random.default_rng(1)
    quality = rng.normal(3, 1, 400)
    grid = np.clip(np.rint(quality[:, None] + rng.normal(0, 0.7, (400, 6))), 1, 5)
    few, many = (one(agreement(table(grid[:n])), "alpha") for n in (40, 400))
    assert many.high - many.low < few.high - few.low


def test_repeats_are_left_out() -> None:
    frame = table([[1, 2], [2, 2], [3, 4]])
    repeats = frame.assign(occasion=1, value=5.0)
    assert repr(agreement(pd.concat([frame, repeats]))) == repr(agreement(frame))


@pytest.mark.parametrize(
    ("grid", "reason"),
    [
        ([[3, 3], [3, 3]], "no variation"),
        ([[1], [2]], "fewer than two raters"),
        ([[1, math.nan], [math.nan, 2]], "no item has two ratings"),
    ],
)
def test_what_cannot_be_computed_says_why(grid: list[list[float]], reason: str) -> None:
    scores = agreement(table(grid))
    alpha = one(scores, "alpha")
    assert math.isnan(alpha.value)
    assert alpha.reason == reason
    assert all(score.reason for score in scores if math.isnan(score.value))


def test_one_item_rated_by_two() -> None:
    scores = agreement(table([[1, 2]]))
    assert one(scores, "alpha").value == pytest.approx(0)
    assert one(scores, "icc_2_1").reason == "fewer than two items"


def test_raters_without_common_items_have_no_intraclass_correlation() -> None:
    nan = math.nan
    grid = [[1, 2, nan, nan], [2, 3, nan, nan], [nan, nan, 4, 5], [nan, nan, 5, 3]]
    assert one(agreement(table(grid)), "icc_2_1").reason == "raters and items are not connected"


def test_levels_by_criterion_and_unknown_ones() -> None:
    frame = table([[1, 2], [2, 2], [4, 5]])
    assert one(agreement(frame, levels={"c": "interval"}), "alpha").level == "interval"
    assert one(agreement(frame, levels={"other": "nominal"}), "alpha").level == "ordinal"
    nominal = agreement(frame, levels="nominal")
    assert one(nominal, "ac2").reason == "not defined on a nominal scale"
    with pytest.raises(RequestError, match="unknown level 'ranked'"):
        agreement(frame, levels="ranked")
    with pytest.raises(RequestError, match="no such column"):
        agreement(frame, by=["colour"])


def test_studies_are_apart_and_simulated_raters_are_said() -> None:
    frame = table([[1, 2], [2, 2], [4, 5]])
    both = pd.concat([frame.assign(study="a"), frame.assign(study="b", rater_group=SIMULATED)])
    alphas = [score for score in agreement(both) if score.metric == "alpha"]
    assert [score.study for score in alphas] == ["a", "b"]
    assert [score.method.endswith("simulated raters") for score in alphas] == [False, True]


def test_marginals_and_gaps_are_counted() -> None:
    scores = agreement(table([[1, 2], [2, math.nan], [2, 2]]))
    assert one(scores, "missing_share").value == pytest.approx(1 / 6)
    shares = {s.group: s.value for s in scores if s.metric == "marginal"}
    assert shares == pytest.approx({"1": 0.2, "2": 0.8})


def test_raters_who_always_agree_have_no_interval() -> None:
    alpha = one(agreement(table([[1, 1], [2, 2], [4, 4], [5, 5]])), "alpha")
    assert alpha.value == 1
    assert math.isnan(alpha.low)
    assert alpha.reason == "no interval: leaving any one out changes nothing"


@pytest.mark.parametrize("value", [3.1, 1e6 + 0.1])
def test_equal_fractions_do_not_vary(value: float) -> None:
    scores = agreement(table([[value, value], [value, value], [value, value]]))
    assert one(scores, "icc_2_1").reason == "no variation"
    assert one(scores, "alpha").reason == "no variation"


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_pingouin_finds_the_same_intraclass_correlations(missing: float) -> None:
    rng = np.random.default_rng(0)
    given = rng.normal(3, 1, (30, 1)) + rng.normal(0, 0.4, 5) + rng.normal(0, 0.6, (30, 5))
    scores = agreement(table(given.tolist()), levels="interval")
    long = pd.DataFrame(
        {"item": np.repeat(np.arange(30), 5), "rater": np.tile(np.arange(5), 30)}
    ).assign(value=given.ravel())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, inside pingouin
        theirs = pingouin.intraclass_corr(long, targets="item", raters="rater", ratings="value")
    by_type = dict(zip(theirs["Type"], theirs["ICC"], strict=True))
    assert one(scores, "icc_2_1").value == pytest.approx(by_type["ICC(A,1)"], abs=1e-6)
    assert one(scores, "icc_2_k").value == pytest.approx(by_type["ICC(A,k)"], abs=1e-6)
    if missing:
        gaps = np.where(rng.random(given.shape) < missing, math.nan, given)
        fewer = one(agreement(table(gaps.tolist()), levels="interval"), "icc_2_1")
        assert fewer.value == pytest.approx(by_type["ICC(A,1)"], abs=0.1)


@given(grid=grids, level=st.sampled_from(["nominal", "ordinal", "interval"]))
def test_evalica_finds_the_same_alpha(grid: list[list[float]], level: str) -> None:
    frame = table(grid) if any(not math.isnan(c) for row in grid for c in row) else None
    if frame is None:
        return
    alpha = one(agreement(frame, levels=level), "alpha")
    if math.isnan(alpha.value):
        return
    theirs = evalica.alpha(pd.DataFrame(grid).T, distance=level)
    if level != "ordinal":  # what evalica calls ordinal is its own distance
        assert alpha.value == pytest.approx(theirs.alpha, abs=1e-9)


def test_large_tables_are_sorted_in_pieces_to_the_same_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(5)
    grid = np.where(rng.random((60, 9)) < 0.3, np.nan, rng.integers(1, 6, (60, 9)))
    ratings = pd.concat([table(grid.tolist()), table(grid[:, :4].tolist()).assign(criterion="b")])
    small = agreement(ratings)
    monkeypatch.setattr(coincidence, "_MOST_DENSE", 0)
    monkeypatch.setattr(coincidence, "_PIECE", 50)
    for large in (agreement(ratings), agreement(ratings.sample(frac=1, random_state=1))):
        for ours, theirs in zip(small, large, strict=True):
            assert replace(ours, value=0, low=0, high=0) == replace(theirs, value=0, low=0, high=0)
            for field in ("value", "low", "high"):
                expected = pytest.approx(getattr(ours, field), abs=1e-9, nan_ok=True)
                assert getattr(theirs, field) == expected


def test_a_complete_table_needs_no_matrix_for_its_components() -> None:
    rng = np.random.default_rng(6)
    item, rater = (part.ravel() for part in np.indices((20, 5)))
    value = rng.normal(3, 1, 20)[item] + rng.normal(0, 0.5, 5)[rater] + rng.normal(0, 0.7, 100)
    complete = fit_additive(item, rater, value)
    biases, connected = solve_biases(*incidence(item, rater, value - value.mean()))
    assert complete.connected
    assert connected
    np.testing.assert_allclose(complete.bias, biases, atol=1e-12)


@pytest.mark.parametrize("values", [[-2, 0, 5], [0.5, 1.5, 4.5], [10.0, 10.25], [-3.5, 1e9]])
def test_different_values_are_coded_in_order(values: list[float]) -> None:
    given = np.array(values)[np.random.default_rng(7).integers(0, len(values), 40)]
    code, there = _values_of(given)
    np.testing.assert_array_equal(there, np.unique(given))
    np.testing.assert_array_equal(there[code], given)
