"""Votes to strengths and ranks: Davidson's model, with "both bad" kept apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from bench.records import Score
from leaderboard.davidson import PRIOR_SD, Davidson, fit_davidson
from leaderboard.ranks import rank_scores, simultaneous_ranks
from leaderboard.resampling import LEAST_RATERS, Array, few_seeds, intervals, with_interval
from leaderboard.selection import distinct, first_time, is_simulated, parts, say_simulated
from leaderboard.tables import WINNERS
from leaderboard.votes import Draws, Votes, draw_votes, resampled_fits, resampled_sums, votes_of

_WIDEST_TIE = 100.0
"""Upper over lower end of the tie parameter's interval; a wider one says nothing of ties."""

BOTH_BAD = WINNERS.index("both_bad")


def rank(
    votes: pd.DataFrame,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 1000,
    by: Sequence[str] = (),
) -> list[Score]:
    """Return `strength`, its differences, `rank`, `p_first`, `tie_parameter`, `both_bad_share`.

    Per study and criterion of the votes. Where no finite strengths maximise the likelihood (a
    model undefeated or winless), a weak normal prior is used, `method` says so and there are no
    intervals: how far ahead such a model is, the votes do not bound; models that no
    chain of comparisons connects have no common scale: NaN.

    Args:
        votes: a checked table of votes; hidden repeats are left out.
        rng: draws the resamples.
        confidence: of the intervals, and of all rank bounds together.
        resamples: how many; scenes and raters.
        by: columns to slice by, beside the whole.
    """
    scores: list[Score] = []
    for study, slice_, rows in parts(first_time(votes), by):
        for criterion in distinct(rows["criterion"]):
            chosen = rows[rows["criterion"] == criterion]
            blank = Score(study=study, slice=slice_, criterion=criterion, confidence=confidence)
            found = list(ranked(votes_of(chosen), blank, rng, resamples))
            scores += say_simulated(found) if is_simulated(rows) else found
    return scores


def ranked(
    votes: Votes, blank: Score, rng: np.random.Generator, resamples: int = 1000
) -> Iterator[Score]:
    """Yield the scores of one criterion's votes, as `rank` does.

    Args:
        votes: as codes.
        blank: carries study, slice, criterion and confidence.
        rng: draws the resamples.
        resamples: how many.
    """
    draws = draw_votes(votes, rng, resamples)
    n_seeds = int(votes.seed.max(initial=-1)) + 1
    seeds = f", {few_seeds(n_seeds)}" if draws.seeds is not None else ""
    raters = " and raters" if votes.n_raters >= LEAST_RATERS else ", for these raters alone"
    said = f"percentile bootstrap ({resamples}) over scenes{seeds}{raters}, one Newton step each"
    blank = replace(blank, method=said)
    yield from _both_bad(votes, draws, blank, rng)

    decided = votes.only(votes.winner != BOTH_BAD)
    blanks = _blanks(votes, decided, blank)
    fit = fit_votes(decided, draws)
    tie = replace(blank, metric="tie_parameter", n_values=len(decided.left))
    if fit.reason:
        for metric in ("strength", "rank", "p_first"):
            yield from (replace(score, metric=metric, reason=fit.reason) for score in blanks)
        yield replace(tie, reason=fit.reason)
        return
    method = f"Davidson{fit.note}; {said}"
    blanks = [replace(score, method=method) for score in blanks]
    unbounded = f"no interval: {fit.one_sided}" if fit.one_sided else ""
    for score in _of_fit(fit, blanks, replace(tie, method=method)):
        needs_one = score.metric in {"strength", "strength_difference", "p_first"} or (
            score.metric == "tie_parameter" and score.value > 0
        )
        yield replace(score, reason=unbounded) if unbounded and needs_one else score


def _of_fit(fit: Fitted, blanks: Sequence[Score], tie: Score) -> Iterator[Score]:
    yield from _of_models(fit.point, fit.drawn, blanks)
    yield from _differences(fit.point, fit.drawn, blanks)
    if not fit.point.tie.any():
        yield replace(tie, value=0.0, reason="no interval: there were no ties")
        return
    found = with_interval(tie, np.concatenate([fit.point.tie, fit.drawn.tie]))
    if found.high > _WIDEST_TIE * found.low:
        found = replace(found, low=math.nan, high=math.nan, reason="no interval: too few ties")
    yield found


class Fitted(NamedTuple):
    """Davidson's model of some votes, and of their resamples."""

    point: Davidson
    drawn: Davidson
    note: str = ""
    """Which prior was needed, and why."""
    reason: str = ""
    """Why no strengths exist; the fits are then empty."""
    one_sided: str = ""
    """Why the strengths are bounded by the prior alone; `drawn` is then NaN."""


def fit_votes(decided: Votes, draws: Draws) -> Fitted:
    """Fit votes that are not "both bad", with a weak prior where nothing else is finite."""
    n = len(decided.models)
    cell = decided.cells()
    wins, ties = _matrices(np.bincount(cell, minlength=2 * n * n)[:, None].astype(float), n)
    reason = _impossible(wins[0], ties[0], decided.models)
    if reason:
        nothing = Davidson(np.empty((0, n)), np.empty(0))
        return Fitted(nothing, nothing, reason=reason)
    point = fit_davidson(wins, ties, prior=False)
    note = one_sided = ""
    if not np.isfinite(point.strength).all():
        point = fit_davidson(wins, ties, prior=True)
        one_sided = _one_sided(wins[0], decided.models)
        note = f" with a normal prior of SD {PRIOR_SD:g}: {one_sided}"
    drawn = resampled_fits(decided, draws, cell, point, prior=bool(note))
    # near the prior's edge a Newton step has the prior's curvature, not that of the votes
    if decided.n_scenes < 2 or one_sided:
        drawn = Davidson(np.full_like(drawn.strength, np.nan), np.full_like(drawn.tie, np.nan))
    return Fitted(point, drawn, note, one_sided=one_sided)


def _matrices(counts: Array, n: int) -> tuple[Array, Array]:
    """Return wins and ties, each (tables, models, models), from counts by cell (cells, tables)."""
    tables = counts.shape[1]
    upper = counts[n * n :].T.reshape(tables, n, n)
    return counts[: n * n].T.reshape(tables, n, n), upper + upper.transpose(0, 2, 1)


def _of_models(point: Davidson, drawn: Davidson, blanks: Sequence[Score]) -> Iterator[Score]:
    ranks = simultaneous_ranks(point.strength[0], drawn.strength, blanks[0].confidence)
    for index, score in enumerate(blanks):
        draws = np.concatenate([point.strength[:, index], drawn.strength[:, index]])
        yield with_interval(replace(score, metric="strength"), draws)
        first = float(ranks.p_first[index])
        reason = "" if np.isfinite(first) else "no resamples: fewer than two scenes"
        yield replace(score, metric="p_first", value=first, reason=reason)
    yield from rank_scores(ranks, blanks)


def _differences(point: Davidson, drawn: Davidson, blanks: Sequence[Score]) -> list[Score]:
    draws = np.concatenate([point.strength, drawn.strength]).T
    pairs = list(combinations(range(len(blanks)), 2))
    one, other = np.array(pairs).T
    found = intervals(draws[one] - draws[other], blanks[0].confidence)
    return [
        replace(
            blanks[first],
            metric="strength_difference",
            against=blanks[second].model,
            n_items=max(blanks[first].n_items, blanks[second].n_items),
            n_raters=max(blanks[first].n_raters, blanks[second].n_raters),
            n_values=blanks[first].n_values + blanks[second].n_values,
            **interval,
        )
        for (first, second), interval in zip(pairs, found, strict=True)
    ]


def _impossible(wins: Array, ties: Array, models: Sequence[str]) -> str:
    """Say why no strengths exist; empty where they do."""
    if not (wins + ties).any():
        return "every vote says both bad"
    n_groups, group = sparse.csgraph.connected_components(wins + ties, directed=False)
    if n_groups > 1:
        sets = [
            "{" + ", ".join(m for m, code in zip(models, group, strict=True) if code == which) + "}"
            for which in range(n_groups)
        ]
        return f"not connected by votes: {' and '.join(sets)}"
    return "" if wins.any() else "ties only"


def _one_sided(wins: Array, models: Sequence[str]) -> str:
    """Name the models that never lost or never won."""
    won, lost = wins.sum(axis=1), wins.sum(axis=0)
    undefeated = [model for model, times in zip(models, lost, strict=True) if not times]
    winless = [model for model, times in zip(models, won, strict=True) if not times]
    said = [
        f"{word}: {', '.join(names)}"
        for word, names in (("undefeated", undefeated), ("winless", winless))
        if names
    ]
    return " and ".join(said) or "one group of models was never beaten by the rest"


def _both_bad(
    votes: Votes, draws: Draws, blank: Score, rng: np.random.Generator
) -> Iterator[Score]:
    """Yield the share of votes that say both bad, per suite (in `group`)."""
    suite = votes.suite_of_prompt[votes.prompt]
    for code, name in enumerate(votes.suites):
        here = votes if len(votes.suites) == 1 else votes.only(suite == code)
        bad = (here.winner == BOTH_BAD).astype(np.int64)
        share, n_scenes = float(bad.mean()), int(np.count_nonzero(np.bincount(here.scene)))
        drawn: Array = np.full(draws.raters.shape[1], np.nan)
        if n_scenes > 1 and share in {0.0, 1.0}:
            near = rng.beta(0.5, n_scenes + 0.5, len(drawn))
            drawn = near if share == 0 else 1 - near
        elif n_scenes > 1:
            away = resampled_sums(here, draws, bad, np.array([[-share], [1 - share]]))
            drawn[1:] = np.clip(share + away[:, 0] / len(bad), 0, 1)
        drawn[0] = share
        score = replace(
            blank,
            metric="both_bad_share",
            group=name,
            n_items=int(np.count_nonzero(np.bincount(here.prompt))),
            n_raters=int(np.count_nonzero(np.bincount(here.rater))),
            n_values=len(bad),
        )
        yield with_interval(score, drawn)


def _blanks(votes: Votes, decided: Votes, blank: Score) -> list[Score]:
    """Return one empty score per model with the numbers of its prompts, raters and votes."""
    n = len(votes.models)
    numbers = []
    for unit, size in (
        (decided.prompt, len(votes.scene_of_prompt)),
        (decided.rater, votes.n_raters),
    ):
        seen = np.zeros((n, size), dtype=bool)
        seen[decided.left, unit] = True
        seen[decided.right, unit] = True
        numbers.append(seen.sum(axis=1))
    times = np.bincount(decided.left, minlength=n) + np.bincount(decided.right, minlength=n)
    return [
        replace(blank, model=model, n_items=int(prompts), n_raters=int(raters), n_values=int(count))
        for model, prompts, raters, count in zip(votes.models, *numbers, times, strict=True)
    ]
