"""Ranks with simultaneous bounds from an estimate and its resamples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.records import Score

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

_SAME = 1e-12
"""Of differences: what sums taken in another order may differ by."""

METHOD = "best and worst rank by step-down max-t over all differences"


class Ranks(NamedTuple):
    """Per model; rank 1 is the highest value."""

    rank: Whole
    best: Whole
    worst: Whole
    p_first: Array
    """Share of the resamples in which the model is first; NaN where it was not resampled."""
    clear: Flags
    """(models, models): the row is put above the column."""


def simultaneous_ranks(values: Array, resampled: Array, confidence: float) -> Ranks:
    """Return ranks whose best and worst hold for all models at once.

    Of two models one is put above the other where the difference exceeds c standard errors; c is
    the quantile of the largest (d* − d) / se over all ordered pairs, and again over those pairs
    that are not yet decided, until none is added (Mogstad, Romano, Shaikh and Wilhelm, Review of
    Economic Studies 91 (2024), by the step-down of Romano and Wolf 2005). The resamples carry the
    covariance of the models.

    Args:
        values: one per model, (models,).
        resampled: (resamples, models). A model that most resamples lack, or that never varies, is
            put above and below nobody; else resamples with a NaN are left out.
        confidence: of all bounds together.
    """
    n = len(values)
    gap = values[:, None] - values[None, :]
    known = np.isfinite(resampled).mean(axis=0) > 0.5 if len(resampled) else np.zeros(n, bool)
    found = np.flatnonzero(known & np.isfinite(values))
    drawn = resampled[:, found]
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    clear = np.zeros((n, n), dtype=bool)
    p_first = np.full(n, np.nan)
    if len(drawn) > 1 and len(found) > 1:
        pairs = np.triu_indices(len(found), 1)
        among = gap[np.ix_(found, found)]
        moved = drawn[:, pairs[0]] - drawn[:, pairs[1]] - among[pairs]
        clear[np.ix_(found, found)] = _clear(among, moved, pairs, confidence)
    if len(drawn) > 1 and len(found) == n:
        winners = drawn == drawn.max(axis=1, keepdims=True)
        p_first = (winners / winners.sum(axis=1, keepdims=True)).mean(axis=0)
    return Ranks(
        rank=1 + (gap > 0).sum(axis=0).astype(np.int64),
        best=1 + clear.sum(axis=0),
        worst=n - clear.sum(axis=1),
        p_first=p_first,
        clear=clear,
    )


def paired_ranks(
    n: int, pairs: Mapping[tuple[int, int], Array], resamples: int, confidence: float
) -> Ranks:
    """Return the same ranks from paired differences, as models may differ in their scenes.

    A model's rank is 1 + the number of those that are ahead of it where both were judged, so that
    no rank contradicts a difference.

    Args:
        n: how many models.
        pairs: draws of first − second for first < second, (1 + resamples,) each, column 0 the
            estimate; a pair without common scenes is absent or NaN, and stays undecided.
        resamples: how many.
        confidence: of all bounds together.
    """
    gap, moved = np.zeros((n, n)), np.full((resamples, n, n), np.nan)
    for (one, other), draws in pairs.items():
        gap[one, other], gap[other, one] = draws[0], -draws[0]
        moved[:, one, other] = draws[1:]
    gap[np.abs(gap) < _SAME] = 0.0
    first, second = np.triu_indices(n, 1)
    drawn = moved[:, first, second]
    known = np.isfinite(drawn).mean(axis=0) > 0.5 if resamples else np.zeros(n * (n - 1) // 2, bool)
    known &= np.isfinite(gap[first, second])
    drawn = drawn[np.isfinite(drawn[:, known]).all(axis=1)]
    clear = np.zeros((n, n), dtype=bool)
    p_first = np.full(n, np.nan)
    if known.any() and len(drawn) > 1:
        pairs_known = (first[known], second[known])
        clear = _clear(gap, drawn[:, known] - gap[pairs_known], pairs_known, confidence)
    if known.all() and len(drawn) > 1:
        ahead = np.ones((len(drawn), n, n), dtype=bool)
        ahead[:, first, second], ahead[:, second, first] = drawn >= -_SAME, drawn <= _SAME
        winners = ahead.all(axis=2)
        # where the pairs go round in a circle nobody is first
        p_first = (winners / np.maximum(winners.sum(axis=1, keepdims=True), 1)).mean(axis=0)
    return Ranks(
        rank=1 + (gap > 0).sum(axis=0).astype(np.int64),
        best=1 + clear.sum(axis=0),
        worst=n - clear.sum(axis=1),
        p_first=p_first,
        clear=clear,
    )


def rank_scores(ranks: Ranks, blanks: Sequence[Score]) -> Iterator[Score]:
    """Yield `rank` per model, and `ranked_above` per pair: 1, −1, or 0 where it is undecided.

    Args:
        ranks: of the models.
        blanks: one score per model with its counts and method, in the same order.
    """
    for place, score in enumerate(blanks):
        yield replace(
            score,
            metric="rank",
            value=float(ranks.rank[place]),
            low=float(ranks.best[place]),
            high=float(ranks.worst[place]),
            method=f"{score.method}; {METHOD}",
        )
    for (first, mine), (second, theirs) in combinations(enumerate(blanks), 2):
        yield replace(
            mine,
            metric="ranked_above",
            against=theirs.model,
            value=float(ranks.clear[first, second]) - float(ranks.clear[second, first]),
            n_items=mine.n_items + theirs.n_items,
            n_raters=max(mine.n_raters, theirs.n_raters),
            n_values=mine.n_values + theirs.n_values,
            method=f"{mine.method}; {METHOD}",
            reason="no interval: a verdict",
        )


def _clear(gap: Array, moved: Array, pairs: tuple[Whole, Whole], confidence: float) -> Flags:
    """Return which row stands above which column, decided step by step.

    Args:
        gap: (models, models).
        moved: deviations of the gaps of `pairs`, (resamples, pairs).
        pairs: rows and columns of the gaps that were resampled.
        confidence: of all verdicts together.
    """
    first, second = pairs
    error = np.sqrt((moved**2).mean(axis=0))
    there = error > 1e-9
    first, second, moved, error = first[there], second[there], moved[:, there], error[there]
    ahead = gap[first, second] / error
    moved = (moved / error).astype(np.float32)
    above = np.zeros(len(first), dtype=bool)
    below = np.zeros(len(first), dtype=bool)
    while not (above | below).all():
        # an undecided pair is tested both ways, a decided one in the way that is left
        both = moved[:, ~(above | below)]
        left = [np.abs(both).max(axis=1)] if both.shape[1] else []
        left += [(-moved[:, above]).max(axis=1)] if above.any() else []
        left += [moved[:, below].max(axis=1)] if below.any() else []
        critical = float(np.quantile(np.max(left, axis=0), confidence))
        now_above, now_below = ahead > critical, -ahead > critical
        if (now_above == above).all() and (now_below == below).all():
            break
        above, below = above | now_above, below | now_below
    clear = np.zeros((len(gap), len(gap)), dtype=bool)
    clear[first[above], second[above]] = True
    clear[second[below], first[below]] = True
    return clear


def simultaneous_intervals(
    values: Array, resampled: Array, confidence: float
) -> tuple[Array, Array]:
    """Return the bounds of all values at once by max-t; NaN where a value was not resampled.

    Args:
        values: (n,).
        resampled: (resamples, n).
        confidence: that no value lies outside its bounds.
    """
    low, high = np.full(len(values), np.nan), np.full(len(values), np.nan)
    known = (np.isfinite(resampled).mean(axis=0) > 0.5) & np.isfinite(values)
    moved = resampled[:, known] - values[known]
    moved = moved[np.isfinite(moved).all(axis=1)]
    error = np.sqrt((moved**2).mean(axis=0)) if len(moved) else np.zeros(known.sum())
    there = error > 1e-9
    if there.any():
        largest = np.abs(moved[:, there] / error[there]).max(axis=1)
        half = float(np.quantile(largest, confidence)) * error[there]
        which = np.flatnonzero(known)[there]
        low[which], high[which] = values[which] - half, values[which] + half
    return low, high
