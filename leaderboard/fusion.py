"""Bring ratings and votes together with one weight for all models; see `joint`.

No covariance is inverted: with a dozen models it has more entries than scenes and raters can tell,
and weights fitted to its noise make an estimate worse than the ratings alone, with an interval that
does not know it. The two numbers that are chosen, κ and the share of the votes, come from traces.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.stats import f

from leaderboard.contrasts import Contrasts
from leaderboard.drawing import Array
from leaderboard.joint_influences import Moves
from leaderboard.variance import Between, scales, two_way


class Readings(NamedTuple):
    """Of the models that both tables have, each (models,)."""

    models: list[str]
    rated: Array
    strength: Array


class Fusion(NamedTuple):
    """Quality on the scale of the ratings, and votes less ratings, both as rows of models."""

    quality: Contrasts
    gaps: Contrasts
    p: float
    """That all gaps are 0; NaN where nothing varies."""
    kappa: float
    voted: float
    """The share of the votes in the quality, 0 to 1."""


_NOTHING = 1e-18
"""Of variances: what is none."""

LEAST_SIGNAL = 0.25
"""Share of the models' spread that is taken to be theirs at least, however much noise there is."""


def fuse(readings: Readings, moves: Moves, drawn: Array, confidence: float) -> Fusion:
    """Return both together, on the scale of the ratings.

    κ = √((|s|² − tr V_s) / (|r|² − tr V_r)), r and s the two readings less their means: the spread
    of the models without what noise adds to it. The votes' share w minimises the trace of the
    covariance of (1 − w) r + w s / κ. What every unit moves the result by, κ included, gives its
    variance; w is where that is flat, so that it adds nothing of first order.

    Args:
        readings: the two.
        moves: what units move them by.
        drawn: what resamples move them by, (2 models, resamples).
        confidence: of the intervals that will be read off.
    """
    n = len(readings.models)
    centre, none = np.eye(n) - 1 / n, np.zeros((n, n))
    rated, strength = centre @ readings.rated, centre @ readings.strength
    noise = _traces(moves, centre)
    spread = np.array([rated @ rated, strength @ strength])
    apart_of_noise = spread - np.diag(noise)
    signal = np.maximum(apart_of_noise, LEAST_SIGNAL * spread)
    kappa = float(np.sqrt(signal[1] / signal[0]))
    of_rated, of_votes, both = noise[0, 0], noise[1, 1] / kappa**2, noise[0, 1] / kappa
    apart = of_rated + of_votes - 2 * both
    voted = float(np.clip((of_rated - both) / apart, 0, 1)) if apart > 0 else 0.0
    brought = strength / kappa
    moved_by = np.where(signal > apart_of_noise, spread, signal)
    by_kappa = np.concatenate([-rated / moved_by[0], strength / moved_by[1]])
    """The slope of ln κ."""
    of_brought = np.concatenate([none, centre / kappa], axis=1) - np.outer(brought, by_kappa)
    own = np.concatenate([np.eye(n), none], axis=1)
    to_gap = of_brought - centre @ own
    gap = brought - rated
    between = moves.between(own + voted * to_gap, voted), moves.between(to_gap, 0.5)
    quality = _scaled(
        readings.rated + voted * gap, (own + voted * to_gap) @ drawn, between[0], confidence
    )
    gaps = _scaled(gap, to_gap @ drawn, between[1], confidence)
    return Fusion(quality, gaps, _p_of_all(gap, to_gap, moves), kappa, voted)


def _traces(moves: Moves, centre: Array) -> Array:
    """Return traces of the covariances of both readings' contrasts, (2, 2)."""
    scenes, raters, judgements = (
        np.einsum("anu,bnu->ab", part, part)
        for part in ((centre @ part.reshape(2, len(centre), -1)) for part in moves[:3])
    )
    n_scenes = float((moves.scene_share > 0).any(axis=0).sum())
    return np.asarray(scenes * n_scenes / (n_scenes - 1) + _positive(raters - judgements))


def _positive(matrix: Array) -> Array:
    """Return a symmetric matrix without what is negative in it."""
    values, vectors = np.linalg.eigh(matrix)
    kept: Array = (vectors * np.maximum(values, 0)) @ vectors.T
    return kept


def _scaled(value: Array, away: Array, between: Between, confidence: float) -> Contrasts:
    """Return values with deviations scaled to their variances, each as a quantity of its own."""
    wanted, freedom = two_way(between, pooled=True)
    size = (away**2).mean(axis=1) if away.size else np.zeros(len(value))
    away = away * scales(wanted, freedom, size, confidence)[:, None]
    draws = np.concatenate([value[:, None], value[:, None] + away], axis=1)
    return Contrasts(draws, np.sqrt(wanted), freedom * np.ones(len(value)))


def _p_of_all(gap: Array, of: Array, moves: Moves) -> float:
    """Return the p of "all gaps are 0": their sum of squares over its mean, as F.

    With Box's degrees of freedom (Brunner, Dette and Munk 1997), (tr V)² / tr V², and those of tr V
    beneath. tr V² is taken without what estimating V adds to it (Srivastava 2005).
    """
    scenes, raters, judgements = ((of @ part) for part in moves[:3])
    between = moves.between(of, 0.5)
    n_scenes, n_raters = float(between.n_scenes[0]), float(between.n_raters[0])
    of_scenes = scenes @ scenes.T * n_scenes / (n_scenes - 1)
    of_raters, of_judgements = raters @ raters.T, judgements @ judgements.T
    # as numbers: of a matrix of few raters and many models much would be negative
    net = of_raters - of_judgements
    mean = float(np.trace(of_scenes)) + max(float(np.trace(net)), 0.0)
    if mean < _NOTHING:
        return math.nan
    squares = [_square(of_scenes, n_scenes - 1), _square(of_raters, n_raters - 1)]
    square = sum(squares) + float(np.sum(of_judgements * (of_judgements - 2 * of_raters)))
    square += 2 * float(np.sum(of_scenes * net))
    uncertain = squares[0] / (n_scenes - 1)
    uncertain += squares[1] / max(n_raters - 1, 1.0) if of_raters.any() else 0.0
    most = len(gap) - 2
    above = float(np.clip(mean**2 / max(square, 1e-300), 1, most))
    beneath = max(mean**2 / max(uncertain, 1e-300), 1.0)
    return float(f.sf(gap @ gap / mean, above, beneath))


def _square(covariance: Array, freedom: float) -> float:
    """Return tr Σ² of an estimate of Σ with so many degrees of freedom, without bias."""
    total, square = float(np.trace(covariance)) ** 2, float(np.sum(covariance**2))
    if freedom <= 1:
        return square
    unbiased = (square - total / freedom) * freedom**2 / ((freedom - 1) * (freedom + 2))
    return max(unbiased, total / (len(covariance) - 1))
