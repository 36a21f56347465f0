"""Answers made elsewhere, entered into a run like any others: all of a table, or nothing."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from bench import manifest
from bench.cards import IMPORTED, write_run_card
from bench.errors import ConflictError, FileFormatError, RequestError
from bench.files import append_rows, write_whole
from bench.models import MODEL_ID_PATTERN
from bench.reading import canonical_hash
from bench.records import Answer, ModelSpec
from bench.suites import Suite, load_suite
from bench.understanding.flags import flags_of
from bench.understanding.works import Work, read_works, write_works

COLUMNS = ("work", "question", "language", "seed", "answer")


@dataclass(frozen=True, slots=True)
class ImportedAnswers:
    """What an import did: rows entered, rows that were in already, and what was refused."""

    entered: Sequence[Answer]
    there_before: int
    refused: Sequence[str]


def import_answers(
    works: Path, spec: ModelSpec, run: Path, *, suite: str | None, table: Path | None
) -> ImportedAnswers:
    """Take the answers of a table into `run` as those of a model that ran elsewhere.

    Args:
        works: the folder of the works that it was shown.
        spec: the model: id, revision, origin, licence; nothing else of it is known.
        run: a run folder, or a new one.
        suite: name or path of the suite; needed for a new run.
        table: CSV with the columns work, question, language, seed, answer.

    Raises:
        RequestError: no table, suite or works.
        FileFormatError: the table lacks a column.
        ConflictError: the run holds another suite, or the model from elsewhere or another revision.
    """
    if not re.fullmatch(MODEL_ID_PATTERN, spec.id):
        raise RequestError(f"--model {spec.id!r}: letters, digits, dot, dash and underscore only")
    if table is None:
        raise RequestError(
            "answers come in a table: give --csv with the columns " + ", ".join(COLUMNS)
        )
    existing = manifest.read_run(run) if (run / "run.yaml").exists() else None
    asked = _suite_of(run, existing, suite)
    there = {work.id: work for work in read_works(works, asked)}
    _check_model(run, existing, spec)
    held = {row["key"]: row for row in manifest.read_outputs(run)} if existing else {}
    answers, refused = _answers(table, spec, asked, there, held)
    if refused:
        return ImportedAnswers((), 0, refused)
    new = [answer for answer in answers if answer.key not in held]
    if new:
        _enter(run, asked, spec, new, [there[name] for name in {one.work for one in new}])
    return ImportedAnswers(new, len(answers) - len(new), ())


def _suite_of(run: Path, existing: Mapping[str, Any] | None, name: str | None) -> Suite:
    if existing is None:
        if name is None:
            raise RequestError(f"{run} is a new run: say with --suite what was asked of the model")
        return load_suite(name)
    suite = load_suite(name or str(run / "suite.yaml"))
    if suite.hash != existing["suite"]["hash"]:
        raise ConflictError(
            f"run {existing['run']} was made with another text of suite "
            f"{existing['suite']['name']}: leave out --suite, or give another --run"
        )
    return suite


def _check_model(run: Path, existing: Mapping[str, Any] | None, spec: ModelSpec) -> None:
    for before in (existing or {}).get("models", ()):
        if before["id"] == spec.id and before["pipeline"] != IMPORTED:
            raise ConflictError(f"{run} asks the model {spec.id} itself: give another --model")
        if before["id"] == spec.id and before["revision"] != spec.revision:
            raise ConflictError(
                f"{run} holds {spec.id} with revision {before['revision']!r}: give the same "
                "--revision, or another id"
            )


def _answers(
    table: Path,
    spec: ModelSpec,
    suite: Suite,
    works: Mapping[str, Work],
    held: Mapping[str, Mapping[str, Any]],
) -> tuple[list[Answer], list[str]]:
    answers: dict[str, Answer] = {}
    refused = []
    for where, row in _rows_of(table):
        fault = _fault_of(row, suite, works)
        if fault:
            refused.append(f"{where} {fault}")
            continue
        answer = _answer(row, spec, suite, works[row["work"]])
        before = held.get(answer.key)
        if answer.key in answers:
            refused.append(f"{where} answers what an earlier line answers already")
        elif before and before["answer"] != answer.answer:
            refused.append(f"{where} is not the answer that the run holds: take another seed")
        answers.setdefault(answer.key, answer)
    if not answers and not refused:
        raise RequestError(f"{table} has no rows: there is nothing to import")
    return list(answers.values()), refused


def _rows_of(table: Path) -> Iterator[tuple[str, dict[str, str]]]:
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{table} is not UTF-8: in Excel, save it as 'CSV UTF-8'") from error
    except OSError as error:
        raise RequestError(f"cannot read {table}: {error.strerror or error}") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise FileFormatError(
            f"{table} has no column {missing[0]!r}; it wants {', '.join(COLUMNS)}"
        )
    for row in reader:
        own = {name: (row[name] or "").strip() for name in COLUMNS}
        yield f"{table.name}, line {reader.line_num}", own


def _fault_of(row: Mapping[str, str], suite: Suite, works: Mapping[str, Work]) -> str:
    question = next((one for one in suite.questions if one.id == row["question"]), None)
    if row["work"] not in works:
        return f"is of the work {row['work']!r}, which the folder of works does not have"
    if works[row["work"]].fault:
        return f"is of a work without a picture: {works[row['work']].fault}"
    if question is None:
        return f"answers {row['question']!r}, which suite {suite.name} does not ask"
    if row["language"] not in question.text:
        return f"is in the language {row['language']!r}, in which {question.id} is not asked"
    if not (row["seed"].isascii() and row["seed"].isdecimal()):
        return f"has the seed {row['seed']!r}, which is no whole number from 0"
    return ""


def _answer(row: Mapping[str, str], spec: ModelSpec, suite: Suite, work: Work) -> Answer:
    question = next(one for one in suite.questions if one.id == row["question"])
    text, prompt, seed = (
        question.text[row["language"]],
        f"{work.id}/{question.id}",
        int(row["seed"]),
    )
    content = {
        "suite": suite.name,
        "prompt": prompt,
        "language": row["language"],
        "text": text,
        "picture": work.pixel_sha256,
        "model": spec.id,
        "revision": spec.revision,
        "pipeline": IMPORTED,
        "seed": seed,
    }
    flags = tuple(flags_of(row["answer"], row["language"], cut=False))
    return Answer(
        file_name="",
        key=canonical_hash(content),
        model=spec.id,
        prompt=prompt,
        language=row["language"],
        text=text,
        seed=seed,
        width=work.width,
        height=work.height,
        frames=None,
        fps=None,
        sha256=hashlib.sha256(row["answer"].encode()).hexdigest(),
        pixel_sha256=work.pixel_sha256,
        status="suspect" if flags else "ok",
        suite=suite.name,
        suite_hash=suite.hash,
        answer=row["answer"],
        work=work.id,
        question=question.id,
        target=work.tradition,
        genre=work.genre,
        flags=flags,
        note=work.note,
        device=IMPORTED,
    )


def _enter(
    run: Path, suite: Suite, spec: ModelSpec, answers: Sequence[Answer], works: Sequence[Work]
) -> None:
    entry = {**asdict(spec), "modality": suite.modality, "languages": list(spec.languages)}
    entry |= {"dtype": {}, "arguments": {}, "pipeline": IMPORTED}
    with manifest.opened(run):
        content = manifest.read_run(run) if (run / "run.yaml").exists() else _new_run(run, suite)
        models = [one for one in content["models"] if one["id"] != spec.id]
        write_works(works, run)
        manifest.write_run(run, {**content, "models": [*models, entry]})
        append_rows(run / manifest.METADATA, map(asdict, answers))
        write_run_card(run)


def _new_run(run: Path, suite: Suite) -> dict[str, Any]:
    write_suite(run, suite)
    return {
        "run": run.resolve().name,
        "modality": suite.modality,
        "suite": suite_entry(suite),
        "batch_size": 8,
        "video_master": "",
        "planned": 0,
        "parts": [],
        "models": [],
        "environment": None,
        "mixed": [],
    }


def suite_entry(suite: Suite) -> dict[str, Any]:
    """Return what `run.yaml` says of the suite."""
    return {
        "name": suite.name,
        "version": suite.version,
        "hash": suite.hash,
        "home": suite.home,
        "traditions": list(suite.traditions),
    }


def write_suite(run: Path, suite: Suite) -> None:
    """Write into a run the suite as it is, and the names of periods that lie beside it."""
    text = yaml.safe_dump(dict(suite.content), allow_unicode=True, sort_keys=False)
    write_whole(run / "suite.yaml", text.encode())
    beside = suite.folder / "periods.yaml"
    if beside.is_file():
        write_whole(run / "periods.yaml", beside.read_bytes())
