"""One Slurm task that is awaited: it settles a work, or finishes it. Nobody finds it again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from bench import errors
from bench.crew.scheduling import DEATHS
from bench.crew.slurm_jobs import is_over, no_node_left, result_of, submitted
from bench.crew.slurm_nodes import NODES
from bench.crew.slurm_work import call
from bench.crew.view import say
from bench.errors import NotHereError, PinluError, WorkError

POLLED_EVERY = 0.5
"""Seconds between two looks at the task."""

FAREWELL = 5.0
"""Seconds that a task which is cancelled has to end, before nobody looks any more."""


def answer_of(
    executor_without: Callable[[Sequence[str]], Any], asked: Sequence[Any], *, nodes: bool
) -> dict[str, Any]:
    """Have a task do something; one that dies is submitted once more.

    Where a node cannot do it another is asked, as it may have the models' files.

    Args:
        executor_without: gives what submits tasks that do not fall to the nodes that it is told.
        asked: what `bench.crew.slurm_work.call` is told.
        nodes: there are several.

    Returns:
        The `answer`, and under which `versions` it was found.

    Raises:
        PinluError: as it was met on the last node that was asked; names the nodes.
    """
    deaths, without = 0, list[str]()
    trouble: PinluError | None = None
    while True:
        executor = executor_without(without)
        try:
            job = submitted(lambda: executor.submit(call, *asked))  # noqa: B023
        except WorkError as error:
            if trouble is None or not no_node_left(error):
                raise
            raise trouble from error
        found = awaited(job)
        if "error" not in found:
            return found
        kind = getattr(errors, found.get("kind", ""), WorkError)
        deaths += "died" in found
        if nodes and "died" not in found and issubclass(kind, (NotHereError, WorkError)):
            without.append(found["node"])
            again = len(without) < NODES
        else:
            again = "died" in found and deaths < DEATHS
        tried = f" ({', '.join(without)} were asked in turn)" if len(without) > 1 else ""
        trouble = kind(found["error"] + tried)
        if not again:
            raise trouble
        say(f"{found['error']}; it is tried again{' elsewhere' * bool(without)}")


def awaited(job: Any) -> dict[str, Any]:
    """Wait for a task; whoever breaks this off cancels it."""
    try:
        while not is_over(job):
            time.sleep(POLLED_EVERY)
    except BaseException:
        job.cancel(check=False)
        until = time.monotonic() + FAREWELL
        while not is_over(job) and time.monotonic() < until:
            time.sleep(0.1)
        raise
    return result_of(job)
