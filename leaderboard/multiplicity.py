"""Several tests at once: p values of intervals, and Holm for what is claimed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from bench.records import Score


def p_value(score: Score) -> float:
    """Return the two-sided p of "the value is 0", from its own interval taken as normal.

    NaN where there is no interval. For a `score_difference`, not for intervals that are already
    simultaneous.
    """
    width = score.high - score.low
    if not (math.isfinite(width) and width > 0):
        return math.nan
    error = width / (2 * float(norm.ppf((1 + score.confidence) / 2)))
    return float(2 * norm.sf(abs(score.value) / error))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted so that the chance of any false claim is kept (Holm 1979).

    NaN stays NaN and does not count.
    """
    result = np.array(p_values, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(result))
    order = known[np.argsort(result[known], kind="stable")]
    raised = result[order] * np.arange(len(order), 0, -1)
    result[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return [float(p) for p in result]
