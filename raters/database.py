"""Where a study's database is, its copies, and bringing it up to this version."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, insert, inspect, make_url, select
from sqlalchemy.exc import OperationalError

from bench.errors import ConflictError, RequestError, WorkError
from bench.files import written_whole
from raters import tables as t

LOCATION = "database"
"""A file of one line in the study folder, the URL of a PostgreSQL database; none for SQLite.

It lies outside `sealed/`, which the rating server cannot open, and not in `study.yaml`, which is
frozen and shown around. A password in it is for the owner's eyes alone; it may also stand in
`~/.pgpass` or `PGPASSWORD`, as libpq has it.
"""


def open_database(study: Path) -> Engine:
    """Return an engine on a study's database; whether it answers is not tried.

    Raises:
        RequestError: there is none, or others may read the password in its URL.
    """
    location = study / LOCATION
    if location.is_file():
        url = location.read_text(encoding="utf-8").strip()
        engine = t.open_engine(url)
        if make_url(url).password and location.stat().st_mode & 0o077:
            engine.dispose()
            raise RequestError(f"{location} holds a password: `chmod 600` it first")
        return engine
    if not (study / t.DATABASE).is_file():
        raise RequestError(f"{study} has no {t.DATABASE}: its study was not made to the end")
    return t.open_engine(study / t.DATABASE)


@contextmanager
def new_database(study: Path, url: str | None) -> Iterator[Engine]:
    """Give an engine on the database that a study is being made in; note where it is.

    Raises:
        ConflictError: the database holds a study already.
        RequestError: it does not answer.
    """
    engine = t.open_engine(url or study / t.DATABASE)
    try:
        with answering(study, engine):
            if inspect(engine).has_table(t.meta.name):
                raise ConflictError("the database holds a study already: give each one its own")
        if url:
            with os.fdopen(os.open(study / LOCATION, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(f"{url}\n")
        yield engine
    finally:
        engine.dispose()


@contextmanager
def answering(study: Path, engine: Engine) -> Iterator[None]:
    """Turn a database that does not answer into one sentence, without its URL."""
    try:
        yield
    except OperationalError as error:
        if engine.dialect.name == "sqlite":
            told = str(error.orig)
            raise WorkError(f"{study / t.DATABASE} cannot be used: {told}") from error
        raise RequestError(
            f"the database of {study} does not answer: {str(error.orig).splitlines()[0]}"
        ) from error


def revision_of(engine: Engine) -> str | None:
    """Return the revision of a database's tables; of the first release, None."""
    if not inspect(engine).has_table(t.migration.name):
        return None
    with t.reading(engine) as connection:
        return connection.scalar(select(t.migration.c.version_num))


def refuse_other_revision(study: Path) -> None:
    """Refuse a study that another version made; `migrate` brings an earlier one up.

    Raises:
        RequestError: it is no study folder, or its database does not answer.
        ConflictError: its database has another revision.
    """
    if not (study / "study.yaml").is_file():
        raise RequestError(f"{study} has no study.yaml: it is not a study folder")
    engine = open_database(study)
    try:
        with answering(study, engine):
            revision = revision_of(engine) or ""
    finally:
        engine.dispose()
    if revision < t.REVISION:
        raise ConflictError(
            f"{study} was made by an earlier version of pinlu: `pinlu study migrate {study}` brings "
            "it up to this one, and keeps what was there"
        )
    if revision > t.REVISION:
        raise ConflictError(f"{study} was made by a later version of pinlu: update pinlu")


def back_up(engine: Engine, out: Path) -> dict[str, Any]:
    """Copy a database while it is in use into one SQLite file, and check the copy.

    The copy shows one moment. It opens as the `ratings.db` of a study folder, whatever the
    database is that it was taken from.

    Raises:
        ConflictError: `out` exists.
        WorkError: the copy is not whole; it is not left behind.
    """
    if out.exists():
        raise ConflictError(f"{out} exists already: choose another name for the copy")
    if not out.parent.is_dir():
        raise RequestError(f"{out.parent} is no folder")
    with written_whole(out) as copy:
        copy.unlink(missing_ok=True)
        if engine.dialect.name == "sqlite":
            # unlike a copy page by page, it leaves behind what was erased
            with closing(engine.raw_connection()) as raw:
                raw.cursor().execute("VACUUM INTO ?", (str(copy),))
        else:
            _copy_rows(engine, copy)
        copy.chmod(0o600)
        found = check_copy(copy)
    return {"file": str(out), **found}


def check_copy(file: Path) -> dict[str, Any]:
    """Return what a copy holds, once SQLite finds it whole and its audit log unbroken.

    Raises:
        WorkError: it is not whole.
    """
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        found = [row[0] for row in database.execute("PRAGMA integrity_check")]
        foreign = database.execute("PRAGMA foreign_key_check").fetchall()
        responses = database.execute("SELECT COUNT(*) FROM response_event").fetchone()[0]
    if found != ["ok"] or foreign:
        raise WorkError(f"{file} is not whole: {found[0]}, {len(foreign)} rows without their own")
    engine = t.open_engine(file)
    try:
        with t.reading(engine) as connection:
            broken = t.broken_line(connection)
            lines = connection.scalar(select(func.count()).select_from(t.audit))
    finally:
        engine.dispose()
    if broken is not None:
        raise WorkError(f"{file}: line {broken} of the audit log is not what was written")
    return {"responses": responses, "audit_lines": lines, "integrity": "ok"}


def _copy_rows(engine: Engine, copy: Path) -> None:
    target = t.open_engine(copy)
    try:
        with t.reading(engine) as source, t.writing(target) as into:
            t.metadata.create_all(into)
            for table in t.metadata.sorted_tables:
                for rows in source.execute(select(table)).mappings().partitions(1000):
                    into.execute(insert(table), [dict(row) for row in rows])
        t.forget_log(target)
    finally:
        target.dispose()
