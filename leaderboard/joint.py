"""One estimate of quality from ratings and votes of the same outputs, and where the two disagree.

The mean P.910 quality ψ of a model and its Davidson strength θ are taken as two readings of one
thing, θ = κ ψ up to a constant. The joint score is their weighted mean, the same weight for all
models, and what is left between them are the gaps (`fusion`). Its variance is that of what scenes,
raters and judgements move it by, in both tables together (`joint_influences`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bench.records import REFERENCE, Score
from leaderboard.contrasts import NOTHING_VARIES, simultaneous_intervals
from leaderboard.drawing import LEAST_RATERS, SCALED, Array, draw_weights, facets
from leaderboard.fusion import Fusion, Readings, fuse
from leaderboard.gathering import draw, gather
from leaderboard.joint_influences import Rated, moves_of_both
from leaderboard.percentiles import with_interval
from leaderboard.quality import Means, means_of
from leaderboard.ranking import BOTH_BAD, Fitted, fit_votes
from leaderboard.selection import distinct, first_time, is_simulated, parts, say_simulated, stream
from leaderboard.vote_draws import draw_votes
from leaderboard.votes import Votes, votes_of
from leaderboard.weighting import weights_among

METHOD = "P.910 quality and Davidson strength as readings of one quality, one weight for all models"
FEWEST = 3
"""Models; two always agree up to κ."""

_ALIKE = 1e-9
"""Of differences: what is none."""

_TOO_FEW = "no resamples: fewer than two scenes"

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
    # what units move is needed alone, not the resamples of either table
    few = draw(gathered, rng, 2, blank.confidence)
    means = list(means_of(rows, gathered, few))
    among = weights_among([part.criterion for part in means], weights)
    means = [part for part in means if among[part.criterion] > 0]
    share = np.array([among[part.criterion] for part in means])
    value = share @ np.stack([m.of_model[:, 0] for m in means])
    decided = votes.only(votes.winner != BOTH_BAD)
    fit = fit_votes(decided, draw_votes(decided, rng, 2, blank.confidence))
    blank = replace(blank, n_raters=len({*gathered.raters, *votes.raters}))
    blank = replace(blank, n_items=len(gathered.items), n_values=len(rows) + len(votes.left))
    readings, reason = _readings(means[0].models, value, votes.models, fit)
    if reason:
        yield replace(blank, metric="rating_vote_fit", method=METHOD, reason=reason)
        return
    moves = moves_of_both(readings.models, Rated(means, share, gathered), decided, fit)
    if moves is None:
        yield replace(blank, metric="rating_vote_fit", method=METHOD, reason=_TOO_FEW)
        return
    drawn = moves.draw(*(_weights(rng, part, resamples) for part in (moves.scenes, moves.raters)))
    fusion = fuse(readings, moves, drawn, blank.confidence)
    over = _over(means, decided.n_raters)
    method = f"{METHOD}; percentile bootstrap ({resamples}) over {over}, seeds not drawn"
    yield from _scores(readings, fusion, replace(blank, method=method))


def _weights(rng: np.random.Generator, moved: Array, resamples: int) -> Array:
    """Return how often units are drawn, (units, resamples), from those that move anything."""
    weights = np.ones((moved.shape[1], resamples))
    there = np.flatnonzero(moved.any(axis=0))
    weights[there] = draw_weights(rng, np.zeros(len(there), dtype=np.int64), resamples)[:, 1:]
    return weights


def _over(means: Sequence[Means], voters: int) -> str:
    """Say what is drawn: each criterion and the votes draw raters if they have enough."""
    few = [
        f"the ratings on {part.criterion}" if len(means) > 1 else "the ratings"
        for part in means
        if len(part.raters) < LEAST_RATERS
    ]
    few += ["the votes"] * (voters < LEAST_RATERS)
    if len(few) in {0, len(means) + 1}:
        return facets(0, voters)
    return f"scenes, raters; for these raters alone in {' and '.join(few)}; {SCALED}"


def _readings(
    rated_models: Sequence[str], rated: Array, voted_models: Sequence[str], fit: Fitted
) -> tuple[Readings, str]:
    """Return both readings of the models that both tables have, or why there is nothing to join."""
    both = [name for name in rated_models if name in voted_models]
    both = [name for name in both if np.isfinite(rated[list(rated_models).index(name)])]
    nothing = Readings(both, np.empty(0), np.empty(0))
    if fit.reason:
        return nothing, fit.reason
    if fit.one_sided:
        return nothing, f"the votes bound no strengths: {fit.one_sided}"
    if len(both) < FEWEST:
        return nothing, "needs three models that were rated and compared"
    found = Readings(
        both,
        rated[[list(rated_models).index(name) for name in both]],
        fit.point.strength[0, [list(voted_models).index(name) for name in both]],
    )
    for word, reading in (("ratings", found.rated), ("votes", found.strength)):
        if np.ptp(reading) < _ALIKE:
            return nothing, f"the {word} put all models alike: there is no scale to join"
    return found, ""


def _scores(readings: Readings, fusion: Fusion, blank: Score) -> Iterator[Score]:
    method = blank.method
    share = f"votes weigh {100 * fusion.voted:.0f} %; {method}"
    low, high = simultaneous_intervals(fusion.gaps, confidence=blank.confidence)
    for place, model in enumerate(readings.models):
        if model == REFERENCE:
            continue
        at = replace(blank, model=model)
        if fusion.p < DISAGREE:
            yield replace(at, metric="joint_score", reason="ratings and votes disagree")
        else:
            score = replace(at, metric="joint_score", method=share)
            yield with_interval(score, fusion.quality.draws[place])
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
    said = f"p that all gaps are 0, F with Box's degrees of freedom; {method}"
    fit = replace(blank, metric="rating_vote_fit", value=fusion.p, method=said)
    there = np.isfinite(fusion.p)
    yield replace(fit, reason="no interval: a p value" if there else NOTHING_VARIES)
