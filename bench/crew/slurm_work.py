"""What Slurm's tasks do on their nodes."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import manifest, parts
from bench.crew.crafts import Craft, keys_there
from bench.crew.worker import Worker, answer, code_hash
from bench.environments import differs
from bench.parts import Wanted
from bench.pipelines import has_gpu


class Work:
    """What a task does. Submitit calls it, and puts it back into the queue when time runs out."""

    def __call__(  # noqa: PLR0917 - submitit maps positions
        self,
        craft: Craft,
        folder: Path,
        name: str,
        model: str,
        wanted: Wanted,
        code: str,
        allow_mixed: bool,
    ) -> dict[str, Any]:
        """Make what is wanted and not in the task's part yet: it may have been queued before."""
        if wrong := _wrong_here(folder, code):
            return {"error": wrong}
        worker = Worker(name)
        begun = answer(worker, "begin", (craft, folder, ""))
        if "error" in begun or worker.desk is None:
            return begun
        known = worker.desk.known
        if begun["answer"] not in known and not allow_mixed:
            said = differs(folder, known[0], begun["answer"])
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

    def checkpoint(self, *arguments: Any) -> Any:
        """Go back into the queue with the same arguments: the part says what is done."""
        from submitit.helpers import DelayedSubmission  # noqa: PLC0415 - an extra

        return DelayedSubmission(self, *arguments)


def call(  # noqa: PLR0917 - as above
    method: str, craft: Craft, folder: Path, told: Sequence[Any] | bool, code: str, gpus: int
) -> dict[str, Any]:
    """Settle or finish a work in a task; return the `answer`, or the error."""
    if gpus and not has_gpu():
        said = f"a GPU was asked for, but torch sees none on {socket.gethostname()}"
        return {
            "error": f"{said}: see `gpus` under `slurm:` in the run's YAML",
            "kind": "WorkError",
        }
    if wrong := _wrong_here(folder, code):
        return {"error": wrong, "kind": "WorkError"}
    return answer(Worker(method), method, (craft, folder, told))


def _wrong_here(folder: Path, code: str) -> str:
    host = socket.gethostname()
    if not (folder / manifest.STATE / manifest.SUBMITTED).exists():
        return f"{host} does not see {folder}: it must lie on a file system that all share"
    if code_hash() != code:
        return f"{host} has another version of Pinlu's code: install the same on every node"
    return ""
