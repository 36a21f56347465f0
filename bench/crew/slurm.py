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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import manifest, parts
from bench.crew import slurm_tasks
from bench.crew.crafts import Craft
from bench.crew.ledger import Ledger, task_of
from bench.crew.scheduling import DEATHS, Share
from bench.crew.slurm_awaited import answer_of
from bench.crew.slurm_cut import cut
from bench.crew.slurm_jobs import (
    executor_of,
    is_over,
    job_of,
    no_node_left,
    result_of,
    submitted,
)
from bench.crew.slurm_nodes import KeptOff, excluding
from bench.crew.slurm_tasks import SlurmTask
from bench.crew.slurm_work import Work
from bench.crew.view import State, View, say, view
from bench.crew.worker import code_hash
from bench.errors import RequestError, WorkError
from bench.files import read_rows
from bench.parts import Wanted
from bench.request import SlurmOptions
from bench.summary import Summary

POLLED_EVERY = 2.0
"""Seconds between two looks at the tasks' parts."""

AGAIN_AFTER = 5.0
"""Seconds after which tasks are submitted again that Slurm did not take."""

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
        with manifest.opened(folder) as token:
            driver = _Driver(
                craft, folder, options, token, allow_mixed=allow_mixed, as_json=as_json
            )
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
        token: str,
        *,
        allow_mixed: bool,
        as_json: bool,
    ) -> None:
        self.craft, self.folder, self.options, self.token = craft, folder, options, token
        self.allow_mixed, self.as_json = allow_mixed, as_json
        self.executor = self.executor_without(())
        self.kept_off = KeptOff()
        self.ours = False
        """Tasks are those of this call, no longer those that were submitted before."""
        self.submitted = slurm_tasks.read(folder)
        self.jobs: dict[str, Any] = {}
        self.trouble = ""

    def drive(self) -> Ledger:
        """Wait for what is under way, then submit what is missing, until nothing is."""
        if self.submitted.craft != type(self.craft).__name__:
            slurm_tasks.refuse_under_way(self.folder, self.is_over)
            self.submitted = slurm_tasks.read(self.folder)
        if self.submitted.tasks:
            say(f"{len(self.submitted.tasks)} tasks were submitted before")
            self.follow(self.ledger(), [])
        parts.gather(self.folder)
        self.settle()  # anew: the old pieces are of what there was, and was asked, then
        self.ours = True
        ledger, rounds = self.ledger(), 0
        ledger.begin()
        while ledger.left():
            before = ledger.state.done + ledger.state.failed
            self.follow(ledger, self.cut(ledger))
            rounds = rounds + 1 if ledger.state.done + ledger.state.failed == before else 0
            if rounds == ROUNDS and ledger.left():
                raise WorkError(
                    f"{rounds} times tasks ended with nothing made ({self.trouble}); what was "
                    "finished is kept, run again"
                )
        if ledger.plan.last is not None:
            ledger.plan.found = self.call("finish", ledger.plan.last())["answer"]
        self.submitted.deaths.clear()
        slurm_tasks.write(self.folder, self.submitted)
        return ledger

    def is_over(self, task: SlurmTask) -> bool:
        """Say whether a task has ended, as Slurm has it."""
        return is_over(job_of(self.executor, task.job))

    def executor_without(self, nodes: Iterable[str], jobs: int | None = None) -> Any:
        """Return what submits tasks that do not fall to these nodes, so many of them at once."""
        options = self.options.model_copy(update={"jobs": jobs}) if jobs else self.options
        return executor_of(self.folder / manifest.STATE / "slurm", excluding(options, nodes))

    def ledger(self) -> Ledger:
        """Return the ledger of what is due, touching nothing of what is under way."""
        under_way = {index for task in self.submitted.tasks for index in task.wanted}
        return Ledger(self.craft.plan(self.folder, self.submitted.settled, under_way), say)

    def settle(self) -> None:
        """Have a task settle the work, on a device like those that will do it."""
        say("a task settles the work on a computing node")
        self.submitted.marker = self.token
        slurm_tasks.write(self.folder, self.submitted)
        found = self.call("settle", self.allow_mixed)
        self.submitted.settled, self.submitted.versions = found["answer"], found["versions"]
        self.submitted.craft = type(self.craft).__name__
        self.submitted.deaths.clear()  # they were of the pieces before
        slurm_tasks.write(self.folder, self.submitted)

    def call(self, method: str, told: Sequence[Any] | bool) -> dict[str, Any]:
        """Have a task settle or finish the work, and wait for it."""
        here = (code_hash(), self.options.gpus, self.token)
        asked = (method, self.craft, self.folder, told, *here)
        return answer_of(self.executor_without, asked, nodes=self.options.cluster == "slurm")

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
        """Submit tasks as arrays, one for all that may go anywhere, and keep on disk that they were."""
        arrays: dict[tuple[str, ...], list[tuple[str, Wanted]]] = {}
        for model, wanted in shares:
            arrays.setdefault(self.kept_off.nodes(model), []).append((model, wanted))
        for nodes, some in arrays.items():
            jobs = max(1, self.options.jobs * len(some) // len(shares))
            try:
                self.submit_array(some, nodes, jobs)
            except WorkError as error:
                if not nodes or not no_node_left(error):
                    raise
                pieces = [index for _, wanted in some for index in wanted]
                models = {model for model, _ in some}
                if not self.kept_off.try_once_more(pieces, models, nodes):
                    left_out = f"left out: {', '.join(nodes)}; {self.trouble}"
                    raise WorkError(f"{error} ({left_out})") from error
                say(
                    f"no node is left beside {', '.join(nodes)}: they are let in again, and tried once more"
                )
                self.submit_array(some, (), jobs)

    def submit_array(
        self, shares: Sequence[tuple[str, Wanted]], nodes: tuple[str, ...], jobs: int
    ) -> None:
        """Submit tasks as one array, kept off these nodes; once more where Slurm does not take them."""
        try:
            names, tasks = self.array_of(shares, nodes, jobs)
        except WorkError as error:
            if no_node_left(error):
                raise
            say(f"{error}; it is tried again")
            time.sleep(AGAIN_AFTER)
            names, tasks = self.array_of(shares, nodes, jobs)
        for name, job, (model, wanted) in zip(names, tasks, shares, strict=True):
            self.jobs[name] = job
            self.submitted.tasks.append(SlurmTask(name, job.job_id, model, wanted, nodes))
        slurm_tasks.write(self.folder, self.submitted)

    def array_of(
        self, shares: Sequence[tuple[str, Wanted]], nodes: tuple[str, ...], jobs: int
    ) -> tuple[list[str], list[Any]]:
        """Submit an array of tasks under names of its own: one that seemed not to be taken may be."""
        names = [f"slurm-{uuid.uuid4().hex[:8]}" for _ in shares]
        told = (code_hash(), self.submitted.marker, self.allow_mixed, self.submitted.versions)
        calls = [
            (self.craft, self.folder, name, model, wanted, *told)
            for name, (model, wanted) in zip(names, shares, strict=True)
        ]
        executor = self.executor_without(nodes, jobs)
        return names, submitted(lambda: executor.map_array(Work(), *zip(*calls, strict=True)))

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
                shown.say(self.going_on())
                raise
            except WorkError as error:
                if not self.submitted.tasks:
                    raise
                raise WorkError(f"{error}; {self.going_on()}") from error
            self.show(shown, ledger, 0, last=True)

    def going_on(self) -> str:
        """Say which tasks go on when the command ends."""
        jobs = ", ".join(task.job for task in self.submitted.tasks[:5])
        return f"the Slurm tasks go on ({jobs} …): run again to see them, or scancel them"

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
        say(f"task {task.job} of {task.model} ended early ({why}); what it left is done again")
        if "died" in found:
            self.blame(ledger, task, left, why)
            return
        if self.ours and "stopped" not in found:
            self.pass_over(ledger, task, found, left)

    def pass_over(
        self, ledger: Ledger, task: SlurmTask, found: Mapping[str, Any], left: Sequence[int]
    ) -> None:
        """Leave out the node of a task that came to nothing; set aside what no other is to try."""
        if "cannot_load" in found:
            begun = self.begun_by(task, found.get("rows_before", 0))
            guilty = sorted(begun.intersection(left)) or left
            lost = self.kept_off.lost(task, found, guilty)
            nodes = ", ".join(self.kept_off.tried(lost))
            ledger.set_aside(lost, f"set aside: {found['cannot_load']} (tried on {nodes})")
            if self.options.cluster == "local":  # there is no other
                self.kept_off.try_once_more(guilty)
        if self.options.cluster == "slurm" and (node := self.kept_off.note(task, found)):
            what = f"tasks of {task.model}" if "cannot_load" in found else "all tasks"
            say(f"{node} is left out from now on for {what}")

    def begun_by(self, task: SlurmTask, rows_before: int = 0) -> set[int]:
        """Return the pieces that a task has begun, as its part says after so many rows."""
        rows = list(read_rows(parts.folder_of(self.folder) / f"{task.name}.jsonl"))
        return {row["begun"] for row in rows[rows_before:] if "begun" in row}

    def blame(self, ledger: Ledger, task: SlurmTask, left: Sequence[int], why: str) -> None:
        """Blame the pieces that a task which died had begun; one that cost two tasks alone is set aside."""
        blamed, deaths = self.begun_by(task).intersection(left), self.submitted.deaths
        for index in blamed:
            deaths[index] = deaths.get(index, 0) + 1
        lost = [one for one in blamed if len(task.wanted) == 1 and deaths[one] >= DEATHS]
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
