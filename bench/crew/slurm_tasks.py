"""Which Slurm tasks are at work on a run: they outlive whoever submitted them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import manifest
from bench.errors import ConflictError
from bench.files import read_rows, write_whole
from bench.parts import Wanted, folder_of


@dataclass(frozen=True, slots=True)
class SlurmTask:
    """One task: `name` is that of its part, `job` its id, and what it is to make of one model.

    `without` are the nodes that it was kept off when it was submitted.
    """

    name: str
    job: str
    model: str
    wanted: Wanted
    without: tuple[str, ...] = ()


@dataclass(slots=True)
class Submitted:
    """What was submitted: its craft, as what it was settled, tasks, deaths by piece.

    By `marker` a task knows that its node sees this very folder: it was told the same. `versions` are
    those of the task that settled the work.
    """

    craft: str = ""
    settled: Any = None
    tasks: list[SlurmTask] = field(default_factory=list)
    deaths: dict[int, int] = field(default_factory=dict)
    marker: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


def read(run: Path) -> Submitted:
    """Return what was submitted for a run; of what another version wrote the tasks alone."""
    with suppress(FileNotFoundError):
        content = json.loads(_path(run).read_text(encoding="utf-8"))
        tasks = [_task_from(one) for one in content["tasks"]]
        deaths = {int(index): count for index, count in content["deaths"].items()}
        settled, marker = content.get("settled"), content.get("marker", "")
        craft, versions = content.get("craft", ""), content.get("versions", {})
        return Submitted(craft, settled, tasks, deaths, marker, versions)
    return Submitted()


def write(run: Path, submitted: Submitted) -> None:
    """Keep what was submitted, whole or not at all."""
    write_whole(_path(run), json.dumps(asdict(submitted)).encode())


def refuse_under_way(run: Path, ended: Callable[[SlurmTask], bool] = lambda _: False) -> None:
    """Refuse another engine, or craft, while tasks may be at work; forget tasks that have ended.

    The caller holds the run. What ended tasks made lies in their parts still, for `bench.parts.gather`.

    Args:
        run: the run folder.
        ended: says of a task whose part does not say so whether it has ended.

    Raises:
        ConflictError: names the jobs, and what to do.
    """
    submitted = read(run)
    if not submitted.tasks:
        return
    if tasks := [one for one in submitted.tasks if not (_has_ended(run, one) or ended(one))]:
        raise ConflictError(_at_work(run, tasks))
    write(run, Submitted())


def _has_ended(run: Path, task: SlurmTask) -> bool:
    return any("ended" in row for row in read_rows(folder_of(run) / f"{task.name}.jsonl"))


def _at_work(run: Path, tasks: Sequence[SlurmTask]) -> str:
    """Say which jobs may be at work on a run, and what to do."""
    jobs = ", ".join(task.job for task in tasks[:5]) + (" …" if len(tasks) > 5 else "")
    return (
        f"Slurm jobs {jobs} may be at work on {run}: run the command that submitted them again, with "
        "--engine slurm, to see their state, or scancel them and do so"
    )


def _path(run: Path) -> Path:
    return run / manifest.STATE / manifest.SUBMITTED


def _task_from(content: Mapping[str, Any]) -> SlurmTask:
    wanted = {int(index): keys for index, keys in content["wanted"].items()}
    without = tuple(content.get("without", ()))
    return SlurmTask(**{**content, "wanted": wanted, "without": without})
