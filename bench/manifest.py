"""A run folder on disk: `run.yaml`, `suite.yaml`, `metadata.jsonl`, `failures.jsonl`, `outputs/`.

What `metadata.jsonl` names exists and is whole: a row is written after its file, one write per
batch, and the folder loads as a Hugging Face dataset at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import yaml

from bench.errors import FileFormatError, RequestError, WorkError
from bench.files import append_rows, cut_torn_line, file_hash, read_rows, write_whole, written_whole
from bench.holding import held, is_held
from bench.media import pixel_hash, read_pixels
from bench.reading import read_yaml
from bench.records import SCHEMA, Output

METADATA = "metadata.jsonl"
FAILURES = "failures.jsonl"
OUTPUTS = "outputs"
MASTERS = "masters"
STATE = ".state"
SUBMITTED = "slurm.json"
"""In the state folder: which Slurm tasks are at work (`bench.crew.slurm_tasks`)."""
ELSEWHERE = "elsewhere"
"""In the state folder: names of files that a store keeps and this folder does not (`bench.remote`)."""
PLACES = "sources.json"
"""In the state folder: where checkpoints lie on this machine, by model id; `run.yaml` is published."""

_JOB = re.compile(r"[0-9a-f]{64}")
"""What an output's file is called: its job's key."""

_IN_CACHE = re.compile(r"[^\s'\"(]*/models--([^\s/'\")]+)(?:/snapshots/[0-9a-f]+)?")
"""Where the hub's cache keeps a checkpoint, whoever's cache it is."""

_REQUIRED = {field.name for field in fields(Output)[:16]}


def read_run(run: Path) -> dict[str, Any]:
    """Return the content of `run.yaml`; of local checkpoints with the folder in which they lie here.

    Raises:
        RequestError: `run` is no run folder, or of another schema.
    """
    if not (run / "run.yaml").is_file():
        raise RequestError(f"{run} has no run.yaml: it is not a run folder")
    content = read_yaml(run / "run.yaml")
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise FileFormatError(f"{run / 'run.yaml'}: schema {SCHEMA} is what this version reads")
    require_keys(run, content, ("run", "modality", "suite", "models"))
    places = _places(run)
    for model in content["models"]:
        place = places.get(model.get("id", ""), "")
        if os.path.basename(place) == model.get("source"):  # noqa: PTH119 - may be no path
            model["source"] = place
    return content


def require_keys(run: Path, content: Mapping[str, Any], keys: Iterable[str]) -> None:
    """Refuse a `run.yaml` that lacks a key, naming it."""
    for key in keys:
        if key not in content:
            raise FileFormatError(f"{run / 'run.yaml'} lacks {key!r}: it is no run's, or was cut")


def published_source(source: str) -> str:
    """Return what a published file says of where a checkpoint comes from: of a folder its name."""
    return Path(source).name if os.path.isabs(source) else source  # noqa: PTH117 - may be a hub id


def write_run(run: Path, content: Mapping[str, Any]) -> None:
    """Write `run.yaml` whole; of a checkpoint's folder it names no more than the last part."""
    models = content.get("models", ())
    sources = {one["id"]: one.get("source", "") for one in models}
    places = {name: one for name, one in sources.items() if published_source(one) != one}
    if places:
        write_whole(run / STATE / PLACES, json.dumps(places).encode(), _scratch(run))
        content = {
            **content,
            "models": [
                {**one, "source": published_source(one["source"])} if one["id"] in places else one
                for one in models
            ],
        }
    text = yaml.safe_dump({"schema": SCHEMA, **content}, allow_unicode=True, sort_keys=False)
    write_whole(run / "run.yaml", text.encode(), _scratch(run))


def _places(run: Path) -> dict[str, str]:
    path = run / STATE / PLACES
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def read_outputs(run: Path) -> list[dict[str, Any]]:
    """Return the rows of the finished outputs, in the order in which they were finished.

    Raises:
        FileFormatError: a row lacks a column, or a key is there twice.
    """
    rows: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(read_rows(run / METADATA), start=1):
        missing = _REQUIRED - row.keys()
        if missing:
            raise FileFormatError(f"{run / METADATA}, line {number} lacks {min(missing)!r}")
        if row["key"] in rows:
            raise FileFormatError(f"{run / METADATA}, line {number}: {row['key']} is there twice")
        rows[row["key"]] = row
    return list(rows.values())


def read_failures(run: Path) -> list[dict[str, Any]]:
    """Return the rows of the jobs that failed."""
    return list(read_rows(run / FAILURES))


def append_outputs(run: Path, outputs: Iterable[Output]) -> None:
    """Add finished outputs to the manifest in one write; their files are whole already."""
    append_rows(run / METADATA, (asdict(output) for output in outputs))


def append_failures(run: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add failed jobs, each with its error; for all to read it does not say where a checkpoint lies."""
    places = _places(run)
    append_rows(
        run / FAILURES,
        (
            {**row, "error": _without_place(row["error"], places.get(row["model"], ""))}
            for row in rows
        ),
    )


def _without_place(error: str, place: str) -> str:
    """Name a checkpoint in a sentence by its folder's name, or by its id on the hub."""
    error = _IN_CACHE.sub(lambda found: found[1].replace("--", "/", 1), error)
    return error.replace(place, published_source(place)) if place else error


def write_output_file(run: Path, name: str, content: bytes) -> None:
    """Write one file into the run, whole or not at all; `name` is relative to it."""
    with output_file(run, name) as temporary:
        temporary.write_bytes(content)


@contextmanager
def output_file(run: Path, name: str) -> Iterator[Path]:
    """Give a path to write to; what lies there becomes the run's `name`, whole or not at all."""
    (run / name).parent.mkdir(exist_ok=True)
    with written_whole(run / name, _scratch(run)) as temporary:
        yield temporary


@contextmanager
def opened(run: Path) -> Iterator[str]:
    """Hold the run folder alone: make it where needed, cut torn lines, clear temporary files.

    Gives the token by which others know who holds it (`bench.holding`).

    Raises:
        ConflictError: another process is working on this run; says which.
        RequestError: the folder cannot be written.
    """
    try:
        (run / OUTPUTS).mkdir(parents=True, exist_ok=True)
        _scratch(run).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"cannot write into {run}: {error.strerror or error}") from error
    with held(run / STATE) as token:
        _clear_scratch(run)
        for name in (METADATA, FAILURES):
            cut_torn_line(run / name)
        yield token
        _clear_scratch(run)  # a worker that was killed could not


def kept(run: Path, *, masters: bool) -> set[str]:
    """Return the keys of which the run has the file, and where it keeps masters that too."""
    there = [*(run / OUTPUTS).iterdir(), *(run / MASTERS).glob("*")]
    if (run / STATE / ELSEWHERE).exists():
        names = (run / STATE / ELSEWHERE).read_text(encoding="utf-8").split()
        there += [run / name for name in names]
    keys = {file.stem for file in there if file.parent.name == OUTPUTS}
    return keys & {file.stem for file in there if file.parent.name == MASTERS} if masters else keys


def forget_failures(run: Path) -> None:
    """Empty `failures.jsonl`: every job in it is about to be tried again."""
    if (run / FAILURES).exists():
        write_whole(run / FAILURES, b"", _scratch(run))


def forget_outputs(run: Path, keys: set[str]) -> None:
    """Take the rows of these jobs out of the manifest: their files are gone, and made again."""
    if not keys:
        return
    rows = [row for row in read_outputs(run) if row["key"] not in keys]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_whole(run / METADATA, text.encode(), _scratch(run))


def remove_unlisted(run: Path, planned: Iterable[str], finished: Iterable[str]) -> None:
    """Remove files of planned jobs that no row names: they were written just before a kill."""
    expected = set(planned).difference(finished)
    for folder, suffixes in ((OUTPUTS, {".png", ".mp4"}), (MASTERS, {".mkv"})):
        for file in (run / folder).glob("*"):
            if file.stem in expected and file.suffix in suffixes:
                file.unlink()


def write_card(run: Path, *, title: str, text: str, files: bool = True) -> None:
    """Write the dataset card whose front matter maps the default config to the files.

    A run of texts has no `files` beside its manifest.
    """
    data = [METADATA, f"{OUTPUTS}/**"] if files else [METADATA]
    front = yaml.safe_dump(
        {
            "pretty_name": title,
            "configs": [{"config_name": "default", "data_files": data}],
        },
        allow_unicode=True,
        sort_keys=False,
    )
    card = f"---\n{front}---\n\n# {title}\n\n{text}\n"
    write_whole(run / "README.md", card.encode(), _scratch(run))


def verify(run: Path) -> list[str]:
    """Check every file against its hashes.

    Of a clip the file, the number and size of the frames that decode, and the exact pixels where
    it has a master: H.264 loses some, and the pixel hash is that of the frames before it.

    Returns:
        One sentence per fault: missing, torn, changed or foreign. Empty when all is well. What a
        process that works on the run has written and not yet entered is no fault.
    """
    faults = []
    named = set()
    for row in read_outputs(run):
        named |= {row["file_name"], row.get("master")}
        faults += _faults_of(run, row)
    foreign = [
        file
        for folder in (OUTPUTS, MASTERS)
        for file in sorted((run / folder).glob("*"))
        if f"{folder}/{file.name}" not in named
    ]
    if foreign and is_held(run / STATE):
        foreign = [file for file in foreign if not is_of_a_job(file)]
    return faults + [f"foreign: {file.relative_to(run)} is in no row" for file in foreign]


def is_of_a_job(file: Path) -> bool:
    """Say whether a file has the name of a job's output: who works on the run may enter it yet."""
    return bool(_JOB.fullmatch(file.stem))


def _faults_of(run: Path, row: Mapping[str, Any]) -> list[str]:
    name, master = row["file_name"], row.get("master")
    faults = []
    if "answer" in row:
        whole = hashlib.sha256(str(row["answer"]).encode()).hexdigest() == row["sha256"]
        return [] if whole else [f"changed: the answer {row['key'][:12]} does not have its hash"]
    if not (run / name).is_file():
        faults.append(f"missing: {name}")
    elif file_hash(run / name) != row["sha256"]:
        faults.append(f"changed or torn: {name} does not have its hash")
    elif row["frames"] is None:
        faults += _faults_of_picture(run, row, name)
    else:
        faults += _faults_of_clip(run, row, name, exact=False)
    if master and not (run / master).is_file():
        faults.append(f"missing: {master}")
    elif master:
        faults += _faults_of_clip(run, row, master, exact=True)
    return faults


def _faults_of_picture(run: Path, row: Mapping[str, Any], name: str) -> list[str]:
    try:
        pixels = read_pixels(run / name)
    except WorkError as error:
        return [f"torn: {error}"]
    if pixel_hash(pixels) != row["pixel_sha256"]:
        return [f"changed: the pixels of {name} do not have their hash"]
    return []


def _faults_of_clip(run: Path, row: Mapping[str, Any], name: str, *, exact: bool) -> list[str]:
    from bench import clips  # noqa: PLC0415 - PyAV only where there are clips

    shape = (row["frames"], row["height"], row["width"], 3)
    try:
        found, content_hash = clips.decoded(run / name, shape)
    except WorkError as error:
        return [f"torn: {error}"]
    if found != shape:
        sizes = ["{} frames of {}×{}".format(*one[:1], one[2], one[1]) for one in (found, shape)]
        return [f"changed: {name} has {sizes[0]}, its row says {sizes[1]}"]
    if exact and content_hash != row["pixel_sha256"]:
        return [f"changed: the pixels of {name} do not have their hash"]
    return []


def _clear_scratch(run: Path) -> None:
    submitted = run / STATE / SUBMITTED
    if submitted.exists() and json.loads(submitted.read_text(encoding="utf-8"))["tasks"]:
        return  # they may be writing there, whoever looks at how they stand
    for left_over in _scratch(run).iterdir():
        left_over.unlink(missing_ok=True)


def _scratch(run: Path) -> Path:
    return run / STATE / "tmp"
