"""Opening a study folder: its protocol and its database, checked against each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine

from bench.errors import ConflictError, FileFormatError
from bench.records import SCHEMA
from raters import tables as t
from raters.database import open_database, refuse_other_revision
from raters.protocol import Protocol, read_protocol
from raters.tables import setting
from raters.versions import check_frozen


@contextmanager
def open_study(study: Path) -> Iterator[tuple[Protocol, Engine]]:
    """Give what `load_study` returns, and close the database on leaving."""
    protocol, engine = load_study(study)
    try:
        yield protocol, engine
    finally:
        engine.dispose()


def load_study(study: Path) -> tuple[Protocol, Engine]:
    """Return the protocol and the database of a study folder, checked against each other.

    Raises:
        RequestError: it is no study folder, or of another schema.
        ConflictError: `study.yaml` was changed after the first rater had started.
    """
    refuse_other_revision(study)
    protocol = read_protocol(study)
    engine = open_database(study)
    try:
        with t.reading(engine) as connection:
            _check_together(connection, protocol, study)
    except BaseException:
        engine.dispose()
        raise
    return protocol, engine


def _check_together(connection: Connection, protocol: Protocol, study: Path) -> None:
    if setting(connection, "schema") != str(SCHEMA):
        raise FileFormatError(f"{study}: schema {SCHEMA} is what this version reads")
    if setting(connection, "study") != protocol.study:
        raise ConflictError(f"{study}: study.yaml and its database are of two studies")
    check_frozen(connection, protocol)
