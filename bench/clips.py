"""Clips as files: H.264 that browsers play, FFV1 that loses nothing, and reading both back.

H.264 is lossy, so the hash of a clip's pixels is that of its frames before encoding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import Colorspace, Interpolation

from bench.errors import WorkError
from bench.media import Pixels

Frames = npt.NDArray[np.uint8]
"""A clip: frames × height × width × 3, 0 to 255."""

MASTERS = ("ffv1",)
"""The lossless forms in which a clip may be kept beside its H.264."""

_BT709 = 1
_UNSTATED = 2
_LARGE = 720
_EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_BITEXACT = {"fflags": "+bitexact"}
_SAME_BYTES = "threads=1:lookahead-threads=1:no-mbtree=1"
"""x264's macroblock tree reads where it has not written: with it one clip gave 18 files in 40."""


def check_size(width: int, height: int) -> str:
    """Return why H.264 cannot hold clips of this size, "" where it can.

    Browsers play 4:2:0 alone, which halves both sides. Padding or cropping would show raters
    something that the model did not make.
    """
    if width % 2 or height % 2:
        return f"{width}×{height} has an odd side, and browsers play clips of even sides only"
    return ""


def write_h264(path: Path, frames: Frames, fps: float) -> None:
    """Write H.264, 4:2:0, BT.709, visually lossless, its index first; no note of the encoder.

    The same frames give the same bytes, on the same build.

    Raises:
        ValueError: a side is odd, or the encoder refuses the frames.
    """
    _, height, width, _ = frames.shape
    if why := check_size(width, height):
        raise ValueError(why)
    options = _BITEXACT | {"movflags": "+faststart"}
    with _refusals(), av.open(str(path), "w", format="mp4", options=options) as to:
        options = {"crf": "14", "preset": "medium", "x264-params": _SAME_BYTES}
        stream = to.add_stream("libx264", rate=_rate(fps), options=options)
        context = _settled(stream.codec_context, frames, "yuv420p")
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = 1  # 16 to 235, what 4:2:0 is taken for
        # x264 writes its name and settings into the stream as a user-data unit: leave it out
        clean = av.bitstream.BitStreamFilterContext("filter_units=remove_types=6", stream)
        for frame in _video_frames(frames, fps):
            plain = frame.reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU709, interpolation=_EXACT, threads=1
            )
            for packet in stream.encode(plain):
                to.mux(clean.filter(packet))
        for packet in stream.encode(None):
            to.mux(clean.filter(packet))
        to.mux(clean.filter(None))


def write_ffv1(path: Path, frames: Frames, fps: float) -> None:
    """Write FFV1 in Matroska: the exact frames, each slice with a checksum.

    Raises:
        ValueError: the encoder refuses the frames.
    """
    with _refusals(), av.open(str(path), "w", format="matroska", options=_BITEXACT) as to:
        options = {"level": "3", "slices": "4", "slicecrc": "1"}
        stream = to.add_stream("ffv1", rate=_rate(fps), options=options)
        _settled(stream.codec_context, frames, "bgr0")
        for frame in _video_frames(frames, fps):
            to.mux(stream.encode(frame.reformat(format="bgr0", threads=1)))
        to.mux(stream.encode(None))


def read_frames(path: Path) -> Iterator[Pixels]:
    """Yield a clip's frames one by one, as they are stored: height × width × 3.

    Raises:
        WorkError: it has no video in it, or a frame does not decode.
    """
    try:
        with av.open(str(path)) as file:
            if not file.streams.video:
                raise WorkError(f"{path} does not decode: there is no video in it")
            stream = file.streams.video[0]
            stream.codec_context.thread_count = 1
            for frame in file.decode(stream):
                if frame.is_corrupt:
                    raise WorkError(f"{path} does not decode: frame {frame.pts} is torn")
                plain = frame.reformat(
                    format="rgb24",
                    src_colorspace=_matrix(frame),
                    interpolation=_EXACT,
                    threads=1,
                )
                yield np.asarray(plain.to_ndarray(), np.uint8)
    except av.FFmpegError as error:
        raise WorkError(f"{path} does not decode as a clip: {error.strerror}") from error


def _matrix(frame: av.VideoFrame) -> Colorspace | None:
    """Return BT.709 where a large frame states no matrix, as players take it; else what it states."""
    stated = int(frame.colorspace)
    return Colorspace.ITU709 if stated == _UNSTATED and frame.height >= _LARGE else None


def decoded(path: Path, shape: tuple[int, ...]) -> tuple[tuple[int, ...], str]:
    """Decode a whole clip, holding one frame at a time.

    Args:
        path: the file.
        shape: what it should be: frames × height × width × 3.

    Returns:
        The shape found, and what `bench.media.pixel_hash` gives of the pixels ("" where the shape
        is another).

    Raises:
        WorkError: it does not decode.
    """
    content = hashlib.sha256("x".join(map(str, shape)).encode() + b"\n")
    count, found = 0, shape[1:]
    for frame in read_frames(path):
        count += 1
        if frame.shape != shape[1:]:
            found = frame.shape
        content.update(np.ascontiguousarray(frame).data)
    found = (count, *found)
    return found, content.hexdigest() if found == shape else ""


@contextmanager
def _refusals() -> Iterator[None]:
    """Tell frames that an encoder refuses, which are wrong, from a disk or memory that gives out."""
    try:
        yield
    except (OSError, MemoryError):
        raise
    except av.FFmpegError as error:
        raise ValueError(f"the clip cannot be encoded: {error.strerror}") from error


def _settled(context: VideoCodecContext, frames: Frames, pixels: str) -> VideoCodecContext:
    _, context.height, context.width, _ = frames.shape
    context.pix_fmt = pixels
    context.thread_count = 1
    context.flags |= int(Flags.bitexact)
    return context


def _video_frames(frames: Frames, fps: float) -> Iterator[av.VideoFrame]:
    for number, pixels in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame.pts, frame.time_base = number, 1 / _rate(fps)
        yield frame


def _rate(fps: float) -> Fraction:
    return Fraction(fps).limit_denominator(1001)
