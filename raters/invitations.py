"""Invitations: links for raters, one by one or from a list; revoked, expired, checked."""

from __future__ import annotations

import csv
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select, update

from bench.errors import ConflictError, FileFormatError, RequestError
from bench.records import SIMULATED
from raters import tables as t
from raters.entry import add_link
from raters.folder import open_study
from raters.people import enrol, hashed, known, receipt, refuse_closed, revoke_invitation
from raters.plan import take_block
from raters.protocol import Protocol
from raters.tables import note, setting

_COLUMNS = {"group", "language", "label"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One invitation to be made.

    `language` is the one that the link opens in. `label` is what the organiser calls the rater: it
    comes back beside the link, and is never stored.
    """

    group: str = ""
    language: str = ""
    label: str = ""


def invite(
    study: Path,
    count: int,
    *,
    base_url: str,
    group: str = "",
    language: str = "",
    days: float | None = None,
) -> list[str]:
    """Invite `count` raters and return their links; see `invite_all`.

    Raises:
        RequestError: `count` is not positive.
    """
    if count < 1:
        raise RequestError(f"count must be at least 1, not {count}")
    wanted = [Wanted(group=group, language=language)] * count
    return invite_all(study, wanted, base_url=base_url, days=days)


def invite_all(
    study: Path, wanted: Sequence[Wanted], *, base_url: str, days: float | None = None
) -> list[str]:
    """Invite raters, all or none, and return their links; only hashes of the tokens are stored.

    Raters beyond the plan get further balanced blocks. After `days` a link opens nothing any more;
    a session that it has opened goes on.

    Raises:
        RequestError: a group is kept for simulated raters or too long, the study does not speak a
            language, or `days` is not positive.
        ConflictError: the study is closed.
    """
    _refuse_days(days)
    links = []
    rng = np.random.default_rng()
    with open_study(study) as (protocol, engine), t.writing(engine) as connection:
        for one in wanted:
            if one.group == SIMULATED or len(one.group) > 80:
                raise RequestError(
                    f"{one.group!r} cannot be a group of raters: choose another name"
                )
            _refuse_language(one.language, protocol)
            ((_, token),) = enrol_raters(
                connection,
                protocol,
                1,
                group=one.group,
                simulated=False,
                language=one.language,
                rng=rng,
                days=days,
            )
            links.append(_link(base_url, token, one.language))
    return links


def invite_again(
    study: Path, told: str, *, base_url: str, language: str = "", days: float | None = None
) -> str:
    """Return a new link for a rater who was invited before; earlier links of theirs are void.

    It opens in `language`, else in the one that the rater uses or was invited in. Who lost the
    browser's session comes in by it and goes on; open sessions stay open. Who was
    revoked after having started may come in again.

    Raises:
        RequestError: there is no such rater, the language is none of the study's, or `days` are not
            positive.
        ConflictError: the rater has withdrawn, the study is closed, or the place of one who was
            revoked before starting has gone to another.
    """
    _refuse_days(days)
    token = secrets.token_urlsafe(16)
    with open_study(study) as (protocol, engine), t.writing(engine) as connection:
        row = known(connection, told)
        _refuse_language(language, protocol)
        refuse_closed(connection)
        if row.withdrawn_at:
            raise ConflictError(f"{row.id} has withdrawn, on {row.withdrawn_at[:10]}")
        if row.revoked_at and row.started_at is None:
            raise ConflictError(
                f"{row.id} was revoked before starting, and the place is free: invite a new rater"
            )
        connection.execute(update(t.rater).where(t.rater.c.id == row.id).values(revoked_at=None))
        add_link(connection, row.id, token, None if days is None else timedelta(days=days))
        note(connection, "invited again", row.id)
    return _link(base_url, token, language or row.room_language)


def enrol_raters(
    connection: Connection,
    protocol: Protocol,
    count: int,
    *,
    group: str,
    simulated: bool,
    language: str = "",
    rng: np.random.Generator,
    days: float | None = None,
) -> list[tuple[str, str]]:
    """Add raters and return (pseudonym, token) of each.

    Raises:
        ConflictError: the study is closed.
    """
    if setting(connection, "locked_at") is not None:
        raise ConflictError("this study is closed: nobody can be invited any more")
    ends = None
    if days is not None:
        ends = (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="milliseconds")
    new = []
    for _ in range(count):
        token = secrets.token_urlsafe(16)
        block = take_block(connection, protocol, rng)
        rater = enrol(
            connection,
            block,
            protocol,
            token=token,
            group=group,
            simulated=simulated,
            language=language,
            expires_at=ends,
        )
        note(
            connection, "invited", " ".join(filter(None, [rater, group, ends and f"until {ends}"]))
        )
        new.append((rater, token))
    return new


def _link(base_url: str, token: str, language: str) -> str:
    opens_in = f"?language={language}" if language else ""
    return f"{base_url.rstrip('/')}/i/{token}{opens_in}"


def _refuse_days(days: float | None) -> None:
    if days is not None and not 0 < days <= 3650:
        raise RequestError(
            f"invitations expire after more than 0 and at most 3650 days, not {days}"
        )


def _refuse_language(language: str, protocol: Protocol) -> None:
    if language and language not in protocol.languages:
        raise RequestError(f"this study's languages are {', '.join(protocol.languages)}")


def read_wanted(file: Path) -> list[Wanted]:
    """Return the invitations that a CSV with columns among group, language, label asks for.

    Raises:
        RequestError: the file cannot be read.
        FileFormatError: it has other columns, or no row; names the line.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"cannot read {file}: {error}") from error
    rows = csv.DictReader(text.splitlines())
    columns = rows.fieldnames or []
    if not set(columns) <= _COLUMNS or len(set(columns)) < len(columns) or not columns:
        raise FileFormatError(f"{file}: its columns are some of group, language, label")
    wanted = []
    for row in rows:
        if None in row or None in row.values():
            raise FileFormatError(f"{file}, line {rows.line_num}: it has not {len(columns)} fields")
        wanted.append(Wanted(**{name: value.strip() for name, value in row.items()}))
    if not wanted:
        raise FileFormatError(f"{file} has no row below its columns")
    return wanted


def revoke(study: Path, rater: str, reason: str) -> dict[str, Any]:
    """Make a rater's link useless and end its sessions; what was answered stays.

    Raises:
        RequestError: there is no such rater, or no reason.
        ConflictError: it was revoked before, or the rater has withdrawn.
    """
    if not reason.strip():
        raise RequestError("say why the invitation is revoked: the reason goes into the log")
    with open_study(study) as (protocol, engine), t.writing(engine) as connection:
        row = known(connection, rater)
        revoke_invitation(connection, row, reason)
        return {"study": protocol.study, "rater": row.id, "started": row.started_at is not None}


def check_receipt(study: Path, code: str) -> dict[str, Any]:
    """Return what stands behind a receipt that a rater shows.

    Raises:
        RequestError: no rater of this study has it.
    """
    told = code.strip().upper()
    with open_study(study) as (protocol, engine), t.reading(engine) as connection:
        for rater in connection.execute(select(t.rater)):
            if secrets.compare_digest(hashed(receipt(rater)), hashed(told)):
                e = t.response_event.c
                count = select(func.count()).where(e.rater == rater.id)
                return {
                    "study": protocol.study,
                    "rater": rater.id,
                    "started_at": rater.started_at,
                    "finished_at": rater.finished_at,
                    "withdrawn_at": rater.withdrawn_at,
                    "responses": connection.scalar(count),
                }
    raise RequestError(f"no rater of {study} has the receipt {code!r}")
