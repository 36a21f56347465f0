"""Studies to test on, made once and copied."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raters.study import create
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
