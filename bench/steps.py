"""What a step of denoising looks up on the host, looked up without waiting for the device.

Imports torch.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_map

LOOKS_UP = frozenset(
    {
        "CogVideoXDDIMScheduler",
        "CogVideoXDPMScheduler",
        "DDIMScheduler",
        "DDPMScheduler",
        "PNDMScheduler",
    }
)
"""Schedulers whose step takes its timestep as an index alone, into tables that lie on the host: with
a timestep on the device each look would wait for all that the device was asked before."""


ROTATES_ON_HOST = frozenset({"CogView4Transformer2DModel"})
"""Denoisers that compute their rotary embeddings on the host, at every pass."""


def without_waiting(pipeline: Any, denoisers: list[Any]) -> Callable[[], None]:
    """Spare a pipeline's steps the waits that its parts do not need; no value changes.

    Returns:
        What gives the pipeline back as it was.
    """
    undone = [
        hook.remove
        for denoiser in denoisers
        if (hook := _rotations_moved_once(denoiser)) is not None
    ]
    scheduler = getattr(pipeline, "scheduler", None)
    if type(scheduler).__name__ in LOOKS_UP:
        undone.append(_timesteps_on_host(scheduler))

    def undo() -> None:
        for one in undone:
            one()

    return undo


def _timesteps_on_host(scheduler: Any) -> Callable[[], None]:
    """Have a scheduler's step see its timesteps on the host, in the place of those on the device."""
    set_timesteps, step = scheduler.set_timesteps, scheduler.step
    signature = inspect.signature(set_timesteps)
    host: list[torch.Tensor] = []

    @functools.wraps(set_timesteps)
    def set_and_sent(*arguments: Any, **options: Any) -> None:
        """Set them on the host, and send them on: of all that is set, only they lie on a device."""
        asked = signature.bind(*arguments, **options)
        device = asked.arguments.get("device")
        asked.arguments["device"] = "cpu"
        set_timesteps(*asked.args, **asked.kwargs)
        kept = scheduler.timesteps
        if device is not None and torch.device(device).type == "cuda":
            kept = kept.pin_memory()  # from other memory a copy may wait for the device
        host[:] = [kept]
        scheduler.timesteps = kept.to(device, non_blocking=True)

    @functools.wraps(step)
    def on_host(*arguments: Any, **options: Any) -> Any:
        there = scheduler.timesteps
        if not host or there.device.type == "cpu":
            return step(*arguments, **options)

        def same(value: Any) -> Any:
            """Return the copy of a timestep: told by where it lies, since its value cannot be asked."""
            one = isinstance(value, torch.Tensor) and value.ndim == 0
            if not one or value.device != there.device or value._base is not there:  # noqa: SLF001
                return value
            return host[0][value.storage_offset() - there.storage_offset()]

        scheduler.timesteps = host[0]
        try:
            return step(*map(same, arguments), **{name: same(one) for name, one in options.items()})
        finally:
            scheduler.timesteps = there

    scheduler.set_timesteps, scheduler.step = set_and_sent, on_host

    def undo() -> None:
        del scheduler.set_timesteps, scheduler.step

    return undo


def _rotations_moved_once(denoiser: Any) -> Any:
    """Have rotary embeddings that are computed on the host moved once, not by every layer and pass.

    CogView4's are, from the shape of its input alone: each layer would copy them anew, and wait.
    """
    if type(denoiser).__name__ not in ROTATES_ON_HOST:
        return None
    kept: dict[Any, Any] = {}

    def moved(_rotary: Any, inputs: tuple[torch.Tensor, ...], output: Any) -> Any:
        if (device := inputs[0].device).type == "cpu":
            return output
        like = (inputs[0].shape, device)
        if like not in kept:
            kept.clear()
            kept[like] = tree_map(lambda one: one.to(device), output)
        return kept[like]

    return denoiser.rope.register_forward_hook(moved)
