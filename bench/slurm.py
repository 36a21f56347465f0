"""Slurm: the work is cut into tasks of an array, each of one model, submitted through submitit.

Tasks outlive whoever submitted them. They are cut by the scheduler of the other engines, played
forward under a virtual clock, and started in that order; one that runs out of time or is pre-empted
goes back into the queue and goes on where it was. Run again, the same command shows how they stand,
enters what they made, and submits what is missing when they are over.
"""

from __future__ import annotations

import heapq
import os
import shutil
import socket
import sys
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import errors, manifest, parts, slurm_tasks
from bench.cards import write_run_card
from bench.crew_view import State, View, view
from bench.driving import absolute
from bench.errors import PinluError, RequestError, WorkError
from bench.estimates import estimates_of, task_of
from bench.files import read_rows
from bench.generate import Summary, what_is_due
from bench.ledger import Ledger
from bench.pipelines import has_gpu
from bench.request import Request, SlurmOptions
from bench.run import Run, differs, run_on_disk
from bench.scheduling import DEATHS, Estimate, Schedule, Share, Task
from bench.slurm_tasks import SlurmTask, Wanted
from bench.worker import Worker, answer, code_hash

POLLED_EVERY = 2.0
"""Seconds between two looks at the tasks' parts."""

ROUNDS = 3
"""How often what tasks left undone is submitted again, before somebody should look."""


def drive_by_slurm(
    request: Request,
    folder: Path,
    options: SlurmOptions,
    *,
    allow_mixed: bool = False,
    as_json: bool = False,
) -> Summary:
    """Make every output that is not there yet by Slurm tasks, and show how they stand until then.

    Raises:
        RequestError, ConflictError, WorkError: as `bench.generate.generate`; a RequestError where
            there is no Slurm; a WorkError where tasks end again and again with nothing made.
    """
    folder, request = folder.resolve(), absolute(request)
    was_there = folder.exists()
    began = time.monotonic()
    try:
        with manifest.opened(folder):
            driver = _Driver(folder, options, allow_mixed=allow_mixed, as_json=as_json)
            ledger = driver.drive(request)
            write_run_card(folder)
            return ledger.summary(time.monotonic() - began)
    except RequestError:
        if not was_there and not (folder / "run.yaml").exists():
            shutil.rmtree(folder)  # nothing was begun
        raise


class _Driver:
    def __init__(
        self, folder: Path, options: SlurmOptions, *, allow_mixed: bool, as_json: bool
    ) -> None:
        self.folder, self.options = folder, options
        self.allow_mixed, self.as_json = allow_mixed, as_json
        self.executor = executor_of(folder / manifest.STATE / "slurm", options)
        self.submitted = slurm_tasks.read(folder)
        self.jobs: dict[str, Any] = {}
        self.trouble = ""

    def drive(self, request: Request) -> Ledger:
        """Wait for what is under way, then submit what is missing, until nothing is."""
        if self.submitted.tasks:
            _say(f"{len(self.submitted.tasks)} tasks were submitted before")
            self.follow(self.ledger(run_on_disk(self.folder, frozenset(self.submitted.asked))), [])
        if self.submitted.request != repr(request) or not (self.folder / "run.yaml").exists():
            self.settle(request)
        run = run_on_disk(self.folder, frozenset(self.submitted.asked))
        parts.gather(self.folder)
        ledger, rounds = self.ledger(run), 0
        while left := [batch.index for batch in ledger.due.batches if ledger.lacks(batch.index)]:
            made = ledger.state.done
            self.follow(ledger, self.cut(ledger, left))
            rounds = rounds + 1 if ledger.state.done == made else 0
            if rounds == ROUNDS:
                raise WorkError(
                    f"{rounds} times tasks ended with nothing made ({self.trouble}); what was "
                    "finished is kept, run again"
                )
        self.submitted.deaths.clear()
        slurm_tasks.write(self.folder, self.submitted)
        return ledger

    def ledger(self, run: Run) -> Ledger:
        """Return the ledger of what is due, touching nothing of what is under way."""
        under_way = {index for task in self.submitted.tasks for index in task.wanted}
        return Ledger(run, what_is_due(run, under_way), _say)

    def settle(self, request: Request) -> None:
        """Have a task settle the run, on a device like those that will make the pixels."""
        _say("a task settles the run on a computing node")
        here = (code_hash(), self.options.gpus, self.allow_mixed)
        job = self.executor.submit(settle, self.folder, request, *here)
        while not _over(job):
            time.sleep(POLLED_EVERY / 4)
        found = _result(job)
        if "error" in found:
            kind = getattr(errors, found.get("kind", ""), WorkError)
            error: PinluError = kind(found["error"])
            raise error
        self.submitted.request, self.submitted.asked = repr(request), found["answer"]
        slurm_tasks.write(self.folder, self.submitted)

    def cut(self, ledger: Ledger, left: Sequence[int]) -> list[tuple[str, Wanted]]:
        """Cut what is left into tasks: model and batches; a batch whose task died stands alone."""
        run, deaths = ledger.run, self.submitted.deaths
        tasks = [
            task_of(run.batches[index], run.models[run.batches[index].model]) for index in left
        ]
        seconds = 60 * self.options.minutes * 0.8
        shares = cut(
            [task for task in tasks if task.index not in deaths],
            estimates_of(run),
            workers=self.options.jobs,
            seconds=seconds,
        )
        shares += [Share("", task.model, (task.index,)) for task in tasks if task.index in deaths]
        return [(share.model, ledger.wanted(share)) for share in shares]

    def submit(self, shares: Sequence[tuple[str, Wanted]]) -> None:
        """Submit tasks as one array, and keep on disk that they were."""
        names = [f"slurm-{uuid.uuid4().hex[:8]}" for _ in shares]
        calls = [
            (self.folder, name, model, wanted, code_hash(), self.allow_mixed)
            for name, (model, wanted) in zip(names, shares, strict=True)
        ]
        jobs = self.executor.map_array(Work(), *zip(*calls, strict=True))
        for name, job, (model, wanted) in zip(names, jobs, shares, strict=True):
            self.jobs[name] = job
            self.submitted.tasks.append(SlurmTask(name, job.job_id, model, wanted))
        slurm_tasks.write(self.folder, self.submitted)

    def follow(self, ledger: Ledger, shares: list[tuple[str, Wanted]]) -> None:
        """Submit shares, enter what the tasks make, and show how they stand until all are over."""
        at_once = self.options.jobs if self.options.cluster == "local" else len(shares)
        readers: dict[str, parts.Reader] = {}
        unit = f"{ledger.run.suite.modality}s"
        with view(unit, ledger.due.jobs, sys.stdout if self.as_json else None) as shown:
            try:
                while shares or self.submitted.tasks:
                    while shares and len(self.submitted.tasks) < at_once:
                        free = at_once - len(self.submitted.tasks)
                        self.submit(shares[:free])
                        shares = shares[free:]
                    time.sleep(POLLED_EVERY)
                    self.look(ledger, readers)
                    self.show(shown, ledger, len(shares))
            except KeyboardInterrupt:
                jobs = ", ".join(task.job for task in self.submitted.tasks[:5])
                shown.say(
                    f"the Slurm tasks go on ({jobs} …): run again to see them, or scancel them"
                )
                raise
            self.show(shown, ledger, 0, last=True)

    def look(self, ledger: Ledger, readers: dict[str, parts.Reader]) -> None:
        """Read the parts, and take note of tasks that are over."""
        for task in list(self.submitted.tasks):
            reader = readers.setdefault(task.name, parts.Reader(self.folder, task.name))
            if task.name not in self.jobs:
                self.jobs[task.name] = self.job_of(task)
            job = self.jobs[task.name]
            over = _over(job)  # asked before reading: what it made last is read then
            ledger.enter(("", row) for row in reader.new())
            if over:
                self.take(ledger, task, _result(job))
                self.submitted.tasks.remove(task)
                slurm_tasks.write(self.folder, self.submitted)
                reader.path.unlink(missing_ok=True)

    def job_of(self, task: SlurmTask) -> Any:
        """Return submitit's job of a task that an earlier process submitted."""
        return self.executor._executor.job_class(self.executor.folder, task.job)  # noqa: SLF001

    def take(self, ledger: Ledger, task: SlurmTask, found: Mapping[str, Any]) -> None:
        """Take the end of a task: what it left undone is submitted again, or set aside."""
        why = next(
            (found[kind] for kind in ("error", "stopped", "cannot_load") if kind in found), ""
        )
        if "cut" in found:
            ledger.cut += found["cut"]
        left = [index for index in task.wanted if ledger.lacks(index)]
        if not why or not left:
            return
        self.trouble = why
        ledger.state.deaths += 1
        _say(f"task {task.job} of {task.model} ended early ({why}); what it left is done again")
        if "cannot_load" in found:
            blamed = left
        elif "died" in found:
            path = parts.folder_of(self.folder) / f"{task.name}.jsonl"
            begun = {row["begun"] for row in read_rows(path) if "begun" in row}
            blamed = [index for index in left if index in begun]
        else:
            blamed = []
        for index in blamed:
            self.submitted.deaths[index] = self.submitted.deaths.get(index, 0) + 1
        alone = len(task.wanted) == 1 or "cannot_load" in found
        lost = [index for index in blamed if alone and self.submitted.deaths[index] >= DEATHS]
        ledger.set_aside(lost, f"set aside: its tasks fail ({why})")

    def show(self, shown: View, ledger: Ledger, waiting: int, *, last: bool = False) -> None:
        """Show how the tasks stand."""

        def state() -> State:
            for name, model in ledger.state.models.items():
                mine = [task for task in self.submitted.tasks if task.model == name]
                model.workers = len(mine)
                model.queued_batches = sum(
                    map(ledger.lacks, (i for one in mine for i in one.wanted))
                )
            tasks = {
                task.job: f"{task.model}, {sum(map(ledger.lacks, task.wanted))} batches left, "
                f"{self.jobs[task.name].state}"
                for task in self.submitted.tasks
                if task.name in self.jobs
            }
            now = ledger.snapshot(tasks)
            seconds = sum(
                (ledger.schedule.seconds_of(index) or 0.0)
                for task in self.submitted.tasks
                for index in task.wanted
                if ledger.lacks(index)
            )
            return replace(now, queued_batches=waiting, seconds_left=seconds / self.options.jobs)

        shown.show(state, last=last)


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
        if begun["answer"] != run.content["environment"] and not allow_mixed:
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
        return found

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


def cut(
    tasks: Iterable[Task], estimates: Mapping[str, Estimate], *, workers: int, seconds: float
) -> list[Share]:
    """Cut batches into stretches of one model, as so many workers would do them one after another.

    The scheduler is played forward under a virtual clock.

    Args:
        tasks: the batches.
        estimates: what is expected of each model, by id.
        workers: how many work at once.
        seconds: how long a stretch may take at most; a single batch may take longer.

    Returns:
        The stretches in the order in which they begin.
    """
    schedule = Schedule(tasks, estimates)
    for number in range(workers):
        schedule.add(str(number))
    clock: list[tuple[float, str, Share]] = []
    open_: dict[str, tuple[Share, float]] = {}
    stretches: list[tuple[float, Share]] = []
    now = 0.0
    while True:
        while (share := schedule.next()) is not None:
            taken = sum(schedule.seconds_of(index) or 1.0 for index in share.batches)
            begun, until = open_.get(share.worker, (None, 0.0))
            if begun and begun.model == share.model and until + taken <= seconds:
                share = replace(share, batches=begun.batches + share.batches)
                taken_whole = until + taken
                at = next(n for n, (_, one) in enumerate(stretches) if one is begun)
                stretches[at] = (stretches[at][0], share)
            else:
                taken_whole = taken
                stretches.append((now, share))
            open_[share.worker] = (share, taken_whole)
            heapq.heappush(clock, (now + taken, share.worker, share))
        if not clock:
            return [share for _, share in stretches]
        now, worker, share = heapq.heappop(clock)
        for index in share.batches:
            schedule.done(worker, index)
        schedule.ended(worker)


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


def _wrong_here(folder: Path, code: str) -> str:
    host = socket.gethostname()
    if not (folder / manifest.STATE / "slurm.json").exists() and not folder.exists():
        return f"{host} does not see {folder}: it must lie on a file system that all share"
    if code_hash() != code:
        return f"{host} has another version of Pinlu's code: install the same on every node"
    return ""


def _over(job: Any) -> bool:
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


def _result(job: Any) -> dict[str, Any]:
    """Return what a task returned; where it died, the error, and that it `died`."""
    try:
        found: dict[str, Any] = job.result()
    except Exception as error:  # noqa: BLE001 - whatever submitit makes of it
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return {"error": lines[-1][:200] if lines else type(error).__name__, "died": True}
    return found


def _say(text: str) -> None:
    sys.stderr.write(f"pinlu: {text}\n")
