"""Slurm: the work is cut into tasks of an array, each of one model, submitted through submitit.

Tasks outlive whoever submitted them. They are cut by the scheduler of the other engines, played
forward under a virtual clock, and started in that order; one that runs out of time or is pre-empted
goes back into the queue and goes on where it was. Run again, the same command shows how they stand,
enters what they made, and submits what is missing when they are over.
"""

from __future__ import annotations

import shutil
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import errors, manifest, parts
from bench.crew import slurm_tasks
from bench.crew.crafts import Craft
from bench.crew.ledger import Ledger, task_of
from bench.crew.scheduling import DEATHS, Share
from bench.crew.slurm_cut import cut
from bench.crew.slurm_jobs import executor_of, is_over, job_of, result_of
from bench.crew.slurm_tasks import SlurmTask
from bench.crew.slurm_work import Work, call
from bench.crew.view import State, View, view
from bench.crew.worker import code_hash
from bench.errors import PinluError, RequestError, WorkError
from bench.files import read_rows
from bench.generate import Summary
from bench.parts import Wanted
from bench.request import SlurmOptions

POLLED_EVERY = 2.0
"""Seconds between two looks at the tasks' parts."""

ROUNDS = 3
"""How often what tasks left undone is submitted again, before somebody should look."""


def drive_by_slurm(
    craft: Craft,
    folder: Path,
    options: SlurmOptions,
    *,
    allow_mixed: bool = False,
    as_json: bool = False,
) -> Summary:
    """Have Slurm tasks do whatever of a craft is not done yet, and show how they stand until then.

    Raises:
        RequestError, ConflictError, WorkError: as `bench.generate.generate`; a RequestError where
            there is no Slurm; a WorkError where tasks end again and again with nothing made.
    """
    folder = folder.resolve()
    was_there = folder.exists()
    began = time.monotonic()
    try:
        with manifest.opened(folder):
            driver = _Driver(craft, folder, options, allow_mixed=allow_mixed, as_json=as_json)
            ledger = driver.drive()
            done = ledger.summary(time.monotonic() - began)
            ledger.plan.after(done)
            return done
    except RequestError:
        if not was_there and not (folder / "run.yaml").exists():
            shutil.rmtree(folder)  # nothing was begun
        raise


class _Driver:
    def __init__(
        self,
        craft: Craft,
        folder: Path,
        options: SlurmOptions,
        *,
        allow_mixed: bool,
        as_json: bool,
    ) -> None:
        self.craft, self.folder, self.options = craft, folder, options
        self.allow_mixed, self.as_json = allow_mixed, as_json
        self.executor = executor_of(folder / manifest.STATE / "slurm", options)
        self.submitted = slurm_tasks.read(folder)
        self.jobs: dict[str, Any] = {}
        self.trouble = ""

    def drive(self) -> Ledger:
        """Wait for what is under way, then submit what is missing, until nothing is."""
        if self.submitted.craft != type(self.craft).__name__:
            slurm_tasks.refuse_under_way(self.folder, self.is_over)
            self.submitted = slurm_tasks.read(self.folder)
        if self.submitted.tasks:
            _say(f"{len(self.submitted.tasks)} tasks were submitted before")
            self.follow(self.ledger(), [])
        parts.gather(self.folder)
        self.settle()  # anew: the old pieces are of what there was, and was asked, then
        ledger, rounds = self.ledger(), 0
        ledger.begin()
        while ledger.left():
            made = ledger.state.done
            self.follow(ledger, self.cut(ledger))
            rounds = rounds + 1 if ledger.state.done == made else 0
            if rounds == ROUNDS:
                raise WorkError(
                    f"{rounds} times tasks ended with nothing made ({self.trouble}); what was "
                    "finished is kept, run again"
                )
        if ledger.plan.last is not None:
            ledger.plan.found = self.call("finish", ledger.plan.last())
        self.submitted.deaths.clear()
        slurm_tasks.write(self.folder, self.submitted)
        return ledger

    def is_over(self, task: SlurmTask) -> bool:
        """Say whether a task has ended, as Slurm has it."""
        return is_over(job_of(self.executor, task.job))

    def ledger(self) -> Ledger:
        """Return the ledger of what is due, touching nothing of what is under way."""
        under_way = {index for task in self.submitted.tasks for index in task.wanted}
        return Ledger(self.craft.plan(self.folder, self.submitted.settled, under_way), _say)

    def settle(self) -> None:
        """Have a task settle the work, on a device like those that will do it."""
        _say("a task settles the work on a computing node")
        slurm_tasks.write(
            self.folder, self.submitted
        )  # by this file a node knows that it is shared
        self.submitted.settled = self.call("settle", self.allow_mixed)
        self.submitted.craft = type(self.craft).__name__
        self.submitted.deaths.clear()  # they were of the pieces before
        slurm_tasks.write(self.folder, self.submitted)

    def call(self, method: str, told: Sequence[Any] | bool) -> Any:
        """Have a task settle or finish the work; one that dies is submitted once more."""
        here = (code_hash(), self.options.gpus)
        for _ in range(DEATHS):
            job = self.executor.submit(call, method, self.craft, self.folder, told, *here)
            while not is_over(job):
                time.sleep(POLLED_EVERY / 4)
            found = result_of(job)
            if "died" not in found:
                break
        if "error" in found:
            kind = getattr(errors, found.get("kind", ""), WorkError)
            error: PinluError = kind(found["error"])
            raise error
        return found["answer"]

    def cut(self, ledger: Ledger) -> list[tuple[str, Wanted]]:
        """Cut what is left into tasks: model and pieces; one whose task died stands alone."""
        deaths, tasks = self.submitted.deaths, [task_of(piece) for piece in ledger.left()]
        seconds = 60 * self.options.minutes * 0.8
        shares = cut(
            [task for task in tasks if task.index not in deaths],
            ledger.plan.estimates(),
            workers=self.options.jobs,
            seconds=seconds,
        )
        shares += [Share("", task.model, (task.index,)) for task in tasks if task.index in deaths]
        return [(share.model, ledger.wanted(share)) for share in shares]

    def submit(self, shares: Sequence[tuple[str, Wanted]]) -> None:
        """Submit tasks as one array, and keep on disk that they were."""
        names = [f"slurm-{uuid.uuid4().hex[:8]}" for _ in shares]
        calls = [
            (self.craft, self.folder, name, model, wanted, code_hash(), self.allow_mixed)
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
        plan, out = ledger.plan, sys.stdout if self.as_json else None
        with view(plan.doing, plan.unit, ledger.jobs, out) as shown:
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
                self.jobs[task.name] = job_of(self.executor, task.job)
            job = self.jobs[task.name]
            over = is_over(job)  # asked before reading: what it made last is read then
            ledger.enter(("", row) for row in reader.new())
            if over:
                self.take(ledger, task, result_of(job))
                self.submitted.tasks.remove(task)
                slurm_tasks.write(self.folder, self.submitted)
                reader.path.unlink(missing_ok=True)

    def take(self, ledger: Ledger, task: SlurmTask, found: Mapping[str, Any]) -> None:
        """Take the end of a task: what it left undone is submitted again, or set aside."""
        why = next(
            (found[kind] for kind in ("error", "stopped", "cannot_load") if kind in found), ""
        )
        ledger.cut += found.get("cut", 0)
        if "environment" in found and found["environment"] not in ledger.plan.environments:
            ledger.plan.mix(found["environment"])
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


def _say(text: str) -> None:
    sys.stderr.write(f"pinlu: {text}\n")
