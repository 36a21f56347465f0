"""The tables of a study's database, and how it is opened.

SQLite runs in WAL with `synchronous=FULL`: what was committed is on the disk. PostgreSQL is opened
by its URL. In both, transactions that write come one after the other, and those that read see one
moment and wait for nobody.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    insert,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from bench.errors import RequestError

DATABASE = "ratings.db"
REVISION = "0003"
"""The last of `migrations/versions`: what these tables look like."""

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)
"""`schema`, `study`, and once they happen `protocol_hash`, `locked_at` and `lock_reason`."""

stimulus = Table(
    "stimulus",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("file", String(80), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("seconds", Float),  # of a clip: how long it plays
    Column("captions", JSON, nullable=False),
    Column("scales", JSON, nullable=False),  # ids of the scales, where they are asked of it
    Column("anchor", Boolean, nullable=False),  # seen by every rater
    # opaque codes of scene, model and target, which further blocks are balanced by
    Column("scene", String(16), nullable=False),
    Column("maker", String(16), nullable=False),
    Column("asked", String(16), nullable=False),
)

rater = Table(
    "rater",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("block", Integer, unique=True),  # none where a rater's invitation was revoked unused
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("rater_group", String(80), nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("room_language", String(8), nullable=False, default=""),
    Column(
        "label_order", JSON, nullable=False
    ),  # traditions in the order in which they are offered
    Column("created_at", String(40), nullable=False),
    Column("started_at", String(40)),
    Column("finished_at", String(40)),
    Column("withdrawn_at", String(40)),
    Column("expires_at", String(40)),  # when the link ceases to open the room
    Column("revoked_at", String(40)),
)

background = Table(
    "background",
    metadata,
    Column("rater", ForeignKey("rater.id"), primary_key=True),
    Column("question", String(40), primary_key=True),
    Column("answer", Text, nullable=False),
)
"""What raters say of themselves, apart from what they judge; a withdrawal deletes it."""

session = Table(
    "session",
    metadata,
    Column("secret_hash", String(64), primary_key=True),
    Column("rater", ForeignKey("rater.id"), nullable=False),
    Column("created_at", String(40), nullable=False),
)

way_back = Table(
    "way_back",
    metadata,
    Column("secret_hash", String(64), primary_key=True),
    Column("rater", ForeignKey("rater.id"), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("created_at", String(40), nullable=False),
    Column("expires_at", String(40)),
    Column("used_at", String(40)),
)
"""By what a rater comes in once the invitation was used: `link`, a new one from the organiser;
`code`, made by the rater in the room; `form`, one form of the door, which may be sent twice."""

assignment = Table(
    "assignment",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("block", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("first", ForeignKey("stimulus.id"), nullable=False),
    Column("second", ForeignKey("stimulus.id")),
    Column("last_phase", String(16), nullable=False),
    Column("occasion", Integer, nullable=False, default=0),
    Column("session", Integer, nullable=False, default=1),
    Column("scene", String(16), nullable=False),  # the code of its stimuli' scene
    Column("seconds", Float, nullable=False),  # by the table of seconds per task
    Column("expects", JSON(none_as_null=True)),
    Column("rubric_hash", String(64), nullable=False),
    UniqueConstraint("block", "position"),
)
"""`first` is the picture, of a pair the left one; `last_phase` is the one that completes it.

`expects` holds of an attention item the answer that its instruction asks for, of a training item
the answer that is explained.
"""

display = Table(
    "display",
    metadata,
    Column("assignment", ForeignKey("assignment.id"), primary_key=True),
    Column("phase", String(16), primary_key=True),
    Column("shown_at", String(40), nullable=False),
)
"""When each phase of an assignment was first shown."""

response_event = Table(
    "response_event",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("assignment", ForeignKey("assignment.id"), nullable=False),
    Column("event_id", String(36), nullable=False),
    Column("rater", ForeignKey("rater.id"), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("payload", JSON(none_as_null=True)),
    Column("payload_hash", String(64), nullable=False),
    Column("room_language", String(8), nullable=False),
    Column("skip", String(20)),  # the reason, where the assignment was skipped
    Column("shown", JSON, nullable=False),  # how it was looked at, as the page measured it
    Column("rubric_hash", String(64), nullable=False),
    Column("protocol_version", Integer, nullable=False),
    Column("received_at", String(40), nullable=False),
    Column("client_time", String(40), nullable=False),
    UniqueConstraint("assignment", "event_id"),
)
"""Append-only. A withdrawal alone empties `payload`; the row stays as a tombstone."""

Index("response_of_phase", response_event.c.assignment, response_event.c.phase)
Index("response_of_rater", response_event.c.rater, response_event.c.number)

protocol_version = Table(
    "protocol_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
    Column("at", String(40), nullable=False),
    Column("reason", Text, nullable=False),
    Column("content", JSON, nullable=False),
)
"""The protocol as the first rater found it, and every version since."""

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("at", String(40), nullable=False),
    Column("action", String(40), nullable=False),
    Column("detail", Text, nullable=False),
    Column("hash", String(64), nullable=False),
)
"""Append-only. Each line's hash takes in that of the line before."""

migration = Table("alembic_version", metadata, Column("version_num", String(32), primary_key=True))
"""Alembic's own: which revision these tables have."""

_WRITERS = 0x70696E6C75
"""The number of the advisory lock that PostgreSQL's writers take: "pinlu"."""


def open_engine(where: Path | str) -> Engine:
    """Return an engine on a SQLite file, or on the database of a URL."""
    if isinstance(where, str):
        engine = _open_url(where)
        event.listen(engine, "begin", _begin_on_server)
        return engine
    engine = create_engine(f"sqlite:///{where}", connect_args={"timeout": 30})
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _open_url(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() not in {"postgresql", "postgres"}:
            raise RequestError("a study's database is PostgreSQL, or SQLite when no URL is given")
        return create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError) as error:
        raise RequestError(
            "the database's URL should be like postgresql://user@host/database"
        ) from error
    except ModuleNotFoundError as error:
        raise RequestError(
            "PostgreSQL needs psycopg: install pinlu with the extra [postgresql]"
        ) from error


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Hold a transaction that takes the write lock at once; it is committed on leaving."""
    with engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Hold a transaction that only reads, and so waits for no writer."""
    with engine.connect().execution_options(only_reads=True) as connection:
        yield connection


def forget_log(engine: Engine) -> None:
    """Move SQLite's write-ahead log into the database: it still holds what was erased from it."""
    if engine.dialect.name == "sqlite":
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()


def _set_up(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by `_begin`, not by the driver
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "busy_timeout=30000",
        "foreign_keys=ON",
        "secure_delete=ON",  # what a withdrawal erases is overwritten
        "cache_size=-500",  # KiB, of each connection: the system keeps the file's pages anyway
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    only_reads = connection.get_execution_options().get("only_reads")
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")


def _begin_on_server(connection: Connection) -> None:
    if connection.get_execution_options().get("only_reads"):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    else:
        # each statement sees what was committed before it: so, after the lock, everything
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")


def now() -> str:
    """Return the server's time, UTC in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def setting(connection: Connection, key: str) -> str | None:
    """Return a value of `meta`, None where it is not set."""
    return connection.scalar(select(meta.c.value).where(meta.c.key == key))


def note(connection: Connection, action: str, detail: str) -> None:
    """Add a line to the audit log, chained to the one before."""
    last = connection.scalar(select(audit.c.hash).order_by(audit.c.number.desc()).limit(1))
    at = now()
    line_hash = chained(last or "", at, action, detail)
    connection.execute(insert(audit).values(at=at, action=action, detail=detail, hash=line_hash))


def chained(before: str, at: str, action: str, detail: str) -> str:
    """Return the hash of a line of the audit log, given that of the line before ("" at first)."""
    line = json.dumps([before, at, action, detail], ensure_ascii=False)
    return hashlib.sha256(line.encode()).hexdigest()


def broken_line(connection: Connection) -> int | None:
    """Return the number of the first line of the audit log that is not what was written, or None.

    A line that was changed, put in or taken out breaks the chain; lines taken from the end are
    missed only by who has noted the last hash.
    """
    before = ""
    for row in connection.execute(select(audit).order_by(audit.c.number)):
        if row.hash != chained(before, row.at, row.action, row.detail):
            return int(row.number)
        before = row.hash
    return None
