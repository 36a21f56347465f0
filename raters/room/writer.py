"""Writing for many raters at once: what waits at one moment is committed together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from bench.errors import PinluError
from raters import tables as t

Result = TypeVar("Result")
Work = Callable[[Connection], Any]


class Writer:
    """Runs what is to be written, one after the other, and returns once it is committed.

    Of the threads that come, one writes at a time, for itself and for all that wait by then: one
    commit, and so one wait for the disk, serves them all. They queue here and not at the database,
    whose waiting is polling, with pauses of up to a tenth of a second.
    """

    def __init__(self, engine: Engine) -> None:
        """Write into this database."""
        self._engine = engine
        self._waiting: deque[tuple[Work, Future[Any]]] = deque()
        self._turn = Lock()

    def __call__(self, work: Callable[[Connection], Result]) -> Result:
        """Return what `work` returns, or raise what it raises, after its commit or rollback."""
        done: Future[Result] = Future()
        self._waiting.append((work, done))
        with self._turn:
            if not done.done():  # else the one before has written for us
                self._commit([self._waiting.popleft() for _ in range(len(self._waiting))])
        return done.result()

    def _commit(self, batch: Sequence[tuple[Work, Future[Any]]]) -> None:
        try:
            with t.writing(self._engine) as connection:
                if len(batch) == 1:  # the transaction is its own, to be undone as a whole
                    outcomes = [batch[0][0](connection)]
                else:
                    outcomes = [_outcome(connection, work) for work, _ in batch]
        except Exception as error:  # noqa: BLE001 - it is raised where it belongs
            # nothing of these was stored: one by one, the fault stays with whose it is
            if len(batch) == 1:
                batch[0][1].set_exception(error)
            else:
                for one in batch:
                    self._commit([one])
            return
        for (_, done), outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, PinluError):
                done.set_exception(outcome)
            else:
                done.set_result(outcome)


def _outcome(connection: Connection, work: Work) -> Any:
    """Do one work; a refusal undoes this one alone, any other error undoes all."""
    try:
        with connection.begin_nested():
            return work(connection)
    except PinluError as refusal:
        return refusal
