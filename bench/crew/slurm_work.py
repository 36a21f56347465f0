"""What Slurm's tasks do on their nodes."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from bench import manifest, parts
from bench.crew.worker import Worker, answer, code_hash
from bench.files import read_rows
from bench.parts import Wanted
from bench.pipelines import has_gpu
from bench.request import Request
from bench.run import differs, run_on_disk


class Work:
    """What a task does. Submitit calls it, and puts it back into the queue when time runs out."""

    def __call__(  # noqa: PLR0917 - submitit maps positions
        self, folder: Path, name: str, model: str, wanted: Wanted, code: str, allow_mixed: bool
    ) -> dict[str, Any]:
        """Make what is wanted and not in the task's part yet: it may have been queued before."""
        if wrong := _wrong_here(folder, code):
            return {"error": wrong}
        worker = Worker(name)
        begun = answer(worker, "begin", (folder, ""))
        if "error" in begun:
            return begun
        run = run_on_disk(folder, frozenset())
        known = [run.content["environment"], *run.content["mixed"]]
        if begun["answer"] not in known and not allow_mixed:
            said = differs(folder, run.content["environment"], begun["answer"])
            return {"error": f"{socket.gethostname()}: {said}"}
        path = parts.folder_of(folder) / f"{name}.jsonl"
        there = {row["output"]["key"] for row in read_rows(path) if "output" in row}
        left = {
            index: [
                key
                for key in keys or [job.key for job in run.batches[index].jobs]
                if key not in there
            ]
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


def settle(
    folder: Path, request: Request, code: str, gpus: int, allow_mixed: bool
) -> dict[str, Any]:
    """Settle a run in a task; return the ids of the models asked, or the error."""
    if gpus and not has_gpu():
        said = f"a GPU was asked for, but torch sees none on {socket.gethostname()}"
        return {
            "error": f"{said}: see `gpus` under `slurm:` in the run's YAML",
            "kind": "WorkError",
        }
    if wrong := _wrong_here(folder, code):
        return {"error": wrong, "kind": "WorkError"}
    return answer(Worker("settle"), "settle", (request, folder, allow_mixed))


def _wrong_here(folder: Path, code: str) -> str:
    host = socket.gethostname()
    if not (folder / manifest.STATE / "slurm.json").exists():
        return f"{host} does not see {folder}: it must lie on a file system that all share"
    if code_hash() != code:
        return f"{host} has another version of Pinlu's code: install the same on every node"
    return ""
