"""Cleaned copies under opaque names: what a rater is shown says nothing of where it came from."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from bench.errors import FileFormatError, RequestError
from bench.media import plain_srgb
from bench.records import Stimulus
from raters.sources import Candidate

FOLDER = "stimuli"
SEALED = "sealed"
KEY = "key.jsonl"

KEY_COLUMNS = (
    "language",
    "seed",
    "genre",
    "stratum",
    "diagnosticity",
    "work",
    "run",
    "key",
    "file_name",
    "synthetic",
    "status",
)
"""What the key says beside suite, model, prompt, scene and target."""

_TIME = 946_684_800
"""Every file's time stamp: the first second of the year 2000."""


def read_picture(candidate: Candidate) -> Image.Image:
    """Return a picture as plain sRGB pixels, upright, on white where it was transparent.

    Raises:
        RequestError: the file is missing.
        FileFormatError: the file is torn, or not the one that the manifest names.
    """
    try:
        content = candidate.path.read_bytes()
    except OSError as error:
        raise RequestError(f"cannot read {candidate.path}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != candidate.sha256:
        raise FileFormatError(f"{candidate.path} is torn or changed: it does not have its hash")
    try:
        with Image.open(io.BytesIO(content)) as opened:
            return plain_srgb(ImageOps.exif_transpose(opened))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise FileFormatError(f"{candidate.path} does not decode: {error}") from error


def common_box(candidates: Sequence[Candidate]) -> tuple[int, int]:
    """Return (width, height) of the smallest output: the size to which all are brought.

    Nothing is then enlarged but references smaller than it.
    """
    sizes = []
    for candidate in candidates:
        if candidate.kind != "output":
            continue
        try:
            with Image.open(candidate.path) as opened:
                sizes.append(opened.size)
        except OSError as error:
            raise FileFormatError(f"{candidate.path} does not open: {error}") from error
    return min(sizes, key=lambda size: (size[0] * size[1], size))


def fitted(image: Image.Image, box: tuple[int, int]) -> Image.Image:
    """Return the picture as large as fits into `box` (width, height), its proportions kept."""
    if image.size == box:
        return image
    scale = min(box[0] / image.width, box[1] / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def write_stimuli(
    candidates: Sequence[Candidate],
    names: Sequence[str],
    study: Path,
    advance: Callable[[int], None] = lambda _: None,
) -> list[Stimulus]:
    """Write the cleaned copy of each candidate under its opaque name, as lossless WebP.

    Raises:
        RequestError, FileFormatError: a file is missing or torn; the sentence names it.
    """
    box = common_box(candidates)
    folder = study / FOLDER
    folder.mkdir()
    written = []
    for candidate, name in zip(candidates, names, strict=True):
        image = fitted(read_picture(candidate), box)
        path = folder / f"{name}.webp"
        image.save(path, "WEBP", lossless=True, quality=80, method=4)
        os.utime(path, (_TIME, _TIME))
        written.append(
            Stimulus(
                id=name,
                file=f"{FOLDER}/{path.name}",
                width=image.width,
                height=image.height,
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            )
        )
        advance(1)
    return written


def write_key(candidates: Sequence[Candidate], names: Sequence[str], study: Path) -> None:
    """Write `sealed/key.jsonl`: one row per stimulus, in the order of the opaque names."""
    rows = sorted(
        (key_row(candidate, name) for candidate, name in zip(candidates, names, strict=True)),
        key=lambda row: str(row["stimulus"]),
    )
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path = study / SEALED / KEY
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


def key_row(candidate: Candidate, name: str) -> dict[str, Any]:
    """Return what the key says of one stimulus."""
    scene = candidate.scene if candidate.kind == "output" else candidate.key["prompt"]
    return {
        "stimulus": name,
        "kind": candidate.kind,
        "suite": candidate.key["suite"],
        "home": candidate.key["home"],
        "model": candidate.model,
        "prompt": candidate.key["prompt"],
        "scene": scene,
        "target": candidate.target,
        **{column: candidate.key[column] for column in KEY_COLUMNS},
    }
