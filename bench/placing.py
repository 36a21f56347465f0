"""How a model lies on its device, what of it is compiled, and what is left out on request.

Imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import diffusers
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from bench.device_maps import DENOISERS, is_laid_out, is_spilled
from bench.errors import WorkError
from bench.fast import takes_fast_path
from bench.speedups import CACHES, WEIGHTS, described, settings_of

Placement = Literal[
    "whole",
    "encoders apart",
    "parts in turn",
    "layers in turn",
    "over devices",
    "layers over devices",
]
"""How a model lies on the device; all but the first are for want of memory."""

ROOM = 0.8
"""The share of a device's memory that weights may take; the rest is for the work itself."""


def place(pipeline: Any) -> Placement:
    """Put a pipeline on the device, whole where memory allows; return how it lies.

    Raises:
        WorkError: it is too large for the devices together, or for devices that are each to hold
            all of it.
    """
    if not torch.cuda.is_available():
        return "whole"
    if pipeline.hf_device_map:
        return "over devices"
    modules = {n: p for n, p in pipeline.components.items() if isinstance(p, torch.nn.Module)}
    whole = {name: part for name, part in modules.items() if not is_laid_out(part)}
    sizes = {name: size_of(part) for name, part in whole.items()}
    room = int(ROOM * torch.cuda.mem_get_info()[0])
    how = placement(sizes, room, apart=takes_fast_path(pipeline))
    if len(whole) < len(modules):
        if how != "whole" or any(map(is_spilled, modules.values())):
            raise WorkError(
                f"too large for {torch.cuda.device_count()} devices together (device_map auto): give "
                "a worker more, or leave out the map"
            )
        for part in whole.values():
            part.to("cuda")
        return "layers over devices"
    if how in {"parts in turn", "layers in turn"} and is_cut(pipeline):
        raise WorkError(
            "too large for one device, and context_parallel wants the whole weights on each: "
            "take device_map auto in its place"
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


def compile_parts(pipeline: Any, **options: Any) -> None:
    """Compile the denoisers' blocks and the decoder of pictures; convolutions channels last.

    Of transformers the block that repeats: seconds to compile instead of a minute, at nearly the
    speed. A U-Net's levels are compiled one by one, since half of its time goes to convolutions and
    norms outside its transformer blocks; their shapes are fixed by the plan, so none is dynamic.
    `options` go to the compiler.
    """
    fixed, free = [], []
    for denoiser in denoisers(pipeline):
        if levels := _levels(denoiser):
            denoiser.to(memory_format=torch.channels_last)
            fixed += [level for level in levels if not _is_compiled(level)]
        elif not _is_compiled(denoiser):
            free += _blocks(denoiser)
    decoder: Any = getattr(getattr(pipeline, "vae", None), "decoder", None)
    # a decoder of clips keeps frames between its calls, which a compiled one would not see
    if isinstance(getattr(decoder, "conv_in", None), torch.nn.Conv2d):
        pipeline.vae.to(memory_format=torch.channels_last)
        fixed += [] if _is_compiled(decoder) else [decoder]
    if fixed or free:
        # torch keeps eight compiled forms of a function and goes on uncompiled after them: those of
        # the model before are not needed any more
        torch.compiler.reset()
    for part in fixed:
        part.compile(dynamic=False, **options)
    for part in free:
        part.compile(**options)


def _is_compiled(part: Any) -> bool:
    return any(one._compiled_call_impl is not None for one in part.modules())  # noqa: SLF001


def _blocks(denoiser: Any) -> list[Any]:
    """Return the blocks that repeat in a transformer: those it names, else the lists it is made of."""
    if named := getattr(denoiser, "_repeated_blocks", None):
        return [part for part in denoiser.modules() if type(part).__name__ in named]
    lists = [part for part in denoiser.children() if isinstance(part, torch.nn.ModuleList)]
    return [block for blocks in lists for block in blocks]


def _levels(denoiser: Any) -> list[Any]:
    """Return the levels of a U-Net, down and up again; none of a transformer."""
    down, up = (getattr(denoiser, name, None) for name in ("down_blocks", "up_blocks"))
    if not isinstance(down, torch.nn.ModuleList) or not isinstance(up, torch.nn.ModuleList):
        return []
    middle = getattr(denoiser, "mid_block", None)
    return [*down, *([] if middle is None else [middle]), *up]


@contextmanager
def exact_attention(*, by_cudnn: bool = True) -> Iterator[None]:
    """Have attention go by the fastest exact kernel of the device; the others stay at hand.

    On Hopper and later that is cuDNN's, where `by_cudnn`; else it is torch's own choice. The order
    is fixed by the kind of device, not by a measurement: which kernel computes decides the last
    bits, and a run resumed must have the same.
    """
    there = torch.cuda.is_available() and torch.cuda.get_device_capability() >= (9, 0)
    if not (by_cudnn and there):
        yield
        return
    order = [
        SDPBackend.CUDNN_ATTENTION,
        SDPBackend.FLASH_ATTENTION,
        SDPBackend.EFFICIENT_ATTENTION,
        SDPBackend.MATH,
    ]
    with sdpa_kernel(order, set_priority=True):
        yield


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
    """Return the parts that denoise."""
    parts = [getattr(pipeline, name, None) for name in DENOISERS]
    return [part for part in parts if isinstance(part, torch.nn.Module)]


def is_cut(pipeline: Any) -> bool:
    """Say whether what passes through a pipeline's denoiser is cut over several devices."""
    return any(getattr(part, "_parallel_config", None) for part in denoisers(pipeline))


def work_dtype(pipeline: Any) -> torch.dtype:
    """Return the dtype in which a model denoises."""
    dtype: torch.dtype = denoisers(pipeline)[0].dtype if denoisers(pipeline) else torch.float32
    return dtype


def size_of(module: torch.nn.Module) -> int:
    """Return the bytes of a part's weights."""
    tensors = [*module.parameters(), *module.buffers()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
