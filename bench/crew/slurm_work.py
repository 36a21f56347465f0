"""What Slurm's tasks do on their nodes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import holding, manifest, parts
from bench.crew import slurm_tasks
from bench.crew.crafts import Craft, keys_there
from bench.crew.slurm_nodes import node_here
from bench.crew.worker import Worker, answer, code_hash, end_with
from bench.environments import differs, versions
from bench.files import read_rows
from bench.parts import Wanted
from bench.pipelines import has_gpu

SEEN_WITHIN = 30.0
"""Seconds within which a node sees what was written elsewhere: network file systems keep copies."""


class Work:
    """What a task does. Submitit calls it, and puts it back into the queue when time runs out."""

    def __call__(self, *told: Any) -> dict[str, Any]:
        """Make what is wanted and not in the task's part yet: it may have been queued before.

        Returns:
            What `bench.crew.worker.Worker.work` does, the `environment` and `rows_before`, how many rows
            the part had when it was begun with this time; or the `error`, `unfit` where it lies in
            what is installed here or in the device; the `node`.
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
        The `answer` and the `versions` here, or the `error` with its `kind`; and the `node`.
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
    settled_under: Mapping[str, str],
) -> dict[str, Any]:
    if wrong := _wrong_here(folder, code, marker):
        return wrong
    if not _within(lambda: any(task.name == name for task in slurm_tasks.read(folder).tasks)):
        said = f"this task of {folder} is over, or was submitted once more under another name"
        return {"error": said}
    worker = Worker(name)
    begun = answer(worker, "begin", (craft, folder, ""))
    if "error" in begun or worker.desk is None:
        return begun
    known, here = worker.desk.known, begun["answer"]
    if said := _other_versions(here, settled_under):
        return {"error": f"{socket.gethostname()} has {said}", "unfit": True}
    if here not in known and not allow_mixed:
        said = differs(folder, known[-1], here)
        return {"error": f"{socket.gethostname()}: {said}", "unfit": True}
    part = parts.folder_of(folder) / f"{name}.jsonl"
    there, rows_before = set(keys_there(part)), sum(1 for _ in read_rows(part))
    left = {
        index: [key for key in keys or worker.desk.keys(index) if key not in there]
        for index, keys in wanted.items()
    }
    wanted = {index: keys for index, keys in left.items() if keys}
    found = worker.work(model, wanted) if wanted else {"loaded": None, "cut": 0}
    worker.end()
    parts.Part(folder, name).ended()
    return {**found, "environment": begun["answer"], "rows_before": rows_before}


def _called(  # noqa: PLR0917 - as above
    method: str,
    craft: Craft,
    folder: Path,
    told: Sequence[Any] | bool,
    code: str,
    gpus: int,
    token: str,
) -> dict[str, Any]:
    if gpus and not has_gpu():
        wrong = (
            f"a GPU was asked for, but torch sees none on {socket.gethostname()}: see `gpus` under "
            "`slurm:` in the run's YAML"
        )
        return {"error": wrong, "kind": "WorkError"}
    if wrong_here := _wrong_here(folder, code, token):
        return {**wrong_here, "kind": "WorkError"}
    state = folder / manifest.STATE
    if not _within(lambda: (holding.holder(state) or {}).get("token") == token):
        return {"error": f"nobody waits for this task at {folder} any more", "kind": "WorkError"}
    threading.Thread(target=end_with, args=(state, token), daemon=True).start()
    return {**answer(Worker(method), method, (craft, folder, told)), "versions": versions()}


def _other_versions(here: Mapping[str, Any], settled_under: Mapping[str, str]) -> str:
    """Say in what versions here are others than those under which the work was settled."""
    own = {"python": here["python"], **here["versions"]}
    others = [
        f"{name} {version}, not {settled_under[name]}"
        for name, version in own.items()
        if settled_under.get(name, version) != version
    ]
    said = "; install the versions of the node that settled the work on every node"
    return ", ".join(others) + said if others else ""


def _wrong_here(folder: Path, code: str, marker: str) -> dict[str, Any]:
    """Return the `error` where nothing can be begun here; with `unfit` where that will last."""
    host = socket.gethostname()
    if not _within(lambda: slurm_tasks.read(folder).marker == marker):
        said = f"{host} does not see {folder}: it must lie on a file system that all share"
        return {"error": said}
    if code_hash() != code:
        said = f"{host} has another version of Pinlu's code: install the same on every node"
        return {"error": said, "unfit": True}
    return {}


def _within(there: Callable[[], bool]) -> bool:
    """Wait for something that was written elsewhere to be there; say whether it is."""
    until = time.monotonic() + SEEN_WITHIN

    def seen() -> bool:
        try:
            return there()
        except OSError:  # network file systems lose hold of files now and then
            return False

    while not (found := seen()) and time.monotonic() < until:
        time.sleep(min(1.0, SEEN_WITHIN))
    return found
