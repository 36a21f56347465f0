"""Sums over units from which every agreement coefficient follows.

Notation as in Krippendorff (2004, ch. 11) and Gwet (2014): with c_u the count vector of unit u
over the V distinct values and m_u = Σ c_u, P_u = (c_u c_uᵀ − diag c_u) / (m_u − 1) for m_u ≥ 2,
and S = Σ_u P_u. Because a coefficient is a function of a sum over units, leaving units out or
weighting them needs no second look at the ratings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[np.float64]
Whole = NDArray[np.signedinteger[Any]]
Matrix = Any
"""Dense or sparse; scipy's types do not follow its products."""

_MOST_DENSE = 10_000_000
"""Cells of a matrix that is held dense."""

_PIECE = 2_000_000
"""Ratings sorted at a time."""


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
    """Return per unit what Gwet's coefficients are sums of, shape (units, k + 2 + V).

    Columns: weighted agreement of the unit's pairs of raters under each of the k weights, 1 where
    it has a pair, 1 where it has a rating, and the shares of the V values among its ratings.
    `weights` is (k, V, V) with ones on the diagonals (Gwet 2014, ch. 5).
    """
    rated = counts.sum(axis=1)
    pairs = rated * (rated - 1)
    agreeing = np.einsum("uv,kvw,uw->uk", counts, weights, counts, optimize=True) - rated[:, None]
    agreement = np.zeros_like(agreeing)
    np.divide(agreeing, pairs[:, None], out=agreement, where=pairs[:, None] > 0)
    shares = counts / np.maximum(rated, 1)[:, None]
    return np.column_stack([agreement, pairs > 0, rated > 0, shares])


def observed_agreement(sums: Array, kinds: int) -> Array:
    """Return p_a under each weight, (…, k): the mean agreement of units with two ratings or more."""
    agreement, pairs = sums[..., :kinds], sums[..., kinds : kinds + 1]
    result = np.full(agreement.shape, np.nan)
    np.divide(agreement, pairs, out=result, where=pairs > 0)
    return result


def chance_corrected(observed: Array, shares: Array, weights: Array) -> Array:
    """Return Gwet's AC2, (…), from p_a and the mean shares of values (Gwet 2014, eq. 5.3.5).

    NaN for one value.
    """
    n_values = len(weights)
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


class Grouped(NamedTuple):
    """Units with equal counts taken together, and what each rater would take from them."""

    unique: Array
    """The different count vectors, (kinds, V)."""
    times: Whole
    """How many units have each."""
    given: Matrix
    """How often each rater gave a value to a unit of a kind, (raters, kinds × V)."""
    n_units: int


def grouped(ratings: Ratings) -> Grouped:
    """Group units by their counts, once for all coefficients."""
    counts = counts_of(ratings)
    n_values, base = counts.shape[1], int(counts.max()) + 1
    if base**n_values < 2**62:
        # one number per vector sorts faster than rows do
        key = counts.astype(np.int64) @ (base ** np.arange(n_values, dtype=np.int64))
        _, first, which, times = np.unique(
            key, return_index=True, return_inverse=True, return_counts=True
        )
        unique = counts[first]
    else:
        unique, which, times = np.unique(counts, axis=0, return_inverse=True, return_counts=True)
    given = _given(ratings, which.reshape(-1).astype(np.int32), len(unique))
    return Grouped(unique, times, given, ratings.n_units)


def _given(ratings: Ratings, kind_of_unit: Whole, kinds: int) -> Matrix:
    """Return what `Grouped.given` says; dense where it is small, both multiply alike."""
    n_values, n = len(ratings.domain), len(ratings.unit)
    shape = (ratings.n_raters, kinds * n_values)
    cells = shape[0] * shape[1]
    if cells <= _MOST_DENSE:
        cell = kind_of_unit[ratings.unit].astype(np.int64) * n_values + ratings.value
        cell += ratings.rater * np.int64(shape[1])
        return np.bincount(cell, minlength=cells).astype(np.float64).reshape(shape)
    # one entry per rating, sorted by rater piece by piece: tens of millions in little memory
    per_rater = np.bincount(ratings.rater, minlength=shape[0])
    ends = np.concatenate([[0], np.cumsum(per_rater)])
    column, filled = np.empty(n, dtype=np.int32), ends[:-1].copy()
    for start in range(0, n, _PIECE):
        piece = slice(start, start + _PIECE)
        change = kind_of_unit[ratings.unit[piece]] * n_values + ratings.value[piece]
        rater = short(ratings.rater[piece], shape[0])
        often = np.bincount(rater, minlength=shape[0])
        place = np.repeat(filled - (np.cumsum(often) - often), often) + np.arange(len(rater))
        column[place] = change[np.argsort(rater, kind="stable")]
        filled += often
    ones = np.ones(n, dtype=np.int8)
    return sparse.csr_array((ones, column, ends.astype(np.int32)), shape=shape)


def short(codes: Whole, size: int) -> Whole:
    """Return codes below `size` in two bytes where they fit: those are sorted by radix."""
    return codes.astype(np.int16) if size < 2**15 else codes


def two_way_jackknife(
    groups: Grouped,
    per_unit: Callable[[Array], Array],
    statistic: Callable[[Array], Array],
) -> tuple[Array, Array, Array]:
    """Return the variances over units and over raters, and the values without each rater.

    `per_unit` maps counts (units, V) to what is summed, (units, …); `statistic` maps sums (n, …)
    to values (n, k). V = (n − 1)/n Σ (θ₍ᵢ₎ − θ̄)² for each way. Equal count vectors are computed
    once, and without a rater only what they rated changes.

    Returns:
        (k,), (k,) and (raters, k).
    """
    unique, times = groups.unique, groups.times
    n_values, n_raters = unique.shape[1], groups.given.shape[0]
    total = summed(unique, per_unit, times)
    left_out, change = [], np.zeros((n_raters, total.size))
    step = _block(unique)
    for start in range(0, len(unique), step):
        block = unique[start : start + step]
        sums = per_unit(block)
        left_out.append(statistic(total - sums))
        # one rating less of each value that the kind has
        kind, value = np.nonzero(block)
        fewer = block[kind]
        fewer[np.arange(len(kind)), value] -= 1
        moved = (per_unit(fewer) - sums[kind]).reshape(len(kind), -1)
        change += groups.given[:, (start + kind) * n_values + value] @ moved
    jackknifed = np.concatenate(left_out)
    n_units = groups.n_units
    mean = (jackknifed * times[:, None]).sum(axis=0) / n_units
    squares = ((jackknifed - mean) ** 2 * times[:, None]).sum(axis=0)
    without = statistic(total + change.reshape(n_raters, *total.shape))
    away = ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    return (n_units - 1) / n_units * squares, (n_raters - 1) / n_raters * away, without


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
