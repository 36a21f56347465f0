"""The two-way additive model x_ij = μ + a_i + b_j + e_ij of items i and raters j, any cells missing.

The simplest right form of severity: a rater who gives half a point less than others on the same
items has b_j = −.5. The same fit gives the variance components behind the intraclass correlations
(Henderson's method 3, which for complete tables is the usual analysis of variance).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[np.float64]
Whole = NDArray[np.signedinteger[Any]]


Matrix = Any
"""Dense or sparse; scipy's types do not follow its products."""

_MOST_DENSE = 50_000_000
"""Cells; a sparse matrix of so many filled ones takes more memory to build."""


class AdditiveFit(NamedTuple):
    """Least squares of the additive model; `connected` says whether biases are comparable."""

    bias: Array
    """Per rater, in the unit of the scale; the mean over raters is 0."""
    residual_sum: float
    connected: bool


class Components(NamedTuple):
    """Variance components, in squared units of the scale; estimates may be negative."""

    item: float
    rater: float
    residual: float
    reason: str = ""


def fit_additive(item: Whole, rater: Whole, value: Array) -> AdditiveFit:
    """Fit the model by eliminating items: a system with one row and column per rater.

    Args:
        item: codes from 0, without gaps, shape (n,).
        rater: likewise; no rater has an item twice.
        value: shape (n,).
    """
    centred = _centred(value)
    per_item, per_rater = np.bincount(item), np.bincount(rater)
    sums = np.bincount(rater, centred)
    if (per_item == len(per_rater)).all() and (per_rater == len(per_item)).all():
        # complete: the usual analysis of variance, without a matrix of all cells
        bias, connected = sums / per_rater, True
        of_items = np.bincount(item, centred)
    else:
        seen, given = incidence(item, rater, centred)
        bias, connected = solve_biases(seen, given)
        of_items = np.asarray(given.sum(axis=1)).ravel() - seen @ bias
    # Σ (x − b)² less what the items explain, from sums over cells
    whole = float(centred @ centred - 2 * bias @ sums + per_rater @ bias**2)
    explained = float((of_items**2 / per_item).sum())
    return AdditiveFit(bias, max(whole - explained, 0.0), connected)


def _centred(value: Array) -> Array:
    """Return values with mean 0: themselves where they have it."""
    mean = float(value.mean())
    return value - mean if abs(mean) > 1e-12 else value


def incidence(item: Whole, rater: Whole, value: Array) -> tuple[Matrix, Matrix]:
    """Return how often, and how high in all, each item was rated by each rater, (items, raters).

    Dense where a fifth of the cells is filled, else sparse; both multiply alike.
    """
    shape = (int(item.max()) + 1, int(rater.max()) + 1)
    cells = shape[0] * shape[1]
    if cells <= min(5 * len(item), _MOST_DENSE):
        cell = item.astype(np.int64)
        cell *= shape[1]
        cell += rater
        given: Matrix = np.bincount(cell, value, cells).reshape(shape)
        return np.bincount(cell, minlength=cells).astype(np.float64).reshape(shape), given
    # the rows are strictly ordered once, for both
    given = sparse.csr_array((value, (item, rater)), shape=shape)
    ones = sparse.csr_array((np.ones(len(item)), (item, rater)), shape=shape)
    return ones, given


def solve_biases(seen: Matrix, given: Matrix) -> tuple[Array, bool]:
    """Return least-squares biases with mean 0, and whether all raters are comparable."""
    per_item = np.asarray(seen.sum(axis=1)).ravel()
    per_rater = np.asarray(seen.sum(axis=0)).ravel()
    item_mean = np.asarray(given.sum(axis=1)).ravel() / per_item
    if isinstance(seen, np.ndarray):
        together = seen.T @ (seen / per_item[:, None])
    else:
        together = (seen.T @ sparse.diags_array(1 / per_item) @ seen).toarray()
    system = np.diag(per_rater) - together
    target = np.asarray(given.sum(axis=0)).ravel() - seen.T @ item_mean
    bias = np.asarray(np.linalg.lstsq(system, target, rcond=1e-10)[0], dtype=np.float64)
    links = np.linalg.matrix_rank(system, tol=1e-8 * max(1.0, float(system.max())))
    return bias - bias.mean(), bool(links == len(bias) - 1)


def variance_components(item: Whole, rater: Whole, value: Array) -> Components:
    """Return the components of items, raters and residual by fitting constants.

    E[SS(items | raters)] = σ²_a (N − R) + σ²_e (I − 1), where each rater rates an item at most
    once, and likewise for raters (Searle, Casella and McCulloch 1992, ch. 5).
    """
    nan = float("nan")
    n, n_items, n_raters = len(value), int(item.max()) + 1, int(rater.max()) + 1
    value = _centred(value)
    if n_raters < 2:
        return Components(nan, nan, nan, "fewer than two raters")
    if n_items < 2:
        return Components(nan, nan, nan, "fewer than two items")
    fit = fit_additive(item, rater, value)
    free = n - n_items - n_raters + 1
    if not fit.connected:
        return Components(nan, nan, nan, "raters and items are not connected")
    if free < 1:
        return Components(nan, nan, nan, "no degrees of freedom left")
    residual = fit.residual_sum / free
    given_raters = _sum_within(rater, value) - fit.residual_sum
    given_items = _sum_within(item, value) - fit.residual_sum
    of_items = (given_raters - residual * (n_items - 1)) / (n - n_raters)
    of_raters = (given_items - residual * (n_raters - 1)) / (n - n_items)
    return Components(of_items, of_raters, residual)


def _sum_within(group: Whole, value: Array) -> float:
    """Return the sum of squares about the groups' means, of values with mean 0."""
    sums = np.bincount(group, value)
    return float(value @ value - (sums**2 / np.maximum(np.bincount(group), 1)).sum())
