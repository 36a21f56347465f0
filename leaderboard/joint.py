"""One estimate of quality from ratings and votes of the same outputs, and where the two disagree.

The mean P.910 quality ψ of a model and its Davidson strength θ are taken as two readings of one
thing, θ = κ ψ up to a constant. With the covariance of both, clustered by scenes, raters and what a
rater says of a scene, ψ and κ are fitted by generalised least squares; what is left over is the
disagreement, T² with models − 2 degrees of freedom over those of the covariance (Hotelling's, as F).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bench.records import REFERENCE, Score
from leaderboard.contrasts import NOTHING_VARIES, simultaneous_intervals
from leaderboard.drawing import SCALED, Array, Weights, draw_raters, draw_weights
from leaderboard.fusion import Fusion, Readings, fuse
from leaderboard.gathering import gather
from leaderboard.joint_covariance import Rated, covariance_of_both
from leaderboard.percentiles import with_interval
from leaderboard.quality import means_of
from leaderboard.ranking import BOTH_BAD, Fitted, fit_votes
from leaderboard.selection import distinct, first_time, is_simulated, parts, say_simulated, stream
from leaderboard.vote_draws import Draws
from leaderboard.votes import Votes, votes_of
from leaderboard.weighting import weights_among

METHOD = "P.910 quality and Davidson strength as readings of one quality, generalised least squares"
FEWEST = 3
"""Models; two always agree up to κ."""

_ALIKE = 1e-9
"""Of differences: what is none."""

DISAGREE = 0.01
"""Level of the test of agreement under which there is no one quality to give."""


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
        blank.confidence,
    )
    draws = Draws(
        scenes[len(gathered.clusters) :], None, raters[len(gathered.raters) :], blank.confidence
    )
    means = list(means_of(rows, gathered, drawn))
    among = weights_among([part.criterion for part in means], weights)
    means = [part for part in means if among[part.criterion] > 0]
    share = np.array([among[part.criterion] for part in means])
    rated = np.einsum("c,cmb->mb", share, np.stack([m.of_model for m in means]))
    decided = votes.only(votes.winner != BOTH_BAD)
    fit = fit_votes(decided, draws)
    blank = replace(blank, n_raters=len({*gathered.raters, *votes.raters}))
    blank = replace(blank, n_items=len(gathered.items), n_values=len(rows) + len(votes.left))
    readings, reason = _readings(means[0].models, rated, votes.models, fit)
    if reason:
        yield replace(blank, metric="rating_vote_fit", method=METHOD, reason=reason)
        return
    spread = covariance_of_both(readings.models, Rated(means, share, gathered), decided, fit)
    if isinstance(spread, str):
        yield replace(blank, metric="rating_vote_fit", method=METHOD, reason=spread)
        return
    yield from _scores(readings, fuse(readings, spread, blank.confidence), blank, resamples)


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
