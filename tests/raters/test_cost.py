"""What an answer and a picture ask of the database, counted: round trips that creep back in are seen."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event

from raters.planned import planned
from raters.room import create_app
from raters.room.writer import Writer
from raters.study import invite, open_study
from raters.tables import reading
from tests.raters import test_contract
from tests.raters.test_room import PAYLOADS, Visitor


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect what is asked of any database meanwhile, the begin of transactions included."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def answer_to(step: dict[str, Any]) -> dict[str, Any]:
    return test_contract.event(step, payload=PAYLOADS[step["phase"]])


@pytest.fixture
def visitor(study: Path) -> Iterator[Visitor]:
    (link,) = invite(study, 1, base_url="")
    with TestClient(create_app(study)) as client:
        visitor = Visitor(client, link)
        visitor.enter()
        yield visitor


def test_an_answer_asks_little_of_the_database_also_after_many(visitor: Visitor) -> None:
    state = visitor.state()
    counts = []
    while state["assignment"]:
        with statements() as asked:
            told = test_contract.post(visitor, {"events": [answer_to(state)]}).json()
        counts.append(len(asked))
        assert told["refused"] == []
        state = told["state"]
    # begin, who asks, the rater, the events, the answer, its display; of phase two the first
    assert max(counts) <= 7, asked
    assert len(counts) > 51


def test_answers_that_go_together_cost_one_statement_each(visitor: Visitor) -> None:
    state = visitor.state()
    events = [answer_to(step) for step in [state, *state["ahead"]]]
    with statements() as asked:
        told = test_contract.post(visitor, {"events": events}).json()
    assert len(told["acknowledged"]) == len(events) == 9
    assert len(asked) <= 6 + len(events), asked


def test_a_picture_asks_who_wants_it_and_no_more(visitor: Visitor) -> None:
    (one,) = visitor.state()["stimuli"]
    with statements() as asked:
        assert visitor.client.get(f"/media/{one['id']}").status_code == 200
    assert len(asked) == 2, asked


def test_what_is_planned_is_read_once_shared_and_bounded(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raters.planned.BLOCKS_MOST", 2)
    with open_study(study) as (_, engine), reading(engine) as connection:
        one, two = planned(connection, 0), planned(connection, 1)
        with statements() as asked:
            assert planned(connection, 0) is one
            assert planned(connection, None).assignments == ()
        assert asked == []
        both = set(one.shown) & set(two.shown)
        assert both
        assert all(one.shown[name] is two.shown[name] for name in both)
        # a third takes the place of the oldest; a block that is not planned yet is not kept
        assert not planned(connection, 999).assignments
        planned(connection, 2)
        assert planned(connection, 1) is two
        assert planned(connection, 0) is not one
        assert planned(connection, 0).assignments == one.assignments


def test_who_has_no_cookie_asks_nothing_of_the_database(study: Path) -> None:
    with TestClient(create_app(study)) as client, statements() as asked:
        for path in ("/media/0000000000000000", "/room/state", "/room/setup"):
            assert client.get(path).status_code == 401
        assert client.get("/").status_code == 200
        assert client.get("/rate/", follow_redirects=False).status_code == 303
        assert asked == []


def test_two_raters_who_wait_cost_a_savepoint_each_and_one_commit(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writers: list[Writer] = []

    def kept(engine: Engine) -> Writer:
        writers.append(Writer(engine))
        return writers[-1]

    monkeypatch.setattr("raters.room.app.Writer", kept)
    links = invite(study, 2, base_url="")
    app = create_app(study)
    with TestClient(app) as one, TestClient(app) as two, ThreadPoolExecutor(2) as pool:
        visitors = [Visitor(client, link) for client, link in zip((one, two), links, strict=True)]
        for visitor in visitors:
            visitor.enter()
        states = [visitor.state() for visitor in visitors]
        (writer,) = writers
        with statements() as asked:
            with writer._turn:  # as who writes has it: those who come wait together
                told = [
                    pool.submit(test_contract.post, visitor, answer_to(state))
                    for visitor, state in zip(visitors, states, strict=True)
                ]
                while len(writer._waiting) < len(visitors):
                    pass
            assert [one.result().status_code for one in told] == [200, 200]
    assert sum(one.startswith("SAVEPOINT") for one in asked) == 2
    # begin, and of each what an answer asks by itself between its savepoint and its release
    assert len(asked) <= 1 + 2 * (6 + 2), asked
