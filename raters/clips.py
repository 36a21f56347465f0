"""Clips as stimuli: all of one size, rate and duration, decoded and encoded anew by one setting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from bench.clips import read_frames, write_h264
from bench.errors import FileFormatError, WorkError


@dataclass(frozen=True, slots=True)
class Shape:
    """What a clip is like: sides in pixels, frames a second, and how long it plays in seconds."""

    width: int
    height: int
    fps: float
    seconds: float


def measured(path: Path) -> Shape:
    """Return what a clip is like, without decoding it.

    Raises:
        FileFormatError: it does not open as a clip, or says nothing of its rate.
    """
    try:
        with av.open(str(path)) as file:
            if not file.streams.video:
                raise FileFormatError(f"{path} has no video in it")
            stream = file.streams.video[0]
            rate = stream.average_rate or Fraction(0)
            frames = sum(packet.size > 0 for packet in file.demux(stream))
            width, height = stream.codec_context.width, stream.codec_context.height
    except av.FFmpegError as error:
        raise FileFormatError(f"{path} does not open as a clip: {error.strerror}") from error
    if not rate or not frames:
        raise FileFormatError(f"{path} does not say how fast it plays, or has no frames")
    return Shape(width, height, float(rate), frames / float(rate))


def common_shape(shapes: Sequence[Shape]) -> Shape:
    """Return the least of everything: the smallest frame (sides even), rate and duration."""
    smallest = min(shapes, key=lambda one: (one.width * one.height, one.width))
    return Shape(
        width=smallest.width - smallest.width % 2,
        height=smallest.height - smallest.height % 2,
        fps=min(one.fps for one in shapes),
        seconds=min(one.seconds for one in shapes),
    )


def write_clip(
    source: Path, target: Path, common: Shape, cleaned: Callable[[Image.Image], Image.Image]
) -> tuple[int, int]:
    """Write a clip anew in the common shape and return its (width, height).

    Of each moment of the common rate the frame is taken that is shown then. `cleaned` brings a
    frame to its size; sides come out even, which H.264 needs.

    Raises:
        FileFormatError: a frame does not decode.
    """
    rate = measured(source).fps
    count = max(round(common.seconds * common.fps), 1)
    wanted = [int(place * rate / common.fps + 1e-6) for place in range(count)]
    frames: list[np.ndarray] = []
    last: np.ndarray | None = None
    try:
        for number, pixels in enumerate(read_frames(source)):
            times = wanted.count(number)
            if number > wanted[-1]:
                break
            if times or last is None:
                last = np.asarray(_even(cleaned(Image.fromarray(pixels))))
            frames += [last] * times
    except WorkError as error:
        raise FileFormatError(str(error)) from error
    if last is None:
        raise FileFormatError(f"{source} has no frames")
    frames += [last] * (count - len(frames))  # the last one stays where the end is rounded
    write_h264(target, np.stack(frames), common.fps)
    return last.shape[1], last.shape[0]


def _even(frame: Image.Image) -> Image.Image:
    width, height = max(frame.width // 2 * 2, 2), max(frame.height // 2 * 2, 2)
    return frame if (width, height) == frame.size else frame.crop((0, 0, width, height))
