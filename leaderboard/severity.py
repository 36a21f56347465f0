"""Raters' severity and inconsistency: the model of ITU-T P.910 Annex E, and BT.500's screening.

x_ij = ψ_j + Δ_i + υ_i ε: the quality of item j, the bias of rater i, and the rater's inconsistency,
ε standard normal; any cells missing (Li, Bampis, Krasula, Janowski and Katsavounidis 2020;
ITU-T P.910 (2023), Annex E). Fitted by alternating projection.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from leaderboard.additive import fit_additive

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

PRIOR_RATINGS = 4.0
"""How many ratings of usual inconsistency each rater is lent in a small panel."""

_STEPS = 1000
_SETTLED = 1e-8
_LEAST = 1e-8


class Severity(NamedTuple):
    """The fit; biases have mean 0. Without a connection between raters they are all 0."""

    quality: Array
    """ψ, (items,)."""
    bias: Array
    """Δ, (raters,), in the unit of the scale."""
    inconsistency: Array
    """υ, (raters,), likewise."""
    connected: bool


def fit_severity(item: Whole, rater: Whole, value: Array, *, small_panel: bool = True) -> Severity:
    """Fit quality, bias and inconsistency.

    As published, the residual variance of a rater is divided by the number of ratings. In a small
    panel the most consistent rater then draws the quality of items to themself, and ends with all
    the weight. With `small_panel` the divisor is the degrees of freedom Σ (1 − h_ij), h_ij being
    the rater's share in the item's weight (Var(x_ij − Δ_i − ψ̂_j) = υ_i² (1 − h_ij)), and each
    variance is moderated by `PRIOR_RATINGS` ratings of the panel's (Smyth 2004). With many raters
    per item both agree.

    Args:
        item: codes from 0, without gaps, shape (n,).
        rater: likewise.
        value: shape (n,).
        small_panel: as above; False gives the published model to the letter.
    """
    start = fit_additive(item, rater, value)
    n_items, n_raters = int(item.max()) + 1, int(rater.max()) + 1
    bias = start.bias if start.connected else np.zeros(n_raters)
    counts = np.bincount(rater, minlength=n_raters).astype(np.float64)
    quality = np.bincount(item, value - bias[rater], n_items) / np.bincount(item)
    share = (1 / np.bincount(item))[item]
    spread: Array = np.ones(n_raters)
    for _ in range(_STEPS):
        squares = np.bincount(rater, (value - quality[item] - bias[rater]) ** 2, n_raters)
        free = np.bincount(rater, 1 - share, n_raters)
        spread = _moderated(squares, free) if small_panel else squares / counts
        weight = 1 / (spread + _LEAST)
        each = weight[rater]
        total = np.bincount(item, each, n_items)
        before = quality
        quality = np.bincount(item, each * (value - bias[rater]), n_items) / total
        share = each / total[item]
        if start.connected:
            bias = np.bincount(rater, value - quality[item], n_raters) / counts
        if float(np.linalg.norm(quality - before)) < _SETTLED:
            break
    level = bias.mean()
    return Severity(quality + level, bias - level, np.sqrt(spread), start.connected)


def _moderated(squares: NDArray[Any], free: NDArray[Any]) -> Array:
    pooled = squares.sum() / max(float(free.sum()), _LEAST)
    result: Array = (squares + PRIOR_RATINGS * pooled) / (free + PRIOR_RATINGS)
    return result


class Screening(NamedTuple):
    """What BT.500 makes of each rater."""

    rejected: NDArray[np.bool_]
    outlying: Array
    """Share of the items at which the rater stands far from the others."""


def screen_raters(item: Whole, rater: Whole, value: Array) -> Screening:
    """Return whom the screening of ITU-R BT.500-15, annex 1, § 2.3.1 would reject.

    A rating is far off beyond 2 standard deviations of its item's ratings where their kurtosis is
    between 2 and 4, else beyond √20. A rater is rejected who is far off at more than 5 % of the
    items, and not mostly to one side. If all would be rejected, none is. A diagnostic: no score
    leaves anybody out.
    """
    n_items, n_raters = int(item.max()) + 1, int(rater.max()) + 1
    counts = np.bincount(item)
    mean = np.bincount(item, value) / counts
    gap = value - mean[item]
    spread = np.sqrt(np.bincount(item, gap**2) / counts)
    fourth = np.bincount(item, gap**4) / counts
    kurtosis = np.full(n_items, np.nan)
    np.divide(fourth, spread**4, out=kurtosis, where=spread > 0)
    normal = (kurtosis >= 2) & (kurtosis <= 4)
    far = np.where(normal, 2.0, 20**0.5) * spread
    varied = (spread > 0)[item]
    above = np.bincount(rater, varied & (gap >= far[item]), n_raters)
    below = np.bincount(rater, varied & (gap <= -far[item]), n_raters)
    outlying = above + below
    balance = np.ones(n_raters)
    np.divide(np.abs(above - below), outlying, out=balance, where=outlying > 0)
    share = outlying / np.bincount(rater, minlength=n_raters)
    rejected = (share > 0.05) & (balance < 0.3)
    if rejected.all():
        rejected = np.zeros(n_raters, dtype=bool)
    return Screening(rejected, share)
