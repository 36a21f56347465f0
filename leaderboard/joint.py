"""One estimate of quality from ratings and votes of the same outputs, and where the two disagree.

The mean P.910 quality ψ of a model and its Davidson strength θ are taken as two readings of one
thing, θ = κ ψ up to a constant. With the covariance of both, clustered by scenes and raters that
they share, ψ and κ are fitted by generalised least squares; what is left over is the disagreement,
T² with models − 2 degrees of freedom over those of the covariance (Hotelling's, as F).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.linalg import null_space
from scipy.optimize import minimize_scalar
from scipy.stats import f

from bench.records import REFERENCE, Score
from leaderboard.contrasts import NOTHING_VARIES, Contrasts, simultaneous_intervals
from leaderboard.gathering import Gathered, Weights, gather
from leaderboard.quality import Means, means_of
from leaderboard.ranking import BOTH_BAD, Fitted, fit_votes
from leaderboard.resampling import SCALED, Array, draw_raters, draw_weights, with_interval
from leaderboard.selection import distinct, first_time, is_simulated, parts, say_simulated, stream
from leaderboard.variance import Influences, Matrix, expansion
from leaderboard.votes import Draws, Votes, votes_of
from leaderboard.weighting import weights_among

METHOD = "P.910 quality and Davidson strength as readings of one quality, generalised least squares"
FEWEST = 3
"""Models; two always agree up to κ."""

_MANY = 1e9
"""Degrees of freedom that are as good as none too few."""

_ALIKE = 1e-9
"""Of differences, and of the least share of the variance: what is none."""

_TOO_FEW = "too few scenes: needs more than twice as many as models"

DISAGREE = 0.01
"""Level of the test of agreement under which there is no one quality to give."""


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


def joint(
    ratings: pd.DataFrame,
    votes: pd.DataFrame,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 1000,
    by: Sequence[str] = (),
    weights: Mapping[str, float] | None = None,
) -> list[Score]:
    """Return `joint_score` and `rating_vote_gap` per model, and `rating_vote_fit`.

    Votes on a criterion are joined with its ratings; votes without one speak of the whole picture
    and are joined with the mean of all criteria (the `criterion` is then empty). Studies that have
    only one of the tables are left out.

    Args:
        ratings: a checked table.
        votes: a checked table.
        rng: draws scenes and raters, the same for both tables.
        confidence: of the intervals; those of the gaps hold for all models at once.
        resamples: how many.
        by: columns to slice by, beside the whole.
        weights: of the criteria in the mean of all; equal where not said.
    """
    rated = {(study, slice_): rows for study, slice_, rows in parts(first_time(ratings), by)}
    scores: list[Score] = []
    for study, slice_, rows in parts(first_time(votes), by):
        mine = rated.get((study, slice_))
        if mine is None:
            continue
        mine = mine[mine["model"] != ""]
        for criterion in distinct(rows["criterion"]):
            chosen = mine if not criterion else mine[mine["criterion"] == criterion]
            blank = Score(study=study, slice=slice_, criterion=criterion, confidence=confidence)
            if chosen.empty:
                reason = f"no ratings on {criterion}" if criterion else "no ratings name a model"
                scores.append(
                    replace(blank, metric="rating_vote_fit", method=METHOD, reason=reason)
                )
                continue
            found = list(
                _joined(
                    chosen,
                    votes_of(rows[rows["criterion"] == criterion]),
                    blank,
                    stream(rng, "both", study, slice_, criterion),
                    resamples,
                    weights=weights or {},
                )
            )
            simulated = is_simulated(mine) or is_simulated(rows)
            scores += say_simulated(found) if simulated else found
    return scores


def _joined(
    rows: pd.DataFrame,
    votes: Votes,
    blank: Score,
    rng: np.random.Generator,
    resamples: int,
    *,
    weights: Mapping[str, float],
) -> Iterator[Score]:
    gathered = gather(rows)
    raters = _drawn_raters([*gathered.raters, *votes.raters], rng, resamples)
    scenes = _drawn_scenes([*gathered.clusters, *votes.scenes], rng, resamples)
    drawn = Weights(
        raters[: len(gathered.raters)],
        scenes[: len(gathered.clusters)],
        np.ones((len(gathered.items), 1 + resamples)),
    )
    draws = Draws(scenes[len(gathered.clusters) :], None, raters[len(gathered.raters) :])
    means = list(means_of(rows, gathered, drawn))
    among = weights_among([part.criterion for part in means], weights)
    means = [part for part in means if among[part.criterion] > 0]
    share = np.array([among[part.criterion] for part in means])
    rated = np.einsum("c,cmb->mb", share, np.stack([m.of_model for m in means]))
    fit = fit_votes(votes.only(votes.winner != BOTH_BAD), draws)
    blank = replace(blank, n_raters=len({*gathered.raters, *votes.raters}))
    blank = replace(blank, n_items=len(gathered.items), n_values=len(rows) + len(votes.left))
    readings, reason = _readings(means[0].models, rated, votes.models, fit)
    if reason:
        yield replace(blank, metric="rating_vote_fit", method=METHOD, reason=reason)
        return
    spread = _spread(readings.models, (means, share, gathered), votes, fit)
    if isinstance(spread, str):
        yield replace(blank, metric="rating_vote_fit", method=METHOD, reason=spread)
        return
    yield from _scores(readings, fuse(readings, spread), blank, resamples)


def _drawn_raters(names: Sequence[str], rng: np.random.Generator, resamples: int) -> Array:
    """Return weights of raters by name: one that both tables have is drawn once for both."""
    units, which = np.unique(names, return_inverse=True)
    return draw_raters(rng, len(units), resamples)[which]


def _drawn_scenes(names: Sequence[str], rng: np.random.Generator, resamples: int) -> Array:
    """Return weights of scenes, and of references among themselves, likewise."""
    units, which = np.unique(names, return_inverse=True)
    stratum = np.array([str(name).startswith(f"{REFERENCE}\n") for name in units])
    return draw_weights(rng, stratum.astype(np.int64), resamples)[which]


def _readings(
    rated_models: Sequence[str], rated: Array, voted_models: Sequence[str], fit: Fitted
) -> tuple[Readings, str]:
    """Return the draws of the models that both tables have, or why there is nothing to join."""
    both = [name for name in rated_models if name in voted_models]
    both = [name for name in both if np.isfinite(rated[list(rated_models).index(name), 0])]
    nothing = Readings(both, np.empty((0, 0)), np.empty((0, 0)))
    if fit.reason:
        return nothing, fit.reason
    if fit.one_sided:
        return nothing, f"the votes bound no strengths: {fit.one_sided}"
    if len(both) < FEWEST:
        return nothing, "needs three models that were rated and compared"
    strength = np.concatenate([fit.point.strength, fit.drawn.strength]).T
    found = Readings(
        both,
        rated[[list(rated_models).index(name) for name in both]],
        strength[[list(voted_models).index(name) for name in both]],
    )
    for word, reading in (("ratings", found.rated), ("votes", found.strength)):
        if np.ptp(reading[:, 0]) < _ALIKE:
            return nothing, f"the {word} put all models alike: there is no scale to join"
    both_draws = np.concatenate([found.rated[:, 1:], found.strength[:, 1:]])
    whole = np.isfinite(both_draws).all(axis=0).ravel()
    if 2 * whole.sum() < len(whole) or whole.sum() < 2 * len(both):
        return nothing, "no resamples: fewer than two scenes"
    keep = np.concatenate([[True], whole])
    return Readings(both, found.rated[:, keep], found.strength[:, keep]), ""


def _spread(
    models: Sequence[str],
    rated: tuple[Sequence[Means], Array, Gathered],
    votes: Votes,
    fit: Fitted,
) -> Spread | str:
    """Return the two-way clustered covariance of mean qualities and strengths, or why there is none.

    V = B_scenes + (B_raters − B_judgements), the bracket held positive; see `variance`.

    Args:
        models: that both have.
        rated: means by criterion, the weights of the criteria, and the units behind them.
        votes: the votes.
        fit: of the votes.
    """
    means, share, gathered = rated
    moved, n = fit.moved, len(models)
    own = [means[0].models.index(name) for name in models]
    theirs = [votes.models.index(name) for name in models]
    found = [part.influences for part in means]
    if moved is None or any(part is None for part in found):
        return _TOO_FEW
    parts = [(weight, part) for weight, part in zip(share, found, strict=True) if part is not None]
    scenes = sum(weight * part.scenes[own, 0] for weight, part in parts)
    raters = sum(
        weight * part.raters[own, 0] * np.sqrt(1 - part.share[own]) for weight, part in parts
    )
    noise = np.zeros((2 * n, 2 * n))
    of_both = sum(weight * _judged(part, own) for weight, part in parts)
    noise[:n, :n] = (of_both @ of_both.T).toarray()
    noise[n:, n:] = moved.noise[np.ix_(theirs, theirs)]
    contrast = np.kron(np.eye(2), null_space(np.ones((1, n))).T)
    by_scene = contrast @ _stacked(
        scenes, moved.scenes[:, theirs].T, gathered.clusters, votes.scenes
    )
    by_rater = contrast @ _stacked(raters, moved.raters[:, theirs].T, gathered.raters, votes.raters)
    n_scenes, n_raters = (int((part != 0).any(axis=0).sum()) for part in (by_scene, by_rater))
    if n_scenes <= 2 * n:
        return _TOO_FEW
    of_scenes = by_scene @ by_scene.T * n_scenes / (n_scenes - 1)
    of_raters = by_rater @ by_rater.T
    values, vectors = np.linalg.eigh(of_raters - contrast @ noise @ contrast.T)
    covariance = of_scenes + (vectors * np.maximum(values, 0)) @ vectors.T
    size = np.sqrt(np.maximum(np.diag(covariance), _ALIKE**2))
    if np.linalg.eigvalsh(covariance / np.outer(size, size))[0] < _ALIKE:
        return "some models never differ in the ratings, or in the votes: nothing varies"
    uncertain = [
        float(np.trace(np.linalg.solve(covariance, part))) ** 2 / max(units - 1, 1)
        for part, units in ((of_scenes, n_scenes), (of_raters, n_raters))
    ]
    return Spread(covariance, len(covariance) ** 2 / sum(uncertain))


def _judged(found: Influences, cells: Sequence[int]) -> Matrix:
    """Return what each rater says of each scene moves, as raters' moves are, (cells, pairs)."""
    moved = sparse.csr_array(found.judgements[cells])
    row = np.repeat(np.arange(len(cells)), np.diff(moved.indptr))
    share = found.share[cells][row, moved.indices % found.share.shape[1]]
    moved.data *= np.sqrt(1 - share)
    return moved


def _stacked(mine: Array, theirs: Array, names: Sequence[str], others: Sequence[str]) -> Array:
    """Return both in one array, (2 models, units), units of one name in one column."""
    units, which = np.unique([*names, *others], return_inverse=True)
    both = np.zeros((len(mine) + len(theirs), len(units)))
    both[: len(mine), which[: len(names)]] = mine
    both[len(mine) :, which[len(names) :]] = theirs
    return both


def fuse(readings: Readings, spread: Spread) -> Fusion:
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
    qualities = _moved(contrast.T @ step[:-1], both, spread)
    qualities.draws[:] += (contrast.T @ quality - qualities.draws[:, 0])[:, None] + level
    minus = contrast.T @ _brought_together(rated[:, 0], strength[:, 0])
    freedom = min(spread.freedom, _MANY)
    test, others = n - 2, max(freedom - n + 3, 1.0)
    p = float(f.sf(found.fun * others / (test * freedom), test, others))
    gaps = _moved(minus, both, spread)
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


def _moved(of: Array, both: Array, spread: Spread) -> Contrasts:
    """Return linear combinations of both readings with their draws scaled to the covariance."""
    draws = of @ both
    away = draws[:, 1:] - draws[:, :1]
    error = np.sqrt(np.einsum("np,pq,nq->n", of, spread.covariance, of))
    drawn = np.maximum(np.sqrt((away**2).mean(axis=1)), 1e-300)
    wide = error * float(expansion(np.array(spread.freedom)))
    draws[:, 1:] = draws[:, :1] + away * (wide / drawn)[:, None]
    return Contrasts(draws, error, np.full(len(draws), spread.freedom))


def _scores(readings: Readings, fusion: Fusion, blank: Score, resamples: int) -> Iterator[Score]:
    method = f"{METHOD}; percentile bootstrap ({resamples}) over scenes and raters, seeds not drawn"
    method += f"; {SCALED}"
    blank = replace(blank, method=method)
    low, high = simultaneous_intervals(fusion.gaps, confidence=blank.confidence)
    for place, model in enumerate(readings.models):
        if model == REFERENCE:
            continue
        at = replace(blank, model=model)
        if fusion.p < DISAGREE:
            yield replace(at, metric="joint_score", reason="ratings and votes disagree")
        else:
            yield with_interval(replace(at, metric="joint_score"), fusion.quality[place])
        there = np.isfinite(low[place])
        yield replace(
            at,
            metric="rating_vote_gap",
            value=float(fusion.gaps.draws[place, 0]),
            low=float(low[place]),
            high=float(high[place]),
            method=f"votes at the spread of the ratings, less ratings; simultaneous; {method}",
            reason="" if there else NOTHING_VARIES,
        )
    said = f"p of agreement, T² with {len(readings.models) - 2} degrees of freedom; {method}"
    fit = replace(blank, metric="rating_vote_fit", value=fusion.p, method=said)
    yield replace(fit, reason="no interval: a p value")
