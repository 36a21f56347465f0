"""What pixels depend on beside the plan: device kind, threads and versions; and in what two differ.

Imports torch through `bench.pipelines`.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import pipelines


def environment_of(threads: int) -> dict[str, Any]:
    """Return what pixels depend on beside the plan: device kind, threads, versions."""
    python, *packages = versions().items()
    return {
        "device": pipelines.device_kind(),
        "threads": threads,
        "python": python[1],
        "versions": dict(packages),
    }


def versions() -> dict[str, str]:
    """Return the versions of all that pixels depend on, without asking for a device."""
    packages = ("torch", "diffusers", "transformers", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def differs(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say in a sentence in what two environments differ."""
    flat_before = {**before, **before["versions"]}
    flat_now = {**now, **now["versions"]}
    names = [
        name for name in flat_now if name != "versions" and flat_now[name] != flat_before.get(name)
    ]
    what = ", ".join(f"{name} {flat_before.get(name)} → {flat_now[name]}" for name in names)
    return (
        f"{folder} was made under others ({what}): pixels may differ; --allow-mixed goes on anyway"
    )
