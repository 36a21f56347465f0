"""Intervals of shares and their differences, where outputs are not independent."""

from __future__ import annotations

import math


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


def difference_interval(
    first: tuple[float, float], second: tuple[float, float], reach: float
) -> tuple[float, float]:
    """Return the interval of a difference of two independent shares, each given with its variance.

    Newcombe (1998, method 10): each arm is the root of the summed squares of the shares' own arms.
    """
    (low, high), (second_low, second_high) = (
        share_interval(*share, reach) for share in (first, second)
    )
    value = first[0] - second[0]
    return (
        value - math.hypot(first[0] - low, second_high - second[0]),
        value + math.hypot(high - first[0], second[0] - second_low),
    )
