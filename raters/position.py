"""Where a rater is: the step that is asked now, those ahead, and those that may still be changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from bench.errors import RequestError
from bench.records import Assignment, Stimulus
from raters import tables as t
from raters.payloads import ATTRIBUTION, DETECTION, PAIR, SCALES, Phase
from raters.people import refuse_closed, taking_part
from raters.tables import now

AHEAD = 8
"""How many later steps a page is told of, unless it asks for another number."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is asked at once: one phase of one assignment.

    `caption` is the scene's text, in the phases that show it; in phase two `earlier` is the answer
    of phase one and `scales` are those to be asked. `answer` is what is stored of this phase.
    `expects` is the answer that an attention item asks for, or that a training item explains.
    `picture` is the stimulus that two analyses stand beside, "" where pictures themselves are shown.
    """

    assignment: Assignment
    phase: Phase
    stimuli: tuple[Stimulus, ...]
    caption: Mapping[str, str] | None = None
    scales: tuple[str, ...] = ()
    earlier: Mapping[str, Any] | None = None
    answer: Mapping[str, Any] | None = None
    expects: Mapping[str, Any] | None = None
    picture: str = ""


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
class Progress:
    """A rater's assignments in their order, and the phase and skip of each one's last event."""

    assignments: Sequence[Row[Any]]
    last: Mapping[str, tuple[Phase, str | None]]

    def complete(self, one: Row[Any]) -> bool:
        """Tell whether an assignment was answered to its last phase, or skipped."""
        phase, skip = self.last.get(one.id, (None, None))
        return phase == one.last_phase or skip is not None

    @property
    def waiting(self) -> list[Row[Any]]:
        """The assignments still to come, in their order."""
        return [one for one in self.assignments if not self.complete(one)]

    def phases_of(self, one: Row[Any]) -> list[Phase]:
        """Return the phases of an assignment up to the one that follows its last answer."""
        phases = phases_of(one)
        phase, skip = self.last.get(one.id, (None, None))
        count = 0 if phase is None else phases.index(phase) + (0 if skip else 1)
        return phases[: count + 1]

    def phases_left(self, one: Row[Any]) -> list[Phase]:
        """Return the phases of an assignment that are still to come."""
        phases = phases_of(one)
        phase, _ = self.last.get(one.id, (None, None))
        return phases if phase is None else phases[phases.index(phase) + 1 :]


def progress(connection: Connection, rater: Row[Any]) -> tuple[int, int]:
    """Return how many assignments a rater has done, and of how many."""
    own = progress_of(connection, rater)
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
    own = progress_of(connection, row)
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
    shown = stimuli_of(connection, [one for one, _ in [here, *later]])
    return Position(
        done=done,
        total=total,
        part=_part(own, current),
        here=_step(rater, *here, shown, _answers(connection, here[0].id)),
        ahead=tuple(_step(rater, one, phase, shown, {}) for one, phase in later),
        back=back,
        revisiting=at is not None,
    )


def phases_of(one: Row[Any]) -> list[Phase]:
    """Return the phases of an assignment in their order."""
    if one.last_phase in {PAIR, DETECTION}:
        return [one.last_phase]
    return [ATTRIBUTION, SCALES] if one.last_phase == SCALES else [ATTRIBUTION]


def progress_of(connection: Connection, rater: Row[Any]) -> Progress:
    """Return how far a rater is."""
    a, e = t.assignment.c, t.response_event.c
    assignments = connection.execute(
        select(t.assignment).where(a.block == rater.block).order_by(a.position)
    ).all()
    events = connection.execute(
        select(e.assignment, e.phase, e.skip).where(e.rater == rater.id).order_by(e.number)
    )
    return Progress(assignments, {row.assignment: (row.phase, row.skip) for row in events})


def _part(own: Progress, current: Row[Any]) -> Part:
    of_part = [one for one in own.assignments if one.session == current.session]
    left = [one for one in of_part if not own.complete(one)]
    return Part(
        number=current.session,
        of=own.assignments[-1].session,
        done=len(of_part) - len(left),
        total=len(of_part),
        seconds_left=round(sum(one.seconds for one in left)),
    )


def _back(own: Progress, current: Row[Any]) -> tuple[str, ...]:
    """Return the session's answered assignments, but training and looks that are closed.

    Before the first answer of a session it is those of the session before.
    """
    begun = any(one.session == current.session and one.id in own.last for one in own.assignments)
    session = current.session if begun else current.session - 1
    texts: dict[str, int] = {}  # of each scene, the last position at which its text was shown
    for one in own.assignments:
        told = one.id in own.last or one.id == current.id
        if told and any(phase in {SCALES, PAIR} for phase in own.phases_of(one)):
            texts[one.scene] = one.position
    return tuple(
        one.id
        for one in own.assignments
        if one.session == session
        and one.kind != "training"
        and own.complete(one)
        and not (own.last[one.id][0] == ATTRIBUTION and texts.get(one.scene, -1) > one.position)
    )


def stimuli_of(connection: Connection, assignments: Iterable[Row[Any]]) -> dict[str, Row[Any]]:
    """Return the rows of all stimuli that assignments show, by their ids."""
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
        # a work's analyses bear its picture's id as the code of their scene
        picture=shown[one.first].scene if shown[one.first].file.endswith(".json") else "",
    )


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
