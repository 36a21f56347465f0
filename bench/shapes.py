"""Sizes and lengths that a checkpoint cannot do, told from its configs before any weight is read.

Imports diffusers.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import diffusers
import torch

from bench.errors import RequestError, WorkError
from bench.pipelines import on_hub
from bench.plan import call_arguments
from bench.records import ModelSpec
from bench.sizes import check_asked


def check_shapes(spec: ModelSpec, pipeline: str, frames: Iterable[int | None]) -> None:
    """Refuse a size or a number of frames that a model cannot do.

    Args:
        spec: the model; a size that it does not state is its pipeline's own.
        pipeline: its pipeline class.
        frames: what the scenes ask for; None is the model's own number.

    Raises:
        RequestError: says which side, and what it can be.
    """
    shell = _shell(spec, pipeline)
    if shell is None:
        return  # what the configs do not tell is told when the model is loaded
    for number in frames:
        arguments = call_arguments(spec, number)
        try:
            check_asked(shell, arguments)
            _own_check(shell, arguments)
        except WorkError as error:
            raise RequestError(f"model {spec.id}: {error}") from error


def _own_check(shell: Any, arguments: Mapping[str, Any]) -> None:
    """Ask the pipeline's own check of its inputs about the sizes, and about nothing else."""
    check = getattr(shell, "check_inputs", None)
    width, height = arguments.get("width"), arguments.get("height")
    if check is None or not (width and height):
        return
    known = {"prompt": "a", "width": width, "height": height, "num_inference_steps": 1}
    takes = inspect.signature(check).parameters
    given = {
        name: known.get(name)
        for name, one in takes.items()
        if name in known or one.default is inspect.Parameter.empty
    }
    try:
        check(**given)
    except ValueError as error:
        words = " ".join(str(error).split())
        if "height" in words and "width" in words:
            raise WorkError(f"{type(shell).__name__} cannot do {width}×{height}: {words}") from None
    except (TypeError, AttributeError):  # it wants parts that the shell does not have
        return


def _shell(spec: ModelSpec, pipeline: str) -> Any:
    """Return the pipeline with its decoder in shapes alone and no other part; None where it cannot be."""
    kind = getattr(diffusers, pipeline)
    takes = inspect.signature(kind.__init__).parameters
    if "vae" not in takes:
        return None
    level = diffusers.utils.logging.get_verbosity()
    diffusers.utils.logging.set_verbosity_error()
    try:
        index = kind.load_config(spec.source, revision=on_hub(spec))
        decoder = getattr(diffusers, index["vae"][1])
        config = decoder.load_config(spec.source, subfolder="vae", revision=on_hub(spec))
        with torch.device("meta"):
            vae = decoder.from_config(config)
        parts = {name: None for name, one in takes.items() if one.default is one.empty}
        return kind(**{name: None for name in parts if name != "self"} | {"vae": vae})
    except Exception:  # noqa: BLE001 - a config that does not say so says it when it is loaded
        return None
    finally:
        diffusers.utils.logging.set_verbosity(level)
