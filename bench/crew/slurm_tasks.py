"""Which Slurm tasks are at work on a run: they outlive whoever submitted them."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
    """One task: `name` is that of its part, `job` its id, and what it is to make of one model."""

    name: str
    job: str
    model: str
    wanted: Wanted


@dataclass(slots=True)
class Submitted:
    """What was submitted: the request as text, the models it asks, tasks, and deaths by batch."""

    request: str = ""
    asked: list[str] = field(default_factory=list)
    tasks: list[SlurmTask] = field(default_factory=list)
    deaths: dict[int, int] = field(default_factory=dict)


def read(run: Path) -> Submitted:
    """Return what was submitted for a run."""
    with suppress(FileNotFoundError):
        content = json.loads(_path(run).read_text(encoding="utf-8"))
        tasks = [_task_from(one) for one in content.pop("tasks")]
        deaths = {int(index): count for index, count in content.pop("deaths").items()}
        return Submitted(**content, tasks=tasks, deaths=deaths)
    return Submitted()


def write(run: Path, submitted: Submitted) -> None:
    """Keep what was submitted, whole or not at all."""
    write_whole(_path(run), json.dumps(asdict(submitted)).encode())


def refuse_under_way(run: Path) -> None:
    """Refuse another engine while tasks may be at work.

    Raises:
        ConflictError: names the jobs, and what to do.
    """
    jobs = [
        task.job
        for task in read(run).tasks
        if not any("ended" in row for row in read_rows(folder_of(run) / f"{task.name}.jsonl"))
    ]
    if jobs:
        raise ConflictError(
            f"Slurm jobs {', '.join(jobs[:5])}{' …' if len(jobs) > 5 else ''} may be at work on "
            f"{run}: run again with --engine slurm to see their state, or scancel them and do so"
        )


def _path(run: Path) -> Path:
    return run / manifest.STATE / "slurm.json"


def _task_from(content: Mapping[str, Any]) -> SlurmTask:
    wanted = {int(index): keys for index, keys in content["wanted"].items()}
    return SlurmTask(**{**content, "wanted": wanted})
