"""What sizes a loaded pipeline can do. Some round what they cannot do, and say nothing."""

from __future__ import annotations

import inspect
import sys
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

_SIDES = ("width", "height")
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
    asked, near = _by_list(pipeline, arguments)
    if asked != near and not _brings_back(pipeline):
        raise WorkError(
            f"{name} cannot do {asked[0]}×{asked[1]}: it would make {near[0]}×{near[1]} in its "
            "place; ask for that size, or for use_resolution_binning=false"
        )
    spatial, temporal = _first(pipeline, _SPATIAL), _first(pipeline, _TEMPORAL)
    if spatial and name in _CUT:
        least = _CUT[name] * spatial
        for side in _SIDES:
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


def brought_back(pipeline: Any, arguments: Mapping[str, Any]) -> str:
    """Say from which size of its list a pipeline brings outputs to the size asked; "" where it does not."""
    asked, near = _by_list(pipeline, arguments)
    return "" if asked == near else f"made at {near[0]}×{near[1]} and brought to the size asked"


class _Found(Exception):  # noqa: N818 - no error: how a call is left
    pass


_Size = tuple[int | None, int | None]
"""Width and height."""


def _by_list(pipeline: Any, arguments: Mapping[str, Any]) -> tuple[_Size, _Size]:
    """Return the size asked, and what a pipeline that has a list of sizes would take for it.

    Which list is the pipeline's matter: it is called, and left where it looks the size up.
    """
    kind = type(pipeline)
    binning = inspect.signature(kind.__call__).parameters.get("use_resolution_binning")
    width, height = arguments.get("width"), arguments.get("height")
    asked = found = (width, height)
    if binning is None or not arguments.get("use_resolution_binning", binning.default):
        return asked, found
    module = sys.modules[kind.__module__]
    if hasattr(module, "map_to_standard_shapes"):  # HunyuanDiT
        usual = pipeline.default_sample_size * pipeline.vae_scale_factor
        width, height = asked = (width or usual, height or usual)
        listed = (height, width) in module.SUPPORTED_SHAPE
        return asked, asked if listed else module.map_to_standard_shapes(width, height)
    if not (width or height):
        return asked, found
    processor = _processor(pipeline)
    look_up = processor.classify_height_width_bin

    def leave(height: int, width: int, ratios: Any) -> None:
        nonlocal asked, found
        asked, found = (width, height), look_up(height, width, ratios=ratios)[::-1]
        raise _Found

    processor.classify_height_width_bin = leave
    try:
        pipeline(prompt="a", **{side: arguments[side] for side in _SIDES if arguments.get(side)})
    except (_Found, ValueError, AttributeError):  # the latter two: it has no list, and says so
        pass
    finally:
        del processor.classify_height_width_bin
    return asked, found


def _processor(pipeline: Any) -> Any:
    return getattr(pipeline, "image_processor", None) or pipeline.video_processor


def _brings_back(pipeline: Any) -> bool:
    """Say whether a pipeline brings what it made at a size of its list to the size asked."""
    return hasattr(_processor(pipeline), "resize_and_crop_tensor")


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
