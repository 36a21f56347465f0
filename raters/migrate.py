"""Bringing a study that an earlier version made up to this one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, func, insert, select, update

from bench.errors import ConflictError, FileFormatError, RequestError
from bench.files import written_whole
from bench.reading import canonical_hash, check, read_yaml
from raters import tables as t
from raters.database import answering, open_database, revision_of
from raters.protocol import FILE, Protocol, write_protocol
from raters.summary import PICTURE_SECONDS
from raters.tables import note, now, setting

_FIRST = "0001"


def migrate(study: Path) -> dict[str, Any]:
    """Bring a study's database and `study.yaml` up to this version.

    It is a step of its own, never taken on the way by another command: a server of the version that
    made the study may still be running. What was there is kept beside it, as `*.before-REVISION`.

    Raises:
        ConflictError: the study was made by a later version, or `study.yaml` is not the frozen one.
    """
    if not (study / FILE).is_file():
        raise RequestError(f"{study} has no {FILE}: it is not a study folder")
    engine = open_database(study)
    try:
        with answering(study, engine):
            stamped = revision_of(engine)
            before = stamped or _FIRST
            if before > t.REVISION:
                raise ConflictError(f"{study} was made by a later version of pinlu: update pinlu")
            if before < t.REVISION:
                _refuse_changed(study, engine)
                _keep(study, engine)
                _upgrade(study, engine, stamped)
            _rewrite_protocol(study, engine)
    finally:
        engine.dispose()
    return {"study": str(study), "from": before, "to": t.REVISION}


def _refuse_changed(study: Path, engine: Engine) -> None:
    with t.reading(engine) as connection:
        frozen = setting(connection, "protocol_hash")
    if frozen not in {None, canonical_hash(read_yaml(study / FILE))}:
        raise ConflictError(f"{study / FILE} was changed after the first rater had started")


def _keep(study: Path, engine: Engine) -> None:
    with written_whole(study / f"{FILE}.before-{t.REVISION}") as copy:
        copy.write_bytes((study / FILE).read_bytes())
    if engine.dialect.name == "sqlite":
        with written_whole(study / f"{t.DATABASE}.before-{t.REVISION}") as copy:
            with closing(engine.raw_connection()) as raw:
                raw.cursor().execute("VACUUM INTO ?", (str(copy),))
            copy.chmod(0o600)


def _upgrade(study: Path, engine: Engine, stamped: str | None) -> None:
    if engine.dialect.name == "sqlite":
        # tables are made anew and renamed, which their children must not hear of
        event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA foreign_keys=OFF"))
        engine.dispose()
    with t.writing(engine) as connection:
        run_migrations(connection, stamped=stamped)
        protocol = _checked(study, connection)
        if stamped is None:  # the first release kept no versions
            connection.execute(update(t.response_event).values(protocol_version=protocol.version))
            if setting(connection, "protocol_hash") is not None:
                _freeze_anew(connection, protocol)
        note(connection, "migrated", f"to {t.REVISION}")
        if engine.dialect.name == "sqlite" and (
            lost := connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        ):
            raise FileFormatError(f"{study}: {len(lost)} rows of the database belong to nothing")


def run_migrations(connection: Connection, *, stamped: str | None) -> None:
    """Run what Alembic has from the revision of a database on.

    `stamped` is that revision; None is the first release's, which noted none, and "base" is empty.
    """
    from alembic import command  # noqa: PLC0415 - only a migration needs it
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    if stamped is None:
        command.stamp(config, _FIRST)
    command.upgrade(config, t.REVISION)


def _checked(study: Path, connection: Connection) -> Protocol:
    """Return `study.yaml` as this version has it."""
    content = read_yaml(study / FILE)
    if not isinstance(content, dict):
        raise FileFormatError(f"{study / FILE} is not a mapping")
    return check(_brought_up(content, connection), Protocol, study / FILE)


def _brought_up(content: Mapping[str, Any], connection: Connection) -> dict[str, Any]:
    if "modality" in content:
        return dict(content)
    a = t.assignment.c
    scaled = (
        select(func.count().label("scaled"))
        .where(a.last_phase == "scales")
        .group_by(a.block)
        .subquery()
    )
    plan = content["plan"]
    return {
        **content,
        "modality": "image",
        "declared_labels": [],
        "ask": dict.fromkeys(("traces", "recognised", "human", "flags", "remark"), False),
        "debriefing": {},
        "background": [],
        "plan": {
            **plan,
            "scales_per_item": plan["raters_per_item"],
            "scaled": connection.scalar(select(func.max(scaled.c.scaled))) or 0,
            "repeats": 0.0,
            "warm_ups": [0, 0],
            "attention": 0,
            "detections": 0,
            "training": 0,
            "sessions": 1,
            "seconds": dict(PICTURE_SECONDS),
        },
    }


def _freeze_anew(connection: Connection, protocol: Protocol) -> None:
    """Freeze the protocol in its new form: what it asks has not changed."""
    connection.execute(
        update(t.meta).where(t.meta.c.key == "protocol_hash").values(value=protocol.hash)
    )
    connection.execute(
        insert(t.protocol_version).values(
            version=protocol.version,
            hash=protocol.hash,
            at=now(),
            reason="brought up to a later version of pinlu",
            content=protocol.content,
        )
    )


def _rewrite_protocol(study: Path, engine: Engine) -> None:
    """Write `study.yaml` in its new form: last, since it can be done again from what is there."""
    with t.reading(engine) as connection:
        protocol = _checked(study, connection)
    if read_yaml(study / FILE) != protocol.content:
        write_protocol(protocol, study)
