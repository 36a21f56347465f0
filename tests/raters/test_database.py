"""Where a study's database is, its copies, and studies that an earlier version made."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, update

from bench.errors import ConflictError, RequestError, WorkError
from raters import tables as t
from raters.database import LOCATION, back_up, check_copy, open_database, revision_of
from raters.export import tables
from raters.migrate import migrate, run_migrations
from raters.protocol import read_protocol
from raters.simulated import simulate
from raters.study import create, invite, open_study, status
from raters.versions import amend
from tests import postgresql
from tests.raters.material import look, write_config

FIRST_RELEASE = Path(__file__).parent.parent / "golden" / "first-release"


@pytest.fixture
def early(tmp_path: Path) -> Path:
    """A study as the first release left it: two simulated raters of three have done it."""
    study = tmp_path / "early"
    study.mkdir()
    shutil.copy(FIRST_RELEASE / "study.yaml", study)
    with closing(sqlite3.connect(study / t.DATABASE)) as database:
        database.executescript((FIRST_RELEASE / "ratings.sql").read_text())
    return study


def test_a_study_of_the_first_release_opens_after_migration(early: Path) -> None:
    with pytest.raises(ConflictError, match="pinlu study migrate"):
        status(early)
    with pytest.raises(ConflictError, match="pinlu study migrate"):
        read_protocol(early)
    assert migrate(early)["from"] == "0001"
    found = tables(early)
    assert {name: len(found[name]) for name in ("ratings", "votes", "attributions")} == {
        "ratings": 16,
        "votes": 4,
        "attributions": 56,
    }
    assert found["ratings"]["value"].between(1, 5).all()
    after = status(early)
    assert (after["finished"], after["frozen"], after["version"]) == (2, True, 1)
    assert (early / f"study.yaml.before-{t.REVISION}").read_bytes() == (
        FIRST_RELEASE / "study.yaml"
    ).read_bytes()
    with closing(sqlite3.connect(early / f"ratings.db.before-{t.REVISION}")) as kept:
        assert kept.execute("SELECT COUNT(*) FROM response_event").fetchone() == (40,)
    # and it goes on: the third planned rater, and one beyond the plan
    simulate(early, look=look, rng=np.random.default_rng(0), count=0)
    assert len(invite(early, 2, base_url="")) == 2
    assert migrate(early)["from"] == t.REVISION


def test_a_study_of_the_second_release_keeps_its_versions(study: Path) -> None:
    """It was amended: which answers were given under which version stays what it was."""
    simulate(study, look=look, rng=np.random.default_rng(0), count=1)
    path = study / "study.yaml"
    path.write_text(path.read_text().replace("version: 1", "version: 2", 1))
    amend(study, "a word was wrong")
    with open_study(study) as (_, engine), t.writing(engine) as connection:
        t.way_back.drop(connection)
        connection.execute(update(t.migration).values(version_num="0002"))
    with pytest.raises(ConflictError, match="pinlu study migrate"):
        status(study)
    assert migrate(study) == {"study": str(study), "from": "0002", "to": t.REVISION}
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        told = connection.scalars(select(t.response_event.c.protocol_version).distinct())
        assert list(told) == [1]
        assert compare_metadata(MigrationContext.configure(connection), t.metadata) == []
    assert status(study)["version"] == 2


def test_migrated_tables_are_those_of_a_new_study(early: Path, template: Path) -> None:
    migrate(early)
    for study in (early, template):
        with open_study(study) as (_, engine), engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), t.metadata) == []
            assert t.broken_line(connection) is None


def test_migrations_make_the_same_tables_on_postgresql(server: postgresql.Server) -> None:
    server.execute("CREATE DATABASE migrated")
    engine = t.open_engine(server.url("migrated"))
    with t.writing(engine) as connection:
        run_migrations(connection, stamped="base")
    with t.reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), t.metadata) == []
    assert revision_of(engine) == t.REVISION
    engine.dispose()


def test_a_frozen_protocol_that_was_changed_is_not_migrated(early: Path) -> None:
    path = early / "study.yaml"
    path.write_text(path.read_text().replace("raters: 3", "raters: 4"))
    with pytest.raises(ConflictError, match="changed after"):
        migrate(early)
    with pytest.raises(ConflictError, match="pinlu study migrate"):
        status(early)
    assert {file.name for file in early.iterdir()} == {"study.yaml", t.DATABASE}


def test_a_study_of_a_later_version_is_left_alone(study: Path) -> None:
    with open_study(study) as (_, engine), t.writing(engine) as connection:
        connection.execute(update(t.migration).values(version_num="9999"))
    for what in (status, migrate):
        with pytest.raises(ConflictError, match="later version"):
            what(study)


def test_a_password_in_the_url_is_for_its_owner_alone(study: Path) -> None:
    location = study / LOCATION
    location.write_text("postgresql://pinlu:secret@127.0.0.1:1/pinlu")
    location.chmod(0o644)
    with pytest.raises(RequestError, match="chmod 600"):
        status(study)
    location.chmod(0o600)
    with pytest.raises(RequestError, match="does not answer") as refused:
        status(study)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["mysql://somewhere/x", "nonsense", "sqlite:///x.db", ""])
def test_a_study_is_kept_in_sqlite_or_postgresql(study: Path, url: str) -> None:
    (study / LOCATION).write_text(url)
    with pytest.raises(RequestError, match=r"PostgreSQL|postgresql://"):
        status(study)


def test_a_database_holds_one_study(
    server: postgresql.Server, tmp_path: Path, run: Path, references: Path
) -> None:
    server.execute("CREATE DATABASE one_study")
    config, url = write_config(tmp_path / "config"), server.url("one_study")
    create(config, [run], references=references, out=tmp_path / "one", database=url)
    assert (tmp_path / "one" / LOCATION).stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "one" / t.DATABASE).exists()
    with pytest.raises(ConflictError, match="holds a study already"):
        create(config, [run], references=references, out=tmp_path / "two", database=url)
    assert not (tmp_path / "two").exists()


def test_a_copy_opens_as_a_study_whatever_it_was_taken_from(
    study_on_both: Path, tmp_path: Path
) -> None:
    simulate(study_on_both, look=look, rng=np.random.default_rng(0), count=1)
    with open_study(study_on_both) as (_, engine):
        told = back_up(engine, tmp_path / "copy.db")
        with pytest.raises(ConflictError, match="exists already"):
            back_up(engine, tmp_path / "copy.db")
    before = status(study_on_both)
    assert told["responses"] == before["responses"]
    restored = tmp_path / "restored"
    restored.mkdir()
    shutil.copy(study_on_both / "study.yaml", restored)
    shutil.copy(tmp_path / "copy.db", restored / t.DATABASE)
    assert status(restored) == before
    for name, table in tables(study_on_both).items():
        assert table.equals(tables(restored)[name])
    invite(restored, 1, base_url="")


def test_a_copy_taken_while_others_write_is_whole(study: Path, tmp_path: Path) -> None:
    halt = threading.Event()

    def write() -> None:
        engine = open_database(study)
        while not halt.is_set():
            with t.writing(engine) as connection:
                t.note(connection, "busy", "x" * 500)
        engine.dispose()

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        with open_study(study) as (_, engine):
            counts = [back_up(engine, tmp_path / f"{n}.db")["audit_lines"] for n in range(5)]
    finally:
        halt.set()
        for writer in writers:
            writer.join()
    assert counts == sorted(counts)


def test_a_copy_that_is_not_whole_is_said_to_be_so(study: Path, tmp_path: Path) -> None:
    with open_study(study) as (_, engine):
        back_up(engine, tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy, copy:
        copy.execute("UPDATE audit SET detail = 'something else' WHERE number = 1")
    with pytest.raises(WorkError, match="line 1 of the audit log"):
        check_copy(tmp_path / "copy.db")
