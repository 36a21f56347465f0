"""Masked long tables: what was answered, under opaque names. The key stays sealed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Row, func, select

from bench.records import NOT_APPLICABLE, SIMULATED
from raters import tables as t
from raters.payloads import ASPECTS, ATTRIBUTION, PAIR, SCALES
from raters.study import open_study

COLUMNS = {
    "ratings": (
        "study", "rater", "item", "criterion", "value", "not_applicable", "occasion", "rater_group",
        "room_language",
    ),
    "votes": (
        "study", "rater", "left", "right", "winner", "occasion", "rater_group", "room_language",
    ),
    "attributions": (
        "study", "rater", "item", "aspect", "attribution", "occasion", "rater_group",
        "room_language",
    ),
}  # fmt: skip


def tables(study: Path) -> dict[str, pd.DataFrame]:
    """Return `ratings`, `votes` and `attributions`, with stimulus ids in place of names.

    The last event of each assignment counts. Training and withdrawn raters are left out; simulated
    raters have the group `simulated`.
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in COLUMNS}
    with open_study(study) as (protocol, engine), t.reading(engine) as connection:
        for event in _last_events(connection):
            common = {
                "study": protocol.study,
                "rater": event.rater,
                "occasion": event.occasion,
                "rater_group": SIMULATED if event.simulated else event.rater_group,
                "room_language": event.room_language,
            }
            for name, answered in _answers(event):
                rows[name].append({**common, **answered})
    return {
        name: pd.DataFrame(rows[name], columns=pd.Index(columns))
        for name, columns in COLUMNS.items()
    }


def captions(study: Path) -> dict[str, dict[str, str]]:
    """Return what raters were told that each stimulus shows: stimulus → language → text."""
    s = t.stimulus.c
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        return {row.id: dict(row.captions) for row in connection.execute(select(s.id, s.captions))}


def _answers(event: Row[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (table, columns) of every single answer in one event."""
    if event.phase == SCALES:
        for criterion, value in event.payload.items():
            lacks = value == NOT_APPLICABLE
            yield (
                "ratings",
                {
                    "item": event.first,
                    "criterion": criterion,
                    "value": None if lacks else value,
                    "not_applicable": lacks,
                },
            )
    elif event.phase == ATTRIBUTION:
        for aspect in ASPECTS:
            attribution = event.payload[aspect]
            yield (
                "attributions",
                {"item": event.first, "aspect": aspect, "attribution": attribution},
            )
    elif event.phase == PAIR:
        winner = event.payload["winner"]
        yield "votes", {"left": event.first, "right": event.second, "winner": winner}


def _last_events(connection: Connection) -> list[Row[Any]]:
    a, e, r = t.assignment.c, t.response_event.c, t.rater.c
    last = select(func.max(e.number)).group_by(e.assignment, e.phase)
    return list(
        connection.execute(
            select(
                e.rater, e.phase, e.payload, e.room_language, a.first, a.second, a.occasion,
                r.rater_group, r.simulated,
            )
            .join(t.assignment, a.id == e.assignment)
            .join(t.rater, r.id == e.rater)
            .where(e.number.in_(last), r.withdrawn_at.is_(None), a.kind != "training")
            .order_by(a.block, a.position, e.number)
        )
    )  # fmt: skip
