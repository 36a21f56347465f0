"""How the study was run: what a report must state, in Markdown, in both languages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import Connection, func, select

from bench.reading import read_yaml
from raters import tables as t
from raters.folder import open_study
from raters.oversight import overview
from raters.protocol import Protocol
from raters.room.texts import label
from raters.stimuli import SEALED

LANGUAGES = ("en", "zh")
SMALL_WINDOW = 600
"""CSS pixels of width below which a window counts as small."""

FEW = 3
"""A cell of the background with fewer raters is not told: it could point at somebody."""

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "reports"),
    autoescape=False,  # noqa: S701 - Markdown; nothing that raters wrote goes into it
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["called"] = label


def report(study: Path) -> dict[str, str]:
    """Return language → `report.md`; nothing in it names a rater or quotes one."""
    facts = facts_of(study)
    return {
        language: _templates.get_template(f"report.{language}.md").render(
            {**facts, "deviations": deviations(facts, language)}
        )
        for language in LANGUAGES
    }


def facts_of(study: Path) -> dict[str, Any]:
    """Return everything that the report states, as plain data."""
    found = overview(study)
    with open_study(study) as (protocol, engine), t.reading(engine) as connection:
        facts = {
            "found": found,
            "protocol": protocol,
            "plan": protocol.plan,
            "stimuli": _stimuli(connection),
            "groups": dict(Counter(one["group"] for one in found["raters"] if one["started_at"])),
            "languages": _languages(connection),
            "background": _background(connection, protocol),
            "use": _use(connection),
            "kinds": _kinds(connection),
            "versions": connection.execute(
                select(t.protocol_version).order_by(t.protocol_version.c.version)
            ).all(),
            "log": connection.execute(
                select(t.audit)
                .where(t.audit.c.action.not_in(("invited", "invited again", "started")))
                .order_by(t.audit.c.number)
            ).all(),
        }
    sealed = study / SEALED / "summary.yaml"
    summary: Mapping[str, Any] = read_yaml(sealed) if sealed.is_file() else {}
    return {**facts, "cues": summary.get("cues"), "summary": summary}


def deviations(facts: Mapping[str, Any], language: str) -> list[str]:
    """Return one sentence for each thing that was not as planned or as the standards have it."""
    found, plan, use = facts["found"], facts["plan"], facts["use"]
    texts: Mapping[str, str] = read_yaml(Path(__file__).parent / "reports" / "deviations.yaml")[
        language
    ]
    happened = [
        (facts["protocol"].simulated, "simulated", {}),
        (True, "panel", {}),
        (True, "viewing", {}),
        (True, "vision", {}),
        (found["started"] < plan.raters, "fewer", {"n": found["started"], "of": plan.raters}),
        (
            found["finished"] + found["withdrawn"] < found["started"],
            "unfinished",
            {"n": found["started"] - found["finished"] - found["withdrawn"]},
        ),
        (found["withdrawn"] > 0, "withdrawn", {"n": found["withdrawn"]}),
        (found["revoked"] > 0, "revoked", {"n": found["revoked"]}),
        (len(facts["versions"]) > 1, "amended", {"n": len(facts["versions"]) - 1}),
        (found["locked_at"] is None, "open", {}),
        (
            any("before the study" in one.detail for one in facts["log"]),
            "unblinded",
            {},
        ),
        (use["small"] > 0, "small", {"n": use["small"], "of": use["windows"]}),
        (plan.training < 5, "training", {"n": plan.training}),
        (not plan.warm_ups[0], "warm_ups", {}),
        (bool(found["warnings"]), "warnings", {"n": len(found["warnings"])}),
        (found["audit"]["broken_line"] is not None, "audit", found["audit"]),
    ]
    return [texts[name].format(**values) for is_so, name, values in happened if is_so]


def _stimuli(connection: Connection) -> dict[str, Any]:
    rows = connection.execute(select(t.stimulus)).all()
    pictures = [row for row in rows if not row.file.endswith(".json")]  # not analyses of them
    sizes = Counter(f"{row.width} × {row.height}" for row in pictures)
    seconds = [row.seconds for row in rows if row.seconds is not None]
    return {
        "number": len(rows),
        "analyses": len(rows) - len(pictures),
        "sizes": dict(sizes.most_common(5)),
        "seconds": (min(seconds), max(seconds)) if seconds else None,
        "anchors": sum(bool(row.anchor) for row in rows),
    }


def _languages(connection: Connection) -> dict[str, int]:
    e = t.response_event.c
    rows = connection.execute(
        select(e.room_language, func.count()).where(e.payload_hash != "").group_by(e.room_language)
    )
    return {row[0]: row[1] for row in rows}


def _kinds(connection: Connection) -> dict[str, int]:
    """Return how many assignments of each kind the raters who started have been given."""
    a, r = t.assignment.c, t.rater.c
    rows = connection.execute(
        select(a.kind, func.count())
        .join(t.rater, r.block == a.block)
        .where(r.started_at.is_not(None))
        .group_by(a.kind)
        .order_by(a.kind)
    )
    return {row[0]: row[1] for row in rows}


def _background(connection: Connection, protocol: Protocol) -> list[dict[str, Any]]:
    """Count the answers that were chosen from options; what was written freely is not told."""
    b = t.background.c
    rows = connection.execute(
        select(b.question, b.answer, func.count()).group_by(b.question, b.answer)
    ).all()
    counts = {(question, answer): number for question, answer, number in rows}
    return [
        {
            "question": question.question,
            "options": [
                (option.label, number if number >= FEW else f"< {FEW}")
                for option in question.options
                if (number := counts.get((question.id, option.id), 0))
            ],
        }
        for question in protocol.background
        if question.options
    ]


def _use(connection: Connection) -> dict[str, Any]:
    """Return how the rooms were used: when, how long, in what windows."""
    e, r = t.response_event.c, t.rater.c
    events = connection.execute(
        select(e.rater, e.received_at, e.shown)
        .join(t.rater, r.id == e.rater)
        .where(r.withdrawn_at.is_(None))
        .order_by(e.number)
    ).all()
    minutes = Counter[str]()
    for event in events:
        minutes[event.rater] += event.shown.get("milliseconds") or 0
    spent = [value / 60_000 for value in minutes.values() if value]
    widths = [width for event in events if (width := event.shown.get("width"))]
    return {
        "first": events[0].received_at[:10] if events else None,
        "last": events[-1].received_at[:10] if events else None,
        "minutes": (round(min(spent)), round(median(spent)), round(max(spent))) if spent else None,
        "windows": len(widths),
        "small": sum(width < SMALL_WINDOW for width in widths),
        "width": round(median(widths)) if widths else None,
        "sittings": _sittings(events),
    }


def _sittings(events: Any) -> tuple[int, int] | None:
    """Return the least and the most sittings of a rater; half an hour without an answer ends one."""
    last: dict[str, float] = {}
    count = Counter[str]()
    for event in events:
        at = _epoch(event.received_at)
        if at - last.get(event.rater, -1e12) > 1800:
            count[event.rater] += 1
        last[event.rater] = at
    return (min(count.values()), max(count.values())) if count else None


def _epoch(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
