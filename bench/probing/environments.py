"""On which devices, under which versions what is kept of a run's files was seen: beside what is kept.

What is seen without a network and what each network sees is kept in folders of their own, each with its own
file of environments; of those that a probe reads all count.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.files import write_whole
from bench.understanding.asking import environment_here, with_environment

log = logging.getLogger(__name__)

UNKNOWN: dict[str, Any] = {
    "device": "unknown",
    "threads": None,
    "python": "unknown",
    "versions": {},
}
"""Stands for what earlier versions saw: they kept no environments."""

_FILE = "environments.json"


def environments_of(folders: Sequence[Path]) -> dict[str, Any]:
    """Return `environment`, the first, None where none is known, and the others in `mixed`.

    `UNKNOWN` is never the first: what comes is held to what is known.
    """
    found: list[dict[str, Any]] = []
    for folder in folders:
        path = folder / _FILE
        if path.is_file():
            content = json.loads(path.read_text(encoding="utf-8"))
            found += [content["environment"], *content["mixed"]]
        elif any(folder.glob("part-*.npz")):
            found.append(UNKNOWN)
    known = [one for number, one in enumerate(found) if one and one not in found[:number]]
    first = next((one for one in known if one != UNKNOWN), None)
    return {"environment": first, "mixed": [one for one in known if one != first]}


def known_of(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the environments that are known, the first of them first."""
    found = environments_of(folders)
    return [one for one in (found["environment"], *found["mixed"]) if one and one != UNKNOWN]


def enter_environment(
    folders: Sequence[Path],
    environment: Mapping[str, Any],
    *,
    into: Sequence[Path],
    allow_mixed: bool,
) -> None:
    """Enter under what more is seen now.

    Args:
        folders: those that the probe reads.
        environment: what it is.
        into: those of them in which something is new.
        allow_mixed: take another environment than before.

    Raises:
        ConflictError: it is another, and `allow_mixed` is not given.
    """
    what = "the run was probed"
    with_environment(environments_of(folders), environment, what, allow_mixed=allow_mixed)
    for folder in into:
        before = environments_of([folder])
        now = with_environment(before, environment, what, allow_mixed=True)
        if UNKNOWN in now["mixed"] and not (folder / _FILE).exists():
            log.warning(
                "%s was seen by an earlier version, on what is unknown: it is said so", folder
            )
        if now != before:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / _FILE, json.dumps(now).encode())


def settled_environment(
    folders: Sequence[Path], *, into: Sequence[Path], allow_mixed: bool
) -> dict[str, Any]:
    """Set the threads of before, and return the environment here; entered where something is new.

    Raises:
        ConflictError: as `enter_environment`.
    """
    first = environments_of(folders)["environment"]
    environment = environment_here(first and first["threads"])
    if into:
        enter_environment(folders, environment, into=into, allow_mixed=allow_mixed)
    return environment
