"""What a probe looks at: a run's outputs and the references, each read once, held to its hash."""

from __future__ import annotations

import hashlib
import io
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from bench.errors import FileFormatError, RequestError, WorkError
from bench.files import read_rows
from bench.manifest import read_outputs
from bench.media import Pixels
from bench.records import FOIL, REFERENCE
from bench.suites import Suite

MASTER = "ffv1"
"""What `Item.exact` says of a clip that is read from its lossless master."""
_T = TypeVar("_T")
_READ_AHEAD = 48
"""Pictures decoded and not yet seen: at most so many are in memory, however many there are."""
_CLIP = 16
"""A clip counts as so many: that many frames of it are kept for a network."""


@dataclass(frozen=True)
class Item:
    """One output or reference and what the tables say of it."""

    path: Path
    sha256: str
    row: Mapping[str, Any] = field(default_factory=dict)
    frames: int | None = None
    """Of a clip, those that its row says."""
    exact: str = ""
    """Of a clip: `MASTER` where `path` is its lossless master, `h264` where it is the clip itself."""


def items_of_run(run: Path, suite: Suite) -> list[Item]:
    """Return the run's outputs; of clips with a master the master, held to its pixels.

    Raises:
        FileFormatError: a row's prompt is not in the run's suite, or its file lies outside the run.
    """
    items = []
    for row in read_outputs(run):
        prompt = suite.prompts.get(row["prompt"])
        if prompt is None:
            raise FileFormatError(
                f"{run / 'metadata.jsonl'}: the prompt {row['prompt']!r} is not in the run's suite"
            )
        told = {
            "output": row["key"],
            "file_name": row["file_name"],
            "sha256": row["sha256"],
            "suite": suite.name,
            "home": suite.home,
            "model": row["model"],
            "prompt": prompt.id,
            "target": prompt.target,
            "language": row["language"],
            "seed": str(row["seed"]),
            "genre": prompt.genre,
            "stratum": prompt.stratum,
            "diagnosticity": prompt.diagnosticity,
            "work": "",
        }
        is_clip = row["frames"] is not None
        master = row.get("master") or ""
        items.append(
            Item(
                _inside(run, master if is_clip and master else row["file_name"]),
                # a master has no hash of its own in the row: its pixels have
                row["pixel_sha256"] if is_clip and master else row["sha256"],
                told,
                row["frames"],
                (MASTER if master else "h264") if is_clip else "",
            )
        )
    return items


def items_of_references(folder: Path, suite: Suite) -> list[Item]:
    """Return the references of a folder with a `metadata.jsonl`; foils are none of a probe's.

    Raises:
        RequestError: there is none, or it is empty.
        FileFormatError: a row lacks a column, or a tradition is unknown.
    """
    path = folder / "metadata.jsonl"
    rows = list(read_rows(path))
    if not rows:
        raise RequestError(f"{folder} holds no references: it wants a metadata.jsonl with rows")
    items = []
    for number, row in enumerate(rows, start=1):
        for column in ("file_name", "id", "tradition", "sha256"):
            if column not in row:
                raise FileFormatError(f"{path}, line {number} lacks {column!r}")
        if row.get("diagnosticity") == FOIL:
            continue  # of a tradition that is not compared: no probe is asked about it
        if row["tradition"] not in suite.traditions:
            raise FileFormatError(
                f"{path}, line {number}: unknown tradition {row['tradition']!r}; the suite's are "
                f"{', '.join(suite.traditions)}"
            )
        told = {
            "output": row["id"],
            "file_name": row["file_name"],
            "sha256": row["sha256"],
            "suite": suite.name,
            "home": suite.home,
            "model": REFERENCE,
            "prompt": row["id"],
            "target": row["tradition"],
            "language": "",
            "seed": "",
            "genre": row.get("genre", ""),
            "stratum": row.get("stratum", ""),
            "diagnosticity": row.get("diagnosticity", ""),
            "work": row.get("work") or row["id"],
        }
        items.append(Item(_inside(folder, row["file_name"]), row["sha256"], told))
    return items


def read_picture(item: Item) -> Pixels:
    """Read a picture's bytes once: hold them to their hash, and decode them.

    Raises:
        WorkError: the file is missing, has changed, or does not decode.
    """
    content = _content(item)
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise WorkError(f"torn: {item.path.name} does not decode: {error}") from error


def hold_to_hash(item: Item) -> None:
    """Refuse a file, no master, that is missing or has changed since it was made.

    Raises:
        WorkError: it is missing or has changed.
    """
    _content(item)


def _content(item: Item) -> bytes:
    try:
        content = item.path.read_bytes()
    except OSError as error:
        raise WorkError(f"missing: {item.row['file_name']} of {item.row['model']}") from error
    if hashlib.sha256(content).hexdigest() != item.sha256:
        raise WorkError(f"changed or torn: {item.row['file_name']} does not have its hash")
    return content


def worked_ahead(
    work: Callable[[Item], _T], items: Sequence[Item], workers: int
) -> Iterator[tuple[Item, _T | WorkError]]:
    """Yield what `work` makes of each item, in order, made by threads a few items ahead.

    As many as there are workers are under way at least, clips too; more only while they are few frames.
    """
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[tuple[Item, Future[_T]]] = deque()
        left = deque(items)
        pictures = 0
        try:
            while left or waiting:
                while left and (
                    len(waiting) < workers or pictures + pictures_in(left[0]) <= _READ_AHEAD
                ):
                    item = left.popleft()
                    pictures += pictures_in(item)
                    waiting.append((item, pool.submit(work, item)))
                item, future = waiting.popleft()
                pictures -= pictures_in(item)
                try:
                    yield item, future.result()
                except WorkError as error:
                    yield item, error
        finally:
            for _, future in waiting:
                future.cancel()


def pictures_in(item: Item) -> int:
    """Return for how many pictures an item counts."""
    return 1 if item.frames is None else _CLIP


def _inside(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise FileFormatError(f"{folder / 'metadata.jsonl'}: {name!r} lies outside the folder")
    return path
