"""What Slurm's tasks do on their nodes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench import holding, manifest, parts
from bench.crew import slurm_tasks
from bench.crew.crafts import Craft, keys_there
from bench.crew.slurm_nodes import node_here
from bench.crew.worker import Worker, answer, code_hash, end_with
from bench.environments import differs
from bench.parts import Wanted
from bench.pipelines import has_gpu

SEEN_WITHIN = 30.0
"""Seconds within which a node sees what was written elsewhere: network file systems keep copies."""


class Work:
    """What a task does. Submitit calls it, and puts it back into the queue when time runs out."""

    def __call__(self, *told: Any) -> dict[str, Any]:
        """Make what is wanted and not in the task's part yet: it may have been queued before.

        Returns:
            What `bench.crew.worker.Worker.work` does and the `environment`, or the `error`; the `node`.
        """
        return {**_made(*told), "node": node_here()}

    def checkpoint(self, *arguments: Any) -> Any:
        """Go back into the queue with the same arguments: the part says what is done."""
        from submitit.helpers import DelayedSubmission  # noqa: PLC0415 - an extra

        return DelayedSubmission(self, *arguments)


def call(*told: Any) -> dict[str, Any]:
    """Settle or finish a work in a task, for who holds the run by the `token` and waits.

    When nobody waits any longer this process ends, so that it writes nothing beside whoever came then.

    Returns:
        The `answer`, or the `error` with its `kind`; and the `node`.
    """
    return {**_called(*told), "node": node_here()}


def _made(  # noqa: PLR0917 - submitit maps positions
    craft: Craft,
    folder: Path,
    name: str,
    model: str,
    wanted: Wanted,
    code: str,
    marker: str,
    allow_mixed: bool,
) -> dict[str, Any]:
    if wrong := _wrong_here(folder, code, marker):
        return {"error": wrong}
    worker = Worker(name)
    begun = answer(worker, "begin", (craft, folder, ""))
    if "error" in begun or worker.desk is None:
        return begun
    known, here = worker.desk.known, begun["answer"]
    let_in = allow_mixed and here["versions"] in [one["versions"] for one in known]
    if here not in known and not let_in:
        said = differs(folder, known[-1], here)
        return {"error": f"{socket.gethostname()}: {said}"}
    there = set(keys_there(parts.folder_of(folder) / f"{name}.jsonl"))
    left = {
        index: [key for key in keys or worker.desk.keys(index) if key not in there]
        for index, keys in wanted.items()
    }
    wanted = {index: keys for index, keys in left.items() if keys}
    found = worker.work(model, wanted) if wanted else {"loaded": None, "cut": 0}
    worker.end()
    parts.Part(folder, name).ended()
    return {**found, "environment": begun["answer"]}


def _called(  # noqa: PLR0917 - as above
    method: str,
    craft: Craft,
    folder: Path,
    told: Sequence[Any] | bool,
    code: str,
    gpus: int,
    token: str,
) -> dict[str, Any]:
    wrong = ""
    if gpus and not has_gpu():
        wrong = (
            f"a GPU was asked for, but torch sees none on {socket.gethostname()}: see `gpus` under "
            "`slurm:` in the run's YAML"
        )
    if wrong := wrong or _wrong_here(folder, code, token):
        return {"error": wrong, "kind": "WorkError"}
    state = folder / manifest.STATE
    if not _within(lambda: (holding.holder(state) or {}).get("token") == token):
        return {"error": f"nobody waits for this task at {folder} any more", "kind": "WorkError"}
    threading.Thread(target=end_with, args=(state, token), daemon=True).start()
    return answer(Worker(method), method, (craft, folder, told))


def _wrong_here(folder: Path, code: str, marker: str) -> str:
    host = socket.gethostname()
    if not _within(lambda: slurm_tasks.read(folder).marker == marker):
        return f"{host} does not see {folder}: it must lie on a file system that all share"
    if code_hash() != code:
        return f"{host} has another version of Pinlu's code: install the same on every node"
    return ""


def _within(there: Callable[[], bool]) -> bool:
    """Wait for something that was written elsewhere to be there; say whether it is."""
    until = time.monotonic() + SEEN_WITHIN
    while not (found := there()) and time.monotonic() < until:
        time.sleep(min(1.0, SEEN_WITHIN))
    return found
