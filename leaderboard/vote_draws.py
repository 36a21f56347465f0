"""What resampled scenes, seeds and raters move strengths by: first order, scaled to two-way clustering."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from leaderboard.davidson import Davidson, slopes_and_information
from leaderboard.drawing import (
    LEAST_RATERS,
    LEAST_SEEDS,
    Array,
    Whole,
    draw_raters,
    draw_seeds,
    draw_weights,
)
from leaderboard.variance import Between, scales, two_way
from leaderboard.votes import Votes


class Draws(NamedTuple):
    """Weights of scenes, seeds and raters, (units, 1 + resamples); column 0 is all ones."""

    scenes: Array
    seeds: Array | None
    """With a last row of ones for votes without a seed; None where there is nothing to draw."""
    raters: Array
    confidence: float
    """Of the intervals that will be read off."""


def draw_votes(votes: Votes, rng: np.random.Generator, resamples: int, confidence: float) -> Draws:
    """Draw scenes, raters and, where several were used, seeds."""
    scenes = draw_weights(rng, np.zeros(votes.n_scenes, dtype=np.int64), resamples)
    raters = draw_raters(rng, votes.n_raters, resamples)
    n_seeds = int(votes.seed.max(initial=-1)) + 1
    if n_seeds < LEAST_SEEDS:
        return Draws(scenes, None, raters, confidence)
    every = np.append(np.arange(n_seeds), -1)
    return Draws(scenes, draw_seeds(rng, every, resamples), raters, confidence)


class Moved(NamedTuple):
    """What units move some parameters by, from which any linear combination has its variance."""

    scenes: Array
    """(scenes, parameters)."""
    raters: Array
    """As if each were left out, (raters, parameters); zeros where too few are drawn."""
    seeds: Array
    """(seeds, parameters), none where none are drawn."""
    noise: Array
    """Covariance that single votes make, (parameters, parameters)."""
    freedom: tuple[float, float, float]
    """Scenes, raters (as many as weigh the same) and seeds that were seen."""
    drawn: Array
    """What every resample moves the parameters by to first order, (resamples, parameters)."""
    confidence: float
    """Of the intervals that will be read off."""

    def scaled(self, of: Array, *, pooled: bool = False) -> tuple[Array, Array, Array]:
        """Return deviations of linear combinations, (n, resamples), standard errors and freedom.

        Each is scaled to the variance of two-way clustering as a quantity of its own; see
        `variance`.

        Args:
            of: the combinations, (n, parameters).
            pooled: see `variance.two_way`.
        """
        ones = np.ones(len(of))
        scenes, raters, seeds, noise = (
            ((of @ part) * of).sum(axis=1)
            for part in (*(each.T @ each for each in self[:3]), self.noise)
        )
        units = [number * ones for number in self.freedom]
        between = Between(scenes, raters, noise, units[0], units[1], seeds, noise, units[2])
        wanted, freedom = two_way(between, pooled=pooled)
        away: Array = of @ self.drawn.T
        drawn = np.einsum("nb,nb->n", away, away) / away.shape[1]
        away *= scales(wanted, freedom, drawn, self.confidence)[:, None]
        return away, np.sqrt(wanted), freedom


By = Callable[[Whole, int], Array]
"""From the unit of each vote and the number of units to their sums, (units, parameters)."""


def moved_by(votes: Votes, draws: Draws, by: By, noise: Array) -> Moved:
    """Return what scenes, raters and seeds move sums over votes by.

    Args:
        votes: as codes.
        draws: of scenes, seeds and raters.
        by: sums of what each vote adds, which is 0 over all votes.
        noise: covariance that single votes make, (parameters, parameters).
    """
    scene = votes.scene
    scenes, raters = by(scene, votes.n_scenes), by(votes.rater, votes.n_raters)
    drawn = (draws.scenes[:, 1:] - 1).T @ scenes
    share = np.bincount(votes.rater, minlength=votes.n_raters) / max(len(votes.rater), 1)
    if votes.n_raters >= LEAST_RATERS:
        drawn += (draws.raters[:, 1:] - 1).T @ raters
    else:
        raters = np.zeros_like(raters)
    seeds = np.zeros((0, drawn.shape[1]))
    if draws.seeds is not None:
        with_none = by(votes.seed % len(draws.seeds), len(draws.seeds))
        drawn += (draws.seeds[:, 1:] - 1).T @ with_none
        seeds = with_none[:-1]
    seen = int(np.count_nonzero(np.bincount(scene)))
    return Moved(
        scenes=scenes,
        raters=raters / np.sqrt(np.maximum(1 - share, 1e-6))[:, None],
        seeds=seeds,
        noise=noise,
        freedom=(seen, 1 / max(float((share**2).sum()), 1e-9), len(seeds)),
        drawn=drawn,
        confidence=draws.confidence,
    )


def _newton(fit: Davidson, tallies: Array, *, prior: bool) -> tuple[tuple[Array, Array], Array]:
    """Return the slopes of each kind of vote and the step, strengths' mean held at 0."""
    slopes, information = slopes_and_information(fit, tallies, prior=prior)
    step: Array = np.asarray(np.linalg.inv(information), dtype=np.float64)
    step[:-1] -= step[:-1].mean(axis=0)
    return slopes, step


def strength_sums(votes: Votes, fit: Davidson, *, prior: bool) -> By:
    """Return how the votes of each unit move strengths and ln ν, one Newton step each."""
    n, kind = len(votes.models), votes.kind
    slopes, step = _newton(fit, votes.tallies(kind), prior=prior)
    of_strength, of_tie = (part.ravel()[kind] for part in slopes)

    def by(unit: Whole, size: int) -> Array:
        sums = np.empty((size, n + 1))
        at = unit * n
        won = np.bincount(at + votes.left, of_strength, size * n)
        won -= np.bincount(at + votes.right, of_strength, size * n)
        sums[:, :n] = won.reshape(size, n)
        sums[:, n] = np.bincount(unit, of_tie, size)
        return sums @ step.T

    return by


def moved_strengths(votes: Votes, draws: Draws, fit: Davidson, *, prior: bool) -> Moved:
    """Return what moves strengths (their mean held at 0) and ln ν, one Newton step each."""
    n, tallies = len(votes.models), votes.tallies()
    slopes, step = _newton(fit, tallies, prior=prior)
    # each vote adds to its left model what it takes from its right one
    squares = (tallies * slopes[0] ** 2).sum(axis=2)
    crossed = (tallies * slopes[0] * slopes[1]).sum(axis=2)
    noise = np.empty((n + 1, n + 1))
    noise[:n, :n] = np.diag(squares.sum(axis=0) + squares.sum(axis=1)) - squares - squares.T
    noise[:n, n] = noise[n, :n] = crossed.sum(axis=1) - crossed.sum(axis=0)
    noise[n, n] = (tallies * slopes[1] ** 2).sum()
    by = strength_sums(votes, fit, prior=prior)
    return moved_by(votes, draws, by, step @ noise @ step.T)
