"""What a study that was done teaches the plan of the next: seconds per task, and ratings under codes."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from statistics import fmean, median

import pandas as pd
from sqlalchemy import select

from raters import tables as t
from raters.export import EXPORTED, tables
from raters.folder import open_study
from raters.oversight import last_events
from raters.payloads import SCALES

ENOUGH = 20
"""Fewer timed answers of a task teach nothing."""

INTERRUPTED = 5
"""A look longer than so many medians was interrupted, and is left out; our choice."""


def observed_seconds(study: Path) -> dict[str, float]:
    """Return the mean seconds of each task of the table of seconds, `scale` being one scale.

    Warm-ups, training, skipped and interrupted looks are left out, and so is a task of which fewer
    than `ENOUGH` answers were timed.
    """
    taken: dict[str, list[float]] = defaultdict(list)
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        for event in last_events(connection):
            spent = event.shown.get("milliseconds")
            if spent is None or event.skip or event.kind not in EXPORTED:
                continue
            if event.phase == SCALES:
                taken["scale"].append(spent / 1000 / len(event.payload["scales"]))
            else:
                taken[event.phase].append(spent / 1000)
    return {
        task: round(fmean(one for one in values if one <= INTERRUPTED * median(values)), 1)
        for task, values in taken.items()
        if len(values) >= ENOUGH and median(values) > 0
    }


def coded_ratings(study: Path) -> pd.DataFrame:
    """Return the ratings of models' outputs with opaque codes for `model` and `prompt`.

    The key stays sealed: codes tell models and prompts apart, and that is all a variance needs.
    """
    s, a = t.stimulus.c, t.assignment.c
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        rows = connection.execute(select(s.id, s.maker, s.scene, s.asked)).all()
        works = set(
            connection.scalars(select(a.first).where(a.kind.in_(("reference", "foil"))).distinct())
        )
    codes = {row.id: (row.maker, f"{row.scene}/{row.asked}") for row in rows}
    found = tables(study)["ratings"]
    found = found[~found["item"].isin(works) & (found["occasion"] == 0)].dropna(subset="value")
    return found.assign(
        model=[codes[item][0] for item in found["item"]],
        prompt=[codes[item][1] for item in found["item"]],
        suite="",
    )
