"""Ratings to a mean score per model and criterion, with raters' severity taken out, and ranks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.records import REFERENCE, Score
from leaderboard.contrasts import Contrast, p_score, stacked
from leaderboard.drawing import LEAST_RATERS, Array, Weights, Whole
from leaderboard.gathering import Gathered, draw, facets, gather
from leaderboard.percentiles import with_interval
from leaderboard.ranks import rank_scores, simultaneous_ranks
from leaderboard.resampling import CellMeans, cell_means, weighted_sum
from leaderboard.selection import codes
from leaderboard.severity import Severity, fit_severity
from leaderboard.variance import expansion
from leaderboard.weighting import OVERALL, weights_among

MEAN_SCORE = "mean_score"
"""The metric; also the `group` of its ranks, beside those of votes, which have none."""


Pairs = Mapping[tuple[str, str], Contrast]


class Means(NamedTuple):
    """Draws of one criterion: (cells, 1 + resamples), column 0 the estimate."""

    criterion: str
    models: list[str]
    of_cell: CellMeans
    """Of the models' prompts, in the same order, then of those that two models share."""
    level: Array
    """Of the panel drawn, which moves all models alike, (1 + resamples,)."""
    paired: Mapping[tuple[str, str], tuple[int, int]]
    """The cells of two models on the prompts of both."""
    method: str
    severity: Severity
    rows: Whole
    """Which rows of the table the criterion has."""
    raters: Whole
    """Codes of its raters, in the order of `severity`."""

    @property
    def of_model(self) -> Array:
        """The models' means."""
        return self.of_cell.means[: len(self.models), 0] + self.level

    @property
    def of_pair(self) -> Pairs:
        """The difference of two models on the prompts of both."""
        gaps = self.of_cell.differences(list(self.paired.values()))
        return {pair: gap[0] for pair, gap in zip(self.paired, gaps, strict=True)}


def mean_scores(
    rows: pd.DataFrame,
    blank: Score,
    rng: np.random.Generator,
    resamples: int,
    weights: Mapping[str, float] | None = None,
) -> Iterator[Score]:
    """Yield mean scores, differences, ranks and the overall score of one study.

    A rating less its rater's bias, weighted by the rater's consistency (`severity`), is averaged
    over raters, items and prompts. Each resample draws scenes and seeds, for all models and
    criteria together, and raters; the mean bias of the raters drawn moves all models alike, so it
    widens the means but not their differences. References have a mean score as an anchor, and no
    rank.

    Args:
        rows: ratings that name a model, without hidden repeats, of all criteria.
        blank: carries study, slice, level and confidence.
        rng: draws the resamples.
        resamples: how many.
        weights: of the criteria in the overall score; equal where not said.
    """
    gathered = gather(rows)
    drawn = draw(gathered, rng, resamples, blank.confidence)
    found = list(means_of(rows, gathered, drawn))
    for means in found:
        yield from _of_criterion(means, rows.iloc[means.rows], blank)
    if len(found) > 1:
        yield from _overall(found, rows, blank, weights or {})


def means_of(rows: pd.DataFrame, gathered: Gathered, drawn: Weights) -> Iterator[Means]:
    """Yield the draws of every criterion, from the same resamples."""
    cells = gathered.cells()
    asked = {cell: {gathered.prompts[index][1:] for index in at} for cell, at in cells.items()}
    models = [model for model in cells if model != REFERENCE]
    every = list(cells.values())
    place = {cell: index for index, cell in enumerate(cells)}
    paired: dict[tuple[str, str], tuple[int, int]] = {}
    for first, second in combinations(models, 2):
        if asked[first] == asked[second]:
            paired[first, second] = (place[first], place[second])
        elif both := gathered.common(first, second):
            paired[first, second] = (len(every), len(every) + 1)
            every += both
    values = rows["value"].to_numpy(dtype=np.float64)
    which, criteria = pd.factorize(rows["criterion"], sort=True)
    resamples = drawn.raters.shape[1] - 1
    for code, criterion in enumerate(criteria):
        chosen = np.flatnonzero(which == code)
        means, level, fit = corrected_means(gathered, chosen, values[chosen], every, drawn)
        said = f"{_severity(fit)}; percentile bootstrap ({resamples}) over "
        yield Means(
            criterion=str(criterion),
            models=list(cells),
            of_cell=means,
            level=level,
            paired=paired,
            method=said + facets(gathered, chosen),
            severity=fit,
            rows=chosen,
            raters=np.unique(gathered.rater[chosen]),
        )


def corrected_means(
    gathered: Gathered, chosen: Whole, value: Array, cells: Sequence[Whole], drawn: Weights
) -> tuple[CellMeans, Array, Severity]:
    """Return means of cells without raters' bias, the level of the panel drawn, and the fit.

    Args:
        gathered: all items of the study.
        chosen: the rows of one criterion.
        value: their ratings.
        cells: prompts of each.
        drawn: weights of raters, clusters and items, and the confidence.

    Returns:
        The means, on one channel; the level, (1 + resamples,); the severity of the raters.
    """
    there, rater = np.unique(gathered.rater[chosen], return_inverse=True)
    items, item = np.unique(gathered.item[chosen], return_inverse=True)
    cell = pd.factorize(np.array([key[0] for key in gathered.prompts], dtype=object))[0]
    group = np.unique(cell[gathered.prompt_of_item[items]], return_inverse=True)[1]
    fit = fit_severity(item, rater, value, group=group)
    weight = 1 / np.maximum(fit.inconsistency[rater] ** 2, 1e-8)
    judgements = gathered.judgements(chosen, value - fit.bias[rater], weight, cells)
    judgements = judgements._replace(fitted=fit.connected)
    means = cell_means(judgements, drawn)
    raters = drawn.raters[there]
    if len(there) < LEAST_RATERS:
        raters = np.ones_like(raters)
    level = np.full(raters.shape[1], np.nan)
    np.divide(fit.bias @ raters, raters.sum(axis=0), out=level, where=raters.any(axis=0))
    return means, level * level_scale(len(there), drawn.confidence), fit


def level_scale(raters: int, confidence: float) -> float:
    """Return what the resampled mean bias of a panel is multiplied by; see `variance`."""
    if raters < LEAST_RATERS:
        return 1.0
    return float((raters / (raters - 1)) ** 0.5 * expansion(np.array(raters - 1.0), confidence))


def _severity(fit: Severity) -> str:
    if len(fit.bias) == 1:
        return "one rater: severity not removed"
    if not fit.connected:
        return "severity not removed: raters and items are not connected"
    return "severity removed by the model of P.910 Annex E, inconsistency moderated, tastes apart"


def _of_criterion(means: Means, rows: pd.DataFrame, blank: Score) -> Iterator[Score]:
    blank = replace(blank, criterion=means.criterion, method=means.method)
    counted = _counts(rows)
    for model, draws in zip(means.models, means.of_model, strict=True):
        if model in counted:
            score = replace(blank, metric=MEAN_SCORE, model=model)
            yield with_interval(_counted(score, counted), draws)
    of_model, of_pair = means.of_model, means.of_pair
    yield from _differences(means.models, of_pair, counted, blank)
    yield from _ranks(means.models, of_model, of_pair, counted, replace(blank, group=MEAN_SCORE))


def _differences(
    models: Sequence[str], of_pair: Pairs, counted: Counted, blank: Score
) -> Iterator[Score]:
    there = [model for model in models if model in counted and model != REFERENCE]
    for first, second in combinations(there, 2):
        score = replace(blank, metric="score_difference", model=first, against=second)
        score = replace(score, method=f"paired by scenes; {score.method}")
        found = of_pair.get((first, second))
        if found is None or not np.isfinite(found.draws[0]):
            yield replace(score, reason="no common scenes")
            continue
        pair = [counted[model] for model in (first, second)]
        items, values = (sum(part[place] for part in pair) for place in (0, 2))
        raters = max(part[1] for part in pair)
        score = replace(score, n_items=items, n_raters=raters, n_values=values)
        shown = with_interval(score, found.draws)
        yield shown
        yield p_score(shown, float(stacked([found]).p_values()[0]))


def _overall(
    found: Sequence[Means], rows: pd.DataFrame, blank: Score, weights: Mapping[str, float]
) -> Iterator[Score]:
    """Yield the weighted mean of the criteria, and ranks by it."""
    among = weights_among([means.criterion for means in found], weights)
    found = [means for means in found if among[means.criterion] > 0]
    given = np.array([among[means.criterion] for means in found])
    models = found[0].models
    mean = found[0]._replace(
        of_cell=weighted_sum([means.of_cell for means in found], given),
        level=given @ np.stack([means.level for means in found]),
    )
    draws, pairs = mean.of_model, mean.of_pair
    told = (
        "equal weights"
        if np.ptp(given) < 1e-12
        else "weights "
        + ", ".join(
            f"{means.criterion} {share:.3g}" for share, means in zip(given, found, strict=True)
        )
    )
    blank = replace(blank, method=f"mean of {len(found)} criteria, {told}; {_of_all(found)}")
    counted = _counts(rows)
    for model, drawn in zip(models, draws, strict=True):
        score = _counted(replace(blank, metric=OVERALL, model=model), counted)
        if np.isfinite(drawn[0]):
            yield with_interval(score, drawn)
        else:
            lacking = [
                means.criterion
                for means in found
                if not np.isfinite(means.of_model[models.index(model), 0])
            ]
            yield replace(score, reason=f"not rated on {', '.join(lacking)}")
    yield from _differences(models, pairs, counted, blank)
    yield from _ranks(models, draws, pairs, counted, replace(blank, group=OVERALL))


def _of_all(found: Sequence[Means]) -> str:
    """Say how several criteria were computed, and on which of them no rater is drawn."""
    few = [means.criterion for means in found if len(means.raters) < LEAST_RATERS]
    if not few or len(few) == len(found):
        return found[0].method
    drawn = next(means for means in found if len(means.raters) >= LEAST_RATERS)
    return f"{drawn.method}; for these raters alone on {', '.join(few)}"


def _ranks(
    models: Sequence[str],
    draws: Array,
    of_pair: Pairs,
    counted: Counted,
    blank: Score,
) -> Iterator[Score]:
    """Yield ranks by the paired differences; none for a model that shares no scene with another."""
    names = [model for model in models if model != REFERENCE]
    names = [model for model in names if np.isfinite(draws[models.index(model), 0])]
    if not names:
        return
    place = {name: index for index, name in enumerate(names)}
    pairs = {
        (place[one], place[other]): found
        for (one, other), found in of_pair.items()
        if one in place and other in place and np.isfinite(found.draws[0])
    }
    gaps = stacked(list(pairs.values()))
    ranks = simultaneous_ranks(len(names), list(pairs), gaps, blank.confidence)
    blanks = [_counted(replace(blank, model=name), counted) for name in names]
    apart: dict[str, list[str]] = {name: [] for name in names}
    for one, other in combinations(names, 2):
        if (place[one], place[other]) not in pairs:
            apart[one].append(other)
            apart[other].append(one)
    for score in rank_scores(ranks, blanks):
        if score.metric == "rank" and (others := apart[score.model]):
            said = f"no common scenes with {', '.join(others)}"
            yield replace(score, value=math.nan, low=math.nan, high=math.nan, reason=said)
        elif score.metric == "ranked_above" and score.against in apart[score.model]:
            yield replace(score, value=0.0, reason="no common scenes")
        else:
            yield score


Counted = Mapping[str, tuple[int, int, int]]


def _counts(rows: pd.DataFrame) -> Counted:
    """Return the numbers of items, raters and ratings of each model."""
    model, models = codes(rows["model"])
    found = []
    for column in ("item", "rater"):
        unit, units = codes(rows[column])
        seen = np.unique(model * len(units) + unit) // len(units)
        found.append(np.bincount(seen, minlength=len(models)))
    return {
        name: (int(items), int(raters), int(values))
        for name, items, raters, values in zip(models, *found, np.bincount(model), strict=True)
    }


def _counted(score: Score, counted: Counted) -> Score:
    items, raters, values = counted.get(score.model, (0, 0, 0))
    return replace(score, n_items=items, n_raters=raters, n_values=values)
