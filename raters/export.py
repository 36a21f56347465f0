"""Masked long tables: what was answered, under opaque names. The key stays sealed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Row, func, select

from bench.records import NOT_APPLICABLE, SIMULATED
from raters import tables as t
from raters.folder import open_study
from raters.passages import sections_of
from raters.payloads import ASPECTS, ATTRIBUTION, DETECTION, MARKS, PAIR, SCALES, SIDES
from raters.stimuli import FOLDER
from raters.tasks import SINGLES

_WHO = ("study", "rater")
_ABOUT = ("occasion", "rater_group", "room_language")

COLUMNS = {
    "ratings": (*_WHO, "item", "criterion", "value", "not_applicable", *_ABOUT),
    "votes": (*_WHO, "left", "right", "winner", *_ABOUT),
    "attributions": (
        *_WHO, "item", "aspect", "attribution", "trace", "trace_strength", "recognised", *_ABOUT,
    ),
    "detections": (*_WHO, "item", "seen_as", "generator_recognised", "generator", *_ABOUT),
    "marks": (*_WHO, "item", "section", "start", "end", "kind", *_ABOUT),
    "passages": (
        *_WHO, "item", "wrong", "invented", "wrong_characters", "invented_characters",
        "marked_characters", "characters", *_ABOUT,
    ),
    "flags": (*_WHO, "item", "kind", "x", "y", "t", *_ABOUT),
    "remarks": (*_WHO, "item", "against", "phase", "remark", *_ABOUT),
    "skips": (*_WHO, "item", "against", "phase", "reason", *_ABOUT),
}  # fmt: skip
"""`item` and `against` are stimuli; `against` is the right one of a pair, else empty. Of a flag `x`
and `y` are shares of the picture's sides, and `t` seconds of a clip; a mark's `start` and `end` are characters
of the section's text, and in passages the characters marked are counted once each."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

EXPORTED = (*SINGLES, "repeat", "pair", "detection")
"""The kinds that count: training, warm-ups and attention items are left out."""


def tables(study: Path) -> dict[str, pd.DataFrame]:
    """Return the tables of `COLUMNS`, with stimulus ids in place of names.

    The last event of each phase of an assignment counts. Training, warm-ups, attention items and
    withdrawn raters are left out; simulated raters have the group `simulated`.
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in COLUMNS}
    times: Counter[tuple[str, str]] = Counter()
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
            for name, answered in _passages(event, study, times):
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


def neutralised(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table for CSV, with an apostrophe before whatever a spreadsheet would calculate.

    A cell that begins with = + - @ or a tab would be taken for a formula, and raters write freely.
    """
    text = table.select_dtypes(exclude=["number", "bool"])
    return table.assign(**{str(name): text[name].map(_neutral) for name in text})


def _neutral(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _answers(event: Row[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (table, columns) of every single answer in one event."""
    payload, item = event.payload, {"item": event.first}
    both = {**item, "against": event.second or "", "phase": event.phase}
    if "remark" in payload:
        yield "remarks", {**both, "remark": payload["remark"]}
    if "skip" in payload:
        yield "skips", {**both, "reason": payload["skip"]}
    elif event.phase == SCALES:
        for criterion, value in payload["scales"].items():
            lacks = value == NOT_APPLICABLE
            answered = {"value": None if lacks else value, "not_applicable": lacks}
            yield "ratings", {**item, "criterion": criterion, **answered}
        for flag in payload.get("flags", []):
            yield "flags", {**item, **flag}
    elif event.phase == ATTRIBUTION:
        for aspect in ASPECTS:
            # a trace is of the manner; a work recognised is so for both
            traced = aspect == ASPECTS[0]
            yield (
                "attributions",
                {
                    **item,
                    "aspect": aspect,
                    "attribution": payload[aspect],
                    "trace": payload.get("trace", "") if traced else "",
                    "trace_strength": payload.get("trace_strength", "") if traced else "",
                    "recognised": payload.get("recognised"),
                },
            )
    elif event.phase == PAIR:
        yield "votes", {"left": event.first, "right": event.second, "winner": payload["winner"]}
    elif event.phase == DETECTION:
        named = {"generator": payload.get("generator", "")}
        told = {"generator_recognised": payload["generator_recognised"], **named}
        yield "detections", {**item, "seen_as": payload["human"], **told}


def _passages(
    event: Row[Any], study: Path, times: Counter[tuple[str, str]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what was said of each of two analyses: scales, marks, and marks for its length.

    An analysis comes in several pairs: `times` counts how often a rater has judged it, and what
    comes after the first time is a further occasion.
    """
    payload = event.payload
    if event.phase != PAIR or "marks" not in payload:
        return
    for side, item in zip(SIDES, (event.first, event.second), strict=True):
        about = {"item": item, "occasion": times[event.rater, item]}
        times[event.rater, item] += 1
        for criterion, value in payload["scales"][side].items():
            lacks = value == NOT_APPLICABLE
            answered = {"value": None if lacks else value, "not_applicable": lacks}
            yield "ratings", {**about, "criterion": criterion, **answered}
        own = [mark for mark in payload["marks"] if mark["side"] == side]
        for mark in own:
            place = {name: mark[name] for name in ("section", "start", "end", "kind")}
            yield "marks", {**about, **place}
        sections = sections_of(study / FOLDER / f"{item}.json")
        lengths = [len(section["text"]) for section in sections]
        counts = {kind: sum(mark["kind"] == kind for mark in own) for kind in MARKS}
        counts |= {
            f"{kind}_characters": marked_characters(
                [mark for mark in own if mark["kind"] == kind], lengths
            )
            for kind in MARKS
        }
        counts["marked_characters"] = marked_characters(own, lengths)
        yield "passages", {**about, **counts, "characters": sum(lengths)}


def marked_characters(marks: Sequence[Mapping[str, Any]], lengths: Sequence[int]) -> int:
    """Return how many characters lie in any of the marks: what two of them cover counts once.

    Args:
        marks: with section, start and end, the end left out.
        lengths: characters of each section; what lies beyond them is nothing.
    """
    count = 0
    for section, length in enumerate(lengths):
        reached = 0
        own = [(mark["start"], mark["end"]) for mark in marks if mark["section"] == section]
        for start, end in sorted(own):
            reached = max(reached, min(start, length))
            count += max(min(end, length) - reached, 0)
            reached = max(reached, min(end, length))
    return count


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
            .where(e.number.in_(last), r.withdrawn_at.is_(None), a.kind.in_(EXPORTED))
            .order_by(a.block, a.position, e.number)
        )
    )  # fmt: skip
