"""What makes a model faster and changes its pictures: step caches and FP8 weights, on request only.

They are part of a job's key, stand in `run.yaml`, in every row and in `speed.jsonl`, and mark the
model in every table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import RequestError


@dataclass(frozen=True, slots=True)
class Cache:
    """A step cache of diffusers: its configuration, what can be set of it, and who takes it.

    `families` are pipeline classes on which it is tried by a test on a tiny checkpoint. Caches that
    look at the whole batch to decide (`neighbours`) work on one job at a time.
    """

    config: str
    settings: frozenset[str]
    required: frozenset[str]
    families: frozenset[str]
    neighbours: bool = False


_BY_CONTEXT = frozenset(
    {
        "CogVideoXPipeline",
        "CogView4Pipeline",
        "FluxPipeline",
        "HunyuanVideoPipeline",
        "LTXPipeline",
        "QwenImagePipeline",
        "WanPipeline",
    }
)
"""Pipelines that tell a cache which of the passes of a step it is in."""

CACHES: Mapping[str, Cache] = {
    # Cheng, ParaAttention: the rest of the blocks is left out where the first one changes little
    "first_block": Cache(
        "FirstBlockCacheConfig",
        frozenset({"threshold"}),
        frozenset(),
        _BY_CONTEXT,
        neighbours=True,
    ),
    # Liu et al. 2025, arXiv 2503.06923: what attention gives is extrapolated from earlier steps;
    # by the names that diffusers looks for, it finds nothing in the others' blocks
    "taylorseer": Cache(
        "TaylorSeerCacheConfig",
        frozenset({"cache_interval", "disable_cache_before_step", "max_order"}),
        frozenset(),
        frozenset(
            {"Flux2KleinPipeline", "FluxPipeline", "HunyuanVideoPipeline", "QwenImagePipeline"}
        ),
    ),
    # Zhao et al. 2024, arXiv 2408.12588: attention is kept for some steps; one pass a step only
    "pyramid_attention": Cache(
        "PyramidAttentionBroadcastConfig",
        frozenset(
            {
                "spatial_attention_block_skip_range",
                "temporal_attention_block_skip_range",
                "cross_attention_block_skip_range",
                "spatial_attention_timestep_skip_range",
                "temporal_attention_timestep_skip_range",
                "cross_attention_timestep_skip_range",
            }
        ),
        frozenset({"spatial_attention_block_skip_range"}),
        frozenset({"CogVideoXPipeline", "FluxPipeline", "LTXPipeline"}),
    ),
    # Ma et al. 2025, MagCache: steps are left out by magnitudes measured for the checkpoint
    "mag": Cache(
        "MagCacheConfig",
        frozenset({"threshold", "max_skip_steps", "retention_ratio", "mag_ratios"}),
        frozenset({"mag_ratios"}),
        _BY_CONTEXT | {"Flux2KleinPipeline"},
    ),
}
"""Those of diffusers 0.42 that work on families of ours. FasterCache runs on CogVideoX alone and
calls itself experimental, SeaCache needs what these pipelines do not tell it."""

_COUNTS = {
    "cache_interval",
    "disable_cache_before_step",
    "max_order",
    "max_skip_steps",
    "spatial_attention_block_skip_range",
    "temporal_attention_block_skip_range",
    "cross_attention_block_skip_range",
}

WEIGHTS = {"fp8": "float8_e4m3fn"}
"""In what the denoiser's weights may be kept between passes; it computes in its own dtype."""


def check_speedups(
    model: str, pipeline: str, speedups: Mapping[str, Any], arguments: Mapping[str, Any]
) -> None:
    """Refuse a speed-up that is none, or that the model's pipeline does not take.

    Args:
        model: its id, for the sentence.
        pipeline: its pipeline class.
        speedups: `cache` with the cache's settings, `weights`; empty for none.
        arguments: of the pipeline's call.

    Raises:
        RequestError: says what can be asked for.
    """
    settings = _settings(speedups)
    weights, cache = speedups.get("weights"), speedups.get("cache")
    if "weights" in speedups and not (isinstance(weights, str) and weights in WEIGHTS):
        raise RequestError(
            f"model {model}: weights {weights!r} is no speed-up: {', '.join(WEIGHTS)} is"
        )
    if "cache" not in speedups:
        if settings:
            raise RequestError(
                f"model {model}: speed-up {min(settings)!r} belongs to a cache: name it, as in "
                "cache=first_block"
            )
        return
    if not isinstance(cache, str) or cache not in CACHES:
        raise RequestError(
            f"model {model}: there is no step cache {cache!r}; there are {', '.join(CACHES)}"
        )
    known = CACHES[cache]
    if pipeline not in known.families:
        raise RequestError(
            f"model {model}: {pipeline} does not take the step cache {cache}; these do: "
            f"{', '.join(sorted(known.families))}"
        )
    if missing := known.required - settings.keys():
        raise RequestError(f"model {model}: the step cache {cache} wants {min(missing)}")
    for name, value in settings.items():
        if name not in known.settings:
            raise RequestError(
                f"model {model}: the step cache {cache} has no {name!r}; it has "
                f"{', '.join(sorted(known.settings))}"
            )
        _check_value(model, name, value)
    _check_calls(model, cache, arguments)


def described(speedups: Mapping[str, Any]) -> str:
    """Return speed-ups as one line, "cache first_block (threshold 0.1), weights fp8"; "" for none."""
    settings = _settings(speedups)
    told = []
    if "cache" in speedups:
        inside = ", ".join(f"{name} {value}" for name, value in sorted(settings.items()))
        told.append(f"cache {speedups['cache']}" + (f" ({inside})" if inside else ""))
    if "weights" in speedups:
        told.append(f"weights {speedups['weights']}")
    return ", ".join(told)


def settings_of(speedups: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the configuration of the cache is made with, for calls with these arguments."""
    settings = {
        name: tuple(value) if name.endswith("timestep_skip_range") else value
        for name, value in _settings(speedups).items()
    }
    if speedups["cache"] == "mag":
        settings["num_inference_steps"] = arguments["num_inference_steps"]
    return settings


def _settings(speedups: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in speedups.items() if name not in {"cache", "weights"}}


def _check_calls(model: str, cache: str, arguments: Mapping[str, Any]) -> None:
    """Refuse calls with which a cache would go wrong without a word."""
    if cache == "pyramid_attention" and (arguments.get("true_cfg_scale") or 1) > 1:
        raise RequestError(
            f"model {model}: the step cache {cache} takes one pass a step, and true_cfg_scale "
            "asks for two"
        )
    if cache == "mag" and "num_inference_steps" not in arguments:
        raise RequestError(
            f"model {model}: the step cache {cache} counts steps: say num_inference_steps, in the "
            "spec or by --set"
        )


def _check_value(model: str, name: str, value: Any) -> None:
    """Take numbers above zero, and lists of numbers where a list is wanted."""
    wants_list = name == "mag_ratios" or name.endswith("timestep_skip_range")
    numbers = value if isinstance(value, list | tuple) else [value]
    good = all(isinstance(one, int | float) and not isinstance(one, bool) for one in numbers)
    if good and wants_list:
        good = isinstance(value, list | tuple) and len(numbers) > 1
        if name.endswith("timestep_skip_range"):
            good = good and len(numbers) == 2 and numbers[0] < numbers[1]
    elif good:
        good = numbers == [value] and value > 0
    if good and name in _COUNTS:
        good = isinstance(value, int)
    if not good:
        form = "a list of numbers" if wants_list else "a number above 0"
        form = "a whole number from 1 on" if name in _COUNTS else form
        raise RequestError(f"model {model}: speed-up {name} must be {form}, not {value!r}")
