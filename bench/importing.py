"""Outputs made elsewhere, by closed models, entered into a run like any others.

All or nothing: whatever is wrong is listed at once, and then no file is entered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from bench import manifest
from bench.cards import IMPORTED, write_run_card
from bench.errors import ConflictError, RequestError, WorkError
from bench.files import write_whole
from bench.foreign_files import RefusedError, picture_warnings, read_foreign
from bench.import_entries import Entry, list_entries
from bench.media import pixel_hash
from bench.models import MODEL_ID_PATTERN
from bench.outputs import write_output
from bench.progress import Progress, progress
from bench.records import ModelSpec, Output
from bench.suites import Suite, load_suite, only_grew


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: rows entered, files that were in already, and what was refused.

    Where anything is refused nothing is entered. `unlisted` are media files that the CSV leaves
    out.
    """

    entered: Sequence[Output]
    there_before: int
    refused: Sequence[str]
    unlisted: Sequence[str]


def import_outputs(
    folder: Path,
    spec: ModelSpec,
    run: Path,
    *,
    suite: str | None = None,
    table: Path | None = None,
) -> Imported:
    """Take the files of `folder` into `run` as outputs of a model that ran elsewhere.

    Args:
        folder: files named `scene--target--language--seed`, or those that `table` lists.
        spec: the model: id, revision, origin, licence; nothing else of it is known.
        run: a run folder, or a new one.
        suite: name or path of the suite; needed for a new run.
        table: CSV with the columns file, prompt, language, seed.

    Raises:
        RequestError: no such folder, table or suite, or nothing in them.
        ConflictError: the run holds another suite, or the model under another revision.
        WorkError: a file cannot be written, or changed while it was read; nothing is entered.
    """
    if not re.fullmatch(MODEL_ID_PATTERN, spec.id):
        raise RequestError(f"--model {spec.id!r}: letters, digits, dot, dash and underscore only")
    if not folder.is_dir():
        raise RequestError(f"{folder} is no folder")
    existing = manifest.read_run(run) if (run / "run.yaml").exists() else None
    asked = _suite_of(run, existing, suite)
    if asked.modality not in {"image", "video"}:
        raise RequestError(
            f"suite {asked.name} asks for {asked.modality}: nothing to import for it"
        )
    model = _model_entry(spec, asked)
    _check_model(run, existing, model)
    entries, refused, unlisted = list_entries(folder, asked, model, table)
    rows = {row["key"]: row for row in manifest.read_outputs(run)} if existing else {}
    with progress("look at", "files", len(entries)) as bar:
        hashes, more = _look(entries, asked, rows, bar)
    refused += more
    if refused:
        return Imported((), 0, refused, unlisted)
    masters = bool(existing and existing.get("video_master"))
    lost = set(rows) - manifest.kept(run, masters=masters) if rows else set()
    new = [entry for entry in entries if entry.job.key not in rows or entry.job.key in lost]
    outputs = _enter(run, asked, model, new, hashes, before=rows.keys()) if new else []
    return Imported(outputs, len(entries) - len(new), (), unlisted)


def _suite_of(run: Path, existing: Mapping[str, Any] | None, name: str | None) -> Suite:
    if existing is None:
        if name is None:
            raise RequestError(f"{run} is a new run: say with --suite what was asked of the model")
        return load_suite(name)
    suite = load_suite(str(run / "suite.yaml"))
    if name is None:
        return suite
    asked = load_suite(name)
    if asked.hash != existing["suite"]["hash"] and not only_grew(suite, asked):
        raise ConflictError(
            f"run {existing['run']} was made with another text of suite {suite.name}, and more than "
            "scenes were added: leave out --suite, or give another --run"
        )
    return asked


def _model_entry(spec: ModelSpec, suite: Suite) -> dict[str, Any]:
    """Return the model as `run.yaml` keeps it."""
    content = {**asdict(spec), "modality": suite.modality, "languages": list(spec.languages)}
    return {**content, "pipeline": IMPORTED}


def _check_model(run: Path, existing: Mapping[str, Any] | None, model: Mapping[str, Any]) -> None:
    for before in (existing or {}).get("models", ()):
        if before["id"] != model["id"]:
            continue
        if before["pipeline"] != IMPORTED:
            raise ConflictError(
                f"{run} generates the model {model['id']} itself: give the imported one another id"
            )
        if before["revision"] != model["revision"]:
            raise ConflictError(
                f"{run} holds {model['id']} with revision {before['revision']!r}: give the same "
                "--revision, or another id"
            )


def _look(
    entries: Sequence[Entry], suite: Suite, rows: Mapping[str, Mapping[str, Any]], bar: Progress
) -> tuple[dict[str, str], list[str]]:
    """Decode every file once; return the pixel hash by key, and what was refused."""
    mine = {entry.job.model for entry in entries}
    held = {
        row["pixel_sha256"]: f"{row['prompt']} {row['language']} {row['seed']}"
        for row in rows.values()
        if row["model"] in mine
    }

    def look(entry: Entry) -> tuple[str, str]:
        try:
            found = read_foreign(entry.path, suite.modality)
        except RefusedError as error:
            return "", str(error)
        return pixel_hash(found.pixels), ""

    hashes: dict[str, str] = {}
    refused: list[str] = []
    # clips are large: one at a time
    workers = None if suite.modality == "image" else 1
    with picture_warnings(), ThreadPoolExecutor(workers) as pool:
        for entry, (pixels, why) in zip(entries, pool.map(look, entries), strict=True):
            before = rows.get(entry.job.key)
            bar.advance(1)
            fault = why or _fault_of(pixels, before, held)
            if fault:
                refused.append(f"{entry.where} {fault}")
            elif not before:
                held[pixels] = entry.where
            hashes[entry.job.key] = pixels
    return hashes, refused


def _fault_of(pixels: str, before: Mapping[str, Any] | None, held: Mapping[str, str]) -> str:
    if before is None:
        return f"holds the very pixels of {held[pixels]}" if pixels in held else ""
    if before["pixel_sha256"] == pixels:
        return ""
    return (
        "is not the one that the run holds for it, and what is in a run does not change: "
        "take another seed, or another --model"
    )


def _enter(
    run: Path,
    suite: Suite,
    model: Mapping[str, Any],
    entries: Sequence[Entry],
    hashes: Mapping[str, str],
    *,
    before: Iterable[str],
) -> list[Output]:
    """Enter new outputs: files first, then the model in `run.yaml`, then all rows in one write.

    Those that had a row before lost their file since, and get a new row.
    """
    keys = {entry.job.key for entry in entries}
    with manifest.opened(run):
        content = manifest.read_run(run) if (run / "run.yaml").exists() else _new_run(run, suite)
        if {row["key"] for row in manifest.read_outputs(run)} != set(before):
            raise ConflictError(f"{run} has been added to by another process: run again")
        try:
            outputs = _written(run, suite, entries, hashes, content.get("video_master", ""))
            models = [one for one in content["models"] if one["id"] != model["id"]]
            content = _grown(run, content, suite) | {"models": [*models, dict(model)]}
            manifest.write_run(run, content)
            _write_suite(run, suite)  # where it has grown, `run.yaml` says so first
            manifest.forget_outputs(run, keys.intersection(before))
            manifest.append_outputs(run, outputs)
        except BaseException:
            manifest.remove_unlisted(run, keys, set(before) - keys)
            raise
        write_run_card(run)
    return outputs


def _written(
    run: Path, suite: Suite, entries: Sequence[Entry], hashes: Mapping[str, str], master: str
) -> list[Output]:
    """Write the files; return their rows."""

    def write(entry: Entry) -> Output:
        found = read_foreign(entry.path, suite.modality)
        if pixel_hash(found.pixels) != hashes[entry.job.key]:
            raise WorkError(f"{entry.path} changed while it was read: run again")
        return write_output(
            run,
            entry.job,
            found.pixels,
            suite=suite.name,
            suite_hash=suite.hash,
            fps=found.fps,
            master=master,
            details={"device": IMPORTED},
        )

    with (
        picture_warnings(),
        progress("import", "files", len(entries)) as bar,
        ThreadPoolExecutor(None if suite.modality == "image" else 1) as pool,
    ):
        outputs = []
        for output in pool.map(write, entries):
            outputs.append(output)
            bar.advance(1)
    return outputs


def _grown(run: Path, content: Mapping[str, Any], suite: Suite) -> dict[str, Any]:
    """Return what `run.yaml` says of a suite that has grown: what was asked is of the scenes it had."""
    if content["suite"]["hash"] == suite.hash:
        return dict(content)
    had = load_suite(str(run / "suite.yaml")).scenes
    parts = [{**part, "scenes": part.get("scenes") or list(had)} for part in content["parts"]]
    return {**content, "suite": suite.as_dict(), "parts": parts}


def _write_suite(run: Path, suite: Suite) -> None:
    path = run / "suite.yaml"
    text = yaml.safe_dump(dict(suite.content), allow_unicode=True, sort_keys=False).encode()
    if not path.is_file() or path.read_bytes() != text:
        write_whole(path, text)


def _new_run(run: Path, suite: Suite) -> dict[str, Any]:
    """Write the suite into a new run; return the content of its `run.yaml`: nothing planned."""
    _write_suite(run, suite)
    return {
        "run": run.resolve().name,
        "modality": suite.modality,
        "suite": suite.as_dict(),
        "batch_size": 8,
        "video_master": "",
        "planned": 0,
        "parts": [],
        "models": [],
        "environment": None,
        "mixed": [],
    }
