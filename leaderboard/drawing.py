"""What is drawn, and how often: scenes and references, raters, seeds.

A bootstrap resample gives each unit a whole weight, drawn with replacement within its stratum. Of
units that are too few to say anything of further ones none is drawn, and `facets` says so.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

Whole = NDArray[np.int64]

LEAST_RATERS = 3
"""Of two raters nothing can be said about a third: intervals are then for these raters alone."""

LEAST_SEEDS = 4
"""Of two or three seeds nothing is said about a fourth: where they happen to lie close, nothing in
the data shows it. Intervals are then for these seeds alone."""

SCALED = "deviations scaled to two-way clustering, times t over z"
"""What `variance` does to the resamples, for the `method` of scores."""


class Weights(NamedTuple):
    """How often each rater, cluster and item is drawn; column 0 is all ones."""

    raters: Array
    """(raters, 1 + resamples)."""
    clusters: Array
    items: Array
    """See `draw_seeds`."""
    confidence: float
    """Of the intervals that will be read off."""


def draw_weights(rng: np.random.Generator, stratum: Whole, resamples: int) -> Array:
    """Return how often each unit is drawn, (units, 1 + resamples); column 0 is all ones.

    Units are drawn with replacement within their stratum, as many as it has.
    """
    weights = np.ones((len(stratum), 1 + resamples))
    for code in np.unique(stratum):
        members = np.flatnonzero(stratum == code)
        size = len(members)
        drawn = rng.integers(0, size, (resamples, size)) + size * np.arange(resamples)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=resamples * size)
        weights[members, 1:] = counts.reshape(resamples, size).T
    return weights


def draw_raters(rng: np.random.Generator, raters: int, resamples: int) -> Array:
    """Return how often each rater is drawn; with fewer than `LEAST_RATERS` none is, all count once."""
    if raters < LEAST_RATERS:
        return np.ones((raters, 1 + resamples))
    return draw_weights(rng, np.zeros(raters, dtype=np.int64), resamples)


def draw_seeds(rng: np.random.Generator, seed: Whole, resamples: int) -> Array:
    """Return the weight of every item as its seed is drawn, (items, 1 + resamples).

    Args:
        rng: draws the seeds, with replacement, as many as there are.
        seed: code of each item's seed from 0, −1 where it has none: it then always counts once.
        resamples: how many. With fewer than `LEAST_SEEDS` none is drawn: all ones.
    """
    n_seeds = int(seed.max(initial=-1)) + 1
    if n_seeds < LEAST_SEEDS:
        return np.ones((len(seed), 1 + resamples))
    drawn = draw_weights(rng, np.zeros(n_seeds, dtype=np.int64), resamples)
    always = np.ones((1, 1 + resamples))
    return np.concatenate([drawn, always])[seed]


def facets(seeds: int, raters: int, units: str = "scenes") -> str:
    """Say what is drawn, for whom alone an interval holds, and how deviations were scaled."""
    drawn = [units, *["seeds"] * (seeds >= LEAST_SEEDS), *["raters"] * (raters >= LEAST_RATERS)]
    said = ", ".join(drawn)
    if 1 < seeds < LEAST_SEEDS:
        said += f"; for these {seeds} seeds alone"
    if raters < LEAST_RATERS:
        said += "; for these raters alone"
    return f"{said}; {SCALED}"
