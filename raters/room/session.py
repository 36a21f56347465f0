"""Who is asking: invitation tokens, the cookie, and the check that a request comes from our page."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fastapi import HTTPException, Request, Response
from sqlalchemy import Connection, Engine, Row

from raters import tables as t
from raters.people import hashed, rater_of_session
from raters.protocol import Protocol
from raters.room.writer import Writer
from raters.versions import frozen_as

Result = TypeVar("Result")

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")

FALSE_LINKS = 20
"""How many false links one address may try in `WINDOW` seconds."""

WINDOW = 600.0


@dataclass
class Room:
    """What serving one study needs.

    `write` is by what everything is written; `followed` is the hash of the frozen protocol that was
    seen last; `false_links` maps an address to when it tried false ones.
    """

    study: Path
    protocol: Protocol
    engine: Engine
    write: Writer
    minutes: int
    followed: str | None = None
    false_links: dict[str, deque[float]] = field(default_factory=dict)

    @property
    def cookie(self) -> str:
        """The cookie's name: cookies do not tell ports apart, so studies must."""
        return f"room-{self.protocol.study}"

    def follow(self, connection: Connection, frozen: str | None) -> None:
        """Take over the protocol as it was amended while the server runs.

        `frozen` is the hash under which raters take part. The content is the database's: whoever
        amends may do so on another machine.
        """
        if frozen is None or frozen == self.followed:
            return
        if frozen != self.protocol.hash:
            amended = frozen_as(connection, frozen)
            # who reads from before the change does not bring the old version back
            if amended is None or amended.version < self.protocol.version:
                return
            self.protocol = amended
        self.followed = frozen


def is_token(text: str) -> bool:
    """Tell whether this could be an invitation's token at all."""
    return bool(_TOKEN.fullmatch(text))


def rater_of(request: Request, room: Room) -> Row[Any] | None:
    """Return the rater whose cookie the request carries."""
    if not (secret := _secret_of(request, room)):
        return None
    with t.reading(room.engine) as connection:
        return _rater_of(secret, room, connection)


@contextmanager
def as_rater(request: Request, room: Room) -> Iterator[tuple[Connection, Row[Any]]]:
    """Hold a transaction that reads, with the rater of the request, who is refused where unknown.

    Raises:
        HTTPException: the request has no good cookie.
    """
    secret = secret_needed(request, room)
    with t.reading(room.engine) as connection:
        rater = _rater_of(secret, room, connection)
        if rater is None:
            raise _outside()
        yield connection, rater


def write_as_rater(
    request: Request, room: Room, work: Callable[[Connection, Row[Any]], Result]
) -> Result:
    """Return what `work` returns for the rater of the request, looked up in the same transaction.

    Raises:
        HTTPException: the request has no good cookie, or what ended it was committed before.
    """
    secret = secret_needed(request, room)

    def write(connection: Connection) -> tuple[Result] | None:
        rater = _rater_of(secret, room, connection)
        return None if rater is None else (work(connection, rater),)

    done = room.write(write)
    if done is None:
        raise _outside()
    return done[0]


def secret_needed(request: Request, room: Room) -> str:
    """Return what a request's cookie holds; who has none takes no connection from those who have.

    Raises:
        HTTPException: there is none, or it can be none of ours.
    """
    if not (secret := _secret_of(request, room)):
        raise _outside()
    return secret


def _outside() -> HTTPException:
    return HTTPException(401, "open the link of your invitation first")


def _secret_of(request: Request, room: Room) -> str:
    """Return what a request's cookie holds, "" where it can be none of ours."""
    secret = request.cookies.get(room.cookie, "")
    return secret if is_token(secret) else ""


def _rater_of(secret: str, room: Room, connection: Connection) -> Row[Any] | None:
    rater = rater_of_session(connection, secret)
    if rater is not None:
        room.follow(connection, rater.protocol_hash)
    return rater


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
