"""A study's life after it was made: invitations, progress, closing, withdrawal."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, func, insert, select

from bench.errors import ConflictError, FileFormatError, RequestError
from bench.reading import read_yaml
from bench.records import SCHEMA, SIMULATED
from raters import tables as t
from raters.create import create
from raters.database import open_database, refuse_other_revision
from raters.people import enrol, erase, pseudonym_of, receipt
from raters.plan import PLANNED, take_block
from raters.protocol import Protocol, read_protocol
from raters.tables import note, now, setting
from raters.versions import check_frozen

__all__ = [
    "attribution_labels",
    "create",
    "criterion_labels",
    "enrol_raters",
    "invite",
    "levels",
    "load_study",
    "lock",
    "open_study",
    "status",
    "study_id",
    "tradition_labels",
    "withdraw",
]


@contextmanager
def open_study(study: Path) -> Iterator[tuple[Protocol, Engine]]:
    """Give what `load_study` returns, and close the database on leaving."""
    protocol, engine = load_study(study)
    try:
        yield protocol, engine
    finally:
        engine.dispose()


def load_study(study: Path) -> tuple[Protocol, Engine]:
    """Return the protocol and the database of a study folder, checked against each other.

    Raises:
        RequestError: it is no study folder, or of another schema.
        ConflictError: `study.yaml` was changed after the first rater had started.
    """
    refuse_other_revision(study)
    protocol = read_protocol(study)
    engine = open_database(study)
    try:
        with t.reading(engine) as connection:
            _check_together(connection, protocol, study)
    except BaseException:
        engine.dispose()
        raise
    return protocol, engine


def invite(study: Path, count: int, *, base_url: str, group: str = "") -> list[str]:
    """Invite `count` raters and return their links; only hashes of the tokens are stored.

    Raters beyond the plan get further balanced blocks.

    Raises:
        RequestError: `count` is not positive, or `group` is kept for simulated raters.
        ConflictError: the study is closed.
    """
    if count < 1:
        raise RequestError(f"count must be at least 1, not {count}")
    if group == SIMULATED or len(group) > 80:
        raise RequestError(f"{group!r} cannot be a group of raters: choose another name")
    rng = np.random.default_rng()
    with open_study(study) as (protocol, engine), t.writing(engine) as connection:
        new = enrol_raters(connection, protocol, count, group=group, simulated=False, rng=rng)
    return [f"{base_url.rstrip('/')}/i/{token}" for _, token in new]


def enrol_raters(
    connection: Connection,
    protocol: Protocol,
    count: int,
    *,
    group: str,
    simulated: bool,
    rng: np.random.Generator,
) -> list[tuple[str, str]]:
    """Add raters and return (pseudonym, token) of each.

    Raises:
        ConflictError: the study is closed.
    """
    if setting(connection, "locked_at") is not None:
        raise ConflictError("this study is closed: nobody can be invited any more")
    new = []
    for _ in range(count):
        token = secrets.token_urlsafe(16)
        block = take_block(connection, protocol, rng)
        rater = enrol(connection, block, protocol, token=token, group=group, simulated=simulated)
        new.append((rater, token))
    note(connection, "invited", f"{count} {group}".strip())
    return new


def status(study: Path) -> dict[str, Any]:
    """Return the progress of a study; nothing in it tells models apart."""
    with open_study(study) as (protocol, engine), t.reading(engine) as connection:
        raters = _raters(connection)
        counts = _judgements(connection)
        return {
            "study": protocol.study,
            "version": protocol.version,
            "simulated": protocol.simulated,
            "planned": protocol.plan.raters,
            "invited": len(raters),
            "started": sum(bool(one["started_at"]) for one in raters),
            "finished": sum(bool(one["finished_at"]) for one in raters),
            "withdrawn": sum(bool(one["withdrawn_at"]) for one in raters),
            "locked_at": setting(connection, "locked_at"),
            "frozen": setting(connection, "protocol_hash") is not None,
            "responses": connection.scalar(select(func.count()).select_from(t.response_event)),
            "coverage": counts,
            "raters": raters,
        }


def lock(study: Path, reason: str) -> dict[str, Any]:
    """Close a study: no further invitation, no further response.

    Raises:
        RequestError: no reason is given.
        ConflictError: the study is closed already.
    """
    if not reason.strip():
        raise RequestError("say why the study is closed: the reason goes into its log")
    with open_study(study) as (protocol, engine), t.writing(engine) as connection:
        before = setting(connection, "locked_at")
        if before is not None:
            raise ConflictError(f"the study is closed already, since {before[:10]}")
        at = now()
        connection.execute(
            insert(t.meta),
            [{"key": "locked_at", "value": at}, {"key": "lock_reason", "value": reason}],
        )
        note(connection, "locked", reason)
        return {"study": protocol.study, "locked_at": at, "reason": reason}


def withdraw(study: Path, rater: str) -> dict[str, Any]:
    """Erase what a rater answered; tombstones without content stay.

    `rater` is a pseudonym, the receipt's code, or the invitation's link: whatever the rater has.

    Raises:
        RequestError: there is no such rater.
        ConflictError: the rater has withdrawn already.
    """
    with open_study(study) as (protocol, engine):
        with t.writing(engine) as connection:
            rater = pseudonym_of(connection, rater)
            erased = erase(connection, rater)
        t.forget_log(engine)
        return {"study": protocol.study, "rater": rater, "erased": erased}


def levels(study: Path) -> dict[str, str]:
    """Return the level of measurement of every scale of a study's rubric."""
    return {scale.id: scale.level for scale in read_protocol(study).rubric.scales}


def study_id(study: Path) -> str:
    """Return the id by which a study's tables and scores go."""
    return read_protocol(study).study


def attribution_labels(study: Path) -> tuple[str, ...]:
    """Return all that a study's raters can attribute a picture to."""
    return read_protocol(study).labels


def tradition_labels(study: Path) -> dict[str, dict[str, str]]:
    """Return what the room calls the labels that a study's raters can name, by language."""
    # read as data: importing the room would bring in its web server
    texts = read_yaml(Path(__file__).parent / "room" / "texts.yaml")
    return {
        name: {language: texts[language]["labels"][name] for language in texts}
        for name in read_protocol(study).substantive_labels
        if all(name in texts[language]["labels"] for language in texts)
    }


def criterion_labels(study: Path) -> dict[str, dict[str, str]]:
    """Return the label of every scale of a study's rubric, by language."""
    return {scale.id: dict(scale.label) for scale in read_protocol(study).rubric.scales}


def _check_together(connection: Connection, protocol: Protocol, study: Path) -> None:
    if setting(connection, "schema") != str(SCHEMA):
        raise FileFormatError(f"{study}: schema {SCHEMA} is what this version reads")
    if setting(connection, "study") != protocol.study:
        raise ConflictError(f"{study}: study.yaml and its database are of two studies")
    check_frozen(connection, protocol)


def _raters(connection: Connection) -> list[dict[str, Any]]:
    a, e, r = t.assignment.c, t.response_event.c, t.rater.c
    totals: dict[int, int] = {
        row[0]: row[1]
        for row in connection.execute(select(a.block, func.count()).group_by(a.block))
    }
    done: dict[str, int] = {
        row[0]: row[1]
        for row in connection.execute(
            select(e.rater, func.count(a.id.distinct()))
            .join(t.assignment, a.id == e.assignment)
            .where((e.phase == a.last_phase) | e.skip.is_not(None))
            .group_by(e.rater)
        )
    }
    return [
        {
            "rater": row.id,
            "group": SIMULATED if row.simulated else row.rater_group,
            "language": row.room_language,
            "done": done.get(row.id, 0),
            "total": totals.get(row.block, 0),
            "started_at": row.started_at,
            "finished_at": row.finished_at,
            "withdrawn_at": row.withdrawn_at,
            "receipt": receipt(row),
        }
        for row in connection.execute(select(t.rater).order_by(r.id))
    ]


def _judgements(connection: Connection) -> dict[str, Any]:
    """Return how many raters have judged the least and the most judged item and pair."""
    a, e, r = t.assignment.c, t.response_event.c, t.rater.c
    answered = connection.execute(
        select(a.first, a.second, e.rater)
        .join(t.response_event, (e.assignment == a.id) & (e.phase == a.last_phase))
        .join(t.rater, r.id == e.rater)
        .where(r.withdrawn_at.is_(None), e.skip.is_(None), a.kind.in_(PLANNED))
        .distinct()
    ).all()
    asked = connection.execute(
        select(a.first, a.second).where(a.kind.in_(PLANNED)).distinct()
    ).all()
    result = {}
    for name, paired in (("items", False), ("pairs", True)):
        there = {
            frozenset((row.first, row.second))
            for row in asked
            if (row.second is not None) == paired
        }
        counts = dict.fromkeys(there, 0)
        for row in answered:
            if (row.second is not None) == paired:
                counts[frozenset((row.first, row.second))] += 1
        least, most = (min(counts.values()), max(counts.values())) if counts else (0, 0)
        result[name] = {"number": len(counts), "least": least, "most": most}
    return result
