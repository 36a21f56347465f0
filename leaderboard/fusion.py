"""Fit one quality to ratings and votes, given the covariance of both; see `joint`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import null_space
from scipy.optimize import minimize_scalar
from scipy.stats import f

from leaderboard.contrasts import Contrasts
from leaderboard.drawing import Array
from leaderboard.variance import expansion

_MANY = 1e9
"""Degrees of freedom that are as good as none too few."""


class Readings(NamedTuple):
    """Draws of both, (models, 1 + resamples), for the models that both have."""

    models: list[str]
    rated: Array
    strength: Array


class Spread(NamedTuple):
    """Covariance of the contrasts of both readings, (2 (models − 1),) squared, and its freedom."""

    covariance: Array
    freedom: float


class Fusion(NamedTuple):
    """Quality on the scale of the ratings, (models, 1 + resamples), and votes less ratings.

    The gaps have the votes brought to the spread of the ratings, whatever κ: where both disagree
    there is no κ to speak of.
    """

    quality: Array
    gaps: Contrasts
    p: float
    kappa: float


def fuse(readings: Readings, spread: Spread, confidence: float) -> Fusion:
    """Fit ψ and κ; each resample moves them by one step of Gauss and Newton."""
    n, covariance = len(readings.models), spread.covariance
    contrast = null_space(np.ones((1, n))).T
    level = readings.rated.mean(axis=0)
    rated, strength = contrast @ readings.rated, contrast @ readings.strength
    both = np.concatenate([rated, strength])
    own, theirs, cross = (
        covariance[: n - 1, : n - 1], covariance[n - 1 :, n - 1 :], covariance[: n - 1, n - 1 :]
    )  # fmt: skip

    def left_over(log_kappa: float) -> float:
        kappa = np.exp(log_kappa)
        away = strength[:, 0] - kappa * rated[:, 0]
        apart = theirs - kappa * (cross + cross.T) + kappa**2 * own
        return float(away @ np.linalg.solve(apart, away))

    usual = np.log(np.linalg.norm(strength[:, 0]) / np.linalg.norm(rated[:, 0]))
    found = minimize_scalar(left_over, bounds=(usual - 3, usual + 3), method="bounded")
    kappa = float(np.exp(found.x))
    precision = np.linalg.inv(covariance)
    stacked = np.concatenate([np.eye(n - 1), kappa * np.eye(n - 1)])
    quality = np.linalg.solve(stacked.T @ precision @ stacked, stacked.T @ precision @ both[:, 0])
    slope = np.concatenate([np.zeros(n - 1), quality])
    jacobian = np.concatenate([stacked, slope[:, None]], axis=1)
    step = np.linalg.solve(jacobian.T @ precision @ jacobian, jacobian.T @ precision)
    qualities = _moved(contrast.T @ step[:-1], both, spread, confidence)
    qualities.draws[:] += (contrast.T @ quality - qualities.draws[:, 0])[:, None] + level
    minus = contrast.T @ _brought_together(rated[:, 0], strength[:, 0])
    freedom = min(spread.freedom, _MANY)
    test, others = n - 2, max(freedom - n + 3, 1.0)
    p = float(f.sf(found.fun * others / (test * freedom), test, others))
    gaps = _moved(minus, both, spread, confidence)
    gap = contrast.T @ (strength[:, 0] * float(np.exp(-usual)) - rated[:, 0])
    gaps.draws[:] += (gap - gaps.draws[:, 0])[:, None]
    return Fusion(qualities.draws, gaps, p, kappa)


def _brought_together(rated: Array, strength: Array) -> Array:
    """Return the slope of s |r| / |s| − r by r and s, (n − 1, 2 (n − 1)): a common spread moves too."""
    ratio = np.linalg.norm(rated) / max(float(np.linalg.norm(strength)), 1e-9)
    same = np.eye(len(rated))
    by_rated = ratio * np.outer(strength, rated) / max(float(rated @ rated), 1e-18) - same
    by_strength = same - np.outer(strength, strength) / max(float(strength @ strength), 1e-18)
    return np.concatenate([by_rated, ratio * by_strength], axis=1)


def _moved(of: Array, both: Array, spread: Spread, confidence: float) -> Contrasts:
    """Return linear combinations of both readings with their draws scaled to the covariance."""
    draws = of @ both
    away = draws[:, 1:] - draws[:, :1]
    error = np.sqrt(np.einsum("np,pq,nq->n", of, spread.covariance, of))
    drawn = np.maximum(np.sqrt((away**2).mean(axis=1)), 1e-300)
    wide = error * float(expansion(np.array(spread.freedom), confidence))
    draws[:, 1:] = draws[:, :1] + away * (wide / drawn)[:, None]
    return Contrasts(draws, error, np.full(len(draws), spread.freedom))
