"""One estimate of quality from ratings and votes of the same outputs, and where the two disagree.

The mean P.910 quality ψ of a model and its Davidson strength θ are taken as two readings of one
thing, θ = κ ψ up to a constant. With the covariance of both under the same resamples of scenes and
raters, ψ and κ are fitted by generalised least squares; what is left over is the disagreement,
χ² with models − 2 degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.linalg import null_space
from scipy.optimize import minimize_scalar
from scipy.stats import chi2

from bench.records import REFERENCE, Score
from leaderboard.gathering import Weights, gather
from leaderboard.quality import means_of
from leaderboard.ranking import BOTH_BAD, Fitted, fit_votes
from leaderboard.ranks import simultaneous_intervals
from leaderboard.resampling import NOTHING_VARIES, Array, draw_raters, draw_weights, with_interval
from leaderboard.selection import distinct, first_time, is_simulated, parts, say_simulated
from leaderboard.votes import Draws, Votes, votes_of
from leaderboard.weighting import weights_among

METHOD = "P.910 quality and Davidson strength as readings of one quality, generalised least squares"
FEWEST = 3
"""Models; two always agree up to κ."""

DISAGREE = 0.001
"""Level of the test of agreement under which there is no one quality to give. The test is
conservative (its p comes out too large), so what it rejects is no accident."""


class Readings(NamedTuple):
    """Draws of both, (models, 1 + resamples), for the models that both have."""

    models: list[str]
    rated: Array
    strength: Array


class Fusion(NamedTuple):
    """Quality on the scale of the ratings, and votes less ratings; (models, 1 + resamples).

    The gaps have the votes brought to the spread of the ratings, whatever κ: where both disagree
    there is no κ to speak of.
    """

    quality: Array
    gap: Array
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
                    rng,
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
    yield from _scores(readings, fuse(readings), blank, resamples)


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
    both_draws = np.concatenate([found.rated[:, 1:], found.strength[:, 1:]])
    whole = np.isfinite(both_draws).all(axis=0).ravel()
    if 2 * whole.sum() < len(whole) or whole.sum() < 2 * len(both):
        return nothing, "no resamples: fewer than two scenes"
    keep = np.concatenate([[True], whole])
    return Readings(both, found.rated[:, keep], found.strength[:, keep]), ""


def fuse(readings: Readings) -> Fusion:
    """Fit ψ and κ; each resample moves them by one step of Gauss and Newton."""
    n = len(readings.models)
    contrast = null_space(np.ones((1, n))).T
    level = readings.rated.mean(axis=0)
    rated, strength = contrast @ readings.rated, contrast @ readings.strength
    both = np.concatenate([rated, strength])
    covariance = np.cov(both[:, 1:]) + 1e-12 * np.eye(len(both))
    own, theirs, cross = (
        covariance[: n - 1, : n - 1], covariance[n - 1 :, n - 1 :], covariance[: n - 1, n - 1 :]
    )  # fmt: skip

    def left_over(log_kappa: float) -> float:
        kappa = np.exp(log_kappa)
        away = strength[:, 0] - kappa * rated[:, 0]
        spread = theirs - kappa * (cross + cross.T) + kappa**2 * own
        return float(away @ np.linalg.solve(spread, away))

    usual = np.log(np.linalg.norm(strength[:, 0]) / max(float(np.linalg.norm(rated[:, 0])), 1e-9))
    found = minimize_scalar(left_over, bounds=(usual - 3, usual + 3), method="bounded")
    kappa = float(np.exp(found.x))
    precision = np.linalg.inv(covariance)
    stacked = np.concatenate([np.eye(n - 1), kappa * np.eye(n - 1)])
    quality = np.linalg.solve(stacked.T @ precision @ stacked, stacked.T @ precision @ both[:, 0])
    slope = np.concatenate([np.zeros(n - 1), quality])
    jacobian = np.concatenate([stacked, slope[:, None]], axis=1)
    step = np.linalg.solve(jacobian.T @ precision @ jacobian, jacobian.T @ precision)
    moved = step @ (both - both[:, :1])
    qualities = contrast.T @ (quality[:, None] + moved[:-1]) + level
    gap = contrast.T @ (strength / np.exp(usual) - rated)
    return Fusion(qualities, gap, float(chi2.sf(found.fun, n - 2)), kappa)


def _scores(readings: Readings, fusion: Fusion, blank: Score, resamples: int) -> Iterator[Score]:
    method = f"{METHOD}; percentile bootstrap ({resamples}) over scenes and raters, seeds not drawn"
    blank = replace(blank, method=method)
    low, high = simultaneous_intervals(
        fusion.gap[:, 0], fusion.gap[:, 1:].T, confidence=blank.confidence
    )
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
            value=float(fusion.gap[place, 0]),
            low=float(low[place]),
            high=float(high[place]),
            method=f"votes at the spread of the ratings, less ratings; simultaneous; {method}",
            reason="" if there else NOTHING_VARIES,
        )
    said = f"p of agreement, χ² with {len(readings.models) - 2} degrees of freedom; {method}"
    fit = replace(blank, metric="rating_vote_fit", value=fusion.p, method=said)
    yield replace(fit, reason="no interval: a p value")
