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
from leaderboard.contrasts import Contrasts, p_score
from leaderboard.davidson import PRIOR_SD, Davidson, fit_davidson
from leaderboard.drawing import Array, Whole, facets
from leaderboard.percentiles import intervals, with_interval
from leaderboard.ranks import rank_scores, simultaneous_ranks
from leaderboard.selection import distinct, first_time, is_simulated, parts, say_simulated, stream
from leaderboard.tables import WINNERS
from leaderboard.vote_draws import Draws, Moved, draw_votes, moved_by, moved_strengths
from leaderboard.votes import Votes, votes_of

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
            own = stream(rng, "votes", study, slice_, criterion)
            found = list(ranked(votes_of(chosen), blank, own, resamples))
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
    draws = draw_votes(votes, rng, resamples, blank.confidence)
    over = facets(int(votes.seed.max(initial=-1)) + 1, votes.n_raters)
    said = f"percentile bootstrap ({resamples}) over {over}, one Newton step each"
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
        yield replace(score, reason=unbounded) if unbounded and _needs_one(score) else score


def _needs_one(score: Score) -> bool:
    """Say whether a score without bounds on the strengths has no interval either."""
    if score.metric == "tie_parameter":
        return score.value > 0
    return score.metric not in {"rank", "ranked_above"}


def _of_fit(fit: Fitted, blanks: Sequence[Score], tie: Score) -> Iterator[Score]:
    yield from _of_models(fit, blanks)
    yield from _differences(fit, blanks)
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
    gaps: Contrasts
    """Differences of strengths of the first model and the second, the third … in order."""
    moved: Moved | None = None
    """What units move strengths and ln ν by."""
    note: str = ""
    """Which prior was needed, and why."""
    reason: str = ""
    """Why no strengths exist; the fits are then empty."""
    one_sided: str = ""
    """Why the strengths are bounded by the prior alone; `drawn` is then NaN."""


def fit_votes(decided: Votes, draws: Draws) -> Fitted:
    """Fit votes that are not "both bad", with a weak prior where nothing else is finite."""
    n = len(decided.models)
    tallies = decided.tallies()
    wins = tallies[:, :, 0] + tallies[:, :, 1].T
    ties = tallies[:, :, 2] + tallies[:, :, 2].T
    reason = _impossible(wins, ties, decided.models)
    if reason:
        nothing = Davidson(np.empty((0, n)), np.empty(0))
        return Fitted(
            nothing, nothing, Contrasts(np.empty((0, 0)), np.empty(0), np.empty(0)), reason=reason
        )
    point = fit_davidson(wins[None], ties[None], prior=False)
    note = one_sided = ""
    if not np.isfinite(point.strength).all():
        point = fit_davidson(wins[None], ties[None], prior=True)
        one_sided = _one_sided(wins, decided.models)
        note = f" with a normal prior of SD {PRIOR_SD:g}: {one_sided}"
    moved = moved_strengths(decided, draws, point, prior=bool(note))
    pairs = np.array(list(combinations(range(n), 2)))
    between = np.zeros((len(pairs), n + 1))
    between[np.arange(len(pairs)), pairs[:, 0]] = 1.0
    between[np.arange(len(pairs)), pairs[:, 1]] = -1.0
    away = moved.scaled(np.eye(n + 1))[0]
    apart, error, freedom = moved.scaled(between, pooled=True)
    # near the prior's edge a Newton step has the prior's curvature, not that of the votes
    if decided.n_scenes < 2 or one_sided:
        away, apart, error = (np.full_like(part, np.nan) for part in (away, apart, error))
    gap = point.strength[0, pairs[:, 0]] - point.strength[0, pairs[:, 1]]
    drawn = Davidson(point.strength + away[:-1].T, point.tie * np.exp(away[-1]))
    draws_of_gaps = np.concatenate([gap[:, None], gap[:, None] + apart], axis=1)
    gaps = Contrasts(draws_of_gaps, error, freedom)
    return Fitted(point, drawn, gaps, moved, note, one_sided=one_sided)


def _of_models(fit: Fitted, blanks: Sequence[Score]) -> Iterator[Score]:
    pairs = list(combinations(range(len(blanks)), 2))
    ranks = simultaneous_ranks(len(blanks), pairs, fit.gaps, blanks[0].confidence)
    for index, score in enumerate(blanks):
        draws = np.concatenate([fit.point.strength[:, index], fit.drawn.strength[:, index]])
        yield with_interval(replace(score, metric="strength"), draws)
        first = float(ranks.p_first[index])
        reason = "" if np.isfinite(first) else "no resamples: fewer than two scenes"
        yield replace(score, metric="p_first", value=first, reason=reason)
    yield from rank_scores(ranks, blanks)


def _differences(fit: Fitted, blanks: Sequence[Score]) -> Iterator[Score]:
    found = intervals(fit.gaps.draws, blanks[0].confidence)
    pairs = combinations(blanks, 2)
    for (first, second), interval, p in zip(pairs, found, fit.gaps.p_values(), strict=True):
        score = replace(
            first,
            metric="strength_difference",
            against=second.model,
            n_items=max(first.n_items, second.n_items),
            n_raters=max(first.n_raters, second.n_raters),
            n_values=first.n_values + second.n_values,
            **interval,
        )
        yield score
        yield p_score(score, float(p))


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
    return "; ".join(said) or "one group of models was never beaten by the rest"


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
            away = (bad - share) / len(bad)

            def by(unit: Whole, size: int, away: Array = away) -> Array:
                return np.asarray(np.bincount(unit, away, size)[:, None], dtype=np.float64)

            moved = moved_by(here, draws, by, np.array([[away @ away]]))
            drawn[1:] = np.clip(share + moved.scaled(np.ones((1, 1)))[0][0], 0, 1)
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
    for unit in (decided.prompt, decided.rater):
        at, size = unit * n, n * (1 + int(unit.max(initial=-1)))
        seen = np.bincount(at + decided.left, minlength=size)
        seen += np.bincount(at + decided.right, minlength=size)
        numbers.append(np.count_nonzero(seen.reshape(-1, n), axis=0))
    times = np.bincount(decided.left, minlength=n) + np.bincount(decided.right, minlength=n)
    return [
        replace(blank, model=model, n_items=int(prompts), n_raters=int(raters), n_values=int(count))
        for model, prompts, raters, count in zip(votes.models, *numbers, times, strict=True)
    ]
