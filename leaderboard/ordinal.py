"""The proportional-odds model of ordered ratings, by Newton's method on counts.

P(x ≤ c) = logistic(τ_c − Z β) (McCullagh 1980). Equal rows of Z are counted together, so that the
cost follows the number of different rows, not of ratings. `statsmodels`' OrderedModel finds the
same, slower by two orders of magnitude; it is the oracle of the tests.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_STEPS = 60
_RIDGE = 1e-6
"""Keeps separated data finite; far below what one rating weighs."""


class OrdinalFit(NamedTuple):
    """Coefficients on the log-odds scale; positive means higher ratings."""

    beta: Array
    thresholds: Array
    log_likelihood: float
    covariance: Array
    """Of beta; robust to clusters where they were given."""
    converged: bool


def fit_ordinal(
    design: Array, value: Whole, times: Array, cluster: Whole | None = None
) -> OrdinalFit:
    """Fit the model.

    Args:
        design: Z, (rows, coefficients), without an intercept.
        value: category codes from 0, each occurring, (rows,).
        times: how often each row occurs.
        cluster: codes from 0 of what rows are not independent within, for a sandwich covariance.
    """
    n_values, n_beta = int(value.max()) + 1, design.shape[1]
    shares = np.bincount(value, times, n_values).cumsum()[:-1] / times.sum()
    theta = np.concatenate([np.log(shares / (1 - shares)), np.zeros(n_beta)])
    likelihood, slopes, curvature = _evaluate(theta, design, value, times)
    converged = False
    for _ in range(_STEPS):
        slope = times @ slopes - _RIDGE * theta
        step = np.linalg.solve(curvature + _RIDGE * np.eye(len(theta)), slope)
        # halve until the likelihood rises and the thresholds stay in order
        for _ in range(30):
            after = theta + step
            if (np.diff(after[: n_values - 1]) > 0).all():
                found = _evaluate(after, design, value, times)
                if found[0] >= likelihood - 1e-9:
                    break
            step = step / 2
        else:
            break
        theta, (likelihood, slopes, curvature) = after, found
        if float(np.abs(step).max()) < 1e-8:
            converged = True
            break
    inverse = np.asarray(np.linalg.inv(curvature + _RIDGE * np.eye(len(theta))), np.float64)
    covariance = inverse
    if cluster is not None:
        weighted = slopes * times[:, None]
        n_clusters = int(cluster.max()) + 1
        sums = np.stack([np.bincount(cluster, column, n_clusters) for column in weighted.T], axis=1)
        covariance = inverse @ (sums.T @ sums) @ inverse * n_clusters / max(n_clusters - 1, 1)
    cut = n_values - 1
    return OrdinalFit(theta[cut:], theta[:cut], likelihood, covariance[cut:, cut:], converged)


def nagelkerke(log_likelihood: float, empty: float, n: int) -> float:
    """Return Nagelkerke's R² of a fit, in [0, 1] (Nagelkerke 1991, equation 3).

    Args:
        log_likelihood: of the fit.
        empty: of thresholds alone, which must be below 0.
        n: how many ratings.
    """
    return float(np.expm1(2 * (empty - log_likelihood) / n) / np.expm1(2 * empty / n))


def _evaluate(
    theta: Array, design: Array, value: Whole, times: Array
) -> tuple[float, Array, Array]:
    """Return the log-likelihood, the slope of each row, and the negative Hessian (expected)."""
    cut = len(theta) - design.shape[1]
    tau = np.concatenate([[-np.inf], theta[:cut], [np.inf]])
    linear = design @ theta[cut:]
    upper, lower = expit(tau[value + 1] - linear), expit(tau[value] - linear)
    probability = np.maximum(upper - lower, 1e-300)
    at_upper, at_lower = upper * (1 - upper), lower * (1 - lower)
    rows = np.arange(len(value))
    slopes = np.zeros((len(value), len(theta) + 2))
    slopes[rows, value + 1] += at_upper / probability
    slopes[rows, value] -= at_lower / probability
    slopes[:, cut + 2 :] = -((at_upper - at_lower) / probability)[:, None] * design
    slopes = np.delete(slopes, [0, cut + 1], axis=1)
    return float(times @ np.log(probability)), slopes, _information(tau, linear, design, times)


def _information(tau: Array, linear: Array, design: Array, times: Array) -> Array:
    """Return the expected information, each row of Z weighing `times`."""
    cut = len(tau) - 2
    below = expit(tau[None, :] - linear[:, None])
    density = below * (1 - below)
    probability = np.maximum(np.diff(below, axis=1), 1e-300)
    # d P_c / d (τ, linear): column c of each row
    size = cut + design.shape[1]
    result = np.zeros((size, size))
    for c in range(cut + 1):
        by_linear = -(density[:, c + 1] - density[:, c])
        weight = times / probability[:, c]
        jacobian = np.zeros((len(linear), cut))
        if c < cut:
            jacobian[:, c] += density[:, c + 1]
        if c > 0:
            jacobian[:, c - 1] -= density[:, c]
        whole = np.concatenate([jacobian, by_linear[:, None] * design], axis=1)
        result += whole.T @ (whole * weight[:, None])
    return result
