"""Votes to strengths and ranks: Davidson's model, with "both bad" kept apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from bench.records import Score
from leaderboard.davidson import PRIOR_SD, fit_davidson
from leaderboard.ranks import METHOD, simultaneous_ranks
from leaderboard.resampling import Array, Whole, draw_seeds, draw_weights, with_interval
from leaderboard.selection import (
    codes,
    distinct,
    first_time,
    is_simulated,
    parts,
    say_simulated,
    seed_codes,
)

_BLOCK = 8_000_000


class Draws(NamedTuple):
    """Where each vote stands, and how often its scene (with its seed) and its rater are drawn."""

    cluster: Whole
    rater: Whole
    of_cluster: Array
    of_rater: Array


class Tables(NamedTuple):
    """Wins and ties of each resample, (1 + resamples, models, models); the first is the data."""

    wins: Array
    ties: Array


def rank(
    votes: pd.DataFrame,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 1000,
    by: Sequence[str] = (),
) -> list[Score]:
    """Return `strength`, `rank`, `p_first`, `tie_parameter` and `both_bad_share`.

    Per study and criterion of the votes. Where no finite strengths maximise the likelihood (a
    model undefeated or winless), a weak normal prior is used and `method` says so; models that no
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
            found = list(_of_votes(chosen, blank, rng, resamples))
            scores += say_simulated(found) if is_simulated(rows) else found
    return scores


def _of_votes(
    rows: pd.DataFrame, blank: Score, rng: np.random.Generator, resamples: int
) -> Iterator[Score]:
    scene = rows["suite"] + "\n" + rows["prompt"].str.partition("/")[0]
    scenes, names = codes(scene)
    rater, raters = codes(rows["rater"])
    seed = seed_codes(rows["seed"])
    # a vote's cluster is its scene and seed, which are drawn apart
    both = scenes * (seed.max(initial=-1) + 2) + seed
    _, first, cluster = np.unique(both, return_index=True, return_inverse=True)
    of_scene = draw_weights(rng, np.zeros(len(names), dtype=np.int64), resamples)
    of_rater = draw_weights(rng, np.zeros(len(raters), dtype=np.int64), resamples)
    of_cluster = of_scene[scenes[first]] * draw_seeds(rng, seed, resamples)[first]
    draws = Draws(cluster, rater, of_cluster, of_rater)
    seeds = ", seeds" if seed.max(initial=-1) > 0 else ""
    said = f"percentile bootstrap ({resamples}) over scenes{seeds} and raters"
    blank = replace(blank, method=said)
    yield from _both_bad(rows, draws, blank)

    models = sorted({*rows["left"], *rows["right"]})
    kept = (rows["winner"] != "both_bad").to_numpy()
    decided = rows[kept]
    blanks = [_counted(replace(blank, model=model), decided, model) for model in models]
    tables = _tables(decided, models, draws._replace(cluster=cluster[kept], rater=rater[kept]))
    reason = _impossible(tables.wins[0], tables.ties[0], models)
    if reason:
        for metric in ("strength", "rank", "p_first"):
            yield from (replace(score, metric=metric, reason=reason) for score in blanks)
        yield replace(blank, metric="tie_parameter", n_values=len(decided), reason=reason)
        return
    yield from _fitted(tables, blanks, replace(blank, n_values=len(decided)), said)


def _fitted(tables: Tables, blanks: Sequence[Score], blank: Score, said: str) -> Iterator[Score]:
    point = fit_davidson(tables.wins[:1], tables.ties[:1], prior=False)
    note = ""
    if not np.isfinite(point.strength).all():
        point = fit_davidson(tables.wins[:1], tables.ties[:1], prior=True)
        note = f" with a normal prior of SD {PRIOR_SD:g}: {_one_sided(tables, blanks)}"
    drawn = fit_davidson(tables.wins[1:], tables.ties[1:], prior=True)
    method = f"Davidson{note}; {said}, with a normal prior of SD {PRIOR_SD:g}"
    ranks = simultaneous_ranks(point.strength[0], drawn.strength, blank.confidence)
    for index, start in enumerate(blanks):
        score = replace(start, method=method)
        draws = np.concatenate([point.strength[:, index], drawn.strength[:, index]])
        yield with_interval(replace(score, metric="strength"), draws)
        yield replace(
            score,
            metric="rank",
            value=float(ranks.rank[index]),
            low=float(ranks.best[index]),
            high=float(ranks.worst[index]),
            method=f"{method}; {METHOD}",
        )
        yield replace(score, metric="p_first", value=float(ranks.p_first[index]))
    draws = np.concatenate([point.tie, drawn.tie])
    yield with_interval(replace(blank, metric="tie_parameter", method=method), draws)


def _tables(rows: pd.DataFrame, models: Sequence[str], draws: Draws) -> Tables:
    """Count wins and ties under each column of weights, a vote weighing scene × rater."""
    cluster, rater, of_cluster, of_rater = draws
    n, columns = len(models), of_rater.shape[1]
    index = {model: code for code, model in enumerate(models)}
    left = rows["left"].map(index).to_numpy(dtype=np.int64)
    right = rows["right"].map(index).to_numpy(dtype=np.int64)
    winner = rows["winner"].to_numpy()
    won = np.where(winner == "right", right * n + left, left * n + right)
    tied = n * n + np.minimum(left, right) * n + np.maximum(left, right)
    cell = np.where(winner == "tie", tied, won)

    pairs, which = np.unique(cluster * len(of_rater) + rater, return_inverse=True)
    counts = sparse.csr_array((np.ones(len(cell)), (cell, which)), shape=(2 * n * n, len(pairs)))
    flat = np.empty((2 * n * n, columns))
    step = max(1, _BLOCK // max(1, len(pairs)))
    for start in range(0, columns, step):
        block = slice(start, start + step)
        weights = of_cluster[pairs // len(of_rater), block] * of_rater[pairs % len(of_rater), block]
        flat[:, block] = np.asarray(counts @ weights)
    wins = flat[: n * n].T.reshape(columns, n, n)
    upper = flat[n * n :].T.reshape(columns, n, n)
    return Tables(wins, upper + upper.transpose(0, 2, 1))


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


def _one_sided(tables: Tables, blanks: Sequence[Score]) -> str:
    """Name the models that never lost or never won."""
    won, lost = tables.wins[0].sum(axis=1), tables.wins[0].sum(axis=0)
    undefeated = [score.model for score, times in zip(blanks, lost, strict=True) if not times]
    winless = [score.model for score, times in zip(blanks, won, strict=True) if not times]
    said = [
        f"{word} {', '.join(names)}"
        for word, names in (("undefeated", undefeated), ("winless", winless))
        if names
    ]
    return " and ".join(said) or "one group of models was never beaten by the rest"


def _both_bad(rows: pd.DataFrame, drawn: Draws, blank: Score) -> Iterator[Score]:
    """Yield the share of votes that say both bad, per suite (in `group`)."""
    cluster, rater, of_cluster, of_rater = drawn
    bad = (rows["winner"] == "both_bad").to_numpy()
    for suite in distinct(rows["suite"]):
        here = (rows["suite"] == suite).to_numpy()
        shape = (len(of_cluster), len(of_rater))
        votes = sparse.csr_array((np.ones(here.sum()), (cluster[here], rater[here])), shape=shape)
        both = here & bad
        bads = sparse.csr_array((np.ones(both.sum()), (cluster[both], rater[both])), shape=shape)
        below = (of_cluster * np.asarray(votes @ of_rater)).sum(axis=0)
        above = (of_cluster * np.asarray(bads @ of_rater)).sum(axis=0)
        draws = np.full(len(below), np.nan)
        np.divide(above, below, out=draws, where=below > 0)
        score = replace(
            blank,
            metric="both_bad_share",
            group=suite,
            n_items=int(rows["prompt"][here].nunique()),
            n_raters=len(np.unique(rater[here])),
            n_values=int(here.sum()),
        )
        yield with_interval(score, draws)


def _counted(score: Score, rows: pd.DataFrame, model: str) -> Score:
    own = rows[(rows["left"] == model) | (rows["right"] == model)]
    return replace(
        score,
        n_items=int(own["prompt"].nunique()),
        n_raters=int(own["rater"].nunique()),
        n_values=len(own),
    )
