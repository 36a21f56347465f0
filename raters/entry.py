"""How a rater comes in: once by the link, and back by a code of their own or by a new link.

A link that was used opens nothing more: whoever finds it in a chat or a history stays outside. The
browser that it opened keeps its session. To go on elsewhere a rater asks the room for a code; who
has lost the session and can make none is sent a new link by the organiser.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, insert, select, update

from raters import tables as t
from raters.people import hashed, open_session
from raters.tables import now

CODE_HOURS = 24
FORM_MINUTES = 10
"""How long one form may be sent again: a double click, an answer that was lost on its way."""

LINK, CODE, FORM = "link", "code", "form"

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U
_CODE_LENGTH = 12
_READ_AS = str.maketrans("OIL", "011")


@dataclass(frozen=True, slots=True)
class Way:
    """A link or a code that was told: whose it is, and whether it opens the room."""

    rater: Row[Any]
    secret_hash: str
    state: Literal["open", "used", "expired"]
    invitation: bool
    """It is the link of the invitation, not a later one and no code."""


def way_of_link(connection: Connection, token: str) -> Way | None:
    """Return whose link this is, None for a false one, and for who was revoked or has withdrawn."""
    told = hashed(token)
    rater = connection.execute(select(t.rater).where(t.rater.c.token_hash == told)).first()
    if rater is None:
        return _way_back(connection, told, LINK)
    if rater.withdrawn_at or rater.revoked_at:
        return None
    w = t.way_back.c
    later = connection.scalar(
        select(w.secret_hash).where(w.rater == rater.id, w.kind == LINK).limit(1)
    )
    used = rater.started_at is not None or later is not None
    return Way(rater, told, "used" if used else _state(rater.expires_at), invitation=True)


def way_of_code(connection: Connection, code: str) -> Way | None:
    """Return whose code this is, as a rater types it, or None."""
    return _way_back(connection, hashed(_plain(code)), CODE)


def exchange(connection: Connection, way: Way, form: str) -> str | None:
    """Use a way up and return the secret of the session that it opens; None where it opens none.

    `form` is a random name of the page's form that was sent; the same form may be sent again for
    some minutes. `way` must have been looked up in the same transaction.
    """
    w = t.way_back.c
    formed = hashed(f"{way.secret_hash} {form}")
    if way.state == "used" and form:
        sent = select(w.expires_at).where(w.secret_hash == formed, w.kind == FORM)
        if _state(connection.scalar(sent) or "") == "open":
            return open_session(connection, way.rater.id)
    if way.state != "open":
        return None
    if not way.invitation:
        connection.execute(
            update(t.way_back).where(w.secret_hash == way.secret_hash).values(used_at=now())
        )
    if form:
        _add(connection, way.rater.id, FORM, formed, timedelta(minutes=FORM_MINUTES))
    return open_session(connection, way.rater.id)


def make_code(connection: Connection, rater: str) -> str:
    """Return a new code by which a rater comes in elsewhere, once; an earlier one is void."""
    _forget(connection, rater, CODE)
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))
    _add(connection, rater, CODE, hashed(code), timedelta(hours=CODE_HOURS))
    return "-".join(code[start : start + 4] for start in range(0, _CODE_LENGTH, 4))


def add_link(connection: Connection, rater: str, token: str, ends: timedelta | None) -> None:
    """Add a new link for a rater; every earlier link is void from now on."""
    w = t.way_back.c
    connection.execute(
        update(t.way_back)
        .where(w.rater == rater, w.kind == LINK, w.used_at.is_(None))
        .values(used_at=now())
    )
    _add(connection, rater, LINK, hashed(token), ends)


def _plain(code: str) -> str:
    """Return a code as it was made, however it was typed."""
    return "".join(filter(str.isalnum, code.upper().translate(_READ_AS)))


def _way_back(connection: Connection, told: str, kind: str) -> Way | None:
    w = t.way_back.c
    found = connection.execute(
        select(w.expires_at, w.used_at, w.rater).where(w.secret_hash == told, w.kind == kind)
    ).first()
    if found is None:
        return None
    rater = connection.execute(select(t.rater).where(t.rater.c.id == found.rater)).one()
    if rater.withdrawn_at or rater.revoked_at:
        return None
    state = "used" if found.used_at else _state(found.expires_at)
    return Way(rater, told, state, invitation=False)


def _state(expires_at: str | None) -> Literal["open", "expired"]:
    return "open" if expires_at is None or now() < expires_at else "expired"


def _add(
    connection: Connection, rater: str, kind: str, secret_hash: str, lasts: timedelta | None
) -> None:
    ends = lasts and (datetime.now(UTC) + lasts).isoformat(timespec="milliseconds")
    connection.execute(
        insert(t.way_back).values(
            secret_hash=secret_hash, rater=rater, kind=kind, created_at=now(), expires_at=ends
        )
    )


def _forget(connection: Connection, rater: str, kind: str) -> None:
    w = t.way_back.c
    connection.execute(delete(t.way_back).where(w.rater == rater, w.kind == kind))
