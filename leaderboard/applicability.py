"""Answers of "not applicable": their share, and what cannot be computed where there is no other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd

from bench.records import NOT_APPLICABLE, REFERENCE, Score
from leaderboard.quality import MEAN_SCORE
from leaderboard.selection import first_time, parts

NEVER = "never applicable"


def applicability(ratings: pd.DataFrame, confidence: float, by: Sequence[str]) -> Iterator[Score]:
    """Yield `not_applicable_share` per criterion that was ever answered so, by model.

    Where a whole criterion was never answered otherwise its α is refused with the reason "never
    applicable", and so are a model's mean and rank (`never_scored`): nobody drops out of a table
    unseen.

    Args:
        ratings: a checked table of ratings, as it was read; hidden repeats are left out.
        confidence: carried into the scores.
        by: columns to slice by, beside the whole.
    """
    for study, slice_, rows in parts(first_time(ratings), by):
        lacks = rows[NOT_APPLICABLE] == "true"
        if not lacks.any():
            continue
        for criterion, of_criterion in rows.groupby("criterion"):
            if not lacks[of_criterion.index].any():
                continue
            blank = Score(
                study=study, slice=slice_, criterion=str(criterion), confidence=confidence
            )
            if lacks[of_criterion.index].all():
                yield replace(blank, metric="alpha", reason=NEVER)
            for model, found in of_criterion[of_criterion["model"] != ""].groupby("model"):
                at = replace(
                    blank,
                    model=str(model),
                    n_items=int(found["item"].nunique()),
                    n_raters=int(found["rater"].nunique()),
                    n_values=len(found),
                )
                share = float(lacks[found.index].mean())
                said = "share of answers; no interval"
                yield replace(at, metric="not_applicable_share", value=share, method=said)


def never_scored(shares: Sequence[Score]) -> Iterator[Score]:
    """Yield the mean and rank of each model never answered otherwise, refused with the reason.

    Args:
        shares: of `applicability`.
    """
    for share in shares:
        if share.metric != "not_applicable_share" or share.value < 1:
            continue
        refused = replace(share, value=math.nan, method="", reason=NEVER)
        yield replace(refused, metric=MEAN_SCORE)
        if share.model != REFERENCE:
            yield replace(refused, metric="rank", group=MEAN_SCORE)


def say_left_out(scores: Sequence[Score], shares: Sequence[Score]) -> list[Score]:
    """Return the scores; a mean says in its `method` what share of its answers was left out."""
    left_out = {
        (score.study, score.slice, score.criterion, score.model): score.value
        for score in shares
        if score.metric == "not_applicable_share" and score.value > 0
    }

    def said(score: Score) -> Score:
        share = left_out.get((score.study, score.slice, score.criterion, score.model))
        if score.metric != MEAN_SCORE or share is None or score.reason:
            return score
        return replace(score, method=f"{score.method}; {share:.0%} of answers not applicable")

    return [said(score) for score in scores]
