"""Responses: what happens to `ratings.db` when a rater answers.

Every function works within a connection's transaction, so that the caller decides what is
committed together. Nothing is acknowledged to a rater before its transaction is committed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, or_, select

from bench.errors import ConflictError, RequestError
from bench.reading import canonical_hash
from raters import tables as t
from raters.passages import refuse_beyond
from raters.payloads import (
    ATTRIBUTION,
    PAIR,
    SCALES,
    SIDES,
    Answer,
    refuse_incomplete,
    refuse_unplayed,
)
from raters.planned import planned
from raters.position import Progress, phases_of, progress_of
from raters.protocol import Protocol
from raters.tables import now

AHEAD_MOST = 20
"""How many later assignments may be answered before the server has shown them."""

CHANGES_MOST = 300
"""How often one phase of an assignment may be answered."""

_e = t.response_event.c
_STORE = insert(t.response_event).returning(_e.number)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The receipt of one stored event; a repeated event gets the same."""

    assignment: str
    event_id: str
    number: int
    received_at: str


def respond(
    connection: Connection,
    rater: str,
    answers: Iterable[Answer],
    protocol: Protocol,
    study: Path | None = None,
) -> list[Acknowledgement]:
    """Store answers, all or none; tell them acknowledged only after the transaction's commit.

    An event that is stored already gets its first acknowledgement again.

    Args:
        connection: within a transaction that writes.
        rater: the pseudonym.
        answers: checked by themselves.
        protocol: what is asked.
        study: the folder in which the analyses lie that marks are held against.

    Raises:
        RequestError: an assignment that is not this rater's, a phase it does not have, or a mark
            beyond its text.
        ConflictError: the phase is closed, too far ahead or answered too often; the event's id came
            before with another payload; the rater has withdrawn; the study is closed.
    """
    own = progress_of(connection, rater)
    return [take(connection, own, answer, protocol, study) for answer in answers]


def owns(connection: Connection, rater: Row[Any], stimulus: str) -> str | None:
    """Return the file of a stimulus if one of the rater's assignments shows it, else None."""
    found = planned(connection, rater.block).shown.get(stimulus)
    return None if found is None else str(found.file)


def take(
    connection: Connection,
    own: Progress,
    answer: Answer,
    protocol: Protocol,
    study: Path | None,
) -> Acknowledgement:
    """Store one answer of a rater whose progress was read in this transaction; raises the same.

    Of an answer that is refused nothing was written: storing it comes last.
    """
    asked = next((one for one in own.assignments if one.id == answer.assignment), None)
    if asked is None:
        raise RequestError("there is no such assignment")
    payload_hash = canonical_hash({"phase": answer.phase, "payload": answer.payload})
    if any(event[:2] == (asked.id, answer.event_id) for event in own.events):
        return _stored(connection, answer, payload_hash)
    own.refuse_closed()
    if sum(event[0] == asked.id and event[2] == answer.phase for event in own.events) >= (
        CHANGES_MOST
    ):
        raise ConflictError("this answer was changed too often: the last one stands")
    _refuse_phase(connection, own, asked, answer)
    first = own.plan.shown[asked.first]
    if answer.phase == SCALES and not answer.skip:
        refuse_incomplete(answer.payload, first.scales)
    refuse_unplayed(answer, answer.payload.get("flags", []), clip=first.seconds is not None)
    if answer.payload.get("marks"):
        if study is None:
            raise TypeError("marks are held against the analyses in a study's folder: give it")
        shown = (first.file, own.plan.shown[asked.second].file)
        files = {side: study / file for side, file in zip(SIDES, shown, strict=True)}
        refuse_beyond(answer.payload["marks"], files)
    received_at = now()
    number = connection.execute(
        _STORE,
        {
            "assignment": asked.id,
            "event_id": answer.event_id,
            "rater": own.rater.id,
            "phase": answer.phase,
            "payload": dict(answer.payload),
            "payload_hash": payload_hash,
            "room_language": answer.language,
            "skip": answer.skip,
            "shown": dict(answer.shown),
            "rubric_hash": protocol.rubric_hash,
            "protocol_version": protocol.version,
            "received_at": received_at,
            "client_time": answer.client_time,
        },
    ).scalar_one()
    own.add(asked.id, answer.event_id, answer.phase, answer.skip)
    return Acknowledgement(asked.id, answer.event_id, number, received_at)


def _stored(connection: Connection, answer: Answer, payload_hash: str) -> Acknowledgement:
    """Return the first acknowledgement of an event that came before."""
    stored = connection.execute(
        select(t.response_event).where(
            _e.assignment == answer.assignment, _e.event_id == answer.event_id
        )
    ).one()
    if stored.payload_hash != payload_hash:
        raise ConflictError("this event was stored before with another answer")
    return Acknowledgement(answer.assignment, answer.event_id, stored.number, stored.received_at)


def _refuse_phase(connection: Connection, own: Progress, asked: Row[Any], answer: Answer) -> None:
    if answer.phase not in phases_of(asked):
        raise RequestError(f"this assignment has no phase {answer.phase}")
    last, skipped = own.last.get(asked.id, (None, None))
    if last is None:
        waiting = [one.id for one in own.waiting]
        if waiting.index(asked.id) > AHEAD_MOST or answer.phase == SCALES:
            raise ConflictError("this assignment has not been shown yet")
        return
    if answer.phase == SCALES and last == ATTRIBUTION:
        if skipped:
            raise ConflictError("this assignment was skipped before its scales were shown")
        return
    if asked.kind == "training":
        raise ConflictError("this phase is closed: a training item is answered once")
    if answer.phase == ATTRIBUTION and _text_shown(connection, own.rater, asked):
        raise ConflictError("this phase is closed: the scene's text has been shown")
    if any(one.session > asked.session and one.id in own.last for one in own.assignments):
        raise ConflictError("this phase is closed: its session is over")


def _text_shown(connection: Connection, rater: Row[Any], asked: Row[Any]) -> bool:
    """Tell whether the scene's text was shown, by the item's own scales or by a later pair."""
    a, d, e = t.assignment.c, t.display.c, t.response_event.c
    tells = or_(a.id == asked.id, and_(a.scene == asked.scene, a.position > asked.position))
    shown = select(func.count()).select_from(t.assignment).where(a.block == rater.block, tells)
    displayed = shown.join(t.display, d.assignment == a.id).where(d.phase.in_((SCALES, PAIR)))
    answered = shown.join(t.response_event, e.assignment == a.id).where(e.phase.in_((SCALES, PAIR)))
    return any(connection.scalar(one) for one in (displayed, answered))
