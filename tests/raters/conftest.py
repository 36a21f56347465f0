"""Studies to test on, made once and copied."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from raters.database import LOCATION
from raters.study import create
from tests import postgresql
from tests.browser import ARGUMENTS, chromium
from tests.raters.material import RUN_NAME, write_config, write_references, write_run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / RUN_NAME)


@pytest.fixture(scope="session")
def references(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_references(tmp_path_factory.mktemp("references") / "museum")


@pytest.fixture
def make_study(tmp_path: Path, run: Path, references: Path) -> Callable[..., Path]:
    """Return a function that makes a study folder; its keywords go into the config."""

    def make(name: str = "study", **changes: Any) -> Path:
        config = write_config(tmp_path / f"{name}-config", **changes)
        create(config, [run], references=references, out=tmp_path / name)
        return tmp_path / name

    return make


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, run: Path, references: Path) -> Path:
    folder = tmp_path_factory.mktemp("template")
    create(write_config(folder / "config"), [run], references=references, out=folder / "study")
    return folder / "study"


@pytest.fixture
def study(tmp_path: Path, template: Path) -> Path:
    return shutil.copytree(template, tmp_path / "study")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; the tests that use it skip where there is none."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def server() -> Iterator[postgresql.Server]:
    """A PostgreSQL for this session; its folder's path is short, as a socket's must be."""
    if postgresql.programs() is None:
        pytest.skip("there is no PostgreSQL here: `make test` run as root installs one")
    with (
        tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as folder,
        postgresql.running(Path(folder)) as started,
    ):
        yield started


@pytest.fixture(scope="session")
def server_template(
    server: postgresql.Server,
    tmp_path_factory: pytest.TempPathFactory,
    run: Path,
    references: Path,
) -> Path:
    folder = tmp_path_factory.mktemp("server-template")
    server.execute("CREATE DATABASE template_study")
    create(
        write_config(folder / "config"),
        [run],
        references=references,
        out=folder / "study",
        database=server.url("template_study"),
    )
    return folder / "study"


_number = count()


@pytest.fixture(params=["sqlite", "postgresql"])
def study_on_both(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A study on SQLite, and one on PostgreSQL."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("template")
        return shutil.copytree(template, tmp_path / "study")
    server: postgresql.Server = request.getfixturevalue("server")
    made = shutil.copytree(request.getfixturevalue("server_template"), tmp_path / "study")
    name = f"study_{next(_number)}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE template_study")
    (made / LOCATION).write_text(server.url(name))
    return made
