"""The protocol's versions: frozen by its hash when the first rater starts, and what came after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update

from bench.errors import ConflictError, FileFormatError, RequestError
from raters import tables as t
from raters.database import open_database
from raters.protocol import FILE, Protocol, read_protocol
from raters.tables import note, now, setting

_FIXED = ("study", "simulated", "stand_ins", "modality", "home", "traditions", "suites", "plan")
"""What no later version may change: answers of two versions would be of two studies."""


def freeze(connection: Connection, protocol: Protocol) -> None:
    """Freeze the protocol, unless it is frozen already."""
    if setting(connection, "protocol_hash") is None:
        connection.execute(insert(t.meta).values(key="protocol_hash", value=protocol.hash))
        _record(connection, protocol, "the first rater started")
        note(connection, "frozen", protocol.hash)


def frozen_as(connection: Connection, protocol_hash: str) -> Protocol | None:
    """Return the version that has this hash, as it was recorded; None where there is none."""
    v = t.protocol_version.c
    content = connection.scalar(select(v.content).where(v.hash == protocol_hash))
    return None if content is None else Protocol.model_validate(content)


def check_frozen(connection: Connection, protocol: Protocol) -> None:
    """Refuse a protocol that is not the one under which raters take part."""
    frozen = setting(connection, "protocol_hash")
    if frozen is not None and frozen != protocol.hash:
        raise ConflictError(
            f"{FILE} was changed after the first rater had started: put it back as it was, or raise "
            "its version and record the change with `pinlu study amend STUDY --reason …`"
        )


def amend(study: Path, reason: str) -> dict[str, Any]:
    """Record `study.yaml` as it lies there now as a new version of a frozen protocol.

    Raises:
        RequestError: no reason is given, the version was not raised, or nothing is frozen yet.
        ConflictError: what was changed may not change, or the study is closed.
    """
    if not reason.strip():
        raise RequestError("say why the protocol is changed: the reason goes into its log")
    protocol = read_protocol(study)
    engine = open_database(study)
    try:
        with t.writing(engine) as connection:
            if setting(connection, "locked_at") is not None:
                raise ConflictError("this study is closed: its protocol can change no more")
            before = _last(connection, study)
            _refuse_other_study(before, protocol)
            _record(connection, protocol, reason)
            connection.execute(
                update(t.meta).where(t.meta.c.key == "protocol_hash").values(value=protocol.hash)
            )
            note(connection, "amended", f"version {protocol.version} {protocol.hash}: {reason}")
    finally:
        engine.dispose()
    return {"study": protocol.study, "version": protocol.version, "reason": reason}


def _last(connection: Connection, study: Path) -> Protocol:
    v = t.protocol_version.c
    row = connection.execute(select(t.protocol_version).order_by(v.version.desc())).first()
    if row is None:
        raise RequestError(f"no rater has started yet: {study / FILE} may simply be changed")
    return Protocol.model_validate(row.content)


def _refuse_other_study(before: Protocol, after: Protocol) -> None:
    if after.version <= before.version:
        raise RequestError(
            f"raise the version in {FILE} above {before.version} to record what was changed"
        )
    was, now_is = before.content, after.content
    for name in _FIXED:
        if was[name] != now_is[name]:
            raise ConflictError(f"{FILE}: {name} cannot change once raters take part")
    for what, old, new in (
        ("label", before.labels, after.labels),
        ("language", before.languages, after.languages),
    ):
        if gone := [one for one in old if one not in new]:
            raise ConflictError(f"{FILE}: the {what} {gone[0]!r} cannot go once raters take part")
    spans = [
        [(scale.id, scale.level, scale.low, scale.high) for scale in one.rubric.scales]
        for one in (before, after)
    ]
    if spans[0] != spans[1]:
        raise FileFormatError(f"{FILE}: scales may be worded anew, but be no others")


def _record(connection: Connection, protocol: Protocol, reason: str) -> None:
    connection.execute(
        insert(t.protocol_version).values(
            version=protocol.version,
            hash=protocol.hash,
            at=now(),
            reason=reason,
            content=protocol.content,
        )
    )
