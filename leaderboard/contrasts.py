"""Differences of models under resampling, and what is tested with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from bench.records import Score

Array = NDArray[np.float64]

NOTHING_VARIES = "no interval: nothing varies between the resamples"

LEAST_ERROR = 1e-9
"""A standard error below which a difference is taken not to vary."""


class Contrast(NamedTuple):
    """One difference: its draws, (1 + resamples,), column 0 the estimate.

    Deviations of the draws have the variance of two-way clustering of this very difference, times
    Student's t over z.
    """

    draws: Array
    error: float
    """Standard error; 0 or NaN where nothing varies."""
    freedom: float
    """Degrees of freedom of the error."""


class Contrasts(NamedTuple):
    """Many differences, one a row."""

    draws: Array
    """(n, 1 + resamples)."""
    error: Array
    """(n,)."""
    freedom: Array
    """(n,)."""

    def varied(self) -> NDArray[np.bool_]:
        """Say which were resampled, and vary; no other is tested."""
        known = np.isfinite(self.draws)
        there: NDArray[np.bool_] = known[:, 0] & (2 * known.sum(axis=1) > known.shape[1])
        return there & (self.error > LEAST_ERROR)

    def tail(self) -> Array:
        """Return the one-sided p of each difference by Student's t; NaN where it is not tested."""
        ratio = np.full(len(self.error), np.nan)
        np.divide(np.abs(self.draws[:, 0]), self.error, out=ratio, where=self.varied())
        return np.asarray(t.sf(ratio, self.freedom), dtype=np.float64)

    def p_values(self) -> Array:
        """Return the two-sided p of each "the difference is 0", unadjusted."""
        return 2 * self.tail()

    def normal(self) -> Array:
        """Return each difference as the normal deviate that is as unlikely as its t."""
        deviate: Array = np.sign(self.draws[:, 0]) * norm.isf(self.tail())
        return deviate


def stacked(contrasts: Sequence[Contrast]) -> Contrasts:
    """Return contrasts in rows."""
    if not contrasts:
        return Contrasts(np.empty((0, 1)), np.empty(0), np.empty(0))
    draws, error, freedom = zip(*contrasts, strict=True)
    return Contrasts(np.stack(draws), np.array(error), np.array(freedom))


def simultaneous_intervals(contrasts: Contrasts, confidence: float) -> tuple[Array, Array]:
    """Return the bounds of all differences at once; NaN where one was not resampled.

    Max-t: c is the quantile of the largest |d* − d| / se, as if all were normal; each difference
    takes the quantile of its own Student's t that is as unlikely.

    Args:
        contrasts: n of them.
        confidence: that no difference lies outside its bounds.
    """
    values = contrasts.draws[:, 0]
    low, high = np.full(len(values), np.nan), np.full(len(values), np.nan)
    there = np.flatnonzero(contrasts.varied())
    moved = contrasts.draws[there, 1:] - values[there, None]
    moved = moved[:, np.isfinite(moved).all(axis=0)]
    if moved.size:
        largest = np.abs(moved / np.sqrt((moved**2).mean(axis=1, keepdims=True))).max(axis=0)
        critical = float(np.quantile(largest, confidence))
        half = t.isf(norm.sf(critical), contrasts.freedom[there]) * contrasts.error[there]
        low[there], high[there] = values[there] - half, values[there] + half
    return low, high


def p_score(difference: Score, p: float) -> Score:
    """Return the row that carries a difference's p, its metric ending in `_p`."""
    said = f"Student's t, unadjusted; {difference.method}"
    reason = "no interval: a p value" if math.isfinite(p) else difference.reason or NOTHING_VARIES
    metric, nan = f"{difference.metric}_p", math.nan
    return replace(
        difference, metric=metric, value=p, low=nan, high=nan, method=said, reason=reason
    )
