"""Whether a worker may be given work: it must see the run's folder and run the same code and versions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.environments import versions


def distrust(found: Mapping[str, Any], folder: Path, token: str, code: str) -> str:
    """Say why a worker that was probed must not work; "" where nothing is wrong.

    Args:
        found: its answer to `bench.crew.worker.Worker.probe`.
        folder: the run's, which it must see.
        token: what the marker file in it says.
        code: the hash of the code here.
    """
    host, ours = found["host"], versions()
    if found["marker"] != token:
        return f"{host} does not see {folder}: it must lie on a file system that all share"
    other = [
        f"{name} {found['versions'][name]}"
        for name in ours
        if found["versions"][name] != ours[name]
    ]
    if other:
        mine = ", ".join(f"{name} {ours[name]}" for name in ours)
        return f"{host} has {', '.join(other)}, here are {mine}: install the same on every node"
    if found["code"] != code:
        return (
            f"{host} has another version of Pinlu's code ({found['code'][:12]}, here "
            f"{code[:12]}): install the same on every node"
        )
    return ""
