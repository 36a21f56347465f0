"""A model laid over several devices: part by part, or its denoiser layer by layer.

What diffusers and accelerate do; pixels are those of one device. Imports torch.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any

import diffusers
import torch

from bench.errors import RequestError
from bench.records import ModelSpec

DENOISERS = ("unet", "transformer", "transformer_2")
"""Names of the parts that denoise: one, in some models one for each half of the way."""


def check_device_map(spec: ModelSpec, pipeline: str, config: Mapping[str, Any] | None) -> None:
    """Refuse a device map that diffusers does not know for this pipeline.

    Args:
        spec: of the model.
        pipeline: its class.
        config: the checkpoint's list of parts; None where it is not at hand.

    Raises:
        RequestError: the pipeline is several in one, or its denoiser has no map by layers.
    """
    if spec.device_map and getattr(diffusers, pipeline)._load_connected_pipes:  # noqa: SLF001
        raise RequestError(
            f"model {spec.id}: {pipeline} is several pipelines in one, and diffusers "
            f"{diffusers.__version__} lays none of these over several devices: leave out device_map"
        )
    if spec.device_map != "auto" or config is None:
        return
    found = [part for name in DENOISERS if (part := _class_of(config, name))]
    if not found or any(part._no_split_modules is None for part in found):  # noqa: SLF001
        raise RequestError(
            f"model {spec.id}: diffusers {diffusers.__version__} does not lay the denoiser of "
            f"{pipeline} over devices by its layers: take device_map balanced"
        )


def by_layers(
    spec: ModelSpec,
    config: Mapping[str, Any],
    dtypes: Mapping[str, torch.dtype],
    max_memory: Mapping[int | str, int],
    **options: Any,
) -> dict[str, Any]:
    """Read the denoisers and lay their layers over devices, on the first no more than must be.

    Args:
        spec: of the model.
        config: the checkpoint's list of parts.
        dtypes: by the part's name, and "default".
        max_memory: bytes that weights may take, by the device's number; "cpu" for what is left.
        options: how the checkpoint is read.

    Returns:
        The denoisers by the part's name.
    """
    with warnings.catch_warnings():
        # accelerate looks for parts alone, and some maps name a parameter that is in none
        warnings.filterwarnings("ignore", "The following device_map keys do not match")
        return {
            name: part.from_pretrained(
                spec.source,
                subfolder=name,
                dtype=dtypes.get(name, dtypes["default"]),
                device_map="balanced_low_0",  # the first device has encoders and decoder to bear
                max_memory=dict(max_memory),
                **options,
            )
            for name in DENOISERS
            if (part := _class_of(config, name))
        }


def memory_of_devices(share: float) -> dict[int | str, int]:
    """Return the bytes free on each GPU, times `share`, and those free on the host."""
    gpus = range(torch.cuda.device_count())
    free: dict[int | str, int] = {gpu: int(share * torch.cuda.mem_get_info(gpu)[0]) for gpu in gpus}
    host = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return free | {"cpu": int(share * host)}


def is_laid_out(part: Any) -> bool:
    """Say whether a part's layers lie on several devices."""
    return len(set((getattr(part, "hf_device_map", None) or {}).values())) > 1


def devices_of(pipeline: Any) -> int:
    """Return over how many GPUs a pipeline is laid; 1 where it is not."""
    maps = [
        pipeline.hf_device_map,
        *(getattr(part, "hf_device_map", None) for part in _modules(pipeline)),
    ]
    devices = {str(device) for one in maps if isinstance(one, dict) for device in one.values()}
    return max(1, len(devices - {"cpu", "disk"}))


def _modules(pipeline: Any) -> list[Any]:
    return [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]


def _class_of(config: Mapping[str, Any], name: str) -> Any:
    """Return the class of a checkpoint's part; None where it has no such part."""
    library, kind = config.get(name) or (None, None)
    return getattr(diffusers, kind) if library == "diffusers" and kind else None
