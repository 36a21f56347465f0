"""Ranks with simultaneous bounds from an estimate and its resamples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.records import Score
from leaderboard.contrasts import Contrasts

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


def simultaneous_ranks(
    n: int, pairs: Sequence[tuple[int, int]], gaps: Contrasts, confidence: float
) -> Ranks:
    """Return ranks whose best and worst hold for all models at once.

    Of two models one is put above the other where their difference exceeds c standard errors; c is
    the quantile of the largest (d* − d) / se over all ordered pairs, and again over those pairs
    that are not yet decided, until none is added (Mogstad, Romano, Shaikh and Wilhelm, Review of
    Economic Studies 91 (2024), by the step-down of Romano and Wolf 2005). The resamples carry the
    covariance of the models. Each difference is first brought from its own Student's t to the
    normal deviate that is as unlikely, so that few raters put nobody above by chance.

    A model's rank is 1 + the number of those that are ahead of it where both were judged, so that
    no rank contradicts a difference.

    Args:
        n: how many models.
        pairs: of models, the first before the second; one without common scenes is not among them.
            It stays undecided, as does one that most resamples lack or that never varies.
        gaps: the first less the second, in the same order.
        confidence: of all bounds together.
    """
    gap, clear = np.zeros((n, n)), np.zeros((n, n), dtype=bool)
    p_first = np.full(n, np.nan)
    if pairs:
        first, second = np.array(pairs).T
        value = np.where(np.abs(gaps.draws[:, 0]) < _SAME, 0.0, gaps.draws[:, 0])
        gap[first, second], gap[second, first] = value, -value
        there = gaps.varied()
        whole = np.isfinite(gaps.draws[there, 1:]).all(axis=0)
        drawn = gaps.draws[:, 1:] if whole.all() else gaps.draws[:, 1:][:, whole]
        if there.any() and whole.sum() > 1:
            moved = drawn[there] - value[there, None]
            places = (first[there], second[there])
            clear = _clear(n, gaps.normal()[there], moved, places, confidence)
        if len(pairs) == n * (n - 1) // 2 and whole.sum() > 1 and np.isfinite(drawn).all():
            p_first = _p_first(n, drawn, first, second)
    return Ranks(
        rank=1 + (gap > 0).sum(axis=0).astype(np.int64),
        best=1 + clear.sum(axis=0),
        worst=n - clear.sum(axis=1),
        p_first=p_first,
        clear=clear,
    )


def _p_first(n: int, drawn: Array, first: Whole, second: Whole) -> Array:
    """Return in which share of the resamples each model is behind nobody; a tie is shared."""
    winners = np.empty((n, drawn.shape[1]), dtype=bool)
    for model in range(n):
        behind = (drawn[first == model] < -_SAME).any(axis=0)
        winners[model] = ~(behind | (drawn[second == model] > _SAME).any(axis=0))
    # where the pairs go round in a circle nobody is first
    share: Array = (winners / np.maximum(winners.sum(axis=0), 1)).mean(axis=1)
    return share


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


def _clear(
    n: int, ahead: Array, moved: Array, pairs: tuple[Whole, Whole], confidence: float
) -> Flags:
    """Return which row stands above which column, decided step by step.

    Args:
        n: how many models.
        ahead: the differences as normal deviates, (pairs,).
        moved: their deviations under resampling, (pairs, resamples).
        pairs: rows and columns.
        confidence: of all verdicts together.
    """
    first, second = pairs
    size = np.sqrt(np.einsum("pb,pb->p", moved, moved) / moved.shape[1])
    moved = (moved / size[:, None]).astype(np.float32).T
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
    clear = np.zeros((n, n), dtype=bool)
    clear[first[above], second[above]] = True
    clear[second[below], first[below]] = True
    return clear
