"""Severity: `sureal` finds the same, small panels do not collapse, and the ordinal check."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2
from statsmodels.miscmodels.ordinal_model import OrderedModel
from sureal import BT500Model, P910AnnexEModel
from sureal.dataset_reader import RawDatasetReader

from bench.records import Score
from leaderboard.ordinal import fit_ordinal
from leaderboard.panel import ordinal_check, rater_scores, repeats
from leaderboard.scoring import score
from leaderboard.severity import fit_severity, screen_raters
from leaderboard.tables import check_ratings
from tests.leaderboard.simulation import World
from tests.leaderboard.test_agreement import table

Grid = NDArray[np.float64]


def panel(seed: int, items: int = 60, raters: int = 12) -> Grid:
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1, (items, raters)) * rng.uniform(0.3, 1.2, raters)
    given = rng.normal(3, 1, (items, 1)) + rng.normal(0, 0.4, raters) + noise
    return np.clip(np.rint(given), 1, 5)


def long(grid: Grid) -> tuple[NDArray[np.int64], NDArray[np.int64], Grid]:
    item, rater = np.nonzero(np.isfinite(grid))
    return item, rater, grid[item, rater]


def sureal_of(grid: Grid, model: type) -> dict[str, list[float]]:
    videos = [
        {"content_id": 0, "asset_id": place, "os": list(row), "path": str(place)}
        for place, row in enumerate(grid)
    ]
    first = [{"content_id": 0, "content_name": "a", "path": "a"}]
    data = SimpleNamespace(
        ref_videos=first, dis_videos=videos, ref_score=5.0, dataset_name="d", yuv_fmt="yuv420p",
        width=1, height=1,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of divisions inside sureal
        found: dict[str, list[float]] = model(RawDatasetReader(data)).run_modeling()
    return found


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("seed", [0, 1])
def test_sureal_finds_the_same_by_annex_e(seed: int, missing: float) -> None:
    grid = panel(seed)
    grid[np.random.default_rng(seed).random(grid.shape) < missing] = np.nan
    theirs = sureal_of(grid, P910AnnexEModel)
    ours = fit_severity(*long(grid), small_panel=False)
    assert ours.quality == pytest.approx(theirs["quality_scores"], abs=1e-7)
    assert ours.bias == pytest.approx(theirs["observer_bias"], abs=1e-7)
    assert ours.inconsistency == pytest.approx(theirs["observer_inconsistency"], abs=1e-7)


def test_sureal_rejects_the_same_by_bt_500() -> None:
    rng = np.random.default_rng(0)
    # no whole numbers: a rating on the very limit would hang on rounding
    grid = panel(3, items=100, raters=16) + rng.normal(0, 0.01, (100, 16))
    grid[:, 4] = rng.uniform(1, 5, 100)
    theirs = sureal_of(grid, BT500Model)
    ours = screen_raters(*long(grid))
    assert list(ours.rejected) == theirs["observer_rejected"]
    assert ours.outlying == pytest.approx(theirs["observer_rejected_1st_stats"])
    assert ours.rejected[4]


def test_with_many_raters_the_small_panel_form_agrees() -> None:
    grid = panel(5, items=300, raters=40)
    published, ours = (fit_severity(*long(grid), small_panel=form) for form in (False, True))
    assert ours.quality == pytest.approx(published.quality, abs=0.02)
    assert ours.inconsistency == pytest.approx(published.inconsistency, rel=0.08)


def test_in_a_small_panel_no_rater_takes_all_the_weight() -> None:
    rng = np.random.default_rng(1)
    grid = rng.normal(0, 1, (200, 1)) + rng.normal(0, 0.6, (200, 3))
    spread = fit_severity(*long(grid)).inconsistency
    assert spread == pytest.approx([0.6] * 3, rel=0.15)
    collapsed = fit_severity(*long(grid), small_panel=False).inconsistency
    assert collapsed.min() < 0.01


def test_planted_bias_and_inconsistency_are_found() -> None:
    rng = np.random.default_rng(2)
    bias, spread = np.array([-0.6, -0.1, 0.0, 0.3, 0.4]), np.array([0.3, 0.5, 0.5, 0.8, 1.2])
    grid = rng.normal(3, 1, (400, 1)) + bias + spread * rng.normal(0, 1, (400, 5))
    grid[rng.random(grid.shape) < 0.3] = np.nan
    frame = table(grid.tolist())
    scores = list(rater_scores(frame, Score(criterion="c")))
    found = {(s.metric, s.group): s for s in scores}
    for place in range(5):
        at = found["rater_bias", f"r{place}"]
        assert at.low < bias[place] < at.high
        at = found["rater_inconsistency", f"r{place}"]
        assert at.value == pytest.approx(spread[place], rel=0.15)
        # of 280 ratings some are spent on the items' quality, and four are lent
        freedom = float(at.method.partition("interval with ")[2].partition(" ")[0])
        assert 0.3 * at.n_values < freedom < at.n_values
        assert (at.high / at.value) ** 2 == pytest.approx(
            freedom / chi2.ppf(0.025, freedom), rel=0.01
        )
        assert found["bt500_rejected", f"r{place}"].value in {0.0, 1.0}


def test_one_rating_by_a_rater_has_no_interval() -> None:
    frame = table([[3, 4, np.nan], [2, 4, 3]])
    scores = list(rater_scores(frame, Score(criterion="c")))
    (bias,) = [s for s in scores if (s.metric, s.group) == ("rater_bias", "r2")]
    assert np.isnan(bias.low)
    assert bias.reason == "no interval: one rating"


@pytest.mark.parametrize("seed", [0, 1])
def test_statsmodels_finds_the_same_proportional_odds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model, rater = rng.integers(0, 4, 800), rng.integers(0, 6, 800)
    design = np.concatenate([np.eye(4)[model][:, 1:], np.eye(6)[rater][:, 1:]], axis=1)
    latent = design @ rng.normal(0, 1, 8) + rng.logistic(size=800)
    value = np.digitize(latent, [-1.5, -0.5, 0.5, 1.5]).astype(np.int64)
    theirs = OrderedModel(value, design, distr="logit").fit(method="bfgs", disp=0, gtol=1e-7)
    ours = fit_ordinal(design, value, np.ones(800))
    assert ours.converged
    assert ours.beta == pytest.approx(theirs.params[:8], abs=1e-4)
    assert ours.log_likelihood == pytest.approx(theirs.llf, abs=1e-4)
    assert np.sqrt(np.diag(ours.covariance)) == pytest.approx(theirs.bse[:8], rel=0.05)


def test_the_ordinal_check_agrees_where_the_means_do_and_warns_where_not() -> None:
    world = World(scenes=40, criteria=["brush"])
    frame = world.ratings(np.random.default_rng(0))
    scores = score({"ratings": frame}, rng=np.random.default_rng(0), resamples=50)
    (order,) = [s for s in scores if s.metric == "ordinal_order"]
    assert order.value == 1
    assert "warning" not in order.method
    # a is mostly 3; b is 1 or 5, and more often 5: means say b, most ratings say the same of both
    rows = [("a", 3.0)] * 70 + [("a", 5.0)] * 5 + [("b", 5.0)] * 45 + [("b", 1.0)] * 40
    cells = [
        {"rater": f"r{n % 2}", "item": f"{m}{n}", "criterion": "c", "value": v, "model": m,
         "prompt": f"p{n}"}
        for n, (m, v) in enumerate(rows)
    ]  # fmt: skip
    chosen = check_ratings(pd.DataFrame(cells), "memory")
    means = [Score(metric="mean_score", model=m, value=v) for m, v in (("a", 3.2), ("b", 3.1))]
    (order,) = [
        s for s in ordinal_check(chosen, means, Score(criterion="c")) if s.metric == "ordinal_order"
    ]
    assert order.value == -1
    assert order.method.endswith("warning: against the means it orders b above a")


def test_repeats_have_a_weighted_kappa() -> None:
    frame = World(scenes=6, criteria=["brush"]).ratings(np.random.default_rng(0))
    again = frame.assign(occasion=1)
    both = pd.concat([frame, again], ignore_index=True)
    found = [s for s in repeats(both, Score()) if s.metric == "intra_rater_kappa"]
    assert {s.value for s in found} == {1.0}
    assert {s.group for s in found} == {"", *(f"r{n}" for n in range(8))}


def test_a_taste_for_a_model_is_no_inconsistency() -> None:
    rng = np.random.default_rng(8)
    items, raters = 60, 6
    group = np.arange(items) % 3
    item, rater = (part.ravel() for part in np.indices((items, raters)))
    noise = np.array([0.4, 0.4, 0.4, 0.8, 0.8, 0.8])[rater] * rng.normal(size=items * raters)
    plain = rng.normal(3, 0.5, items)[item] + noise
    taste = np.zeros((3, raters))
    taste[0, 0], taste[1, 0] = 2.0, -2.0
    tasted = plain + taste[group[item], rater]
    counted = fit_severity(item, rater, tasted)
    apart = fit_severity(item, rater, tasted, group=group)
    without = fit_severity(item, rater, plain, group=group)
    assert counted.inconsistency[0] > 1.0
    assert apart.inconsistency == pytest.approx(without.inconsistency, rel=0.05)
    assert apart.inconsistency[0] < 0.55
    # the taste moves the quality of what it is for, by its share, and nobody's name matters
    shuffled = rng.permutation(items)
    again = fit_severity(shuffled[item], rater, tasted, group=group[np.argsort(shuffled)])
    assert again.quality[shuffled] == pytest.approx(apart.quality, abs=1e-6)


def test_one_rating_of_each_model_leaves_all_raters_equal() -> None:
    item, rater = (part.ravel() for part in np.indices((3, 4)))
    value = np.random.default_rng(9).integers(1, 6, 12).astype(float)
    fit = fit_severity(item, rater, value, group=np.arange(3))
    assert fit.quality == pytest.approx(value.reshape(3, 4).mean(axis=1), abs=1e-6)
