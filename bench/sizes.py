"""What sizes a loaded pipeline can do. Some round what they cannot do, and say nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.errors import WorkError

_OF_TWO = (
    "ChromaPipeline",
    "CogVideoXPipeline",
    "Flux2KleinPipeline",
    "Flux2Pipeline",
    "FluxPipeline",
    "HunyuanDiTPipeline",
    "HunyuanImagePipeline",
    "Lumina2Pipeline",
    "MochiPipeline",
    "QwenImagePipeline",
    "WanPipeline",
    "ZImagePipeline",
)
_CUT = dict.fromkeys(_OF_TWO, 2) | {"HunyuanVideo15Pipeline": 1}
"""Classes that round a size that does not fit, or break at it in the middle, by the latents' values
that go together along a side."""

_SPATIAL = (
    "vae_scale_factor_spatial",
    "vae_spatial_compression_ratio",
    "vae_spatial_scale_factor",
    "vae_scale_factor",
)
_TEMPORAL = (
    "vae_scale_factor_temporal",
    "vae_temporal_compression_ratio",
    "vae_temporal_scale_factor",
)


def check_asked(pipeline: Any, arguments: Mapping[str, Any]) -> None:
    """Refuse a size that the pipeline would round, before any work is done.

    What it refuses itself it refuses at once too, in its own words.

    Raises:
        WorkError: a side is no multiple of what it must be, or the frames are not 1 more than one.
    """
    name = type(pipeline).__name__
    spatial, temporal = _first(pipeline, _SPATIAL), _first(pipeline, _TEMPORAL)
    if spatial and name in _CUT:
        least = _CUT[name] * spatial
        for side in ("width", "height"):
            value = arguments.get(side)
            if value and value % least:
                raise WorkError(
                    f"{name} cannot do {side} {value}: it must be a multiple of {least}"
                )
    frames = arguments.get("num_frames")
    if frames and temporal and frames % temporal != 1 % temporal:
        near = (frames - 1) // temporal * temporal + 1
        raise WorkError(
            f"{name} cannot do {frames} frames: ask for {near} or {near + temporal}, "
            f"a multiple of {temporal} and one more"
        )


def check_made(name: str, shape: Sequence[int], arguments: Mapping[str, Any]) -> None:
    """Refuse outputs of another size than was asked.

    Args:
        name: the pipeline's class, for the sentence.
        shape: jobs × (frames ×) height × width × 3.
        arguments: of the call.

    Raises:
        WorkError: the sizes differ.
    """
    came = {"width": shape[-2], "height": shape[-3]}
    if len(shape) == 5:
        came["num_frames"] = shape[1]
    for argument, value in came.items():
        if arguments.get(argument) not in {None, value}:
            raise WorkError(
                f"{name} cannot do {argument} {arguments[argument]}: it gave {value}; ask for that"
            )


def _first(pipeline: Any, names: Sequence[str]) -> int | None:
    found = (getattr(pipeline, name, None) for name in names)
    return next((int(value) for value in found if value), None)
