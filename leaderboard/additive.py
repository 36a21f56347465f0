"""The two-way additive model x_ij = μ + a_i + b_j + e_ij of items i and raters j, any cells missing.

The simplest right form of severity: a rater who gives half a point less than others on the same
items has b_j = −.5. The same fit gives the variance components behind the intraclass correlations
(Henderson's method 3, which for complete tables is the usual analysis of variance).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


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
        rater: likewise.
        value: shape (n,).
    """
    n_items, n_raters = int(item.max()) + 1, int(rater.max()) + 1
    per_item = np.bincount(item, minlength=n_items).astype(np.float64)
    item_mean = np.bincount(item, value, n_items) / per_item
    within = value - item_mean[item]

    seen = sparse.csr_array((np.ones(len(item)), (item, rater)), shape=(n_items, n_raters))
    together = (seen.T @ sparse.diags_array(1 / per_item) @ seen).toarray()
    system = np.diag(np.bincount(rater, minlength=n_raters).astype(np.float64)) - together
    target = np.bincount(rater, within, n_raters)
    bias = np.asarray(np.linalg.lstsq(system, target, rcond=1e-10)[0], dtype=np.float64)
    bias -= bias.mean()

    corrected = value - bias[rater]
    residual = corrected - (np.bincount(item, corrected, n_items) / per_item)[item]
    links = np.linalg.matrix_rank(system, tol=1e-8 * max(1.0, float(system.max())))
    return AdditiveFit(bias, float(residual @ residual), bool(links == n_raters - 1))


def variance_components(item: Whole, rater: Whole, value: Array) -> Components:
    """Return the components of items, raters and residual by fitting constants.

    E[SS(items | raters)] = σ²_a (N − R) + σ²_e (I − 1), where each rater rates an item at most
    once, and likewise for raters (Searle, Casella and McCulloch 1992, ch. 5).
    """
    nan = float("nan")
    n, n_items, n_raters = len(value), int(item.max()) + 1, int(rater.max()) + 1
    if n_raters < 2:
        return Components(nan, nan, nan, "fewer than two raters")
    if n_items < 2:
        return Components(nan, nan, nan, "fewer than two items")
    value = value - value.mean()
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
    """Return the sum of squares about the groups' means."""
    sizes = np.bincount(group)
    sums = np.bincount(group, value)
    return float(value @ value - (sums**2 / np.maximum(sizes, 1)).sum())
