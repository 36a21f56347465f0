"""Which files stand for which jobs: read from their names, or from a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cards import IMPORTED
from bench.errors import FileFormatError, RequestError
from bench.foreign_files import SUFFIXES, RefusedError, check_file
from bench.reading import canonical_hash
from bench.records import Job
from bench.suites import Suite

_COLUMNS = ("file", "prompt", "language", "seed")
_SEPARATOR = "--"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file and the job that it stands for; `where` names it in sentences."""

    path: Path
    where: str
    job: Job


def list_entries(
    folder: Path, suite: Suite, model: Mapping[str, Any], table: Path | None
) -> tuple[list[Entry], list[str], list[str]]:
    """Return the files with their jobs, what was refused, and what the table leaves out.

    Args:
        folder: where the files lie.
        suite: whose prompts they answer.
        model: as `run.yaml` keeps it.
        table: the CSV that names them; without it they name themselves.

    Raises:
        RequestError: the table cannot be read, or there is no file.
        FileFormatError: the table lacks a column.
    """
    entries: list[Entry] = []
    refused: list[str] = []
    seen: dict[str, str] = {}
    listed = _rows_of(table) if table else _names_in(folder)
    paths = set()
    for where, name, prompt, language, seed in listed:
        path = folder / name
        paths.add(path)
        try:
            _check_inside(folder, path)
            check_file(path, suite.modality)
            job = _job(suite, model, prompt, language, seed)
        except RefusedError as error:
            refused.append(f"{where} {error}")
            continue
        if job.key in seen:
            refused.append(f"{where} stands for what {seen[job.key]} stands for already")
            continue
        seen[job.key] = where
        entries.append(Entry(path, where, job))
    if not entries and not refused:
        raise RequestError(f"{table or folder} lists no file: there is nothing to import")
    there = [file for file in _visible(folder) if file.suffix.lower() in SUFFIXES[suite.modality]]
    unlisted = [file.name for file in there if file not in paths]
    return entries, refused, unlisted


def _names_in(folder: Path) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield where, file, prompt, language and seed of each file, from its name."""
    for file in _visible(folder):
        pieces = file.stem.split(_SEPARATOR)
        scene, target, language, seed = pieces if len(pieces) == 4 else ("", "", "", "")
        yield file.name, file.name, f"{scene}/{target}", language, seed


def _rows_of(table: Path) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield where, file, prompt, language and seed of each row of the table.

    Raises:
        RequestError: the table cannot be read.
        FileFormatError: a column is missing, or a row has too many.
    """
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"cannot read {table}: {error}") from error
    reader = csv.DictReader(io.StringIO(text))
    missing = set(_COLUMNS).difference(reader.fieldnames or ())
    if missing:
        raise FileFormatError(
            f"{table} has no column {min(missing)!r}; it wants {', '.join(_COLUMNS)}"
        )
    for number, row in enumerate(reader, start=2):
        file, prompt, language, seed = ((row[column] or "").strip() for column in _COLUMNS)
        yield f"{table.name}, line {number}: {file}", file, prompt, language, seed


def _visible(folder: Path) -> list[Path]:
    """Return what lies in the folder, without what systems leave there unasked."""
    return sorted(
        file
        for file in folder.iterdir()
        if not file.name.startswith(".") and file.name not in {"Thumbs.db", "desktop.ini"}
    )


def _check_inside(folder: Path, path: Path) -> None:
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise RefusedError("lies outside the folder")


def _job(suite: Suite, model: Mapping[str, Any], name: str, language: str, seed: str) -> Job:
    if name == "/":
        raise RefusedError("is not named scene--target--language--seed: rename it, or give --csv")
    prompt = suite.prompts.get(name)
    if prompt is None:
        raise RefusedError(f"is of the prompt {name!r}, which suite {suite.name} does not have")
    if language not in prompt.text:
        raise RefusedError(
            f"is in the language {language!r}, in which {name} has no text; it has "
            f"{', '.join(prompt.text)}"
        )
    if not (seed.isascii() and seed.isdecimal()):
        raise RefusedError(f"has the seed {seed!r}, which is no whole number from 0")
    content = {
        "suite": suite.name,
        "prompt": name,
        "language": language,
        "text": prompt.text[language],
        "model": model["id"],
        "revision": model["revision"],
        "pipeline": IMPORTED,
        "dtype": {},
        "arguments": {},
        "seed": int(seed),
    }
    key = canonical_hash(content)
    return Job(key, name, language, prompt.text[language], model["id"], int(seed))
