"""Nonsense from a seeded generator at every route: a plain sentence each time, and nothing stored.

The default is what a test run can bear; PINLU_FUZZ=10000 asks for as many requests.
"""

from __future__ import annotations

import json
import os
import random
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from raters import tables as t
from raters.invitations import revoke
from raters.room import create_app
from raters.study import invite, open_study, withdraw
from tests.raters.material import UNSPEAKABLE

REQUESTS = int(os.environ.get("PINLU_FUZZ", "400"))
OURS = {"sec-fetch-site": "same-origin"}

TEXTS = (
    "", "zh", "en", "null", "\x00", "\ud83d\ude00", "=1+1", "<script>", "../../etc/passwd", "%00",
    "%2e%2e%2f", "a" * 5000, "r001", "attribution", "scales", "pair", "chinese", "'; DROP TABLE x;",
    "-1", "1e999", "０１２", "\u202e", "\r\nSet-Cookie: x=1", "\ud800",
)  # fmt: skip
NUMBERS = (0, -1, 1, 3, 5, 6, 2**31, 2**63, 2**70, 1.5, 1e308, True, None)
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE")


class Nonsense:
    """Requests drawn at random around what a true page would send."""

    def __init__(self, seed: int, state: dict[str, Any], token: str, link: str) -> None:
        self.draw = random.Random(seed)  # noqa: S311
        self.state, self.token, self.link = state, token, link

    def path(self) -> str:
        one = self.draw.choice
        stimulus = self.state["stimuli"][0]["id"]
        fixed = [
            "/", "/room/setup", "/room/state", "/room/respond", "/room/language", "/leave",
            "/rate/", "/rate/config", "/room/page/room.js", "/media/", self.link, "/nothing",
        ]  # fmt: skip
        made = [
            f"/media/{one((stimulus, '0' * 16, 'x'))}",
            f"/i/{self.draw.randbytes(16).hex()}",
            f"/room/state?at={self.word()}&ahead={self.word()}",
            f"/room/respond?ahead={self.word()}",
            f"/room/respond?ahead=20&known={self.word()}",
            f"/room/page/{self.word()}",
            f"/media/{self.word()}",
            f"/i/{self.word()}",
            f"/{self.word()}",
        ]
        return one(fixed + made)

    def word(self) -> str:
        text = self.draw.choice(TEXTS).encode("utf-8", "replace")[:200]
        return "".join(f"%{byte:02x}" if not chr(byte).isalnum() else chr(byte) for byte in text)

    def value(self, depth: int = 0) -> Any:
        kind = self.draw.random()
        if depth > 2 or kind < 0.4:
            return self.draw.choice(TEXTS)
        if kind < 0.7:
            return self.draw.choice(NUMBERS)
        if kind < 0.85:
            return [self.value(depth + 1) for _ in range(self.draw.randrange(4))]
        return {self.draw.choice(TEXTS): self.value(depth + 1) for _ in range(3)}

    def event(self) -> dict[str, Any]:
        """An answer with at least one thing wrong: none of these may be stored."""
        content = {
            "assignment": self.state["assignment"],
            "event_id": str(uuid.UUID(bytes=self.draw.randbytes(16), version=4)),
            "phase": self.state["phase"],
            "payload": {"manner": "chinese", "things": "chinese"},
            "language": "zh",
            "client_time": "1970-01-01T00:00:00Z",
        }
        for name in self.draw.sample(sorted(content), self.draw.randint(1, 3)):
            if self.draw.random() < 0.2:
                del content[name]
            else:
                content[name] = self.value()
        # a client's clock may say any time
        return {**content, "payload": self.value()}

    def body(self) -> bytes:
        kind = self.draw.random()
        if kind < 0.1:
            return self.draw.randbytes(self.draw.randrange(300))
        if kind < 0.15:
            return b"[" * 60_000
        if kind < 0.2:
            return b"x" * 70_000
        if kind < 0.7:
            content: Any = self.event()
        elif kind < 0.85:
            content = {"events": [self.event() for _ in range(self.draw.randrange(4))]}
        else:
            content = self.value()
        return json.dumps(content).encode()

    def headers(self) -> dict[str, str]:
        """Mostly those of our page: what is refused at the door tells little of the room."""
        headers = {**OURS, "x-room-token": self.token, "accept-language": "en"}
        if self.draw.random() < 0.2:
            headers |= {
                "range": self.draw.choice(("bytes=-0", "bytes=9-1", "bytes=99999999-", "x"))
            }
        if self.draw.random() < 0.1:
            headers |= {"content-length": self.draw.choice(("-1", "x", "99999999999"))}
        if self.draw.random() < 0.1:
            headers |= {"x-room-token": "0" * 32}
        return headers


@pytest.fixture
def study(study_on_both: Path) -> Path:
    """Nonsense meets SQLite and PostgreSQL."""
    return study_on_both


@pytest.fixture
def room(study: Path) -> Iterator[tuple[TestClient, dict[str, Any], str, str]]:
    (link,) = invite(study, 1, base_url="")
    with TestClient(create_app(study)) as client:
        client.post(link, data={"consent": "yes"}, headers=OURS)
        token = client.get("/room/setup").json()["token"]
        yield client, client.get("/room/state").json(), token, link


def responses(study: Path) -> int:
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        return int(connection.scalar(select(func.count()).select_from(t.response_event)) or 0)


def test_nonsense_gets_a_plain_sentence_and_stores_nothing(
    room: tuple[TestClient, dict[str, Any], str, str], study: Path
) -> None:
    client, state, token, link = room
    nonsense = Nonsense(7, state, token, link)
    refused = 0
    for number in range(REQUESTS):
        method, path = nonsense.draw.choice(METHODS), nonsense.path()
        if method == "POST" and path == link:
            continue  # coming in is no nonsense
        answer = client.request(
            method,
            path,
            content=nonsense.body(),
            headers=nonsense.headers(),
            follow_redirects=False,
        )
        what = f"request {number}: {method} {path}: {answer.status_code} {answer.text[:200]}"
        assert answer.status_code < 500, what
        assert "Traceback" not in answer.text, what
        assert not any(name in answer.text for name in UNSPEAKABLE), what
        if (
            answer.status_code >= 400
            and path.startswith(("/room/", "/media/"))
            and method != "HEAD"
        ):
            refused += 1
            # a range that a file does not have is refused by headers, or in plain text
            if answer.status_code != 416 and not path.startswith("/room/page/"):
                assert set(answer.json()) == {"error"}, what
        assert "x=1" not in answer.headers.get("set-cookie", ""), what
    assert refused > REQUESTS / 10
    assert responses(study) == 0
    assert client.get("/room/state").json()["assignment"] == state["assignment"]


@pytest.mark.parametrize("name", ["\ud800", "\x00", "x" * 40_000, 7, None, ["a"]])
def test_an_events_name_that_is_none_takes_no_other_event_down(
    room: tuple[TestClient, dict[str, Any], str, str], study: Path, name: Any
) -> None:
    client, state, token, _ = room
    good = {
        "assignment": state["assignment"],
        "event_id": str(uuid.uuid4()),
        "phase": state["phase"],
        "payload": {"manner": "chinese", "things": "other"},
        "language": "zh",
        "client_time": "2026-01-01T00:00:00Z",
    }
    answer = client.post(
        "/room/respond",
        content=json.dumps({"events": [good, {**good, "event_id": name}]}),
        headers={**OURS, "x-room-token": token},
    )
    assert answer.status_code == 200
    assert [one["event_id"] for one in answer.json()["acknowledged"]] == [good["event_id"]]
    (refused,) = answer.json()["refused"]
    assert (refused["event_id"], refused["status"]) == (None, 400)
    assert responses(study) == 1


@pytest.mark.parametrize("name", ["%00", "%ed%a0%80", "x", "0" * 33, "A" * 16, "%EF%BC%90" * 16])
def test_what_can_name_no_picture_is_not_found(
    room: tuple[TestClient, dict[str, Any], str, str], name: str
) -> None:
    answer = room[0].get(f"/media/{name}")
    assert (answer.status_code, answer.json()) == (404, {"error": "there is no such picture"})


def test_two_clicks_and_two_tabs_at_once_store_one_answer(
    room: tuple[TestClient, dict[str, Any], str, str], study: Path
) -> None:
    client, state, token, _ = room
    event = {
        "assignment": state["assignment"],
        "event_id": str(uuid.uuid4()),
        "phase": state["phase"],
        "payload": {"manner": "chinese", "things": "other"},
        "language": "zh",
        "client_time": "2199-01-01T00:00:00Z",
    }
    answers: list[Any] = []

    def click() -> None:
        headers = {**OURS, "x-room-token": token}
        answers.append(client.post("/room/respond", json=event, headers=headers).json())

    clicks = [threading.Thread(target=click) for _ in range(8)]
    for one in clicks:
        one.start()
    for one in clicks:
        one.join()
    assert len(answers) == 8
    assert len({json.dumps(one["acknowledged"]) for one in answers}) == 1
    assert responses(study) == 1


def test_a_link_that_is_replayed_opens_nobody_elses_room(study: Path) -> None:
    links = invite(study, 2, base_url="")
    with TestClient(create_app(study)) as one, TestClient(create_app(study)) as two:
        one.post(links[0], data={"consent": "yes"}, headers=OURS)
        two.post(links[1], data={"consent": "yes"}, headers=OURS)
        theirs = two.get("/room/state").json()
        # replayed in the browser that it opened it leads to the same place, and never to another's
        assert one.post(links[0], data={"consent": "yes"}, headers=OURS).status_code == 200
        own = one.get("/room/state").json()
        assert own["assignment"] != theirs["assignment"]
        refused = one.get(f"/room/state?at={theirs['assignment']}")
        assert refused.status_code == 400
        for path in (links[0][:-1], links[0] + "x", links[0].swapcase()):
            assert one.post(path, data={"consent": "yes"}, headers=OURS).status_code == 404
        revoke(study, links[0], "lost")
        withdraw(study, links[1])
        for client, link in ((one, links[0]), (two, links[1])):
            assert client.post(link, data={"consent": "yes"}, headers=OURS).status_code == 404
            assert client.get("/room/state").status_code == 401
