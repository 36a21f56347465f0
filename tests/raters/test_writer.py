"""Many write at once: one commit serves all that wait, and a fault stays with whose it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, select

from bench.errors import ConflictError
from raters import tables as t
from raters.room.writer import Writer
from raters.study import open_study

OTHERS = 12


def together(write: Writer, works: list[Callable[[Connection], Any]]) -> list[Future[Any]]:
    """Let works wait for one that takes its time, so that they are one batch after it."""
    began, go = threading.Event(), threading.Event()

    def slow(_: Connection) -> str:
        began.set()
        assert go.wait(30)
        return "slow"

    with ThreadPoolExecutor(len(works) + 1) as pool:
        first = pool.submit(write, slow)
        assert began.wait(30)
        told = [pool.submit(write, work) for work in works]
        while len(write._waiting) < len(works):
            pass
        go.set()
    assert first.result() == "slow"
    return told


def noted(name: str) -> Callable[[Connection], str]:
    def work(connection: Connection) -> str:
        t.note(connection, "test", name)
        return name

    return work


def test_what_waits_is_committed_at_once_and_each_gets_its_own(study_on_both: Path) -> None:
    with open_study(study_on_both) as (_, engine):
        commits: list[int] = []
        event.listen(engine, "commit", lambda _: commits.append(1))
        told = together(Writer(engine), [noted(str(number)) for number in range(OTHERS)])
        assert [one.result() for one in told] == [str(number) for number in range(OTHERS)]
        assert len(commits) == 2
        with t.reading(engine) as connection:
            rows = connection.scalars(select(t.audit.c.detail).where(t.audit.c.action == "test"))
            assert sorted(rows, key=int) == [str(number) for number in range(OTHERS)]
            assert t.broken_line(connection) is None


@pytest.mark.parametrize("error", [ConflictError("no"), ZeroDivisionError("a fault")])
def test_what_fails_takes_nobody_elses_with_it(study_on_both: Path, error: Exception) -> None:
    def fails(connection: Connection) -> None:
        t.note(connection, "test", "never")
        raise error

    with open_study(study_on_both) as (_, engine):
        told = together(Writer(engine), [noted("one"), fails, noted("two")])
        assert (told[0].result(), told[2].result()) == ("one", "two")
        assert told[1].exception() is error
        with t.reading(engine) as connection:
            rows = connection.scalars(select(t.audit.c.detail).where(t.audit.c.action == "test"))
            assert sorted(rows) == ["one", "two"]
        assert Writer(engine)(noted("three")) == "three"
