"""A picture or a clip made elsewhere: looked at with care, and reduced to its pixels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from bench import clips
from bench.errors import WorkError
from bench.media import plain_srgb
from bench.records import Modality

SUFFIXES: dict[Modality, tuple[str, ...]] = {
    "image": (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"),
    "video": (".mp4", ".mov", ".webm", ".mkv", ".m4v"),
    "understanding": (),
}
"""What may be taken in, by the suite's modality."""

LEAST_SIDE = 64
"""Pixels of the shorter side under which nothing can be judged."""

MOST_PIXELS = 64_000_000
"""Of a picture: 8000 × 8000."""

MOST_BYTES = 2 << 30
"""Of a clip's frames, decoded: some 25 seconds of 720p."""

_NOT_STANDARD_RANGE = {16, 18}
"""Transfer functions PQ and HLG."""


class RefusedError(Exception):
    """A file cannot be taken in; the sentence says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """What a file holds: a picture (height × width × 3), or a clip (frames first) and its rate."""

    pixels: npt.NDArray[np.uint8]
    fps: float | None = None


def read_foreign(path: Path, modality: Modality) -> Foreign:
    """Read a file whole, as plain sRGB pixels: no profile, no metadata, no sound, upright.

    Raises:
        RefusedError: it is no such file, or no file that every rater would see alike.
    """
    check_file(path, modality)
    return Foreign(_picture(path)) if modality == "image" else _clip(path)


@contextmanager
def picture_warnings() -> Iterator[None]:
    """Keep what is odd about metadata to ourselves, since it is dropped; too many pixels are a fault.

    For the main thread, around all reading: filters are not a thread's own.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def check_file(path: Path, modality: Modality) -> None:
    """Refuse what is no plain file of the right kind, without opening it."""
    if path.is_symlink():
        raise RefusedError("is a link: put the file itself there")
    if path.is_dir():
        raise RefusedError("is a folder, not a file")
    if not path.is_file():
        raise RefusedError("is not there")
    if path.suffix.lower() == ".csv":
        raise RefusedError("is a table: give it with --csv")
    if path.suffix.lower() not in SUFFIXES[modality]:
        raise RefusedError(f"is none of {', '.join(SUFFIXES[modality])}, as {modality}s must be")
    if not path.stat().st_size:
        raise RefusedError("is empty")


def _picture(path: Path) -> npt.NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            _check_picture(image)
            return np.asarray(plain_srgb(ImageOps.exif_transpose(image)))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise RefusedError(f"has too many pixels: bring it to {MOST_PIXELS:,} or fewer") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise RefusedError(f"does not decode as a picture: {error}") from error


def _check_picture(image: Image.Image) -> None:
    _check_sides(image.width, image.height)
    if image.width * image.height > MOST_PIXELS:
        raise RefusedError(
            f"has {image.width}×{image.height} pixels: bring it to {MOST_PIXELS:,} or fewer"
        )
    if getattr(image, "n_frames", 1) > 1:
        raise RefusedError("moves, or has several pages: a suite of pictures takes stills")


def _clip(path: Path) -> Foreign:
    """Decode a clip twice: once to learn its size and that it is whole, once into one array."""
    try:
        with av.open(str(path)) as file:
            if not file.streams.video:
                raise RefusedError("has no video in it")
            stream = file.streams.video[0]
            fps = float(stream.average_rate or 0)
            _check_stream(stream)
    except av.FFmpegError as error:
        raise RefusedError(f"does not decode as a clip: {error.strerror}") from error
    count, shape = 0, (0, 0, 3)
    try:
        for frame in clips.read_frames(path):
            if count and frame.shape != shape:
                raise RefusedError("changes its size on the way")
            count, shape = count + 1, frame.shape
            if count * frame.nbytes > MOST_BYTES:
                raise RefusedError("is too long for its size: shorten it, or scale it down")
        if count < 2:
            raise RefusedError("has fewer than two frames that decode: it is no clip")
        if not fps:
            raise RefusedError("states no frames per second")
        pixels = np.empty((count, *shape), np.uint8)
        for number, frame in enumerate(clips.read_frames(path)):
            pixels[number] = frame
    except WorkError as error:
        reason = str(error).removeprefix(f"{path} ")
        raise RefusedError(reason) from error
    return Foreign(pixels, round(fps, 6))


def _check_stream(stream: Any) -> None:
    context = stream.codec_context
    _check_sides(context.width, context.height)
    if why := clips.check_size(context.width, context.height):
        raise RefusedError(f"of {why}: scale it")
    if (context.sample_aspect_ratio or 1) != 1:
        raise RefusedError("has pixels that are not square: scale it")
    if context.color_trc in _NOT_STANDARD_RANGE:
        raise RefusedError("is of high dynamic range: export it in the standard one (BT.709)")


def _check_sides(width: int, height: int) -> None:
    if min(width, height) < LEAST_SIDE:
        raise RefusedError(f"has {width}×{height} pixels: too small to be judged")
