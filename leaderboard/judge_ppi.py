"""Raters and a judge together: the outputs that raters rated correct the judge on the rest (PPI++).

As for probes (`leaderboard.ppi`), with Y the mean of the raters' ratings of an output on a scale, as
they were given, and f the judge's mean over its seeds and languages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from bench.errors import RequestError
from bench.records import NOT_APPLICABLE, REFERENCE, Score
from leaderboard.common_outputs import OF_OUTPUT, in_suites, scenes_of
from leaderboard.judgements import how_judged, named_outputs
from leaderboard.ppi import FROM_BOTH, estimate_of, over_raters, rectifiers, with_t_interval
from leaderboard.selection import distinct, first_time, is_simulated, say_simulated

JUDGE_ONLY = "judge only: no output of it was rated"
"""Why an estimate has no interval: it is no rater's."""


def combine_ratings(
    ratings: pd.DataFrame, judgements: pd.DataFrame, *, confidence: float = 0.95
) -> list[Score]:
    """Return `mean_score` from raters and judge per model, and the test of the rectifier.

    `criterion` is the scale, `group` the judge, `source` is combined. Of the judged outputs those
    of the targets that raters rated count.

    Args:
        ratings: a checked table; hidden repeats and "not applicable" are left out.
        judgements: as `judges.check_judgements` returns it, of the run that the study drew on.
        confidence: of the intervals.

    Raises:
        RequestError: study and run have no output in common on any scale, or two judged outputs have
            one name.
    """
    rows = first_time(ratings)
    rows = rows[(rows[NOT_APPLICABLE] != "true") & (rows["model"] != REFERENCE)]
    means = named_outputs(judgements)
    scores: list[Score] = []
    for study in distinct(rows["study"]):
        own = rows[rows["study"] == study]
        for judge in distinct(means["judge"]):
            how = how_judged(judgements[judgements["judge"] == judge])
            blank = Score(study=study, source=FROM_BOTH, group=judge, confidence=confidence)
            found = list(_of_judge(own, means[means["judge"] == judge], how, blank))
            scores += say_simulated(found) if is_simulated(own) else found
    if means["judge"].nunique() and not scores:
        raise RequestError(
            "the study and the run have no rated output in common: --with-probe wants the run that "
            "the study drew on, judged by the study's rubric"
        )
    return scores


def _of_judge(rows: pd.DataFrame, means: pd.DataFrame, how: str, blank: Score) -> Iterator[Score]:
    for criterion in distinct(means["criterion"]):
        rated = rows[rows["criterion"] == criterion]
        own = means[means["criterion"] == criterion]
        asked = own[own["target"].isin(rated["target"].unique())]
        seen = pd.Series(
            asked["value"].to_numpy(dtype=np.float64),
            index=pd.MultiIndex.from_frame(asked[OF_OUTPUT]),
        )
        rated = in_suites(rated, asked)
        rated = rated[pd.MultiIndex.from_frame(rated[OF_OUTPUT]).isin(seen.index)]
        if rated.empty:
            continue
        scenes = scenes_of(seen.index)
        estimates = {}
        for model in distinct(asked["model"]):
            by_model = seen[seen.index.get_level_values("model") == model]
            judged = rated[rated["model"] == model]
            at = replace(
                blank, metric="mean_score", criterion=criterion, model=model, n_items=len(by_model)
            )
            found = estimate_of(
                judged, judged["value"].to_numpy(dtype=np.float64), by_model, scenes
            )
            if found is None:
                yield replace(at, value=float(by_model.mean()), method=how, reason=JUDGE_ONLY)
                continue
            estimate, raters, labelled = found.estimate, found.n_raters, found.labelled
            estimates[model] = (estimate, labelled)
            method = (
                f"PPI++, λ {estimate.weight:.2f}, {labelled} of {len(by_model)} outputs rated; variance "
                f"over {estimate.scenes} scenes{over_raters(raters)}; severity not removed; {how}"
            )
            at = replace(at, n_raters=raters, n_values=labelled, method=method)
            found_over = (estimate.variance, estimate.scenes, (found.spread, raters))
            yield with_t_interval(at, estimate.value, *found_over)
        yield from rectifiers(estimates, replace(blank, criterion=criterion))
