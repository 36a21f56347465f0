"""Nodes that Slurm's tasks are kept off: a model does not load there, or nothing can be begun there."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterable, Mapping
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
        self._tried: dict[int, list[str]] = {}
        self._last_try: set[int] = set()
        self._gave: dict[tuple[str, str], str] = {}

    def nodes(self, model: str) -> tuple[str, ...]:
        """Return the nodes that a model's tasks are to be kept off."""
        return tuple(dict.fromkeys([*self._of_all, *self._of_model.get(model, ())]))

    def note(self, task: SlurmTask, found: Mapping[str, Any]) -> str:
        """Leave out the node where a task came to nothing; return it, "" where none is left out anew.

        For all tasks one that is `unfit` or gives an error that it gave to another array before, for a
        model's where that does not load. What went wrong there once may go well next time.
        """
        node = str(found.get("node", ""))
        if "cannot_load" in found:
            if self._last_try.issuperset(task.wanted):
                return ""
            nodes = self._of_model.setdefault(task.model, [])
        elif found.get("unfit") or self._gave_before(node, task, found):
            nodes = self._of_all
        else:
            return ""
        if not node or node in nodes or node in task.without:
            return ""
        nodes.append(node)
        return node

    def _gave_before(self, node: str, task: SlurmTask, found: Mapping[str, Any]) -> bool:
        array = task.job.partition("_")[0]
        return self._gave.setdefault((node, str(found.get("error"))), array) != array

    def lost(self, task: SlurmTask, found: Mapping[str, Any], pieces: Iterable[int]) -> list[int]:
        """Return the pieces over which a task could not load that no further node is to be asked for.

        They failed on so many nodes, on one that could not be avoided, or in their last try.
        """
        node, pieces = str(found.get("node", "")), list(pieces)
        for index in pieces:
            tried = self._tried.setdefault(index, [])
            tried += [node] * (node not in tried)
        unavoidable = node in task.without
        return [
            one
            for one in pieces
            if unavoidable or one in self._last_try or len(self._tried[one]) >= NODES
        ]

    def tried(self, pieces: Iterable[int]) -> list[str]:
        """Return the nodes on which any of these pieces could not be loaded."""
        return list(dict.fromkeys(node for one in pieces for node in self._tried.get(one, ())))

    def try_once_more(
        self, pieces: Iterable[int], models: Iterable[str] = (), nodes: Collection[str] = ()
    ) -> bool:
        """Let these models' tasks onto these nodes again, and all tasks where they were left out for all.

        None is left beside them. Say whether any piece had no last try.
        """
        pieces = set(pieces)
        new = not pieces <= self._last_try
        self._last_try |= pieces
        for model in models:
            self._of_model.pop(model, None)
        self._of_all = [node for node in self._of_all if node not in nodes]
        return new
