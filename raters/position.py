"""Where a rater is: the step that is asked now, those ahead, and those that may still be changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, exists, insert, select, update

from bench.errors import ConflictError, RequestError
from bench.records import Assignment, Stimulus
from raters import tables as t
from raters.payloads import ATTRIBUTION, DETECTION, PAIR, SCALES, Phase
from raters.people import CLOSED, taking_part
from raters.planned import Planned, planned
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

    Of the steps that come next, `known` names those that the page knows, as `{assignment}/{phase}`,
    and `ahead` are those after them. `back` are the assignments of this session that may still be
    changed; `revisiting` says that `here` is one of them.
    """

    done: int
    total: int
    part: Part | None = None
    here: Step | None = None
    known: tuple[str, ...] = ()
    ahead: tuple[Step, ...] = ()
    back: tuple[str, ...] = ()
    revisiting: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """A rater's plan, all events in their order, and the phase and skip of each assignment's last.

    It is read once for what happens in a transaction; `add` keeps it true. `closed` is None where
    it was not looked at whether the study is: that serves counting alone.
    """

    rater: Row[Any]
    closed: bool | None
    plan: Planned
    events: list[tuple[str, str, Phase, str | None]]
    last: dict[str, tuple[Phase, str | None]]

    @property
    def assignments(self) -> Sequence[Row[Any]]:
        """What the rater was, is or will be asked, in order."""
        return self.plan.assignments

    def refuse_closed(self) -> None:
        """Refuse whatever comes after `lock`."""
        if self.closed is not False:
            raise ConflictError(CLOSED)

    def add(self, assignment: str, event_id: str, phase: Phase, skip: str | None) -> None:
        """Take in an event that was stored."""
        self.events.append((assignment, event_id, phase, skip))
        self.last[assignment] = (phase, skip)

    def complete(self, one: Row[Any]) -> bool:
        """Tell whether an assignment was answered to its last phase, or skipped."""
        phase, skip = self.last.get(one.id, (None, None))
        return phase == one.last_phase or skip is not None

    @property
    def waiting(self) -> list[Row[Any]]:
        """The assignments still to come, in their order."""
        return [one for one in self.assignments if not self.complete(one)]

    def shows_text(self, one: Row[Any]) -> bool:
        """Tell whether an assignment that was begun has come to where it shows its scene's text."""
        if one.last_phase != SCALES:
            return bool(one.last_phase == PAIR)
        phase, skip = self.last.get(one.id, (None, None))
        return phase == SCALES or (phase == ATTRIBUTION and not skip)

    def phases_left(self, one: Row[Any]) -> list[Phase]:
        """Return the phases of an assignment that are still to come."""
        phases = phases_of(one)
        phase, _ = self.last.get(one.id, (None, None))
        return phases if phase is None else phases[phases.index(phase) + 1 :]


def progress(connection: Connection, rater: Row[Any]) -> tuple[int, int]:
    """Return how many assignments a rater has done, and of how many."""
    own = _progress_of(connection, rater, closed=None)
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
    return position_of(connection, progress_of(connection, rater), at=at, ahead=ahead)


def position_of(
    connection: Connection,
    own: Progress,
    *,
    at: str | None = None,
    ahead: int = AHEAD,
    known: str = "",
) -> Position:
    """Return the same of progress that was read in this transaction.

    `known` is the last step that the page was told, as `{assignment}/{phase}`: those up to it are
    only named. "" and a step that does not come any more stand for none.
    """
    waiting = own.waiting
    done, total = len(own.assignments) - len(waiting), len(own.assignments)
    if not waiting:
        if own.rater.finished_at is None:
            connection.execute(
                update(t.rater).where(t.rater.c.id == own.rater.id).values(finished_at=now())
            )
        return Position(done=done, total=total)
    own.refuse_closed()
    current = waiting[0]
    back = _back(own, current)
    # each has a phase to come
    steps = [(one, phase) for one in waiting[: ahead + 1] for phase in own.phases_left(one)]
    here, later = steps[0], steps[1 : 1 + ahead]
    if at is not None:
        earlier = next((one for one in own.assignments if one.id == at and one.id in back), None)
        if earlier is None:
            raise RequestError("that answer cannot be changed any more")
        here, later = (earlier, own.last[earlier.id][0]), steps[:ahead]
    else:
        connection.execute(_DISPLAY, {"shown": current.id, "phase_of": here[1], "at": now()})
    names = [f"{one.id}/{phase}" for one, phase in later]
    told = names.index(known) + 1 if known in names else 0
    shown = own.plan.shown
    answers = _answers(connection, here[0].id) if here[0].id in own.last else {}
    return Position(
        done=done,
        total=total,
        part=_part(own, current),
        here=_step(own.rater.id, *here, shown, answers),
        known=tuple(names[:told]),
        ahead=tuple(_step(own.rater.id, one, phase, shown, {}) for one, phase in later[told:]),
        back=back,
        revisiting=at is not None,
    )


def phases_of(one: Row[Any]) -> list[Phase]:
    """Return the phases of an assignment in their order."""
    if one.last_phase in {PAIR, DETECTION}:
        return [one.last_phase]
    return [ATTRIBUTION, SCALES] if one.last_phase == SCALES else [ATTRIBUTION]


_e = t.response_event.c
_EVENTS = (
    select(_e.assignment, _e.event_id, _e.phase, _e.skip)
    .where(_e.rater == bindparam("of"))
    .order_by(_e.number)
)
_ANSWERS = select(_e.phase, _e.payload).where(_e.assignment == bindparam("of")).order_by(_e.number)
_d = t.display.c
_DISPLAY = insert(t.display).from_select(
    ["assignment", "phase", "shown_at"],
    select(
        bindparam("shown", type_=_d.assignment.type),
        bindparam("phase_of", type_=_d.phase.type),
        bindparam("at", type_=_d.shown_at.type),
    ).where(
        ~exists().where(_d.assignment == bindparam("shown"), _d.phase == bindparam("phase_of"))
    ),
)
"""Record when a step was first shown: once, since those who write come one after the other."""


def progress_of(connection: Connection, rater: str) -> Progress:
    """Return how far a rater is who takes part.

    Raises:
        ConflictError: the rater has not agreed to take part, or has withdrawn.
    """
    row = taking_part(connection, rater)
    return _progress_of(connection, row, closed=row.locked_at is not None)


def _progress_of(connection: Connection, rater: Row[Any], *, closed: bool | None) -> Progress:
    events = [tuple(row) for row in connection.execute(_EVENTS, {"of": rater.id})]
    last = {assignment: (phase, skip) for assignment, _, phase, skip in events}
    return Progress(rater, closed, planned(connection, rater.block), events, last)


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
        if told and own.shows_text(one):
            texts[one.scene] = one.position
    return tuple(
        one.id
        for one in own.assignments
        if one.session == session
        and one.kind != "training"
        and own.complete(one)
        and not (own.last[one.id][0] == ATTRIBUTION and texts.get(one.scene, -1) > one.position)
    )


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


def _answers(connection: Connection, assignment: str) -> dict[str, Any]:
    """Return the last payload of every phase of an assignment that was answered."""
    rows = connection.execute(_ANSWERS, {"of": assignment})
    return {row.phase: row.payload for row in rows}
