"""How a model lies on its device, what of it is compiled, and what is left out on request.

Imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import diffusers
import torch

from bench.errors import WorkError
from bench.fast import takes_fast_path
from bench.speedups import CACHES, WEIGHTS, described, settings_of

Placement = Literal["whole", "encoders apart", "parts in turn", "layers in turn"]
"""How a model lies on the device; all but the first are for want of memory."""

ROOM = 0.8
"""The share of a device's memory that weights may take; the rest is for the work itself."""


def place(pipeline: Any) -> Placement:
    """Put a pipeline on the device, whole where memory allows; return how it lies."""
    if not torch.cuda.is_available():
        return "whole"
    modules = {n: p for n, p in pipeline.components.items() if isinstance(p, torch.nn.Module)}
    sizes = {name: size_of(part) for name, part in modules.items()}
    how = placement(
        sizes, int(ROOM * torch.cuda.mem_get_info()[0]), apart=takes_fast_path(pipeline)
    )
    if how == "whole":
        pipeline.to("cuda")
    elif how == "parts in turn":
        pipeline.enable_model_cpu_offload()
    elif how == "layers in turn":
        pipeline.enable_sequential_cpu_offload()
    return how


def placement(sizes: Mapping[str, int], room: int, *, apart: bool) -> Placement:
    """Decide how a model's parts lie on a device.

    Args:
        sizes: bytes of weights by the part's name.
        room: bytes of the device that weights may take.
        apart: the text encoders can be put aside while the rest works.
    """
    encoders = sum(size for name, size in sizes.items() if name.startswith("text_encoder"))
    rest = sum(sizes.values()) - encoders
    if encoders + rest <= room:
        return "whole"
    if apart and max(encoders, rest) <= room:
        return "encoders apart"
    return "parts in turn" if max(sizes.values()) <= room else "layers in turn"


def compile_parts(pipeline: Any) -> None:
    """Compile the denoisers' repeated blocks and the decoder of pictures, channels last.

    Blocks rather than whole models: seconds to compile instead of a minute, at nearly the speed.
    """
    for denoiser in denoisers(pipeline):
        if any(isinstance(module, torch.nn.Conv2d) for module in denoiser.modules()):
            denoiser.to(memory_format=torch.channels_last)
        if getattr(denoiser, "_repeated_blocks", None):
            denoiser.compile_repeated_blocks()
    decoder: Any = getattr(pipeline.vae, "decoder", None)
    # a decoder of clips keeps frames between its calls, which a compiled one would not see
    if isinstance(getattr(decoder, "conv_in", None), torch.nn.Conv2d):
        pipeline.vae.to(memory_format=torch.channels_last)
        decoder.compile()


def speed_up(pipeline: Any, speedups: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    """Have a loaded pipeline leave out work as asked; its pictures change.

    Args:
        pipeline: as it was loaded.
        speedups: as `bench.speedups.check_speedups` takes them; empty for none.
        arguments: of the calls to come.

    Raises:
        WorkError: this checkpoint does not take it.
    """
    try:
        for denoiser in denoisers(pipeline):
            if "weights" in speedups:
                kept = getattr(torch, WEIGHTS[speedups["weights"]])
                denoiser.enable_layerwise_casting(kept, compute_dtype=denoiser.dtype)
            if "cache" in speedups:
                settings = settings_of(speedups, arguments)
                if speedups["cache"] == "pyramid_attention":
                    settings["current_timestep_callback"] = lambda: pipeline.current_timestep
                if speedups["cache"] == "taylorseer":
                    settings["taylor_factors_dtype"] = denoiser.dtype
                config = getattr(diffusers.hooks, CACHES[speedups["cache"]].config)
                denoiser.enable_cache(config(**settings))
    except (AttributeError, ValueError, TypeError, RuntimeError, IndexError) as error:
        raise WorkError(
            f"{type(pipeline).__name__} does not take {described(speedups)}: {error}"
        ) from error


def denoisers(pipeline: Any) -> list[Any]:
    """Return the parts that denoise: one, in some models one for each half of the way."""
    names = ("unet", "transformer", "transformer_2")
    parts = [getattr(pipeline, name, None) for name in names]
    return [part for part in parts if isinstance(part, torch.nn.Module)]


def work_dtype(pipeline: Any) -> torch.dtype:
    """Return the dtype in which a model denoises."""
    dtype: torch.dtype = denoisers(pipeline)[0].dtype if denoisers(pipeline) else torch.float32
    return dtype


def size_of(module: torch.nn.Module) -> int:
    """Return the bytes of a part's weights."""
    tensors = [*module.parameters(), *module.buffers()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
