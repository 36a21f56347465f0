"""On which devices, under which versions what is kept of a run's files was seen: beside what is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.files import write_whole
from bench.understanding.asking import environment_here, with_environment

_FILE = "environments.json"


def environments_of(kept: Path) -> dict[str, Any]:
    """Return `environment`, the first, None where nothing was seen, and the others in `mixed`."""
    path = kept / _FILE
    content: dict[str, Any] = {"environment": None, "mixed": []}
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else content


def enter_environment(kept: Path, environment: Mapping[str, Any], *, allow_mixed: bool) -> None:
    """Enter under what more is seen now.

    Raises:
        ConflictError: it is another environment than before, and `allow_mixed` is not given.
    """
    before = environments_of(kept)
    now = with_environment(before, environment, "the run was probed", allow_mixed=allow_mixed)
    if now != before:
        kept.mkdir(parents=True, exist_ok=True)
        write_whole(kept / _FILE, json.dumps(now).encode())


def settled_environment(kept: Path, *, new: bool, allow_mixed: bool) -> dict[str, Any]:
    """Set the threads of before, and return the environment here; it is entered where there is `new` work.

    Raises:
        ConflictError: as `enter_environment`.
    """
    first = environments_of(kept)["environment"]
    environment = environment_here(first and first["threads"])
    if new:
        enter_environment(kept, environment, allow_mixed=allow_mixed)
    return environment
