"""Jobs of Slurm through submitit: submitted, found again, asked how they ended."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from bench.errors import RequestError, WorkError
from bench.request import SlurmOptions

T = TypeVar("T")


def executor_of(folder: Path, options: SlurmOptions) -> Any:
    """Return what submits.

    Raises:
        RequestError: submitit is not installed, there is no Slurm, or it takes no such parameter.
    """
    try:
        import submitit  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise RequestError("--engine slurm wants submitit: pip install 'pinlu[slurm]'") from error
    asked: dict[str, Any] = {
        "name": "pinlu",
        "timeout_min": options.minutes,
        "gpus_per_node": options.gpus,
        "cpus_per_task": options.cpus,
    }
    if options.memory_gb:
        asked["mem_gb"] = options.memory_gb
    further = {"partition": options.partition, "account": options.account, **options.parameters}
    known = {name: value for name, value in further.items() if value is not None}
    try:
        executor = submitit.AutoExecutor(
            folder, cluster=options.cluster, slurm_max_num_timeout=options.requeues
        )
        if options.cluster == "slurm":
            asked["slurm_array_parallelism"] = options.jobs
            asked |= {f"slurm_{name}": value for name, value in known.items()}
        executor.update_parameters(**asked)
    except (RuntimeError, ValueError, NameError, TypeError) as error:
        said = " ".join(str(error).split())[:300]
        raise RequestError(f"--engine slurm: {said}") from error
    return executor


def submitted(submit: Callable[[], T]) -> T:
    """Submit something.

    Raises:
        WorkError: Slurm takes no such task; says why, in its words.
    """
    try:
        return submit()
    except (RuntimeError, OSError) as error:  # submitit's own are of the former
        said = " ".join(str(error).split())[:300]
        raise WorkError(f"Slurm takes no such task: {said}") from error


def no_node_left(error: WorkError) -> bool:
    """Say whether Slurm took a task for no other reason than that no node is left for it."""
    return "node configuration is not available" in str(error.__cause__)


def job_of(executor: Any, job: str) -> Any:
    """Return submitit's job of that id, also one that an earlier process submitted."""
    return executor._executor.job_class(executor.folder, job)  # noqa: SLF001 - it hides its own


def is_over(job: Any) -> bool:
    """Say whether a job has ended, also one that an earlier process submitted."""
    if job.paths.result_pickle.exists():
        return True
    if job.__class__.__name__ == "LocalJob" and getattr(job, "_process", None) is None:
        try:
            os.kill(int(job.job_id), 0)
        except OSError:
            return True
        return False
    return bool(job.done())


def result_of(job: Any) -> dict[str, Any]:
    """Return what a task returned; where it died, the error, and that it `died`."""
    try:
        found: dict[str, Any] = job.result()
    except Exception as error:  # noqa: BLE001 - whatever submitit makes of it
        logs = (job.paths.stdout, job.paths.stderr)
        if not any(log.exists() and log.stat().st_size for log in logs):
            said = (
                f"job {job.job_id} left nothing, not even a log, in {job.paths.folder} (state "
                f"{job.state}): unless it was cancelled its node does not see that folder, and it "
                "must lie on a file system that all share"
            )
            return {"error": said, "died": True}
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return {"error": lines[-1][:200] if lines else type(error).__name__, "died": True}
    return found
