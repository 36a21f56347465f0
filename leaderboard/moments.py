"""α where the distance of two values is the squared difference of their places, from moments.

With places x, D_o = Σ_u 2 (m_u Σ x² − (Σ x)²) / (m_u − 1) and, over all N pairable values,
Σ n_c n_k δ² = 2 (N Σ x² − (Σ x)²). Four sums per unit then hold all that α needs, however many
values there are: a continuous scale costs no more than a short one. On an interval scale the
place is the value itself; on an ordinal scale the mid-rank, which then stays as it is in the whole
when a unit or a rater is left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leaderboard.coincidence import Ratings

Array = NDArray[np.float64]


def mid_ranks(ratings: Ratings) -> Array:
    """Return the mid-rank of each of the V values among all ratings."""
    marginals = np.bincount(ratings.value, minlength=len(ratings.domain)).astype(np.float64)
    places: Array = np.cumsum(marginals) - marginals / 2
    return places


def alpha_of_moments(sums: Array) -> Array:
    """Return α from Σ (m, Σ x, Σ x², D_o of the unit), shape (…, 4)."""
    total, first, second, observed = np.moveaxis(sums, -1, 0)
    expected = 2 * (total * second - first**2)
    ratio = np.full(total.shape, np.nan)
    # Places are centred and of order one, so that what is left of nothing is below this
    np.divide((total - 1) * observed, expected, out=ratio, where=expected > 1e-9)
    result: Array = 1.0 - ratio
    return result


def moments_jackknife(ratings: Ratings, places: Array) -> tuple[float, float, float, Array]:
    """Return α, its variance over units and over raters, and α without each rater.

    Args:
        ratings: of units with at least two.
        places: of the V values.
    """
    scaled = places - places.mean()
    scaled = scaled / max(float(scaled.std()), 1e-300)
    x = scaled[ratings.value]
    count = np.bincount(ratings.unit, minlength=ratings.n_units).astype(np.float64)
    first: Array = np.bincount(ratings.unit, x, ratings.n_units).astype(np.float64)
    second: Array = np.bincount(ratings.unit, x**2, ratings.n_units).astype(np.float64)
    per_unit = _moments(count, first, second)
    total = per_unit.sum(axis=0)

    left_out = alpha_of_moments(total - per_unit)
    fewer = _moments(count[ratings.unit] - 1, first[ratings.unit] - x, second[ratings.unit] - x**2)
    change = fewer - per_unit[ratings.unit]
    by_rater = np.stack(
        [np.bincount(ratings.rater, column, ratings.n_raters) for column in change.T], axis=1
    )
    without = alpha_of_moments(total + by_rater)
    return float(alpha_of_moments(total)), _spread(left_out), _spread(without), without


def _moments(count: Array, first: Array, second: Array) -> Array:
    """Return (m, Σ x, Σ x², D_o) per unit; zeros where fewer than two ratings are left."""
    paired = count > 1
    observed = 2 * (count * second - first**2) / np.maximum(count - 1, 1)
    return np.column_stack([count, first, second, observed]) * paired[:, None]


def _spread(values: Array) -> float:
    """Return the jackknife variance (n − 1)/n Σ (θ₍ᵢ₎ − θ̄)²."""
    return float((len(values) - 1) / len(values) * ((values - values.mean()) ** 2).sum())
