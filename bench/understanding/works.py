"""The works that are shown: the user's pictures, whole, and what is known of each."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from bench.errors import FileFormatError, RequestError
from bench.files import append_rows, file_hash, read_rows
from bench.media import pixel_hash, plain_srgb
from bench.references import Reference, load_references
from bench.suites import Suite, load_suite

LONGEST_SIDE = 2048
"""Pixels: larger pictures are brought down to it before any model sees them, and their rows say so."""

FILE = "works.jsonl"
Text = dict[str, str]


@dataclass(frozen=True, slots=True)
class Work:
    """A work and its picture.

    `file` is where the picture lies, relative to the folder of works; `sha256` is that of the file,
    `pixel_sha256` that of what models are shown. `width` and `height` are the file's; `fault` says
    why there is nothing to show.
    """

    id: str
    file: str
    sha256: str
    pixel_sha256: str
    width: int
    height: int
    tradition: str
    genre: str = ""
    stratum: str = ""
    period: str = ""
    title: Text | None = None
    artist: Text | None = None
    synthetic: bool = False
    note: str = ""
    fault: str = ""


def read_works(folder: Path, suite: Suite) -> list[Work]:
    """Return the works of a folder that `pinlu references add` made, with what is known of them.

    The whole picture is shown: that in `originals/`, where there is one, and not the part that was
    cut to the models' shape. Variants with covered inscriptions are left out.

    Raises:
        RequestError: the folder is none, or empty.
        FileFormatError: a row lacks its id or names a tradition that the suite does not know.
    """
    path = folder / "metadata.jsonl"
    if not path.is_file():
        raise RequestError(
            f"{folder} has no metadata.jsonl: make a folder of works with pinlu references add"
        )
    known = _known(suite)
    works: dict[str, Work] = {}
    for number, row in enumerate(read_rows(path), start=1):
        where = f"{path}, line {number}"
        name = row.get("work") or row.get("id")
        if not name or not row.get("file_name"):
            raise FileFormatError(f"{where}: file_name and id are wanted")
        if row.get("tradition") not in suite.traditions:
            raise FileFormatError(f"{where}: {name}: unknown tradition {row.get('tradition')!r}")
        if name not in works:
            works[name] = _work(folder, str(name), row, known.get(str(name)))
    if not works:
        raise RequestError(f"{path} is empty: there are no works in it")
    return list(works.values())


def shown(folder: Path, work: Work) -> Image.Image:
    """Return what models are shown of a work: upright, plain sRGB, at most `LONGEST_SIDE` long.

    Raises:
        RequestError: the file is missing or does not decode; the sentence names it.
    """
    path = folder / work.file
    try:
        with Image.open(io.BytesIO(path.read_bytes())) as opened:
            image = plain_srgb(ImageOps.exif_transpose(opened))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise RequestError(f"{work.id} has no picture: {path.name}: {error}") from error
    return brought_down(image)


def brought_down(image: Image.Image) -> Image.Image:
    """Return a picture that is at most `LONGEST_SIDE` pixels long."""
    longest = max(image.size)
    if longest <= LONGEST_SIDE:
        return image
    size = [max(1, round(side * LONGEST_SIDE / longest)) for side in image.size]
    return image.resize((size[0], size[1]), Image.Resampling.LANCZOS)


def write_works(works: Sequence[Work], run: Path) -> None:
    """Write into a run what it was asked about; works that it holds already keep their rows."""
    there = {(work.id, work.pixel_sha256) for work in works_of(run)}
    append_rows(
        run / FILE,
        [asdict(work) for work in works if (work.id, work.pixel_sha256) not in there],
    )


def works_of(run: Path) -> list[Work]:
    """Return the works that a run was asked about."""
    return [Work(**row) for row in read_rows(run / FILE)]


def _known(suite: Suite) -> dict[str, Reference]:
    if not suite.works:
        return {}
    return {work.id: work for work in load_references(load_suite(suite.works)).works}


def _work(folder: Path, name: str, row: dict[str, Any], known: Reference | None) -> Work:
    whole = sorted((folder / "originals").glob(f"{name}.*"))
    file = whole[0].relative_to(folder).as_posix() if whole else str(row["file_name"])
    if not (folder / file).resolve().is_relative_to(folder.resolve()):
        raise FileFormatError(f"{folder / 'metadata.jsonl'}: {file!r} lies outside the folder")
    facts: dict[str, Any] = {
        "tradition": row["tradition"],
        "genre": row.get("genre") or "",
        "stratum": row.get("stratum") or "",
        "period": str(row.get("period") or ""),
        "synthetic": bool(row.get("synthetic")),
    }
    if known:
        facts |= {
            "period": known.period,
            "title": {key: text for key, text in known.title.items() if text},
            "artist": {key: text for key, text in known.artist.items() if text},
        }
    work = Work(name, file, "", "", 0, 0, **facts)
    try:
        image = shown(folder, work)
        with Image.open(folder / file) as opened:
            width, height = ImageOps.exif_transpose(opened).size
    except RequestError as error:
        return Work(**{**asdict(work), "fault": str(error)})
    note = ""
    if image.size != (width, height):
        note = f"the picture was brought from {width}×{height} to {image.width}×{image.height}"
    return Work(
        **{
            **asdict(work),
            "sha256": file_hash(folder / file),
            "pixel_sha256": pixel_hash(np.asarray(image)),
            "width": width,
            "height": height,
            "note": note,
        }
    )
