"""Davidson's model of paired comparisons with ties, fitted to many tables of wins at once.

P(i beats j) ∝ π_i, P(j beats i) ∝ π_j, P(tie) ∝ ν √(π_i π_j) (Davidson 1970). With θ = ln π and
η = ln ν this is an exponential family: the log-likelihood is concave, and Newton's method is exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PRIOR_SD = 10.0
"""Of the weak normal prior on log-strengths and ln ν, where one is asked for."""

_STEPS = 100
_LARGEST_STEP = 2.0
_DIVERGED = 12.0
_BLOCK = 2_000_000


class Davidson(NamedTuple):
    """Log-strengths summing to zero, and ν; NaN where the likelihood has no maximum."""

    strength: Array
    """(tables, models)."""
    tie: Array
    """(tables,)."""


def fit_davidson(wins: Array, ties: Array, *, prior: bool) -> Davidson:
    """Fit each table.

    Args:
        wins: wins of row over column, (tables, models, models); weights need not be whole.
        ties: symmetric, each tie in both halves, the same shape.
        prior: add a normal prior of SD `PRIOR_SD`, under which every fit is finite.
    """
    tables, models, _ = wins.shape
    step = max(1, _BLOCK // (models * models))
    fits = [
        _fit(wins[start : start + step], ties[start : start + step], prior=prior)
        for start in range(0, tables, step)
    ]
    return Davidson(
        np.concatenate([fit.strength for fit in fits]), np.concatenate([fit.tie for fit in fits])
    )


def slopes_and_information(
    fit: Davidson, tallies: Array, *, prior: bool
) -> tuple[tuple[Array, Array], Array]:
    """Return the slopes of one vote of each kind, and the information of all votes.

    Args:
        fit: of one table.
        tallies: votes by left model, right model and outcome (left, right, tie), (models, models, 3).
        prior: whether the fit had one; its curvature then belongs to the information.

    Returns:
        Slopes by the left model's strength (the right model's is its negative) and by η, each of
        the shape of `tallies`; the information, (models + 1, models + 1), the last column for η.
    """
    with_ties = bool(fit.tie[0] > 0)
    eta = np.log(fit.tie) if with_ties else np.zeros(1)
    win, tie = (part[0] for part in _probabilities(fit.strength, eta, with_ties=with_ties))
    score = win + tie / 2
    of_strength = np.array([1.0, 0.0, 0.5]) - score[:, :, None]
    of_tie = np.array([0.0, 0.0, 1.0]) - tie[:, :, None]
    compared = tallies.sum(axis=2)
    precision = 1 / PRIOR_SD**2 if prior else 0.0
    both = (compared + compared.T)[None]
    information = _curvature(both, score[None], tie[None], precision)[0]
    if not with_ties:
        of_tie[:], information[-1, -1] = 0.0, 1.0
    return (of_strength, of_tie), information


def _fit(wins: Array, ties: Array, *, prior: bool) -> Davidson:
    tables, models, _ = wins.shape
    compared = wins + wins.transpose(0, 2, 1) + ties
    points = (wins + ties / 2).sum(axis=2)
    tied = ties.sum(axis=(1, 2)) / 2
    with_ties = bool((tied > 0).any())
    precision = 1 / PRIOR_SD**2 if prior else 0.0
    theta, eta = np.zeros((tables, models)), np.zeros(tables)
    for _ in range(_STEPS):
        win, tie = _probabilities(theta, eta, with_ties=with_ties)
        score = win + tie / 2
        slope = np.empty((tables, models + 1))
        slope[:, :-1] = points - (compared * score).sum(axis=2) - precision * theta
        slope[:, -1] = tied - (compared * tie).sum(axis=(1, 2)) / 2 - precision * eta
        curvature = _curvature(compared, score, tie, precision)
        if not with_ties:
            slope[:, -1], curvature[:, -1, -1] = 0.0, 1.0
        change = np.linalg.solve(curvature, slope[:, :, None])[:, :, 0]
        largest = np.abs(change).max(axis=1)
        change *= np.minimum(1.0, _LARGEST_STEP / np.maximum(largest, 1e-300))[:, None]
        theta += change[:, :-1]
        eta += change[:, -1]
        if largest.max() < 1e-10:
            break
        if not prior and max(np.abs(theta).max(), np.abs(eta).max()) > _DIVERGED:
            return Davidson(np.full_like(theta, np.nan), np.full_like(eta, np.nan))
    theta -= theta.mean(axis=1, keepdims=True)
    return Davidson(theta, np.exp(eta) if with_ties else np.zeros(tables))


def _probabilities(theta: Array, eta: Array, *, with_ties: bool) -> tuple[Array, Array]:
    """Return P(row beats column) and P(tie), (tables, models, models)."""
    ahead = np.exp((theta[:, :, None] - theta[:, None, :]) / 2)
    nu = np.exp(eta)[:, None, None] if with_ties else np.zeros((len(eta), 1, 1))
    total = ahead + 1 / ahead + nu
    return ahead / total, nu / total


def _curvature(compared: Array, score: Array, tie: Array, precision: float) -> Array:
    """Return the negative Hessian, (tables, models + 1, models + 1), the last row for η.

    The mean of θ is free; adding 1 to every entry of its block fixes it at zero.
    """
    tables, models, _ = compared.shape
    spread = compared * (score - tie / 4 - score**2)
    with_tie = (compared * (tie / 2 - tie * score)).sum(axis=2)
    result = np.empty((tables, models + 1, models + 1))
    result[:, :-1, :-1] = 1.0 - spread
    diagonal = np.arange(models)
    result[:, diagonal, diagonal] += spread.sum(axis=2) + precision
    result[:, :-1, -1] = result[:, -1, :-1] = with_tie
    result[:, -1, -1] = (compared * tie * (1 - tie)).sum(axis=(1, 2)) / 2 + precision
    return result
