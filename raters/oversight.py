"""What an organiser watches while a study runs: progress, times, repeats, warnings; models masked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Row, func, select

from bench.records import Score
from raters import tables as t
from raters.export import tables
from raters.folder import open_study
from raters.payloads import ATTRIBUTION, SCALES, Phase
from raters.plan import PLANNED
from raters.protocol import Protocol
from raters.study import status

Agreement = Callable[[pd.DataFrame], Sequence[Score]]

TOO_FAST = 0.2
"""An answer in less than this share of the planned seconds is too fast; our guess, not a standard."""

SHARE_TOO_FAST = 0.2
"""A rater with more of them than this share is named."""

RUN = 10
"""So many equal answers one after the other are a straight line."""

SHARE_FLAT = 0.6
"""A rater who gives all scales one value on more items than this share is named."""

ENOUGH = 10
"""Nobody is named by a share of fewer answers."""


@dataclass
class Watched:
    """What is counted of one rater."""

    milliseconds: list[int] = field(default_factory=list)
    too_fast: int = 0
    answers: list[tuple[Phase, str]] = field(default_factory=list)
    flat: list[bool] = field(default_factory=list)
    repeated: list[bool] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)
    attention: list[bool] = field(default_factory=list)
    skips: int = 0
    remarks: int = 0
    last_at: str = ""


def overview(study: Path, *, agreement: Agreement | None = None) -> dict[str, Any]:
    """Return `status` with times, repeats, warnings, remarks, cells and α; nothing names a model.

    Each α has the criterion's `label` by language, and room for its reason by language, `reasons`.

    Args:
        study: the study folder.
        agreement: scores the ratings table; without it there is no α. It comes from outside, since
            this package does not know how agreement is computed.
    """
    found = status(study)
    with open_study(study) as (protocol, engine), t.reading(engine) as connection:
        events = last_events(connection)
        cells = _cells(connection)
    watched, remarks = _watch(events, protocol)
    for row in found["raters"]:
        row.update(_told(watched.get(row["rater"], Watched())))
    ratings = tables(study)["ratings"].dropna(subset="value")
    scores = agreement(ratings) if agreement and not ratings.empty else []
    labels = {scale.id: dict(scale.label) for scale in protocol.rubric.scales}
    return {
        **found,
        "seconds": _seconds(events),
        "planned_seconds": dict(protocol.plan.seconds),
        "alpha": [
            {
                "criterion": score.criterion,
                "label": labels.get(score.criterion, {}),
                "value": _finite(score.value),
                "low": _finite(score.low),
                "high": _finite(score.high),
                "reason": score.reason,
                "reasons": {},
            }
            for score in scores
            if score.metric == "alpha"
        ],
        "cells": cells,
        "named": False,
        "remarks": remarks,
        "warnings": list(_warnings(found)),
    }


def _finite(value: float) -> float | None:
    return round(value, 3) if isfinite(value) else None


def last_events(connection: Connection) -> list[Row[Any]]:
    """Return the last event of each phase of every assignment of who has not withdrawn."""
    a, e, r = t.assignment.c, t.response_event.c, t.rater.c
    last = select(func.max(e.number)).group_by(e.assignment, e.phase)
    return list(
        connection.execute(
            select(
                e.rater, e.phase, e.payload, e.skip, e.shown, e.received_at, a.first, a.second,
                a.kind, a.occasion, a.seconds, a.expects, a.last_phase,
            )
            .join(t.assignment, a.id == e.assignment)
            .join(t.rater, r.id == e.rater)
            .where(e.number.in_(last), r.withdrawn_at.is_(None))
            .order_by(e.number)
        )
    )  # fmt: skip


def _watch(
    events: Iterable[Row[Any]], protocol: Protocol
) -> tuple[dict[str, Watched], list[dict[str, str]]]:
    watched: dict[str, Watched] = defaultdict(Watched)
    remarks = []
    first: dict[tuple[str, str, str], Any] = {}
    for event in events:
        own = watched[event.rater]
        own.last_at = max(own.last_at, event.received_at)
        if remark := event.payload.get("remark"):
            own.remarks += 1
            remarks.append({"rater": event.rater, "phase": event.phase, "remark": remark})
        if event.skip:
            own.skips += 1
        elif event.kind == "attention" and event.phase == ATTRIBUTION:
            own.attention.append(event.payload["manner"] == (event.expects or {}).get("manner"))
        elif event.kind != "training":
            _count(own, event, protocol)
            key = (event.rater, event.first, event.phase)
            if event.occasion == 0:
                first[key] = event.payload
            elif key in first:
                _compare(own, first[key], event)
    return dict(watched), remarks


def _count(own: Watched, event: Row[Any], protocol: Protocol) -> None:
    planned = protocol.plan.seconds
    needed = planned.get(event.phase, 0.0)
    if event.phase == SCALES:
        values = list(event.payload["scales"].values())
        needed = planned["scale"] * len(values)
        if len(values) >= 3:
            own.flat.append(len(set(values)) == 1)
    taken = event.shown.get("milliseconds")
    if taken is not None:
        own.milliseconds.append(taken)
        own.too_fast += taken < 1000 * TOO_FAST * needed
    said = {name: value for name, value in event.payload.items() if name != "remark"}
    own.answers.append((event.phase, repr(said)))


def _compare(own: Watched, before: Mapping[str, Any], event: Row[Any]) -> None:
    if event.phase == ATTRIBUTION and "manner" in before:
        own.repeated.append(before["manner"] == event.payload["manner"])
    if event.phase == SCALES and "scales" in before:
        for name, value in event.payload["scales"].items():
            earlier = before["scales"].get(name)
            if isinstance(value, int) and isinstance(earlier, int):
                own.distances.append(abs(value - earlier))


def _told(own: Watched) -> dict[str, Any]:
    return {
        "answers": len(own.answers),
        "median_seconds": round(median(own.milliseconds) / 1000, 1) if own.milliseconds else None,
        "too_fast": own.too_fast,
        "timed": len(own.milliseconds),
        "longest_run": _longest_run(own.answers),
        "flat": sum(own.flat),
        "scaled": len(own.flat),
        "repeats": len(own.repeated),
        "repeats_same": sum(own.repeated),
        "repeats_distance": round(sum(own.distances) / len(own.distances), 2)
        if own.distances
        else None,
        "attention": len(own.attention),
        "attention_passed": sum(own.attention),
        "skips": own.skips,
        "remarks": own.remarks,
        "last_at": own.last_at or None,
    }


def _longest_run(answers: Sequence[tuple[Phase, str]]) -> int:
    """Return how many equal answers of one phase follow each other at most."""
    longest = 0
    runs: dict[Phase, tuple[str, int]] = {}
    for phase, said in answers:
        before, length = runs.get(phase, ("", 0))
        runs[phase] = (said, length + 1 if said == before else 1)
        longest = max(longest, runs[phase][1])
    return longest


def _seconds(events: Iterable[Row[Any]]) -> dict[str, dict[str, float]]:
    """Return, per phase, the median and the quartiles of the seconds that an answer took."""
    taken: dict[str, list[float]] = defaultdict(list)
    for event in events:
        spent = event.shown.get("milliseconds")
        if spent is not None and not event.skip and event.kind != "training":
            taken[event.phase].append(spent / 1000)
    return {
        phase: {
            "number": len(values),
            "low": round(float(pd.Series(values).quantile(0.25)), 1),
            "median": round(median(values), 1),
            "high": round(float(pd.Series(values).quantile(0.75)), 1),
        }
        for phase, values in taken.items()
    }


def _cells(connection: Connection) -> list[dict[str, Any]]:
    """Return the planned and the given judgements per maker and target, both under opaque codes.

    `example` is one of the cell's stimuli: by it who holds the key can name the cell.
    """
    a, e, r, s = t.assignment.c, t.response_event.c, t.rater.c, t.stimulus.c
    planned = connection.execute(
        select(s.maker, s.asked, func.min(s.id), func.count())
        .join(t.stimulus, s.id == a.first)
        .where(a.kind.in_(PLANNED), a.second.is_(None))
        .group_by(s.maker, s.asked)
    ).all()
    done = Counter(
        {
            (row[0], row[1]): row[2]
            for row in connection.execute(
                select(s.maker, s.asked, func.count(a.id.distinct()))
                .join(t.stimulus, s.id == a.first)
                .join(t.response_event, e.assignment == a.id)
                .join(t.rater, r.id == e.rater)
                .where(
                    a.kind.in_(PLANNED),
                    a.second.is_(None),
                    e.phase == a.last_phase,
                    e.skip.is_(None),
                    r.withdrawn_at.is_(None),
                )
                .group_by(s.maker, s.asked)
            )
        }
    )
    return [
        {
            "maker": maker,
            "target": asked,
            "example": example,
            "planned": number,
            "done": done[maker, asked],
        }
        for maker, asked, example, number in sorted(tuple(row) for row in planned)
    ]


def _warnings(found: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Yield what an organiser should look at: who, what, and the figure."""
    if found["audit"]["broken_line"] is not None:
        yield {"kind": "audit", "rater": "", "value": found["audit"]["broken_line"]}
    for row in found["raters"]:
        for kind, value, of in (
            ("too_fast", row["too_fast"], row["timed"]),
            ("flat", row["flat"], row["scaled"]),
        ):
            limit = SHARE_TOO_FAST if kind == "too_fast" else SHARE_FLAT
            if of >= ENOUGH and value > limit * of:
                yield {"kind": kind, "rater": row["rater"], "value": value, "of": of}
        if row["longest_run"] >= RUN:
            yield {"kind": "run", "rater": row["rater"], "value": row["longest_run"]}
        if row["attention_passed"] < row["attention"]:
            failed = row["attention"] - row["attention_passed"]
            yield {
                "kind": "attention", "rater": row["rater"], "value": failed, "of": row["attention"]
            }  # fmt: skip
