"""Who is asking: invitation tokens, the cookie, and the check that a request comes from our page."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import HTTPException, Request, Response
from sqlalchemy import Connection, Engine, Row

from raters import tables as t
from raters.people import hashed, rater_of_session
from raters.protocol import Protocol
from raters.room.writer import Writer

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")

FALSE_LINKS = 20
"""How many false links one address may try in `WINDOW` seconds."""

WINDOW = 600.0


@dataclass
class Room:
    """What serving one study needs.

    `write` is by what everything is written; `false_links` maps an address to when it tried false
    ones.
    """

    study: Path
    protocol: Protocol
    engine: Engine
    write: Writer
    minutes: int
    false_links: dict[str, deque[float]] = field(default_factory=dict)

    @property
    def cookie(self) -> str:
        """The cookie's name: cookies do not tell ports apart, so studies must."""
        return f"room-{self.protocol.study}"


def is_token(text: str) -> bool:
    """Tell whether this could be an invitation's token at all."""
    return bool(_TOKEN.fullmatch(text))


def rater_of(request: Request, room: Room) -> Row[Any] | None:
    """Return the rater whose cookie the request carries."""
    with t.reading(room.engine) as connection:
        return _rater_of(request, room, connection)


@contextmanager
def as_rater(request: Request, room: Room) -> Iterator[tuple[Connection, Row[Any]]]:
    """Hold a transaction that reads, with the rater of the request, who is refused where unknown.

    Raises:
        HTTPException: the request has no good cookie.
    """
    with t.reading(room.engine) as connection:
        rater = _rater_of(request, room, connection)
        if rater is None:
            raise HTTPException(401, "open the link of your invitation first")
        yield connection, rater


def _rater_of(request: Request, room: Room, connection: Connection) -> Row[Any] | None:
    secret = request.cookies.get(room.cookie, "")
    return rater_of_session(connection, secret) if is_token(secret) else None


def rater_needed(room: Room) -> Callable[[Request], Row[Any]]:
    """Return a dependency that gives the rater of a request, or refuses it."""

    def rater_here(request: Request) -> Row[Any]:
        with as_rater(request, room) as (_, rater):
            return rater

    return rater_here


def give_cookie(response: Response, request: Request, room: Room, secret: str) -> None:
    """Set the session's cookie: for this site, out of scripts' reach, for half a year."""
    response.set_cookie(
        room.cookie,
        secret,
        max_age=180 * 24 * 3600,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
        path="/",
    )


def box_of(rater: Row[Any]) -> str:
    """Return what names the storage of a browser in which the room's page keeps a rater's answers."""
    return hashed(f"box {rater.token_hash}")[:16]


def page_token(request: Request, room: Room) -> str:
    """Return what our page must send back with every change: it follows from the cookie."""
    return hashed(f"page {request.cookies.get(room.cookie, '')}")[:32]


def from_our_page(request: Request) -> bool:
    """Tell whether the browser says that a change was asked for by a page of ours."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == request.headers.get("host")
    except ValueError:  # that is no address at all
        return False


def too_many_false(room: Room, address: str) -> bool:
    """Tell whether this address has tried too many false links of late."""
    since = time.monotonic() - WINDOW
    # a copy: other threads add to it meanwhile
    return sum(at >= since for at in tuple(room.false_links.get(address, ()))) >= FALSE_LINKS


def count_false(room: Room, address: str) -> None:
    """Remember a false link of this address."""
    if len(room.false_links) > 10_000:
        room.false_links.clear()
    room.false_links.setdefault(address, deque(maxlen=FALSE_LINKS)).append(time.monotonic())
