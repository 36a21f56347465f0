"""A rater's page without a browser: it looks ahead, fetches pictures and sends as the room's own.

What `room.js`, `media.js` and `outbox.js` do on the way of an answer, and nothing of what is seen:
twenty steps are known ahead and told ahead once, their pictures come three at a time, the page goes on at
once, and what was answered meanwhile goes into one request, again and again until it is acknowledged.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

AHEAD = 20
PICTURES_AT_ONCE = 3
EVENTS_AT_ONCE = 50
CONNECTIONS = 6
"""What browsers open to one host."""


@dataclass
class Tally:
    """What happened: acknowledged events, seconds from submit to acknowledged, and the rest.

    `ended` says on the clock when each of `seconds` was over, `at_once` are those of answers that
    were under way while nothing was sent again;
    `resent` counts requests with answers that were.
    """

    acknowledged: dict[str, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    at_once: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    resent: int = 0
    media: int = 0
    going: bool = True
    megabytes: list[float] = field(default_factory=list)
    sent: set[str] = field(default_factory=set)


class Page:
    """One rater's page: where the rater is by the server's word, what waits to be sent, pictures."""

    def __init__(self, client: httpx.AsyncClient, tally: Tally) -> None:
        self.client, self.tally = client, tally
        self.state: dict[str, Any] = {"assignment": "", "ahead": []}
        self.token = ""
        self.outbox: dict[str, dict[str, Any]] = {}
        self.submitted: dict[str, tuple[float, int]] = {}
        self.sending: asyncio.Task[None] | None = None
        self.pictures: dict[str, asyncio.Task[None]] = {}
        self.places = asyncio.Semaphore(PICTURES_AT_ONCE)
        self.resent = 0
        self.refused = False

    async def ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Ask until there is an answer; a server that is down is asked again."""
        while True:
            try:
                answer = await self.client.request(method, path, **content)
            except httpx.TransportError:
                self.resent += path.startswith("/room/respond")
                await asyncio.sleep(0.3)
                continue
            if answer.status_code >= 400:
                self.tally.errors[f"{answer.status_code} {method} {path.split('/')[1]}"] += 1
            return answer

    async def come_in(self, link: str) -> None:
        # the form's name lets it be sent again where the answer was lost
        await self.ask("POST", link, data={"consent": "yes", "form": secrets.token_urlsafe(16)})
        self.token = (await self.ask("GET", "/room/setup")).json()["token"]
        await self.ask_state()

    def waiting(self) -> list[dict[str, Any]]:
        """Return the steps still to be answered, in order."""
        here = [self.state] if self.state["assignment"] else []
        answered = {(one["assignment"], one["phase"]) for one in self.outbox.values()}
        steps = [*here, *self.state["ahead"]]
        return [step for step in steps if (step["assignment"], step["phase"]) not in answered]

    def fetch_ahead(self) -> None:
        """Fetch the pictures of what is to come, in its order, and let the others go."""
        coming = [one["id"] for step in self.waiting() for one in step["stimuli"]]
        for gone in set(self.pictures) - set(coming):
            self.pictures.pop(gone).cancel()
        for name in coming:
            if name not in self.pictures:
                self.pictures[name] = asyncio.create_task(self.fetch(name))

    async def fetch(self, name: str) -> None:
        async with self.places:
            await self.ask("GET", f"/media/{name}")
        self.tally.media += 1

    async def see(self, step: dict[str, Any]) -> None:
        """Wait until a step's pictures are there."""
        await asyncio.gather(*(self.pictures[one["id"]] for one in step["stimuli"]))

    def submit(self, step: dict[str, Any]) -> None:
        """Put an answer into the outbox, and have it sent."""
        event = str(uuid.uuid4())
        self.outbox[event] = {
            "assignment": step["assignment"],
            "event_id": event,
            "phase": step["phase"],
            "payload": payload(step),
            "language": "zh",
            "client_time": "2026-01-01T00:00:00Z",
            "shown": {"milliseconds": 1000, "width": 1280, "height": 800},
        }
        self.tally.sent.add(event)
        self.submitted[event] = (time.perf_counter(), self.resent)
        if self.sending is None or self.sending.done():
            self.sending = asyncio.create_task(self.flush())

    async def flush(self) -> None:
        """Send what waits until nothing does; a server's refusal ends this rater's work."""
        while self.outbox:
            events = list(self.outbox.values())[:EVENTS_AT_ONCE]
            answer = await self.ask(
                "POST",
                f"/room/respond?ahead={AHEAD}&known={self.last_known()}",
                json={"events": events},
                headers={"x-room-token": self.token},
            )
            self.tally.requests += 1
            if answer.status_code != 200:
                self.refused = True
                return
            told = answer.json()
            for one in told["acknowledged"]:
                self.arrived(one["event_id"], one["number"])
            for one in told["refused"]:
                self.tally.errors[f"{one['status']} event"] += 1
            for event in events:
                del self.outbox[event["event_id"]]
            await self.arrive(told["state"])

    async def ask_state(self) -> None:
        answer = await self.ask("GET", f"/room/state?ahead={AHEAD}")
        self.refused = answer.status_code != 200
        if not self.refused:
            await self.arrive(answer.json())

    async def arrive(self, told: dict[str, Any] | None) -> None:
        """Take in where the rater is; steps that are only named are those that are known."""
        before = {name_of(step): step for step in [self.state, *self.state["ahead"]]}
        if told is None or not set(told["known"]) <= set(before):
            await self.ask_state()
            return
        self.state = {**told, "ahead": [*(before[name] for name in told["known"]), *told["ahead"]]}
        self.fetch_ahead()

    def last_known(self) -> str:
        last = (self.state["ahead"] or [self.state])[-1]
        return name_of(last) if last["assignment"] else ""

    def arrived(self, event: str, number: int) -> None:
        began, resent = self.submitted.pop(event)
        self.tally.acknowledged[event] = number
        self.tally.ended.append(time.perf_counter())
        self.tally.seconds.append(self.tally.ended[-1] - began)
        if self.resent == resent:
            self.tally.at_once.append(self.tally.seconds[-1])

    async def leave(self) -> None:
        """Go once everything was sent."""
        if self.sending:
            await self.sending
        for one in self.pictures.values():
            one.cancel()
        await asyncio.gather(*self.pictures.values(), return_exceptions=True)


def name_of(step: dict[str, Any]) -> str:
    return f"{step['assignment']}/{step.get('phase')}"


def payload(step: dict[str, Any]) -> dict[str, Any]:
    if step["phase"] == "attribution":
        return {"manner": random.choice(["chinese", "western"]), "things": "other"}  # noqa: S311
    return {"scales": {name: random.randint(1, 5) for name in step["scales"]}}  # noqa: S311


async def rate(link: str, client: httpx.AsyncClient, think: float, tally: Tally) -> None:
    """Be one rater: look, think, answer and go on, until the end or until the time is up."""
    page = Page(client, tally)
    try:
        await asyncio.sleep(random.random() * think)  # noqa: S311
        await page.come_in(link)
        while tally.going and not page.refused:
            steps = page.waiting()
            if steps:
                await page.see(steps[0])
                await asyncio.sleep(random.uniform(0.5, 1.5) * think)  # noqa: S311
                page.submit(steps[0])
            elif page.outbox and page.sending:
                await page.sending
            else:
                break
        await page.leave()
    finally:
        tally.resent += page.resent
