"""The rater of the load benchmark goes the way of the room's own page, and counts what happens."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from benchmarks.rooms import Server, by_minute, per_answer
from benchmarks.rooms_page import AHEAD, Tally, rate
from raters import tables as t
from raters.room import create_app
from raters.study import invite, open_study

OURS = {"sec-fetch-site": "same-origin"}

Send = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Between(httpx.AsyncBaseTransport):
    """Between a page and its server: lets through, and notes what is asked."""

    def __init__(self, app: Any, trouble: Callable[[httpx.Request, Send], Any] | None) -> None:
        self.server = httpx.ASGITransport(app=app)
        self.trouble = trouble
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        send = self.server.handle_async_request
        if self.trouble is None:
            return await send(request)
        answer: httpx.Response = await self.trouble(request, send)
        return answer


def go_through(
    study: Path, trouble: Callable[[httpx.Request, Send], Any] | None = None
) -> tuple[Tally, list[httpx.Request]]:
    """Let one rater do a study, without thinking."""
    (link,) = invite(study, 1, base_url="")
    tally = Tally()
    between = Between(create_app(study), trouble)

    async def go() -> None:
        async with httpx.AsyncClient(
            transport=between, base_url="http://testserver", headers=OURS
        ) as client:
            await rate(link, client, 0.0, tally)

    asyncio.run(go())
    return tally, between.asked


@pytest.fixture
def study(make_study: Callable[..., Path]) -> Path:
    return make_study(pairs=None)


def stored(study: Path) -> Counter[str]:
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        return Counter(connection.scalars(select(t.response_event.c.event_id)))


def test_it_sends_as_the_outbox_does_and_fetches_ahead_as_the_page_does(study: Path) -> None:
    tally, asked = go_through(study)
    assert not tally.errors
    assert stored(study) == Counter(dict.fromkeys(tally.sent, 1))
    assert set(tally.acknowledged) == tally.sent
    assert len(tally.seconds) == len(tally.at_once) == len(tally.sent)
    sent = [one for one in asked if one.url.path == "/room/respond"]
    assert {one.url.params["ahead"] for one in sent} == {str(AHEAD)}
    assert all(one.url.params["known"].endswith(("/attribution", "/scales")) for one in sent)
    assert {tuple(json.loads(one.content)) for one in sent} == {("events",)}
    assert len(sent) == tally.requests
    # who does not think is ahead of what is acknowledged, and what has waited goes together
    assert len(sent) < len(tally.sent)
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        a = t.assignment.c
        shown = set(connection.scalars(select(a.first).where(a.block == 0)))
    assert {one.url.path for one in asked if "/media/" in one.url.path} == {
        f"/media/{name}" for name in shown
    }


def test_what_was_not_acknowledged_is_sent_again_with_its_ids(study: Path) -> None:
    answers: list[int] = []

    async def lose_the_first(request: httpx.Request, send: Send) -> httpx.Response:
        answer = await send(request)
        if request.url.path == "/room/respond":
            answers.append(answer.status_code)
            if len(answers) == 1:
                raise httpx.ReadError("cut short", request=request)
        return answer

    tally, _ = go_through(study, lose_the_first)
    assert tally.resent == 1
    assert not tally.errors
    assert stored(study) == Counter(dict.fromkeys(tally.sent, 1))
    assert 0 < len(tally.at_once) < len(tally.seconds)


def test_what_was_sent_again_is_counted_also_where_the_server_then_refuses(study: Path) -> None:
    answers: list[int] = []

    async def lose_then_refuse(request: httpx.Request, send: Send) -> httpx.Response:
        if request.url.path != "/room/respond":
            return await send(request)
        answers.append(len(answers))
        if len(answers) == 1:
            raise httpx.ConnectError("down", request=request)
        return httpx.Response(409, json={"error": "closed"}, request=request)

    tally, _ = go_through(study, lose_then_refuse)
    assert tally.resent == 1
    assert dict(tally.errors) == {"409 POST room": 1}
    assert not tally.acknowledged
    assert not stored(study)


def test_a_killed_servers_time_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(server: Server) -> None:
        server.process = subprocess.Popen([sys.executable, "-c", "while True: pass"])

    monkeypatch.setattr(Server, "start", start)
    server = Server(tmp_path)
    while server.busy() < 0.1:
        pass
    server.kill()
    killed = server.before
    assert killed >= 0.1
    server.start()
    try:
        assert server.busy() >= killed
    finally:
        server.kill()


def test_a_minute_without_answers_keeps_its_place_and_no_answer_divides_by_none() -> None:
    tally = Tally(seconds=[0.1, 0.3], ended=[110.0, 250.0])
    first, empty, last = by_minute(tally, 100.0)
    assert (first, last) == (100.0, 300.0)
    assert math.isnan(empty)
    assert by_minute(Tally(), 0.0) == []
    assert math.isnan(per_answer(1.0, 0))
    assert per_answer(1.0, 4) == 250.0
