"""How an answer is drawn: what a spec may say of it, and sampling that heeds no neighbour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.errors import RequestError
from bench.records import ModelSpec

NUMBERS: Mapping[str, tuple[float, float]] = {
    "temperature": (0.0, 5.0),
    "top_p": (0.01, 1.0),
    "repetition_penalty": (0.5, 2.0),
    "longest": (1, 8192),
}
"""Numbers that a spec's arguments may give, with least and most; `longest` is in tokens."""

MAPPINGS = ("processor", "template")
"""Mappings that they may give: to the processor's making, and to its chat template."""


def settled_arguments(spec: ModelSpec, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return a spec's arguments with those of the request, checked; greedy where nothing is said.

    Raises:
        RequestError: an unknown argument, or a value off its range.
    """
    arguments = {"temperature": 0.0, **spec.arguments, **asked}
    for name, value in arguments.items():
        if name in MAPPINGS:
            if not isinstance(value, Mapping):
                raise RequestError(f"model {spec.id}: {name} must be a mapping")
            continue
        if name not in NUMBERS:
            known = ", ".join([*NUMBERS, *MAPPINGS])
            raise RequestError(
                f"model {spec.id}: no argument {name!r} for answers; there are: {known}"
            )
        low, high = NUMBERS[name]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not low <= value <= high:
            raise RequestError(f"model {spec.id}: {name} must be a number from {low:g} to {high:g}")
        if name == "longest" and not isinstance(value, int):
            raise RequestError(f"model {spec.id}: longest must be a whole number of tokens")
    return arguments


def refuse_idle_seeds(spec: ModelSpec, arguments: Mapping[str, Any], seeds: Sequence[int]) -> None:
    """Refuse several seeds where none of them decides anything."""
    if len(seeds) > 1 and not arguments["temperature"]:
        raise RequestError(
            f"model {spec.id} decodes greedily, and every seed would give the same answer: give one "
            "seed, or --set temperature=0.7"
        )
