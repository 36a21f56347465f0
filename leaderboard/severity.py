"""Raters' severity and inconsistency: the model of ITU-T P.910 Annex E, and BT.500's screening.

x_ij = ψ_j + Δ_i + υ_i ε: the quality of item j, the bias of rater i, and the rater's inconsistency,
ε standard normal; any cells missing (Li, Bampis, Krasula, Janowski and Katsavounidis 2020;
ITU-T P.910 (2023), Annex E). Fitted by alternating projection.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from leaderboard.additive import Matrix, incidence, solve_biases

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
    freedom: Array
    """Degrees of freedom of υ², (raters,): with moderation those of the ratings lent too."""


def fit_severity(
    item: Whole,
    rater: Whole,
    value: Array,
    *,
    small_panel: bool = True,
    group: Whole | None = None,
) -> Severity:
    """Fit quality, bias and inconsistency.

    As published, the residual variance of a rater is divided by the number of ratings. In a small
    panel the most consistent rater then draws the quality of items to themself, and ends with all
    the weight. With `small_panel` the divisor is the degrees of freedom Σ (1 − h_ij), h_ij being
    the rater's share in the item's weight (Var(x_ij − Δ_i − ψ̂_j) = υ_i² (1 − h_ij)), and each
    variance is moderated by `PRIOR_RATINGS` ratings of the panel's (Smyth 2004). With many raters
    per item both agree.

    With `group` a rater's taste for a group of items (the outputs of one model) is not counted as
    inconsistency: only what they vary by within a group is. Else raters whose tastes happen to lie
    near the panel's would weigh more, and pull it nearer still: of models' means that makes worse
    estimates, and intervals that do not hold.

    Args:
        item: codes from 0, without gaps, shape (n,).
        rater: likewise.
        value: shape (n,).
        small_panel: as above; False gives the published model to the letter.
        group: of each item, codes from 0; all are one where not said, and no taste is taken out.
    """
    centre = float(value.mean())
    value = value - centre
    order = None
    if group is not None:  # the items of a group stand together
        order = np.argsort(group, kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        item = place[item]
    seen, given = incidence(item, rater, value)
    bias, connected = solve_biases(seen, given)
    if not connected:
        bias = np.zeros_like(bias)
    per_rater = np.bincount(rater).astype(np.float64)
    per_item = np.bincount(item).astype(np.float64)
    # every step needs sums over cells alone, so each is a product of a matrix and a vector
    squares = np.bincount(rater, value**2)
    sums = np.bincount(rater, value)
    quality: Array = np.bincount(item, value - bias[rater]) / per_item
    spread: Array = np.ones(len(per_rater))
    share = seen.T @ (1 / per_item)
    tastes = None if order is None or group is None else _tastes(seen, given, group[order])
    for _ in range(_STEPS):
        seen_quality = seen.T @ quality
        residual = squares - 2 * (given.T @ quality) + seen.T @ quality**2
        residual += bias * (2 * seen_quality - 2 * sums + per_rater * bias)
        free = per_rater - share if small_panel else per_rater
        if tastes is not None:
            residual -= tastes.squares(quality, bias)
            free = free * (1 - tastes.n_groups / per_rater)
        residual = np.maximum(residual, 0)
        spread = _moderated(residual, free) if small_panel else residual / free
        weight = 1 / (spread + _LEAST)
        total = seen @ weight
        before = quality
        quality = (given @ weight - seen @ (weight * bias)) / total
        share = weight * (seen.T @ (1 / total))
        if connected:
            bias = (sums - seen.T @ quality) / per_rater
        if float(np.linalg.norm(quality - before)) < _SETTLED:
            break
    freedom = free + PRIOR_RATINGS if small_panel else free
    level = bias.mean()
    if order is not None:
        quality[order] = quality.copy()
    return Severity(quality + level + centre, bias - level, np.sqrt(spread), connected, freedom)


class _Tastes(NamedTuple):
    """What raters give to groups of items that stand together."""

    parts: list[tuple[slice, Matrix]]
    """The items of each group, and who has seen them."""
    sums: Array
    """(groups, raters)."""
    often: Array
    """Ratings, (groups, raters)."""

    @property
    def n_groups(self) -> Array:
        """Groups that each rater has seen, (raters,)."""
        seen: Array = np.count_nonzero(self.often, axis=0).astype(np.float64)
        return seen

    def squares(self, quality: Array, bias: Array) -> Array:
        """Return the part of each rater's squared residuals that their tastes make, (raters,)."""
        expected = np.stack([seen.T @ quality[items] for items, seen in self.parts])
        taste = self.sums - expected - self.often * bias
        of_rater: Array = (taste**2 / np.maximum(self.often, 1)).sum(axis=0)
        return of_rater


def _tastes(seen: Matrix, given: Matrix, group: Whole) -> _Tastes:
    ends = np.concatenate([[0], np.cumsum(np.bincount(group))])
    parts = [slice(*pair) for pair in pairwise(ends.tolist())]
    sums = [np.asarray(given[items].sum(axis=0)).ravel() for items in parts]
    often = [np.asarray(seen[items].sum(axis=0)).ravel() for items in parts]
    return _Tastes([(items, seen[items]) for items in parts], np.stack(sums), np.stack(often))


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
    """Return whom the screening of ITU-R BT.500, in the form of `sureal`, would reject.

    As there, standard deviation and kurtosis of an item's n ratings are divided by n. Other programs
    (NTIA's for BT.500-12) divide the standard deviation by n − 1 and so find a little fewer ratings
    far off, of few raters above all; the recommendation's own text was not at hand to decide.

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
