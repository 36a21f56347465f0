"""One output: from what a pipeline returned for a job to a whole file in the run and its row."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import manifest
from bench.files import file_hash
from bench.media import encode_png, pixel_hash, to_pixels
from bench.records import Job, Output

Picture = npt.NDArray[Any]
"""What a pipeline returned for one job: a picture (height × width × 3) or a clip (frames first),
bytes or floats in [0, 1]."""


def write_output(
    run: Path,
    job: Job,
    picture: Picture,
    *,
    suite: str,
    suite_hash: str,
    why: str = "",
    fps: float | None = None,
    master: str = "",
    details: Mapping[str, Any] = MappingProxyType({}),
) -> Output:
    """Write one output's file into the run, whole or not at all, and return its row.

    A picture becomes a PNG; a clip H.264, and with `master` a lossless file in `masters/` beside.

    Args:
        run: the run folder.
        job: what was asked.
        picture: what came; floats are turned into bytes as diffusers does.
        suite: the suite's name.
        suite_hash: the hash of its content.
        why: why it is suspect, where whoever made the bytes knows already.
        fps: frames per second of a clip.
        master: "ffv1" or "".
        details: columns of the row after the first sixteen (seconds, batch, device …).

    Raises:
        OSError: the file cannot be written.
        ValueError: neither picture nor clip; a clip without `fps`, or with an odd side.
    """
    if picture.ndim not in {3, 4} or picture.shape[-1] != 3 or 0 in picture.shape:
        raise ValueError(f"neither a colour picture nor a clip: {picture.shape}")
    pixels, seen = to_pixels(picture)
    why = why or seen
    is_clip = pixels.ndim == 4
    name = f"{manifest.OUTPUTS}/{job.key}.{'mp4' if is_clip else 'png'}"
    further = dict(details)
    if is_clip:
        if not fps:
            raise ValueError("a clip wants frames per second")
        further |= {"duration": round(len(pixels) / fps, 6)}
        further |= _write_clip(run, job.key, pixels, fps, master)
        content_hash = file_hash(run / name)
    else:
        content = encode_png(pixels)
        manifest.write_output_file(run, name, content)
        content_hash = hashlib.sha256(content).hexdigest()
    return Output(
        file_name=name,
        key=job.key,
        model=job.model,
        prompt=job.prompt,
        language=job.language,
        text=job.text,
        seed=job.seed,
        width=pixels.shape[-2],
        height=pixels.shape[-3],
        frames=len(pixels) if is_clip else None,
        fps=fps if is_clip else None,
        sha256=content_hash,
        pixel_sha256=pixel_hash(pixels),
        status="suspect" if why else "ok",
        suite=suite,
        suite_hash=suite_hash,
        note=why,
        **further,
    )


def _write_clip(
    run: Path, key: str, frames: npt.NDArray[np.uint8], fps: float, master: str
) -> dict[str, str]:
    """Write a clip, its master first: what a row names must be there before the row."""
    from bench import clips  # noqa: PLC0415 - PyAV only where there are clips

    further = {}
    if master:
        further["master"] = f"{manifest.MASTERS}/{key}.mkv"
        with manifest.output_file(run, further["master"]) as temporary:
            clips.write_ffv1(temporary, frames, fps)
    with manifest.output_file(run, f"{manifest.OUTPUTS}/{key}.mp4") as temporary:
        clips.write_h264(temporary, frames, fps)
    return further
