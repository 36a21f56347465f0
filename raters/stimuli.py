"""Cleaned copies under opaque names: what a rater is shown says nothing of where it came from."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from bench.errors import FileFormatError, RequestError
from bench.media import plain_srgb
from bench.records import Stimulus
from raters.clips import Shape, common_shape, measured, write_clip
from raters.config import Box
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

GREY = (119, 119, 119)
"""What a mask is filled with: the middle grey of sRGB."""

FIXED_TIME = 946_684_800
"""Every file's time stamp: the first second of the year 2000."""


def read_picture(candidate: Candidate) -> Image.Image:
    """Return a picture as plain sRGB pixels, upright, on white where it was transparent.

    Raises:
        RequestError: the file is missing.
        FileFormatError: the file is torn, or not the one that the manifest names.
    """
    content = _whole(candidate)
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


def masked(image: Image.Image, mask: Box | None) -> Image.Image:
    """Return the picture with the box covered in the room's grey; the same share of every one."""
    if mask is None:
        return image
    left, top = round(mask.x * image.width), round(mask.y * image.height)
    right = max(round((mask.x + mask.width) * image.width), left + 1)
    bottom = max(round((mask.y + mask.height) * image.height), top + 1)
    covered = image.copy()
    covered.paste(GREY, (left, top, right, bottom))
    return covered


def write_stimuli(
    candidates: Sequence[Candidate],
    names: Sequence[str],
    study: Path,
    *,
    modality: str,
    mask: Box | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> list[Stimulus]:
    """Write the cleaned copy of each candidate under its opaque name.

    Pictures become lossless WebP, clips H.264 of one setting; `mask` covers the same box of all.

    Raises:
        RequestError, FileFormatError: a file is missing or torn; the sentence names it.
    """
    clips = modality == "video"
    common = _common_clip(candidates) if clips else None
    box = (common.width, common.height) if common else common_box(candidates)
    folder = study / FOLDER
    folder.mkdir()
    written = []
    for candidate, name in zip(candidates, names, strict=True):
        path = folder / f"{name}{'.mp4' if clips else '.webp'}"
        if common:
            _whole(candidate)
            size = write_clip(
                candidate.path, path, common, lambda frame: masked(fitted(frame, box), mask)
            )
        else:
            image = masked(fitted(read_picture(candidate), box), mask)
            image.save(path, "WEBP", lossless=True, quality=80, method=4)
            size = image.size
        os.utime(path, (FIXED_TIME, FIXED_TIME))
        written.append(
            Stimulus(
                id=name,
                file=f"{FOLDER}/{path.name}",
                width=size[0],
                height=size[1],
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                seconds=max(round(common.seconds * common.fps), 1) / common.fps if common else None,
            )
        )
        advance(1)
    return written


def _whole(candidate: Candidate) -> bytes:
    """Return a file's content, found to be what the manifest names."""
    try:
        content = candidate.path.read_bytes()
    except OSError as error:
        raise RequestError(f"cannot read {candidate.path}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != candidate.sha256:
        raise FileFormatError(f"{candidate.path} is torn or changed: it does not have its hash")
    return content


def _common_clip(candidates: Sequence[Candidate]) -> Shape:
    """Return the common shape: size and rate of the outputs, and a duration that all have."""
    for candidate in candidates:
        _whole(candidate)
    shapes = {candidate.path: measured(candidate.path) for candidate in candidates}
    outputs = common_shape([shapes[one.path] for one in candidates if one.kind == "output"])
    return replace(outputs, seconds=min(one.seconds for one in shapes.values()))


def write_key(
    candidates: Sequence[Candidate], names: Sequence[str], study: Path, *, anchors: Collection[str]
) -> None:
    """Write `sealed/key.jsonl`: one row per stimulus, in the order of the opaque names."""
    rows = sorted(
        (
            {**key_row(candidate, name), "anchor": name in anchors}
            for candidate, name in zip(candidates, names, strict=True)
        ),
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
