"""How far a judge agrees with people: with all raters of a study, and with each group of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from bench.records import NOT_APPLICABLE, REFERENCE, Score
from leaderboard.common_outputs import OF_OUTPUT, in_suites
from leaderboard.judgements import how_judged, named_outputs
from leaderboard.judges import FROM_JUDGE, drawn_over_scenes
from leaderboard.percentiles import TOO_FEW, with_interval
from leaderboard.selection import distinct, first_time, is_simulated, say_simulated, scenes_of_rows

NO_COMMON = "the raters and the judge have no output in common"


def agreement_with_raters(
    ratings: pd.DataFrame,
    judgements: pd.DataFrame,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> list[Score]:
    """Return how far each judge agrees with each group of raters, scale by scale.

    `judge_correlation` is Spearman's over the outputs that both judged, `judge_gap` the judge's mean
    less the raters'; `group` is "judge" for all raters, "judge:group" for a group of them.

    Args:
        ratings: a checked table; hidden repeats and "not applicable" are left out.
        judgements: as `check_judgements` returns it, of the run that the study drew on.
        rng: draws scenes anew.
        confidence: of the intervals.
        resamples: how many.

    Raises:
        RequestError: two judged outputs have one name.
    """
    rows = first_time(ratings)
    rows = rows[(rows[NOT_APPLICABLE] != "true") & (rows["model"] != REFERENCE)]
    means = named_outputs(judgements)
    scores: list[Score] = []
    for study in distinct(rows["study"]):
        own = rows[rows["study"] == study]
        groups = ["", *distinct(own["rater_group"], without={""})]
        for judge in distinct(means["judge"]):
            how = how_judged(judgements[judgements["judge"] == judge])
            for group in groups:
                given = own[own["rater_group"] == group] if group else own
                blank = Score(
                    study=study, source=FROM_JUDGE, group=f"{judge}:{group}" if group else judge,
                    confidence=confidence, n_raters=given["rater"].nunique(), method=how,
                )  # fmt: skip
                found = list(
                    _agreements(given, means[means["judge"] == judge], blank, rng, resamples)
                )
                scores += say_simulated(found) if is_simulated(given) else found
    return scores


def _agreements(
    ratings: pd.DataFrame,
    means: pd.DataFrame,
    blank: Score,
    rng: np.random.Generator,
    resamples: int,
) -> Iterator[Score]:
    for criterion in distinct(means["criterion"]):
        own = ratings[ratings["criterion"] == criterion]
        if own.empty:
            continue
        own = in_suites(own, means)
        panel = own.groupby(OF_OUTPUT)["value"].mean().reset_index()
        mine = means[means["criterion"] == criterion]
        both = panel.merge(mine, on=OF_OUTPUT, suffixes=("_raters", "_judge"))
        at = replace(blank, criterion=criterion, n_items=len(both), n_values=len(own))
        both = both.assign(gap=both["value_judge"] - both["value_raters"])
        correlation = replace(at, metric="judge_correlation")
        gap = replace(at, metric="judge_gap")
        if both.empty:
            yield replace(correlation, reason=NO_COMMON)
            yield replace(gap, reason=NO_COMMON)
            continue
        yield _correlation(both, correlation, rng, resamples)
        yield drawn_over_scenes(gap, both, "gap", rng, resamples)


def _correlation(
    both: pd.DataFrame, score: Score, rng: np.random.Generator, resamples: int
) -> Score:
    if len(both) < 3 or both[["value_judge", "value_raters"]].nunique().min() < 2:
        return replace(score, reason="no variation")
    scene = scenes_of_rows(both)
    rows_of = [np.flatnonzero(scene == one) for one in sorted(set(scene))]
    if len(rows_of) < 2:
        return replace(score, value=_spearman(both), reason=TOO_FEW)
    draws = [_spearman(both)]
    draws += [
        _spearman(both.iloc[np.concatenate([rows_of[one] for one in drawn])])
        for drawn in rng.integers(len(rows_of), size=(resamples, len(rows_of)))
    ]
    method = (
        f"Spearman's, percentile bootstrap ({resamples}) over {len(rows_of)} scenes; {score.method}"
    )
    return with_interval(replace(score, method=method), np.array(draws))


def _spearman(both: pd.DataFrame) -> float:
    """Return Spearman's ρ; NaN where a side does not vary."""
    sides = [rankdata(both[name]) for name in ("value_judge", "value_raters")]
    if min(np.ptp(side) for side in sides) == 0:
        return float("nan")
    return float(np.corrcoef(sides[0], sides[1])[0, 1])
