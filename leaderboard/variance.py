"""How wide resamples should be: two-way clustering, and Student's t where a panel is small.

A resample that draws scenes and raters and lets a judgement count with the product of both carries
the noise of single judgements three times (Owen 2007), and with eight raters their normal quantile
is too short. Deviations of the resamples are therefore scaled to the variance of two-way
clustering, V = B_scenes + B_raters − B_judgements, and where seeds are drawn + B_seeds − B_items
(Cameron, Gelbach and Miller 2011), times t over z with Satterthwaite's degrees of freedom (as in
the expanded percentile interval of Hesterberg 2015). The shape of the resamples stays.

What is taken away is of scene × rater (or scene × seed) of the very quantity, summed before it is
squared: what a rater finds in a scene whoever painted it moves no difference, and is then not taken
from it either.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

Array = NDArray[np.float64]


class Between(NamedTuple):
    """Variances of each mean, all of one shape, and the units behind them."""

    scenes: Array
    raters: Array
    judgements: Array
    """Variance that single judgements make, which scenes and raters each bring with them."""
    n_scenes: Array
    n_raters: Array
    """1 / Σ h²: as many equal raters weigh as much."""
    seeds: Array
    """0 where no seeds are drawn."""
    items: Array
    """Variance that single items of a prompt make, which each seed brings with it."""
    n_seeds: Array


def expansion(freedom: Array, confidence: float) -> Array:
    """Return t over z at the ends of an interval, for degrees of freedom from 1 up."""
    end = (1 + confidence) / 2
    return np.asarray(t.ppf(end, np.maximum(freedom, 1.0)) / norm.ppf(end), np.float64)


def two_way(between: Between, *, pooled: bool = False) -> tuple[Array, Array]:
    """Return the variance of two-way clustering and its degrees of freedom, 0 where none varies.

    Args:
        between: variances of each quantity.
        pooled: take the degrees of freedom from the mean components of all quantities (axis 0).
            A difference that few raters show too small by chance then does not also count as the
            better known.
    """
    often = between.n_scenes / np.maximum(between.n_scenes - 1, 1)
    of_scenes = between.scenes * often
    of_seeds = between.seeds * between.n_seeds / np.maximum(between.n_seeds - 1, 1)
    # raters never take away from what the scenes alone show
    wanted = of_scenes + np.maximum(between.raters - between.judgements, 0)
    of_seeds_alone = np.maximum(of_seeds - between.items, 0)
    wanted += of_seeds_alone
    # seeds that show nothing of their own leave the others' degrees of freedom as they are
    parts = [of_scenes, between.raters, np.where(of_seeds_alone > 0, of_seeds, 0.0)]
    units = [between.n_scenes, between.n_raters, between.n_seeds]
    whole = wanted
    if pooled and len(wanted):
        there = np.isfinite(wanted) & (wanted > 0)
        whole, *parts = (_mean(part, there) for part in (whole, *parts))
        units = [_mean(unit, there) for unit in units]
    uncertain = np.zeros_like(wanted)
    for part, unit in zip(parts, units, strict=True):
        uncertain += part**2 / np.maximum(unit - 1, 1)
    freedom = np.full_like(wanted, np.inf)
    np.divide(whole**2 * np.ones_like(wanted), uncertain, out=freedom, where=uncertain > 0)
    return wanted, np.maximum(freedom, 1.0)


def _mean(part: Array, there: NDArray[np.bool_]) -> Array:
    """Return the mean over axis 0 of what is there."""
    total: Array = np.where(there, part, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    return total


def scales(wanted: Array, freedom: Array, drawn: Array, confidence: float) -> Array:
    """Return what deviations are multiplied by; 1 where nothing varies.

    Args:
        wanted: variance that they should have.
        freedom: its degrees of freedom.
        drawn: variance over the resamples, all of one shape.
        confidence: of the intervals that will be read off.
    """
    ratio = np.ones_like(wanted)
    there = (drawn > 1e-18) & (wanted > 1e-18)
    np.divide(wanted, drawn, out=ratio, where=there)
    result: Array = np.sqrt(ratio) * np.where(there, expansion(freedom, confidence), 1.0)
    return result
