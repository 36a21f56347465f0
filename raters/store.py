"""Positions and responses: what happens to `ratings.db` while a study runs.

Every function works within a connection's transaction, so that the caller decides what is
committed together. Nothing is acknowledged to a rater before its transaction is committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update

from bench.errors import ConflictError, RequestError
from bench.reading import canonical_hash
from bench.records import Assignment, Stimulus
from raters import tables as t
from raters.payloads import (
    ATTRIBUTION,
    DETECTION,
    PAIR,
    SCALES,
    Answer,
    Phase,
    refuse_incomplete,
    refuse_unplayed,
)
from raters.people import refuse_closed, taking_part
from raters.protocol import Protocol
from raters.tables import now

AHEAD = 8
"""How many later steps a page is told of, unless it asks for another number."""

AHEAD_MOST = 20
"""How many later assignments may be answered before the server has shown them."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The receipt of one stored event; a repeated event gets the same."""

    assignment: str
    event_id: str
    number: int
    received_at: str


@dataclass(frozen=True, slots=True)
class Step:
    """What is asked at once: one phase of one assignment.

    `caption` is the scene's text, in the phases that show it; in phase two `earlier` is the answer
    of phase one and `scales` are those to be asked. `answer` is what is stored of this phase.
    `expects` is the answer that an attention item asks for, or that a training item explains.
    """

    assignment: Assignment
    phase: Phase
    stimuli: tuple[Stimulus, ...]
    caption: Mapping[str, str] | None = None
    scales: tuple[str, ...] = ()
    earlier: Mapping[str, Any] | None = None
    answer: Mapping[str, Any] | None = None
    expects: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """How far a rater is in a session; `seconds_left` by the table of seconds per task."""

    number: int
    of: int
    done: int
    total: int
    seconds_left: int

    @property
    def break_due(self) -> bool:
        """A session is over and the next one not begun."""
        return self.number > 1 and self.done == 0


@dataclass(frozen=True, slots=True)
class Position:
    """Where a rater is. After the last assignment `here` and `part` are None.

    `ahead` are the steps that come next, `back` the assignments of this session that may still be
    changed; `revisiting` says that `here` is one of them.
    """

    done: int
    total: int
    part: Part | None = None
    here: Step | None = None
    ahead: tuple[Step, ...] = ()
    back: tuple[str, ...] = ()
    revisiting: bool = False


@dataclass(frozen=True, slots=True)
class _Progress:
    """A rater's assignments in their order, and the phase and skip of each one's last event."""

    assignments: Sequence[Row[Any]]
    last: Mapping[str, tuple[Phase, str | None]]

    def complete(self, one: Row[Any]) -> bool:
        phase, skip = self.last.get(one.id, (None, None))
        return phase == one.last_phase or skip is not None

    @property
    def waiting(self) -> list[Row[Any]]:
        return [one for one in self.assignments if not self.complete(one)]

    def phases_shown(self, one: Row[Any]) -> list[Phase]:
        """Return the phases of an assignment up to the one that follows its last answer."""
        phases = _phases(one)
        phase, skip = self.last.get(one.id, (None, None))
        count = 0 if phase is None else phases.index(phase) + (0 if skip else 1)
        return phases[: count + 1]

    def phases_left(self, one: Row[Any]) -> list[Phase]:
        """Return the phases of an assignment that are still to come."""
        phases = _phases(one)
        phase, _ = self.last.get(one.id, (None, None))
        return phases if phase is None else phases[phases.index(phase) + 1 :]


def progress(connection: Connection, rater: Row[Any]) -> tuple[int, int]:
    """Return how many assignments a rater has done, and of how many."""
    own = _progress(connection, rater)
    return len(own.assignments) - len(own.waiting), len(own.assignments)


def position(
    connection: Connection, rater: str, *, at: str | None = None, ahead: int = AHEAD
) -> Position:
    """Return where a rater is, and record the first time that its assignment is shown.

    Args:
        connection: within a transaction that writes.
        rater: the pseudonym.
        at: an earlier assignment of this session to go back to.
        ahead: how many later steps are told.

    Raises:
        RequestError: `at` is not among those that may be changed.
        ConflictError: the rater has not started or has withdrawn, or the study is closed.
    """
    row = taking_part(connection, rater)
    own = _progress(connection, row)
    waiting = own.waiting
    done, total = len(own.assignments) - len(waiting), len(own.assignments)
    if not waiting:
        if row.finished_at is None:
            connection.execute(
                update(t.rater).where(t.rater.c.id == rater).values(finished_at=now())
            )
        return Position(done=done, total=total)
    refuse_closed(connection)
    current = waiting[0]
    back = _back(own, current)
    steps = [(one, phase) for one in waiting for phase in own.phases_left(one)]
    here, later = steps[0], steps[1 : 1 + ahead]
    if at is not None:
        earlier = next((one for one in own.assignments if one.id == at and one.id in back), None)
        if earlier is None:
            raise RequestError("that answer cannot be changed any more")
        here, later = (earlier, own.last[earlier.id][0]), steps[:ahead]
    else:
        _record_display(connection, current.id, here[1])
    shown = _shown(connection, [one for one, _ in [here, *later]])
    return Position(
        done=done,
        total=total,
        part=_part(own, current),
        here=_step(rater, *here, shown, _answers(connection, here[0].id)),
        ahead=tuple(_step(rater, one, phase, shown, {}) for one, phase in later),
        back=back,
        revisiting=at is not None,
    )


def respond(
    connection: Connection, rater: str, answers: Iterable[Answer], protocol: Protocol
) -> list[Acknowledgement]:
    """Store answers, all or none; tell them acknowledged only after the transaction's commit.

    An event that is stored already gets its first acknowledgement again.

    Raises:
        RequestError: an assignment that is not this rater's, or a phase it does not have.
        ConflictError: the phase is closed or too far ahead; the event's id came before with
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


def _phases(one: Row[Any]) -> list[Phase]:
    if one.last_phase in {PAIR, DETECTION}:
        return [one.last_phase]
    return [ATTRIBUTION, SCALES] if one.last_phase == SCALES else [ATTRIBUTION]


def _progress(connection: Connection, rater: Row[Any]) -> _Progress:
    a, e = t.assignment.c, t.response_event.c
    assignments = connection.execute(
        select(t.assignment).where(a.block == rater.block).order_by(a.position)
    ).all()
    events = connection.execute(
        select(e.assignment, e.phase, e.skip).where(e.rater == rater.id).order_by(e.number)
    )
    return _Progress(assignments, {row.assignment: (row.phase, row.skip) for row in events})


def _part(own: _Progress, current: Row[Any]) -> Part:
    of_part = [one for one in own.assignments if one.session == current.session]
    left = [one for one in of_part if not own.complete(one)]
    return Part(
        number=current.session,
        of=own.assignments[-1].session,
        done=len(of_part) - len(left),
        total=len(of_part),
        seconds_left=round(sum(one.seconds for one in left)),
    )


def _back(own: _Progress, current: Row[Any]) -> tuple[str, ...]:
    """Return the session's answered assignments, but training and looks that are closed."""
    texts: dict[str, int] = {}  # of each scene, the last position at which its text was shown
    for one in own.assignments:
        told = one.id in own.last or one.id == current.id
        if told and any(phase in {SCALES, PAIR} for phase in own.phases_shown(one)):
            texts[one.scene] = one.position
    return tuple(
        one.id
        for one in own.assignments
        if one.session == current.session
        and one.kind != "training"
        and own.complete(one)
        and not (own.last[one.id][0] == ATTRIBUTION and texts.get(one.scene, -1) > one.position)
    )


def _shown(connection: Connection, assignments: Iterable[Row[Any]]) -> dict[str, Row[Any]]:
    wanted = {name for one in assignments for name in (one.first, one.second) if name is not None}
    rows = connection.execute(select(t.stimulus).where(t.stimulus.c.id.in_(wanted)))
    return {row.id: row for row in rows}


def _step(
    rater: str,
    one: Row[Any],
    phase: Phase,
    shown: Mapping[str, Row[Any]],
    answers: Mapping[str, Any],
) -> Step:
    names = [name for name in (one.first, one.second) if name is not None]
    return Step(
        assignment=Assignment(
            id=one.id,
            rater=rater,
            position=one.position,
            kind=one.kind,
            stimuli=tuple(names),
            rubric_hash=one.rubric_hash,
            occasion=one.occasion,
            session=one.session,
        ),
        phase=phase,
        stimuli=tuple(
            Stimulus(
                id=row.id,
                file=row.file,
                width=row.width,
                height=row.height,
                sha256=row.sha256,
                seconds=row.seconds,
            )
            for row in (shown[name] for name in names)
        ),
        caption=shown[one.first].captions if phase in {SCALES, PAIR} else None,
        scales=tuple(shown[one.first].scales) if phase == SCALES else (),
        earlier=answers.get(ATTRIBUTION) if phase == SCALES else None,
        answer=answers.get(phase),
        expects=one.expects,
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
    _refuse_phase(connection, rater, asked, answer)
    pictures = _shown(connection, [asked])
    if answer.phase == SCALES and not answer.skip:
        refuse_incomplete(answer.payload, pictures[asked.first].scales)
    clip = pictures[asked.first].seconds is not None
    refuse_unplayed(answer, answer.payload.get("flags", []), clip=clip)
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
            skip=answer.skip,
            shown=dict(answer.shown),
            rubric_hash=protocol.rubric_hash,
            protocol_version=protocol.version,
            received_at=received_at,
            client_time=answer.client_time,
        )
        .returning(e.number)
    ).scalar_one()
    return Acknowledgement(asked.id, answer.event_id, number, received_at)


def _refuse_phase(connection: Connection, rater: Row[Any], asked: Row[Any], answer: Answer) -> None:
    if answer.phase not in _phases(asked):
        raise RequestError(f"this assignment has no phase {answer.phase}")
    own = _progress(connection, rater)
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
    if answer.phase == ATTRIBUTION and _text_shown(connection, rater, asked):
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


def _record_display(connection: Connection, assignment: str, phase: Phase) -> None:
    d = t.display.c
    seen = select(d.shown_at).where(d.assignment == assignment, d.phase == phase)
    if connection.scalar(seen) is None:
        connection.execute(
            insert(t.display).values(assignment=assignment, phase=phase, shown_at=now())
        )


def _answers(connection: Connection, assignment: str) -> dict[str, Any]:
    """Return the last payload of every phase of an assignment that was answered."""
    e = t.response_event.c
    rows = connection.execute(
        select(e.phase, e.payload).where(e.assignment == assignment).order_by(e.number)
    )
    return {row.phase: row.payload for row in rows}
