"""Reference works: a suite's list of them, and the user's image files tied to its entries.

No picture of a real work is shipped. `add_references` makes of the user's files a folder that
`pinlu study new --references` takes: originals kept apart, and derivatives for viewing that match
the models' shape, with what was done to them written down.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageOps
from pydantic import Field

from bench.errors import FileFormatError, RequestError
from bench.files import append_rows, file_hash
from bench.media import plain_srgb
from bench.reading import ID_PATTERN, FileModel, check, read_yaml
from bench.records import Diagnosticity
from bench.suites import Suite

LEAST_SIDE = 512
"""Pixels of the shorter side under which a file is refused: brushwork cannot be judged in it."""
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"}

_FINGERPRINT_SIDE = 16
_SAME_WORK = 12
"""Bits out of 256 in which the fingerprints of two files may differ and still be one picture."""

Text = dict[str, str]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of width and height."""


class Reference(FileModel):
    """One work of `references.yaml`. What is not certain is empty.

    `caption` is what a rater reads beside it, by language: it reads like a prompt without a
    tradition that could have asked for this picture, so that a text gives no reference away.
    """

    id: str = Field(pattern=ID_PATTERN)
    title: Text
    caption: Text = Field(default_factory=dict)
    artist: Text = Field(default_factory=dict)
    date: str = ""
    period: str = ""
    tradition: str
    medium: str = ""
    genre: str = ""
    stratum: str = ""
    institution: str = ""
    diagnosticity: Diagnosticity = ""
    attribution_status: Literal["", "accepted", "traditional", "copy", "anonymous", "workshop"] = ""
    copy_of: str = ""
    tier: Literal["canonical", "lesser-known", "anonymous", "commissioned"]


class ReferencesFile(FileModel):
    """A suite's `references.yaml`: works, works commissioned from its prompts, and clips."""

    references: tuple[Reference, ...] = ()
    commissioned: tuple[Reference, ...] = ()
    clips: tuple[Reference, ...] = ()

    @property
    def works(self) -> tuple[Reference, ...]:
        """All of them."""
        return (*self.references, *self.commissioned, *self.clips)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that stands for a work: what to cut out of it, and what to cover."""

    file: Path
    id: str
    crop: Box | None = None
    mask: Box | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """What `add_references` made and what it refused, and how many works each class still lacks."""

    rows: tuple[Mapping[str, Any], ...]
    refused: tuple[str, ...]
    missing: Mapping[tuple[str, str], int]


def load_references(suite: Suite) -> ReferencesFile:
    """Return a suite's list of works.

    Raises:
        RequestError: the suite has none.
        FileFormatError: it breaks the schema, an id is there twice, or a tradition is unknown.
    """
    path = suite.folder / "references.yaml"
    if not path.is_file():
        raise RequestError(f"suite {suite.name} has no references.yaml")
    listed = check(read_yaml(path), ReferencesFile, path)
    counts = Counter(work.id for work in listed.works)
    for work in listed.works:
        if counts[work.id] > 1:
            raise FileFormatError(f"{path}: the work {work.id!r} is there twice")
        if work.tradition not in suite.traditions:
            raise FileFormatError(f"{path}: {work.id}: unknown tradition {work.tradition!r}")
    return listed


def add_references(
    suite: Suite, folder: Path, out: Path, *, size: tuple[int, int], table: Path | None = None
) -> Added:
    """Tie the files of `folder` to the suite's works and write a folder of references.

    A file belongs to the work whose id is its name, or to that which `table` says: a CSV with the
    columns `file, id` and optionally `crop` and `mask`, each four shares `left top right bottom`.
    The derivative is cut from the crop (without one, from the middle) to the aspect of `size` and
    brought to it; a mask is covered with the colour round it, and the unmasked variant is kept
    beside it.

    Args:
        suite: whose `references.yaml` lists the works.
        folder: the user's files.
        out: made new: `metadata.jsonl`, the derivatives, and `originals/`.
        size: width and height of the derivatives in pixels.
        table: the CSV, where files are not named by id.

    Raises:
        RequestError: `out` exists, or the table cannot be read.
        FileFormatError: a line of the table is wrong.
    """
    if out.exists():
        raise RequestError(f"{out} exists already: choose another folder, or remove it first")
    works = {work.id: work for work in load_references(suite).references}
    works |= {work.id: work for work in load_references(suite).commissioned}
    wanted = _from_table(folder, table) if table else _by_name(folder)
    rows: list[dict[str, Any]] = []
    refused: list[str] = []
    seen: list[tuple[Path, np.ndarray[Any, Any]]] = []
    (out / "originals").mkdir(parents=True)
    given: dict[str, str] = {}
    for one in wanted:
        fault = (
            ""
            if one.id in works
            else f"no work is called {one.id!r} in {suite.folder.name}/references.yaml"
        )
        if one.id in given:
            fault = f"{one.id!r} has a file already, {given[one.id]}"
        image = None if fault else _opened(one.file, one.crop)
        if isinstance(image, str):
            fault, image = image, None
        if image is not None:
            fault = _twin(image, one.file, seen)
        if fault or image is None:
            refused.append(f"{one.file.name}: {fault}")
            continue
        given[one.id] = one.file.name
        shutil.copyfile(one.file, out / "originals" / f"{one.id}{one.file.suffix.lower()}")
        rows += _derivatives(image, one, works[one.id], size, out)
    if not rows:
        shutil.rmtree(out)
        return Added((), tuple(refused), _missing(works.values(), rows))
    append_rows(out / "metadata.jsonl", rows)
    return Added(tuple(rows), tuple(refused), _missing(works.values(), rows))


def _by_name(folder: Path) -> list[Wanted]:
    if not folder.is_dir():
        raise RequestError(f"{folder} is no folder of pictures")
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.name[0] != ".")
    return [Wanted(file, file.stem) for file in files if file.suffix != ".csv"]


def _from_table(folder: Path, table: Path) -> list[Wanted]:
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"cannot read {table}: {error}") from error
    reader = csv.DictReader(io.StringIO(text))
    if not {"file", "id"} <= set(reader.fieldnames or ()):
        raise FileFormatError(f"{table}: the columns file and id are wanted")
    rows = list(reader)
    for line, row in enumerate(rows, start=2):
        if not row["file"] or not row["id"]:
            raise FileFormatError(f"{table}, line {line}: file and id are wanted")
    return [
        Wanted(
            folder / row["file"],
            row["id"],
            _box(row.get("crop") or "", f"{table}, line {line}"),
            _box(row.get("mask") or "", f"{table}, line {line}"),
        )
        for line, row in enumerate(rows, start=2)
    ]


def _box(text: str, where: str) -> Box | None:
    if not text.strip():
        return None
    try:
        left, top, right, bottom = map(float, text.split())
    except ValueError as error:
        raise FileFormatError(f"{where}: {text!r} is not `left top right bottom`") from error
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise FileFormatError(f"{where}: {text!r} lies outside 0 to 1")
    return left, top, right, bottom


def _opened(file: Path, crop: Box | None) -> Image.Image | str:
    """Return the picture in sRGB, upright and without metadata, or why it cannot be taken."""
    if file.suffix.lower() not in SUFFIXES:
        return f"{file.suffix or 'no suffix'} is no picture's"
    try:
        with Image.open(file) as image:
            upright = plain_srgb(ImageOps.exif_transpose(image))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return f"does not decode: {error}"
    left, top, right, bottom = _in_pixels(crop or (0, 0, 1, 1), upright)
    if min(right - left, bottom - top) < LEAST_SIDE:
        return f"{right - left}×{bottom - top} is too small, the shorter side wants {LEAST_SIDE}"
    return upright


def _twin(image: Image.Image, file: Path, seen: list[tuple[Path, np.ndarray[Any, Any]]]) -> str:
    """Say which earlier file shows the same picture (average hash), or remember this one."""
    small = image.convert("L").resize((_FINGERPRINT_SIDE, _FINGERPRINT_SIDE))
    pixels = np.asarray(small)
    bits = pixels > pixels.mean()
    for other, others in seen:
        if (bits != others).sum() <= _SAME_WORK:
            return f"shows the same picture as {other.name}"
    seen.append((file, bits))
    return ""


def _derivatives(
    image: Image.Image, one: Wanted, work: Reference, size: tuple[int, int], out: Path
) -> list[dict[str, Any]]:
    variants: list[tuple[str, Image.Image]] = [("", image)]
    if one.mask:
        variants.append(("masked", _masked(image, one.mask)))
    rows = []
    for variant, picture in variants:
        name = f"{one.id}{'--' if variant else ''}{variant}.png"
        cut = _cut(picture, one.crop, size)
        cut.save(out / name, format="PNG")
        crop = " ".join(f"{share:g}" for share in one.crop) if one.crop else "the middle"
        rows.append(
            {
                "file_name": name,
                "id": name.removesuffix(".png"),
                "tradition": work.tradition,
                "genre": work.genre,
                "medium": work.medium,
                "period": work.period,
                "stratum": work.stratum,
                "sha256": file_hash(out / name),
                "caption": work.caption or None,
                "synthetic": False,
                "work": work.id,
                "tier": work.tier,
                "diagnosticity": work.diagnosticity,
                "derivative": f"cut from {crop}, to {size[0]}×{size[1]}{', inscription covered' if variant else ''}",
            }
        )
    return rows


def _masked(image: Image.Image, mask: Box) -> Image.Image:
    box = _in_pixels(mask, image)
    left, top, right, bottom = box
    around = np.asarray(image.crop((left - 8, top - 8, right + 8, bottom + 8))).reshape(-1, 3)
    covered = image.copy()
    covered.paste(tuple(int(level) for level in np.median(around, axis=0)), box)
    return covered


def _cut(image: Image.Image, crop: Box | None, size: tuple[int, int]) -> Image.Image:
    part = image.crop(_in_pixels(crop, image)) if crop else image
    return ImageOps.fit(part, size, method=Image.Resampling.LANCZOS)


def _in_pixels(box: Box, image: Image.Image) -> tuple[int, int, int, int]:
    width, height = image.size
    left, top, right, bottom = box
    return round(left * width), round(top * height), round(right * width), round(bottom * height)


def _missing(
    works: Sequence[Reference] | Any, rows: Sequence[Mapping[str, Any]]
) -> dict[tuple[str, str], int]:
    """Count, by (tradition, stratum), the works of the list that have no file."""
    there = {row["work"] for row in rows}
    return dict(
        sorted(
            Counter(
                (work.tradition, work.stratum) for work in works if work.id not in there
            ).items()
        )
    )
