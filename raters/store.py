"""Positions and responses: what happens to `ratings.db` while a study runs.

Every function works within a connection's transaction, so that the caller decides what is
committed together. Nothing is acknowledged to a rater before its transaction is committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, select, update

from bench.errors import ConflictError, RequestError
from bench.reading import canonical_hash
from bench.records import Assignment, Stimulus
from raters import tables as t
from raters.payloads import ATTRIBUTION, PAIR, SCALES, Answer, Phase, refuse_incomplete
from raters.people import refuse_closed, taking_part
from raters.protocol import Protocol
from raters.tables import now

UPCOMING = 3
"""How many later assignments' pictures the page may fetch ahead."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The receipt of one stored event; a repeated event gets the same."""

    assignment: str
    event_id: str
    number: int
    received_at: str


@dataclass(frozen=True, slots=True)
class Position:
    """Where a rater is. After the last assignment, `assignment` and `phase` are None.

    `caption` is given once the scene's text may be seen; in phase two `earlier` is the answer of
    phase one and `scales` are those to be asked.
    """

    done: int
    total: int
    assignment: Assignment | None = None
    phase: Phase | None = None
    stimuli: tuple[Stimulus, ...] = ()
    caption: Mapping[str, str] | None = None
    earlier: Mapping[str, Any] | None = None
    scales: tuple[str, ...] = ()
    upcoming: tuple[str, ...] = ()


def progress(connection: Connection, rater: Row[Any]) -> tuple[int, int]:
    """Return how many assignments a rater has done, and of how many."""
    a = t.assignment.c
    own = a.block == rater.block
    total = connection.scalar(select(func.count()).select_from(t.assignment).where(own)) or 0
    return total - len(_waiting(connection, rater)), total


def position(connection: Connection, rater: str) -> Position:
    """Return where a rater is, and record the first time that its assignment is shown.

    Raises:
        ConflictError: the rater has not started or has withdrawn, or the study is closed.
    """
    row = taking_part(connection, rater)
    waiting = _waiting(connection, row)
    a = t.assignment.c
    own = a.block == row.block
    total = connection.scalar(select(func.count()).select_from(t.assignment).where(own)) or 0
    done = total - len(waiting)
    if not waiting:
        if row.finished_at is None:
            connection.execute(
                update(t.rater).where(t.rater.c.id == rater).values(finished_at=now())
            )
        return Position(done=done, total=total)
    refuse_closed(connection)
    current = waiting[0]
    earlier = _last_payload(connection, current.id, ATTRIBUTION)
    phase = PAIR if current.kind == "pair" else SCALES if earlier else ATTRIBUTION
    _record_display(connection, current.id, phase)
    stimuli, shown = _pictures(connection, current)
    return Position(
        done=done,
        total=total,
        assignment=Assignment(
            id=current.id,
            rater=rater,
            position=current.position,
            kind=current.kind,
            stimuli=tuple(one.id for one in stimuli),
            rubric_hash=current.rubric_hash,
            occasion=current.occasion,
        ),
        phase=phase,
        stimuli=stimuli,
        caption=None if phase == ATTRIBUTION else shown.captions,
        earlier=earlier,
        scales=tuple(shown.scales) if phase == SCALES else (),
        upcoming=tuple(
            one
            for later in waiting[1 : 1 + UPCOMING]
            for one in (later.first, later.second)
            if one is not None
        ),
    )


def respond(
    connection: Connection, rater: str, answers: Iterable[Answer], protocol: Protocol
) -> list[Acknowledgement]:
    """Store answers, all or none; tell them acknowledged only after the transaction's commit.

    An event that is stored already gets its first acknowledgement again.

    Raises:
        RequestError: an assignment that is not this rater's, or a phase it does not have.
        ConflictError: the phase is closed or not yet shown; the event's id came before with
            another payload; the rater has withdrawn; the study is closed.
    """
    row = taking_part(connection, rater)
    return [_respond(connection, row, answer, protocol) for answer in answers]


def owns(connection: Connection, rater: Row[Any], stimulus: str) -> str | None:
    """Return the file of a stimulus if one of the rater's assignments shows it, else None."""
    a = t.assignment.c
    shown = select(a.id).where(
        a.block == rater.block, (a.first == stimulus) | (a.second == stimulus)
    )
    return connection.scalar(
        select(t.stimulus.c.file).where(t.stimulus.c.id == stimulus, shown.exists())
    )


def _waiting(connection: Connection, rater: Row[Any]) -> list[Row[Any]]:
    a, e = t.assignment.c, t.response_event.c
    complete = and_(e.assignment == a.id, e.phase == a.last_phase)
    return list(
        connection.execute(
            select(t.assignment)
            .outerjoin(t.response_event, complete)
            .where(a.block == rater.block, e.number.is_(None))
            .order_by(a.position)
        )
    )


def _respond(
    connection: Connection, rater: Row[Any], answer: Answer, protocol: Protocol
) -> Acknowledgement:
    a, e = t.assignment.c, t.response_event.c
    asked = connection.execute(
        select(t.assignment).where(a.id == answer.assignment, a.block == rater.block)
    ).first()
    if asked is None:
        raise RequestError("there is no such assignment")
    payload_hash = canonical_hash({"phase": answer.phase, "payload": answer.payload})
    stored = connection.execute(
        select(t.response_event).where(e.assignment == asked.id, e.event_id == answer.event_id)
    ).first()
    if stored is not None:
        if stored.payload_hash != payload_hash:
            raise ConflictError("this event was stored before with another answer")
        return Acknowledgement(asked.id, answer.event_id, stored.number, stored.received_at)
    refuse_closed(connection)
    _refuse_phase(connection, asked, answer.phase)
    if answer.phase == SCALES:
        s = t.stimulus.c
        scales = connection.scalar(select(s.scales).where(s.id == asked.first))
        refuse_incomplete(answer.payload, scales or [])
    received_at = now()
    number = connection.execute(
        insert(t.response_event)
        .values(
            assignment=asked.id,
            event_id=answer.event_id,
            rater=rater.id,
            phase=answer.phase,
            payload=dict(answer.payload),
            payload_hash=payload_hash,
            room_language=answer.language,
            rubric_hash=protocol.rubric_hash,
            received_at=received_at,
            client_time=answer.client_time,
        )
        .returning(e.number)
    ).scalar_one()
    return Acknowledgement(asked.id, answer.event_id, number, received_at)


def _refuse_phase(connection: Connection, asked: Row[Any], phase: Phase) -> None:
    phases = {PAIR} if asked.kind == "pair" else {ATTRIBUTION, asked.last_phase}
    if phase not in phases:
        raise RequestError(f"this assignment has no phase {phase}")
    d = t.display.c
    shown = set(connection.scalars(select(d.phase).where(d.assignment == asked.id)))
    if phase == ATTRIBUTION and SCALES in shown:
        raise ConflictError("this phase is closed: the scene's text has been shown")
    if phase not in shown:
        raise ConflictError("this assignment has not been shown yet")


def _record_display(connection: Connection, assignment: str, phase: Phase) -> None:
    d = t.display.c
    seen = select(d.shown_at).where(d.assignment == assignment, d.phase == phase)
    if connection.scalar(seen) is None:
        connection.execute(
            insert(t.display).values(assignment=assignment, phase=phase, shown_at=now())
        )


def _last_payload(connection: Connection, assignment: str, phase: Phase) -> Any:
    e = t.response_event.c
    return connection.scalar(
        select(e.payload)
        .where(e.assignment == assignment, e.phase == phase)
        .order_by(e.number.desc())
        .limit(1)
    )


def _pictures(connection: Connection, current: Row[Any]) -> tuple[tuple[Stimulus, ...], Row[Any]]:
    s = t.stimulus.c
    wanted = [one for one in (current.first, current.second) if one is not None]
    rows = {row.id: row for row in connection.execute(select(t.stimulus).where(s.id.in_(wanted)))}
    stimuli = tuple(
        Stimulus(
            id=rows[one].id,
            file=rows[one].file,
            width=rows[one].width,
            height=rows[one].height,
            sha256=rows[one].sha256,
        )
        for one in wanted
    )
    return stimuli, rows[wanted[0]]
