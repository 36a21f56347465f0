"""Reference works: a suite's list of them, and the user's image files tied to its entries.

No picture of a real work is shipped. `add_references` makes of the user's files a folder that
`pinlu study new --references` takes: originals kept apart, and derivatives for viewing that match
the models' shape, with what was done to them written down.
"""

from __future__ import annotations

import csv
import difflib
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image
from pydantic import Field

from bench.errors import FileFormatError, RequestError
from bench.files import append_rows, file_hash
from bench.reading import ID_PATTERN, FileModel, check, read_yaml
from bench.records import FOIL, NEUTRAL, WorkDiagnosticity
from bench.reference_files import Wanted, given_files
from bench.reference_pictures import Picture, opened
from bench.suites import Suite

_FINGERPRINT_SIDE = 16
_SAME_WORK = 12
"""Bits out of 256 in which the fingerprints of two files may differ and still be one picture."""

Text = dict[str, str]


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
    diagnosticity: WorkDiagnosticity = ""
    attribution_status: Literal["", "accepted", "traditional", "copy", "anonymous", "workshop"] = ""
    copy_of: str = ""
    tier: Literal["canonical", "lesser-known", "anonymous", "commissioned"]


class ReferencesFile(FileModel):
    """A suite's `references.yaml`: works, works commissioned from its prompts, and clips.

    `foils` names traditions that are not the suite's: their works are shown and attributed among
    the references, enter no index, and say so by their diagnosticity.
    """

    foils: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    commissioned: tuple[Reference, ...] = ()
    clips: tuple[Reference, ...] = ()

    @property
    def works(self) -> tuple[Reference, ...]:
        """All of them."""
        return (*self.references, *self.commissioned, *self.clips)


@dataclass(frozen=True, slots=True)
class Added:
    """What `add_references` made and refused, what to know of it, and what each class still lacks.

    `missing` counts, by (tradition, stratum), the works of the list that have no file.
    """

    rows: tuple[Mapping[str, Any], ...]
    refused: tuple[str, ...]
    notes: tuple[str, ...]
    missing: Mapping[tuple[str, str], int]


def load_references(suite: Suite) -> ReferencesFile:
    """Return a suite's list of works.

    Raises:
        RequestError: the suite has none.
        FileFormatError: it breaks the schema, an id is there twice, a tradition is unknown, or a
            foil is none.
    """
    path = suite.folder / "references.yaml"
    if not path.is_file():
        raise RequestError(f"suite {suite.name} has no references.yaml")
    listed = check(read_yaml(path), ReferencesFile, path)
    if fault := _foil_fault(listed.foils, suite):
        raise FileFormatError(f"{path}: foils: {fault}")
    counts = Counter(work.id for work in listed.works)
    for work in listed.works:
        if counts[work.id] > 1:
            raise FileFormatError(f"{path}: the work {work.id!r} is there twice")
        if fault := _tradition_fault(work, listed.foils, suite):
            raise FileFormatError(f"{path}: {work.id}: {fault}")
    return listed


def _foil_fault(foils: Sequence[str], suite: Suite) -> str:
    """Say what is wrong with the declared foils, "" where nothing is."""
    for foil, count in Counter(foils).items():
        if foil in suite.traditions:
            return f"{foil!r} is one of the suite's traditions"
        if not re.fullmatch(r"[a-z0-9_-]+", foil) or foil in {NEUTRAL, "other", "cannot_tell"}:
            return f"{foil!r} is no name for a tradition"
        if count > 1:
            return f"{foil!r} is there twice"
    return ""


def _tradition_fault(work: Reference, foils: Sequence[str], suite: Suite) -> str:
    """Say why a work's tradition does not fit, "" where it does."""
    if work.tradition not in {*suite.traditions, *foils}:
        known = ", ".join([*suite.traditions, *foils])
        return f"unknown tradition {work.tradition!r}; there are {known}: declare others as `foils`"
    is_foil = work.tradition in foils
    if is_foil != (work.diagnosticity == FOIL):
        said = f"its diagnosticity is {work.diagnosticity or 'not given'}"
        whose = "a foil" if is_foil else "one of the suite's traditions"
        return f"{work.tradition!r} is {whose}, and {said}"
    return ""


def add_references(
    suite: Suite, folder: Path, out: Path, *, size: tuple[int, int], table: Path | None = None
) -> Added:
    """Tie the files of `folder` to the suite's works and write a folder of references.

    A file belongs to the work whose id is its name, or to that which `table` says
    (`bench.reference_files.given_files`). The derivative is cut from the crop (without one, from
    the middle) to the aspect of `size` and brought to it; a mask is covered with the colour round
    it, and the unmasked variant is kept beside it.

    Args:
        suite: whose `references.yaml` lists the works.
        folder: the user's files.
        out: made new: `metadata.jsonl`, the derivatives, `originals/`, and `missing.csv`, the works
            that have no file.
        size: width and height of the derivatives in pixels.
        table: the CSV, where files are not named by id.

    Raises:
        RequestError: `out` exists, `folder` is empty, or the table cannot be read.
        FileFormatError: the table is wrong; names the line or the column.
    """
    if out.exists():
        raise RequestError(f"{out} exists already: choose another folder, or remove it first")
    listed = load_references(suite)
    works = {work.id: work for work in (*listed.references, *listed.commissioned)}
    given = given_files(folder, table)
    rows: list[dict[str, Any]] = []
    refused: list[str] = []
    notes = list(given.unread)
    seen: list[tuple[Path, np.ndarray[Any, Any]]] = []
    (out / "originals").mkdir(parents=True)
    taken: dict[str, str] = {}
    for one in given.wanted:
        picture = _not_tied(one, listed, works, taken) or opened(one, size)
        fault = picture if isinstance(picture, str) else _twin(picture.image, one.file, seen)
        if fault or isinstance(picture, str):
            refused.append(f"{one.file.name}: {fault}")
            continue
        taken[one.id] = one.file.name
        notes += [f"{one.file.name}: {note}" for note in picture.notes]
        shutil.copyfile(one.file, out / "originals" / f"{one.id}{one.file.suffix.lower()}")
        rows += _derivatives(picture, one, works[one.id], size, out)
    lacking = [work for work in works.values() if work.id not in taken]
    if rows:
        _write_missing(lacking, out / "missing.csv")
        append_rows(out / "metadata.jsonl", rows)
    else:
        shutil.rmtree(out)
    missing = Counter((work.tradition, work.stratum) for work in lacking)
    return Added(tuple(rows), tuple(refused), tuple(notes), dict(sorted(missing.items())))


def _not_tied(
    one: Wanted,
    listed: ReferencesFile,
    works: Mapping[str, Reference],
    taken: Mapping[str, str],
) -> str:
    """Say why a file cannot be tied to the work it names, "" where it can."""
    if not one.file.is_file():
        return f"is not in {one.file.parent}"
    if one.id in {clip.id for clip in listed.clips}:
        return f"{one.id!r} is a clip, and only pictures can be tied"
    if one.id not in works:
        near = difflib.get_close_matches(one.id, works, n=1)
        return f"no work is called {one.id!r}" + (f": did you mean {near[0]!r}?" if near else "")
    if one.id in taken:
        return f"{one.id!r} has a file already, {taken[one.id]}"
    return ""


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
    picture: Picture, one: Wanted, work: Reference, size: tuple[int, int], out: Path
) -> list[dict[str, Any]]:
    variants = [""] if one.mask is None else ["", "masked"]
    crop = " ".join(f"{share:g}" for share in one.crop) if one.crop else "the middle"
    done = f"cut from {crop}, to {size[0]}×{size[1]}{picture.enlarged}"
    rows = []
    for variant in variants:
        name = f"{one.id}{'--' if variant else ''}{variant}.png"
        picture.derivative(size, masked=bool(variant)).save(out / name, format="PNG")
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
                "derivative": f"{done}, inscription covered" if variant else done,
            }
        )
    return rows


def _write_missing(works: Sequence[Reference], path: Path) -> None:
    """List the works without a file, for who looks for them; with a mark by which Excel reads it."""
    columns = ["id", "title", "title_zh", "artist", "tradition", "stratum", "institution"]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for work in works:
            writer.writerow(
                [
                    work.id,
                    work.title.get("en", ""),
                    work.title.get("zh", ""),
                    work.artist.get("en", ""),
                    work.tradition,
                    work.stratum,
                    work.institution,
                ]
            )
