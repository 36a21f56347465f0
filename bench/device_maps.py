"""A model laid over several devices: part by part, or its denoiser layer by layer.

What diffusers and accelerate do; pixels are those of one device. Imports torch.
"""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors import safe_open

from bench.errors import LoadError, RequestError
from bench.records import ModelSpec

EVENLY = "balanced"
"""How accelerate is to lay layers over devices."""

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
    found = [part for name in DENOISERS if (part := class_of(config, name))]
    if not found or any(part._no_split_modules is None for part in found):  # noqa: SLF001
        raise RequestError(
            f"model {spec.id}: diffusers {diffusers.__version__} does not lay the denoiser of "
            f"{pipeline} over devices by its layers: take device_map balanced"
        )


def by_layers(
    spec: ModelSpec,
    config: Mapping[str, Any],
    dtypes: Mapping[str, torch.dtype],
    free: Callable[[], Mapping[int | str, int]],
    **options: Any,
) -> dict[str, Any]:
    """Read the denoisers and lay their layers evenly over devices.

    Args:
        spec: of the model.
        config: the checkpoint's list of parts.
        dtypes: by the part's name, and "default".
        free: tells the bytes that a denoiser may take, by the device's number, and "cpu" for what no
            device has room for; asked before each.
        options: how the checkpoint is read.

    Returns:
        The denoisers by the part's name.
    """
    found = {}
    with warnings.catch_warnings():
        # accelerate looks for parts alone, and some maps name a parameter that is in none
        warnings.filterwarnings("ignore", "The following device_map keys do not match")
        for name in DENOISERS:
            if kind := class_of(config, name):
                part = kind.from_pretrained(
                    spec.source,
                    subfolder=name,
                    dtype=dtypes.get(name, dtypes["default"]),
                    device_map=EVENLY,
                    max_memory=dict(free()),
                    **options,
                )
                found[name] = part
    return found


def memory_of_devices(share: float, others: int) -> dict[int | str, int]:
    """Return what a denoiser may take of each GPU and of the host.

    Args:
        share: of what is free; the rest is for the work itself.
        others: bytes of the parts that are to lie on the first GPU whole.
    """
    gpus = range(torch.cuda.device_count())
    free: dict[int | str, int] = {gpu: int(share * torch.cuda.mem_get_info(gpu)[0]) for gpu in gpus}
    free[0] = max(0, free[0] - others)
    host = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return free | {"cpu": int(share * host)}


def bytes_of_others(
    folder: Path, config: Mapping[str, Any], dtypes: Mapping[str, torch.dtype]
) -> int:
    """Return the bytes that a checkpoint's parts take, the denoisers left out, in these dtypes."""
    total = 0
    for name in config.keys() - set(DENOISERS):
        dtype = dtypes.get(name, dtypes["default"])
        for file in _weights_in(folder / name):
            if file.suffix != ".safetensors":
                total += file.stat().st_size
                continue
            with safe_open(file, "pt") as weights:
                shapes = [weights.get_slice(key).get_shape() for key in weights.keys()]  # noqa: SIM118
            total += dtype.itemsize * sum(map(math.prod, shapes))
    return total


def _weights_in(part: Path) -> list[Path]:
    """Return the files from which a part is read: other variants may lie beside them."""
    for kind in ("safetensors", "bin"):
        if indices := [
            one for one in part.glob(f"*.{kind}.index.json") if one.name.count(".") == 3
        ]:
            listed = json.loads(indices[0].read_text(encoding="utf-8"))["weight_map"].values()
            return [part / name for name in sorted(set(listed))]
        if files := [one for one in part.glob(f"*.{kind}") if one.name.count(".") == 1]:
            return files
    return []


def check_gpus(model: str, count: int) -> None:
    """Refuse to have fewer GPUs than a model asks for at work on it, or several kinds of them.

    Raises:
        LoadError: another worker may have them.
    """
    there = torch.cuda.device_count()
    if there < count:
        raise LoadError(
            f"model {model} is to be cut over {count} devices (context_parallel), and there are "
            f"{there} here: --devices 0+1, --gpus-per-worker 2, or gpus: 2 for Slurm"
        )
    kinds = sorted({torch.cuda.get_device_name(gpu) for gpu in range(count)})
    if len(kinds) > 1:
        raise LoadError(
            f"model {model} is to lie on devices of several kinds ({', '.join(kinds)}): pixels "
            "would depend on which does what"
        )


def is_laid_out(part: Any) -> bool:
    """Say whether layers of a part lie elsewhere than on the first device."""
    return bool({*(getattr(part, "hf_device_map", None) or {}).values()} - {0})


def is_spilled(part: Any) -> bool:
    """Say whether some layers found no room on any device."""
    return bool({"cpu", "disk"} & {*(getattr(part, "hf_device_map", None) or {}).values()})


def devices_of(pipeline: Any) -> int:
    """Return over how many GPUs a pipeline is laid; 1 where it is not."""
    modules = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    maps = [getattr(part, "hf_device_map", None) for part in (pipeline, *modules)]
    devices = {str(device) for one in maps if isinstance(one, dict) for device in one.values()}
    return max(1, len(devices - {"cpu", "disk"}))


def class_of(config: Mapping[str, Any], name: str) -> Any:
    """Return the class of a checkpoint's part that diffusers has; None where there is none."""
    library, kind = config.get(name) or (None, None)
    return getattr(diffusers, kind) if library == "diffusers" and kind else None
