"""Scores by vision–language models as judges, under their own name: never mixed with people's.

Everything is computed from the table that `pinlu probe RUN --judge` writes; `source` is `judge`, and
`group` names the judge. A reply that could not be read has no value: it is counted, and left out of
the means. The unit is the scene: scenes are drawn anew (percentile bootstrap).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from bench.records import NOT_APPLICABLE, Score
from leaderboard.judgements import PAIR, SCALE, both_ways, how_judged, of_outputs
from leaderboard.percentiles import with_interval
from leaderboard.probes import bootstrap_mean
from leaderboard.selection import distinct, parts, scenes_of_rows

FROM_JUDGE = "judge"
"""The `source` of these scores."""

ONE_SEED = "one seed: nothing was repeated"

NOTHING_READ = "no reply could be read"

NOT_BOTH_WAYS = "no pair was read both ways round"


def judge_scores(
    judgements: pd.DataFrame,
    *,
    study: str,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 1000,
    by: Sequence[str] = (),
) -> list[Score]:
    """Return every score that a table of judgements allows, judge by judge.

    Args:
        judgements: as `check_judgements` returns it.
        study: where the scores belong.
        rng: draws the resamples.
        confidence: of the intervals.
        resamples: how many.
        by: columns to slice means and preferences by.
    """
    scores: list[Score] = []
    for judge in distinct(judgements["judge"]):
        own = judgements[judgements["judge"] == judge].assign(study=study)
        blank = Score(
            study=study,
            source=FROM_JUDGE,
            group=judge,
            confidence=confidence,
            method=how_judged(own),
        )
        for _, slice_, rows in parts(own, by):
            at = replace(blank, slice=slice_)
            scores += _means(rows[rows["kind"] == SCALE], at, rng, resamples)
            scores += _preferences(both_ways(rows), at, rng, resamples)
        scores += _orders(own, blank, rng, resamples)
        scores += _consistencies(own, blank, rng, resamples)
        scores += _unread(own, blank)
    return scores


def _means(
    rows: pd.DataFrame, blank: Score, rng: np.random.Generator, resamples: int
) -> Iterator[Score]:
    means = of_outputs(rows)
    for criterion in distinct(rows["criterion"]):
        for model in distinct(rows["model"]):
            own = means[(means["criterion"] == criterion) & (means["model"] == model)]
            asked = rows[(rows["criterion"] == criterion) & (rows["model"] == model)]
            if asked.empty:
                continue
            score = replace(
                blank, metric="mean_score", criterion=criterion, model=model, n_items=len(own),
                n_values=int(asked["value"].notna().sum()),
            )  # fmt: skip
            if own.empty:
                every = asked[NOT_APPLICABLE].all()
                yield replace(score, reason="never applicable" if every else NOTHING_READ)
                continue
            yield drawn_over_scenes(score, own, "value", rng, resamples)


def _preferences(
    pairs: pd.DataFrame, blank: Score, rng: np.random.Generator, resamples: int
) -> Iterator[Score]:
    """Yield how often a judge prefers one model to another, order evened out."""
    for (model, against), own in pairs.groupby(["model", "against"], sort=True):
        score = replace(
            blank, metric="judge_preference", criterion=PAIR, model=str(model), against=str(against),
            n_items=_n_pairs(own), n_values=2 * len(own),
            method=f"share of pairs, half of what neither won; {blank.method}",
        )  # fmt: skip
        yield drawn_over_scenes(score, own, "won", rng, resamples)


def _orders(
    rows: pd.DataFrame, blank: Score, rng: np.random.Generator, resamples: int
) -> Iterator[Score]:
    """Yield how far the place decides: preference of the first less that of the second."""
    if not (rows["kind"] == PAIR).any():
        return
    pairs = both_ways(rows)
    blank = replace(blank, criterion=PAIR, n_items=_n_pairs(pairs), n_values=2 * len(pairs))
    for metric, column in (("order_effect", "effect"), ("order_consistency", "same")):
        score = replace(blank, metric=metric)
        if pairs.empty:
            yield replace(score, reason=NOT_BOTH_WAYS)
            continue
        yield drawn_over_scenes(
            score, pairs.assign(effect=2 * pairs["shown_first"] - 1), column, rng, resamples
        )


def _n_pairs(pairs: pd.DataFrame) -> int:
    """Return how many pairs of outputs there are, however often each was judged."""
    return len(pairs[["output", "against_output"]].drop_duplicates())


def _consistencies(
    rows: pd.DataFrame, blank: Score, rng: np.random.Generator, resamples: int
) -> Iterator[Score]:
    """Yield how often two seeds of a judge say the same of one thing, in one language."""
    said = rows.assign(
        said=np.where(
            rows["kind"] == PAIR,
            rows["winner"],
            np.where(rows[NOT_APPLICABLE], NOT_APPLICABLE, rows["value"].astype(str)),
        ),
        criterion=np.where(rows["kind"] == PAIR, PAIR, rows["criterion"]),
    )
    said = said[(rows["kind"] == PAIR) & (rows["winner"] != "")
                | rows["value"].notna() | rows[NOT_APPLICABLE]]  # fmt: skip
    about = ["criterion", "output", "against_output", "suite", "prompt", "judge_language"]
    for criterion in distinct(said["criterion"]):
        own = said[said["criterion"] == criterion]
        score = replace(blank, metric="self_consistency", criterion=criterion, n_values=len(own))
        found = own.groupby(about, sort=True)["said"].agg(_equal_pairs).dropna().reset_index()
        score = replace(score, n_items=len(found))
        if found.empty:
            yield replace(score, reason=ONE_SEED)
            continue
        yield drawn_over_scenes(score, found, "said", rng, resamples)


def _equal_pairs(said: pd.Series) -> float:
    """Return the share of pairs of seeds that say the same; NaN of a single seed."""
    n = len(said)
    if n < 2:
        return float("nan")
    counts = said.value_counts().to_numpy()
    return float((counts * (counts - 1)).sum() / (n * (n - 1)))


def _unread(rows: pd.DataFrame, blank: Score) -> Iterator[Score]:
    """Yield the share of what was asked that could not be read, of all models and of each."""
    unread = np.where(
        rows["kind"] == PAIR, rows["winner"] == "", rows["value"].isna() & ~rows[NOT_APPLICABLE]
    )
    told = rows.assign(unread=unread)
    for kind in (SCALE, PAIR):
        of_kind = told[told["kind"] == kind]
        models = ["", *distinct(of_kind["model"])] if kind == SCALE else [""]
        for model in models:
            own = of_kind[of_kind["model"] == model] if model else of_kind
            if own.empty:
                continue
            interval = binomtest(int(own["unread"].sum()), len(own)).proportion_ci(
                confidence_level=blank.confidence, method="wilson"
            )
            yield replace(
                blank,
                metric="unread_share",
                criterion=kind,
                model=model,
                value=float(own["unread"].mean()),
                low=float(interval.low),
                high=float(interval.high),
                n_items=own["output"].nunique(),
                n_values=len(own),
                method=f"share of what was asked; Wilson interval; {blank.method}",
            )


def drawn_over_scenes(
    score: Score, rows: pd.DataFrame, column: str, rng: np.random.Generator, resamples: int
) -> Score:
    """Return a score with its mean over rows, and the interval as scenes are drawn anew."""
    scenes = scenes_of_rows(rows).nunique()
    method = f"percentile bootstrap ({resamples}) over {scenes} scenes; {score.method}"
    return with_interval(
        replace(score, method=method), bootstrap_mean(rows, column, rng, resamples)
    )
