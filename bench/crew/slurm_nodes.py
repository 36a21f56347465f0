"""Nodes that Slurm's tasks are kept off: a model does not load there, or nothing can be begun there."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from typing import Any

from bench.crew.slurm_tasks import SlurmTask
from bench.request import SlurmOptions

NODES = 3
"""On so many nodes is tried what fails where it is tried, before it counts as failed on all."""


def node_here() -> str:
    """Return what Slurm calls this node; without Slurm the host's name."""
    return os.environ.get("SLURMD_NODENAME") or socket.gethostname()


def excluding(options: SlurmOptions, nodes: Iterable[str]) -> SlurmOptions:
    """Return what is asked of Slurm with nodes left out, beside those that the user leaves out."""
    own = str(options.parameters.get("exclude") or "")
    excluded = ",".join(filter(None, dict.fromkeys([own, *nodes])))
    more = {"exclude": excluded} if excluded else {}
    return options.model_copy(update={"parameters": {**options.parameters, **more}})


class KeptOff:
    """Which nodes are left out, as tasks come to nothing there. A command begins with none."""

    def __init__(self) -> None:
        """Leave none out."""
        self._of_all: list[str] = []
        self._of_model: dict[str, list[str]] = {}
        self._tried: dict[int, set[str]] = {}

    def nodes(self, model: str) -> tuple[str, ...]:
        """Return the nodes that a model's tasks are to be kept off."""
        return tuple(dict.fromkeys([*self._of_all, *self._of_model.get(model, ())]))

    def note(self, task: SlurmTask, found: Mapping[str, Any]) -> str:
        """Leave out the node where a task came to nothing; return it, "" where it was left out before."""
        node = str(found.get("node", ""))
        nodes = (
            self._of_model.setdefault(task.model, []) if "cannot_load" in found else self._of_all
        )
        if not node or node in nodes or node in task.without:
            return ""
        nodes.append(node)
        return node

    def lost(self, task: SlurmTask, found: Mapping[str, Any], pieces: Iterable[int]) -> list[int]:
        """Return the pieces of a task that could not load, which no further node is to be asked for.

        They failed on so many nodes, or on one that could not be avoided.
        """
        node = str(found.get("node", ""))
        for index in pieces:
            self._tried.setdefault(index, set()).add(node)
        unavoidable = node in task.without
        return [one for one in pieces if unavoidable or len(self._tried[one]) >= NODES]

    def forget_pieces(self) -> None:
        """Forget which pieces were tried where: they are about to be cut anew."""
        self._tried.clear()
