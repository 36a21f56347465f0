"""Weights of the criteria, and the order under others: which ranks a model can have over all of them.

The headline order follows one weighting, declared by the rubric or equal. Over all weightings that are not negative and sum to 1 a
model may stand higher or lower; the range is found exactly, as a mixed integer linear programme.
The means are taken as they are: this is not about chance.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from bench.records import Score

OVERALL = "overall_score"
"""The metric of a model's weighted mean over the criteria; also the `group` of its ranks."""

WEIGHT = "weight"
"""The metric that carries a criterion's weight."""

FROM_STUDY = "study"
"""The `source` of what a study was made with: no rater had a part in it."""

DECLARED = "declared by the rubric"
EQUAL = "equal: none was declared"

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

AHEAD = 1e-4
"""By how much a weighted mean must lie above another to be ahead: more than a solver's slack."""


def equal_weights(criteria: Sequence[str]) -> dict[str, float]:
    """Return the same weight for every criterion, summing to 1."""
    return {name: 1 / len(criteria) for name in criteria}


def weights_among(
    criteria: Sequence[str], declared: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Return the weights of the criteria that were rated, summing to 1.

    What others are declared for has no part; where none of these has a weight all weigh the same.
    """
    given = {name: float((declared or {}).get(name, 0.0)) for name in criteria}
    total = math.fsum(given.values())
    if total <= 0:
        return equal_weights(criteria)
    return {name: weight / total for name, weight in given.items()}


def weight_scores(
    scores: Sequence[Score], declared: Mapping[str, float] | None = None
) -> list[Score]:
    """Return a `weight` per study and criterion that has mean scores, summing to 1 in each study.

    Args:
        scores: of one or several studies.
        declared: by criterion, as a rubric gives them; equal without.
    """
    result = []
    for study in sorted({score.study for score in scores}):
        criteria = sorted(
            {s.criterion for s in scores if s.metric == "mean_score" and s.study == study}
        )
        is_declared = any((declared or {}).get(name) for name in criteria)
        result += [
            Score(
                study=study,
                source=FROM_STUDY,
                metric=WEIGHT,
                criterion=name,
                value=weight,
                method=DECLARED if is_declared else EQUAL,
            )
            for name, weight in weights_among(criteria, declared).items()
        ]
    return result


def weighted_mean(
    means: Mapping[str, Score | None], weights: Mapping[str, float], model: str
) -> Score:
    """Return the weighted mean of a model's scores; NaN where one that counts is missing."""
    counted = [(means[name], weight) for name, weight in weights.items() if weight > 0]
    if any(mean is None or math.isnan(mean.value) for mean, _ in counted):
        return Score(metric=OVERALL, model=model, reason="a criterion is missing")
    values = [mean.value * weight for mean, weight in counted if mean]
    method = "weighted mean of the criteria; no interval"
    return Score(metric=OVERALL, model=model, value=math.fsum(values), method=method)


class RankRange(NamedTuple):
    """Per model, the best and the worst rank over all weightings; 1 is first."""

    best: Whole
    worst: Whole


def rank_ranges(means: Array) -> RankRange:
    """Return the range of each model's rank.

    Args:
        means: of every model on every criterion, (models, criteria), finite.
    """
    gaps = [np.delete(means, row, axis=0) - means[row] for row in range(len(means))]
    with _silent():
        best = [1 + _ahead(gap, most=False) for gap in gaps]
        worst = [1 + _ahead(gap, most=True) for gap in gaps]
    return RankRange(np.array(best, dtype=np.int64), np.array(worst, dtype=np.int64))


@contextmanager
def _silent() -> Iterator[None]:
    """Keep the solver's stray remarks off the standard output, which may be carrying JSON.

    HiGHS writes them from C whatever its options say, so the file itself is turned away.
    """
    flush = ctypes.CDLL(None).fflush
    sys.stdout.flush()
    flush(None)
    kept = os.dup(1)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        flush(None)
        os.dup2(kept, 1)
        os.close(kept)


def _ahead(gaps: Array, *, most: bool) -> int:
    """Return the least or largest number of rows whose weighted gap is positive.

    Variables are the weights w, then one z per row: 1 where the row counts as ahead. Least: a row
    may be behind (z = 0) only where w·gap <= 0. Most: it is ahead (z = 1) only where w·gap >= AHEAD.
    """
    always = (gaps >= AHEAD).all(axis=1)
    open_ = gaps[~always & (gaps >= AHEAD).any(axis=1)]
    if not len(open_):
        return int(always.sum())
    n, criteria = open_.shape
    high, low = open_.max(axis=1), open_.min(axis=1)
    if most:
        # w·gap − (AHEAD − low) z >= low
        switch, at_least, at_most, sign = np.diag(low - AHEAD), low, np.full(n, np.inf), -1.0
    else:
        # w·gap − high z <= 0
        switch, at_least, at_most, sign = np.diag(-high), np.full(n, -np.inf), np.zeros(n), 1.0
    sums_to_one = np.concatenate([np.ones(criteria), np.zeros(n)])
    found = milp(
        np.concatenate([np.zeros(criteria), np.full(n, sign)]),
        constraints=[
            LinearConstraint(np.hstack([open_, switch]), at_least, at_most),
            LinearConstraint(sums_to_one[None, :], 1.0, 1.0),
        ],
        integrality=np.concatenate([np.zeros(criteria), np.ones(n)]),
        bounds=Bounds(0.0, 1.0),
    )
    return int(always.sum()) + round(sign * float(found.fun or 0.0))
