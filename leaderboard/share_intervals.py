"""Intervals of shares and their differences, where outputs are not independent."""

from __future__ import annotations

import math

Bounds = tuple[float, float, float]
"""Value, low and high."""


def share_interval(value: float, variance: float, reach: float) -> tuple[float, float]:
    """Return Wilson's (1927) interval of a share with the variance of n = p (1 − p) / V outputs.

    A share near 0 is skewed: an interval of equal arms misses it on one side (Franco et al. 2019,
    "Comparative study of confidence intervals for proportions in complex sample surveys"). An estimate
    outside 0 to 1, which PPI++ can give, has equal arms.
    """
    if not 0 < value < 1 or variance <= 0:
        arm = reach * math.sqrt(max(variance, 0.0))
        return value - arm, value + arm
    weight = reach**2 * variance / (value * (1 - value))
    centre = (value + weight / 2) / (1 + weight)
    arm = math.sqrt(weight * value * (1 - value) + weight**2 / 4) / (1 + weight)
    return centre - arm, centre + arm


def difference_of_bounds(
    first: Bounds, second: Bounds, correlation: float = 0.0
) -> tuple[float, float]:
    """Return the interval of a difference from the intervals of its two parts.

    Zou and Donner (2008), "Construction of confidence limits about effect measures": of independent
    shares this is Newcombe's (1998, method 10).

    Args:
        first: value, low and high.
        second: the same of what is taken away.
        correlation: of the two estimates.
    """
    (one, low, high), (other, other_low, other_high) = first, second
    value = one - other

    def arm(own: float, others: float) -> float:
        squared = own**2 - 2 * correlation * own * others + others**2
        return math.sqrt(max(squared, 0.0))

    return value - arm(one - low, other_high - other), value + arm(high - one, other - other_low)
