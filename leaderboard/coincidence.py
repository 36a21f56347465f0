"""Sums over units from which every agreement coefficient follows.

Notation as in Krippendorff (2004, ch. 11) and Gwet (2014): with c_u the count vector of unit u
over the V distinct values and m_u = Σ c_u, P_u = (c_u c_uᵀ − diag c_u) / (m_u − 1) for m_u ≥ 2,
and S = Σ_u P_u. Because a coefficient is a function of a sum over units, leaving units out or
weighting them needs no second look at the ratings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


class Ratings(NamedTuple):
    """One criterion's ratings in long form; codes run from 0."""

    unit: Whole
    rater: Whole
    value: Whole
    domain: Array
    """The V distinct values, rising; `value` indexes them."""
    n_units: int
    n_raters: int


def counts_of(ratings: Ratings) -> Array:
    """Return the (units, V) counts."""
    n_values = len(ratings.domain)
    cells = ratings.unit * n_values + ratings.value
    counts = np.bincount(cells, minlength=ratings.n_units * n_values)
    return counts.reshape(ratings.n_units, n_values).astype(np.float64)


def coincidences(counts: Array) -> Array:
    """Return P_u of each unit, shape (units, V, V); units rated once give zeros."""
    pairable = counts.sum(axis=1)
    weight = np.where(pairable > 1, 1 / np.maximum(pairable - 1, 1), 0.0)
    pairs: Array = counts[:, :, None] * counts[:, None, :]
    diagonal = np.arange(counts.shape[1])
    pairs[:, diagonal, diagonal] -= counts
    pairs *= weight[:, None, None]
    return pairs


def squared_distances(marginals: Array, values: Array, level: str) -> Array:
    """Return δ²(c, k), shape (…, V, V), for marginals of shape (…, V).

    Ordinal: the squared difference of cumulative mid-ranks (Krippendorff 2004, p. 233).
    """
    if level == "nominal":
        return np.broadcast_to(1.0 - np.eye(len(values)), (*marginals.shape, len(values)))
    if level == "ordinal":
        place = np.cumsum(marginals, axis=-1) - marginals / 2
    else:
        place = np.broadcast_to(values, marginals.shape)
    gap = place[..., :, None] - place[..., None, :]
    if level == "ratio":
        total = place[..., :, None] + place[..., None, :]
        gap = np.divide(gap, total, out=np.zeros_like(gap), where=total != 0)
    squared: Array = gap**2
    return squared


def alpha(sums: Array, values: Array, level: str) -> Array:
    """Return Krippendorff's α from coincidences S of shape (…, V, V).

    α = 1 − (n − 1) Σ S_ck δ²_ck / Σ n_c n_k δ²_ck; NaN where nothing varies.
    """
    marginals = sums.sum(axis=-1)
    distances = squared_distances(marginals, values, level)
    observed = (sums * distances).sum(axis=(-2, -1))
    expected = (marginals[..., :, None] * marginals[..., None, :] * distances).sum(axis=(-2, -1))
    total = marginals.sum(axis=-1)
    ratio = np.full_like(observed, np.nan)
    np.divide((total - 1) * observed, expected, out=ratio, where=expected > 0)
    result: Array = 1.0 - ratio
    return result


def pairwise(counts: Array, weights: Array) -> Array:
    """Return per unit what Gwet's coefficients are sums of, shape (units, 3 + V).

    Columns: weighted agreement of the unit's pairs of raters, 1 where it has a pair, 1 where it
    has a rating, and the shares of the V values among its ratings. `weights` is (V, V) with ones
    on the diagonal (Gwet 2014, ch. 5).
    """
    rated = counts.sum(axis=1)
    pairs = rated * (rated - 1)
    agreeing = ((counts @ weights) * counts).sum(axis=1) - rated
    agreement = np.divide(agreeing, pairs, out=np.zeros_like(rated), where=pairs > 0)
    shares = counts / np.maximum(rated, 1)[:, None]
    return np.column_stack([agreement, pairs > 0, rated > 0, shares])


def observed_agreement(sums: Array) -> Array:
    """Return p_a, the mean agreement of units with at least two ratings; sums are (…, 3 + V)."""
    result = np.full(sums.shape[:-1], np.nan)
    np.divide(sums[..., 0], sums[..., 1], out=result, where=sums[..., 1] > 0)
    return result


def chance_corrected(sums: Array, weights: Array) -> Array:
    """Return Gwet's AC2 from sums of `pairwise` (Gwet 2014, eq. 5.3.5); NaN for one value."""
    n_values = len(weights)
    observed = observed_agreement(sums)
    shares = sums[..., 3:] / np.maximum(sums[..., 2:3], 1e-12)
    spread = (shares * (1 - shares)).sum(axis=-1)
    expected = weights.sum() * spread / max(n_values * (n_values - 1), 1)
    result = np.full_like(observed, np.nan)
    np.divide(observed - expected, 1 - expected, out=result, where=spread > 0)
    return result


def quadratic_weights(values: Array) -> Array:
    """Return 1 − (x − y)² / (max − min)², shape (V, V)."""
    gap = values[:, None] - values[None, :]
    weights: Array = 1.0 - (gap / max(float(values[-1] - values[0]), 1e-300)) ** 2
    return weights


def two_way_jackknife(
    ratings: Ratings,
    per_unit: Callable[[Array], Array],
    statistic: Callable[[Array], Array],
) -> tuple[float, float, Array]:
    """Return the variance over units, over raters, and the values without each rater.

    `per_unit` maps counts (units, V) to what is summed, (units, …); `statistic` maps sums (…) to
    values. Equal count vectors are computed once. V = (n − 1)/n Σ (θ₍ᵢ₎ − θ̄)² for each way.
    """
    counts = counts_of(ratings)
    unique, which, times = np.unique(counts, axis=0, return_inverse=True, return_counts=True)
    total = summed(unique, per_unit, times)
    block = _block(unique)
    left_out = np.concatenate(
        [
            statistic(total - per_unit(unique[start : start + block]))
            for start in range(0, len(unique), block)
        ]
    )
    n_units = ratings.n_units
    mean = float((left_out * times).sum() / n_units)
    over_units = (n_units - 1) / n_units * float(((left_out - mean) ** 2 * times).sum())

    # Without one rater, only the units change that this rater rated, and equal changes are one
    n_values = len(ratings.domain)
    changes = which.reshape(-1)[ratings.unit] * n_values + ratings.value
    without = np.empty(ratings.n_raters)
    for rater in range(ratings.n_raters):
        kinds, often = np.unique(changes[ratings.rater == rater], return_counts=True)
        before = unique[kinds // n_values]
        after = before.copy()
        after[np.arange(len(kinds)), kinds % n_values] -= 1
        fewer = total - summed(before, per_unit, often) + summed(after, per_unit, often)
        without[rater] = statistic(fewer)
    n_raters = ratings.n_raters
    over_raters = (n_raters - 1) / n_raters * float(((without - without.mean()) ** 2).sum())
    return over_units, over_raters, without


def _block(unique: Array) -> int:
    """Return how many units' V × V tables fit in some megabytes."""
    n_values = int(unique.shape[1])
    return max(1, 2_000_000 // (n_values * n_values))


def summed(unique: Array, per_unit: Callable[[Array], Array], times: Whole | None = None) -> Array:
    """Return Σ `per_unit` over the rows of `unique`, each `times` often (once where not said)."""
    times = np.ones(len(unique), dtype=np.int64) if times is None else times
    block = _block(unique)
    total: Array = np.zeros(())
    for start in range(0, len(unique), block):
        chosen = slice(start, start + block)
        total = total + np.tensordot(times[chosen], per_unit(unique[chosen]), axes=1)
    return total
