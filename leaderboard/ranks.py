"""Ranks with simultaneous bounds from an estimate and its resamples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

METHOD = "best and worst rank by max-t over all differences"


class Ranks(NamedTuple):
    """Per model; rank 1 is the highest value."""

    rank: Whole
    best: Whole
    worst: Whole
    p_first: Array
    """Share of the resamples in which the model is first."""


def simultaneous_ranks(values: Array, resampled: Array, confidence: float) -> Ranks:
    """Return ranks whose best and worst hold for all models at once.

    A difference counts where it exceeds c standard errors; c is the quantile of the largest
    |d* − d| / se over all pairs (single-step max-t; Mogstad, Romano, Shaikh and Wilhelm 2024).

    Args:
        values: one per model, (models,).
        resampled: (resamples, models); rows with a NaN are left out.
        confidence: of all bounds together.
    """
    resampled = resampled[np.isfinite(resampled).all(axis=1)]
    n = len(values)
    gap = values[:, None] - values[None, :]
    drawn = resampled[:, :, None] - resampled[:, None, :]
    if not len(drawn):
        everyone = np.ones(n, dtype=np.int64)
        return Ranks(_places(gap), everyone, everyone * n, np.full(n, np.nan))
    error = drawn.std(axis=0)
    away = np.zeros_like(drawn)
    np.divide(np.abs(drawn - gap), error, out=away, where=error > 0)
    largest = float(np.quantile(away.max(axis=(1, 2)), confidence))
    clear = gap > largest * error
    winners = resampled == resampled.max(axis=1, keepdims=True)
    return Ranks(
        rank=_places(gap),
        best=1 + clear.sum(axis=0),
        worst=n - clear.sum(axis=1),
        p_first=(winners / winners.sum(axis=1, keepdims=True)).mean(axis=0),
    )


def _places(gap: Array) -> Whole:
    places: Whole = 1 + (gap > 0).sum(axis=0).astype(np.int64)
    return places
