"""Raters in the database: enrolment, invitations, sessions, consent, withdrawal."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any

import numpy as np
from sqlalchemy import Connection, Label, Row, bindparam, func, insert, select, update

from bench.errors import ConflictError, RequestError
from raters import tables as t
from raters.protocol import Protocol
from raters.tables import note, now, setting
from raters.versions import check_frozen, freeze

CLOSED = "this study is closed"


def _meta(key: str) -> Label[Any]:
    """A column of what stands under a key of the study as a whole, None where nothing does."""
    return select(t.meta.c.value).where(t.meta.c.key == key).scalar_subquery().label(key)


def hashed(secret: str) -> str:
    """Return what is stored of a token or a session's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def receipt(rater: Row[Any]) -> str:
    """Return the code that a rater keeps and an organiser can check, such as `K7QM-2XRA`."""
    digest = hashlib.sha256(f"receipt {rater.id} {rater.token_hash}".encode()).digest()
    code = base64.b32encode(digest)[:8].decode()
    return f"{code[:4]}-{code[4:]}"


def pseudonym_of(connection: Connection, told: str) -> str:
    """Return the pseudonym of a rater told by it, by the receipt's code or by a link."""
    token = told.split("?", maxsplit=1)[0].rstrip("/").rsplit("/", maxsplit=1)[-1]
    token_hash = hashed(token)
    w = t.way_back.c
    later = connection.scalar(select(w.rater).where(w.secret_hash == token_hash))
    if later is not None:
        return str(later)
    for rater in connection.execute(select(t.rater)):
        if told in {rater.id, receipt(rater)} or rater.token_hash == token_hash:
            return str(rater.id)
    return told


def label_order(protocol: Protocol, token: str) -> list[str]:
    """Return the traditions in the order in which a rater is offered them: it follows from the token.

    `other` and `cannot_tell` stay last: they are what is left when nothing before them fits.
    """
    rng = np.random.default_rng(list(hashed(f"labels {token}").encode()))
    labels = protocol.substantive_labels
    return [labels[index] for index in rng.permutation(len(labels))]


def enrol(
    connection: Connection,
    block: int,
    protocol: Protocol,
    *,
    token: str,
    group: str,
    simulated: bool,
    language: str = "",
    expires_at: str | None = None,
) -> str:
    """Add a rater for a block and return the pseudonym; `language` is "" until it is known."""
    number = (connection.scalar(select(func.count()).select_from(t.rater)) or 0) + 1
    pseudonym = f"r{number:03}"
    connection.execute(
        insert(t.rater).values(
            id=pseudonym,
            block=block,
            token_hash=hashed(token),
            rater_group=group,
            simulated=simulated,
            room_language=language,
            label_order=label_order(protocol, token),
            created_at=now(),
            expires_at=expires_at,
        )
    )
    return pseudonym


def open_session(connection: Connection, rater: str) -> str:
    """Return the secret of a new session: what the cookie holds."""
    secret = secrets.token_urlsafe(32)
    connection.execute(
        insert(t.session).values(secret_hash=hashed(secret), rater=rater, created_at=now())
    )
    return secret


_OF_SESSION = (
    select(t.rater, _meta("protocol_hash"))
    .join(t.session)
    .where(t.session.c.secret_hash == bindparam("of"))
)


def rater_of_session(connection: Connection, secret: str) -> Row[Any] | None:
    """Return the rater of a session, None for a false one; revoking and withdrawing end them.

    With the row comes `protocol_hash`, None before the first rater has started.
    """
    found = connection.execute(_OF_SESSION, {"of": hashed(secret)}).first()
    return found if found and not found.withdrawn_at else None


def close_door(connection: Connection, rater: str) -> None:
    """End a rater's sessions, and every way back into the room."""
    connection.execute(t.session.delete().where(t.session.c.rater == rater))
    connection.execute(t.way_back.delete().where(t.way_back.c.rater == rater))


def start(connection: Connection, rater: str, protocol: Protocol) -> None:
    """Record that a rater agreed to take part; the first one freezes the protocol.

    Raises:
        ConflictError: the study is closed, or `study.yaml` was changed after the first start.
    """
    check_frozen(connection, protocol)
    refuse_closed(connection)
    freeze(connection, protocol)
    began = connection.execute(
        update(t.rater)
        .where(t.rater.c.id == rater, t.rater.c.started_at.is_(None))
        .values(started_at=now())
    )
    if began.rowcount:
        note(connection, "started", rater)


def refuse_closed(connection: Connection) -> None:
    """Refuse whatever comes after `lock`."""
    if setting(connection, "locked_at") is not None:
        raise ConflictError(CLOSED)


_TAKING_PART = select(t.rater, _meta("locked_at")).where(t.rater.c.id == bindparam("of"))


def taking_part(connection: Connection, rater: str) -> Row[Any]:
    """Return a rater's row with `locked_at`, None while the study is open.

    Raises:
        ConflictError: the rater has not agreed to take part, or has withdrawn.
    """
    row = connection.execute(_TAKING_PART, {"of": rater}).first()
    if row is None or row.withdrawn_at:
        raise ConflictError("this rater has withdrawn")
    if row.started_at is None:
        raise ConflictError("this rater has not agreed to take part yet")
    return row


def speak(connection: Connection, rater: str, language: str, protocol: Protocol) -> None:
    """Record in which language a rater wants the room."""
    if language not in protocol.languages:
        raise RequestError(f"this study's languages are {', '.join(protocol.languages)}")
    connection.execute(update(t.rater).where(t.rater.c.id == rater).values(room_language=language))


def known(connection: Connection, told: str) -> Row[Any]:
    """Return a rater's row, told by pseudonym, receipt or link.

    Raises:
        RequestError: there is no such rater.
    """
    pseudonym = pseudonym_of(connection, told)
    row = connection.execute(select(t.rater).where(t.rater.c.id == pseudonym)).first()
    if row is None:
        raise RequestError(f"there is no rater {told!r}: `status` lists the pseudonyms")
    return row


def revoke_invitation(connection: Connection, rater: Row[Any], reason: str) -> None:
    """Make a link useless and end its sessions; what was answered stays.

    Who has not started leaves the block to another rater.

    Raises:
        ConflictError: it was revoked before, or the rater has withdrawn.
    """
    for at, what in ((rater.revoked_at, "been revoked"), (rater.withdrawn_at, "withdrawn")):
        if at:
            raise ConflictError(f"{rater.id} has {what} already, on {at[:10]}")
    block = rater.block if rater.started_at else None
    connection.execute(
        update(t.rater).where(t.rater.c.id == rater.id).values(revoked_at=now(), block=block)
    )
    close_door(connection, rater.id)
    note(connection, "revoked", f"{rater.id}: {reason}")


def erase(connection: Connection, rater: str, reason: str = "") -> int:
    """Erase what a rater answered, end all sessions, and return how many events were emptied.

    Of each event a row stays that says when it came and to which phase; what was answered, how it
    was looked at, and what the rater said of themselves is gone.

    Raises:
        RequestError: there is no such rater.
        ConflictError: the rater has withdrawn before.
    """
    row = known(connection, rater)
    if row.withdrawn_at:
        raise ConflictError(f"rater {row.id} has withdrawn already, on {row.withdrawn_at[:10]}")
    # the hash goes too: a payload has so few values that it could be guessed from it
    emptied = connection.execute(
        update(t.response_event)
        .where(t.response_event.c.rater == row.id)
        .values(payload=None, payload_hash="", client_time="", skip=None, shown={})
    ).rowcount
    shown = select(t.assignment.c.id).where(t.assignment.c.block == row.block)
    connection.execute(t.display.delete().where(t.display.c.assignment.in_(shown)))
    connection.execute(t.background.delete().where(t.background.c.rater == row.id))
    close_door(connection, row.id)
    connection.execute(update(t.rater).where(t.rater.c.id == row.id).values(withdrawn_at=now()))
    note(connection, "withdrawn", f"{row.id}: {reason}" if reason else row.id)
    return emptied
