"""What outputs cost: device seconds per output and the share of jobs that failed, from a manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from bench.errors import FileFormatError
from bench.records import Score
from leaderboard.columns import choice_column, text_column
from leaderboard.selection import distinct
from leaderboard.sources import Source, read_source

FROM_RUN = "run"
"""The `source` of these scores: no rater had a part in them."""

STATUSES = ("ok", "suspect", "failed")


def read_costs(path: Path) -> pd.DataFrame:
    """Return a table of jobs as `costs` takes it; `seconds` may be empty.

    Raises:
        FileFormatError: names file, line, column and value.
    """
    return check_costs(read_source(path))


def check_costs(source: Source) -> pd.DataFrame:
    """Return a checked copy: one row per job, `status` one of ok, suspect and failed.

    Raises:
        FileFormatError: names file, line or row, column and value.
    """
    given = source.frame
    for column in ("model", "seconds", "status"):
        if column not in given:
            raise FileFormatError(f"{source.name}: the column {column!r} is missing")
    status = text_column(given["status"], STATUSES[0], source)
    choice_column(status, STATUSES, source)
    empty = given["seconds"].isna() | (given["seconds"].astype("str").str.strip() == "")
    seconds = pd.to_numeric(given["seconds"].where(~empty), errors="coerce").astype("float64")
    odd = np.flatnonzero(~empty & ~((seconds >= 0) & np.isfinite(seconds)))
    if len(odd):
        raise FileFormatError(
            f"{source.place(int(odd[0]))}: column 'seconds' is no number of seconds:"
            f" {given['seconds'].iloc[odd[0]]!r}"
        )
    model = text_column(given["model"], None, source)
    return pd.DataFrame({"model": model, "seconds": seconds, "status": status})


def costs(jobs: pd.DataFrame, *, study: str = "", confidence: float = 0.95) -> list[Score]:
    """Return `device_seconds` and `failure_share` per model.

    Args:
        jobs: one row per job: `model`, `seconds` (NaN where not known) and `status`.
        study: where the scores belong.
        confidence: of the failure share's interval (Wilson 1927).
    """
    scores = []
    for model in distinct(jobs["model"]):
        rows = jobs[jobs["model"] == model]
        made = rows[rows["status"] != "failed"]
        blank = Score(
            study=study,
            source=FROM_RUN,
            model=model,
            confidence=confidence,
            n_items=len(rows),
            n_values=len(rows),
        )
        scores += [_seconds(made, blank), _failures(len(rows) - len(made), blank)]
    return scores


def _seconds(made: pd.DataFrame, blank: Score) -> Score:
    known = made["seconds"].dropna()
    score = replace(blank, metric="device_seconds", n_items=len(made), n_values=len(known))
    if not len(known):
        return replace(score, reason="no time was recorded")
    method = "mean over outputs, a batch's time shared equally by its outputs; no interval"
    return replace(score, value=float(known.mean()), method=method)


def _failures(failed: int, blank: Score) -> Score:
    result = binomtest(failed, blank.n_values)
    interval = result.proportion_ci(confidence_level=blank.confidence, method="wilson")
    return replace(
        blank,
        metric="failure_share",
        value=failed / blank.n_values,
        low=float(interval.low),
        high=float(interval.high),
        method="failed jobs of all jobs; Wilson interval",
    )


def costs_of_studies(jobs: pd.DataFrame, scores: Sequence[Score]) -> list[Score]:
    """Return the costs of the models of each study that the scores speak of."""
    found = []
    for study in sorted({score.study for score in scores}):
        models = {score.model for score in scores if score.study == study}
        found += costs(jobs[jobs["model"].isin(models)], study=study)
    return found
