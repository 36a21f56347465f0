"""What a run that several workers work off still lacks, and what came of it so far.

The ledger belongs to whoever holds the run: it reads the rows of workers' parts, enters them once, and
keeps the schedule told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from bench.crew.estimates import estimates_of, task_of
from bench.crew.scheduling import Schedule, Share
from bench.crew.view import ModelState, State
from bench.generate import Due, Summary
from bench.parts import Book
from bench.run import Run
from bench.speed import of_workers


class Ledger:
    """A settled run under way. `say` prints a line for people."""

    def __init__(self, run: Run, due: Due, say: Callable[[str], None]) -> None:
        """Schedule what is due."""
        self.run, self.due, self.say = run, due, say
        self.state = State(total=due.jobs)
        self.schedule = Schedule(
            (task_of(batch, run.models[batch.model]) for batch in due.batches), estimates_of(run)
        )
        self.cut = 0
        self._began = time.monotonic()
        self._book = Book(run.folder, due.entered)
        self._missing = {
            batch.index: {job.key for job in batch.jobs if job.key not in due.finished}
            for batch in due.batches
        }
        self._batch_of = {key: index for index, keys in self._missing.items() for key in keys}
        self._spent: dict[int, float] = {}
        self._speed: list[Mapping[str, Any]] = []
        for batch in due.batches:
            model = self.state.models.setdefault(batch.model, ModelState())
            model.total += len(self._missing[batch.index])

    def wanted(self, share: Share) -> dict[int, list[str] | None]:
        """Return what a worker is to make of its share, as `bench.crew.worker.Worker.work` takes it."""
        return {
            index: sorted(self._missing[index])
            if len(self._missing[index]) < len(self.run.batches[index].jobs)
            else None
            for index in share.batches
        }

    def lacks(self, batch: int) -> bool:
        """Say whether anything of a batch is missing."""
        return bool(self._missing[batch])

    def enter(self, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> bool:
        """Enter rows of parts, each with its worker's name ("" where it is gone).

        Returns:
            Whether a batch was finished.
        """
        rows = list(rows)
        self._book.enter(row for _, row in rows)
        finished = [self._note(worker, row) for worker, row in rows]
        return True in finished

    def set_aside(self, batches: Iterable[int], why: str) -> None:
        """Enter the jobs of batches that nobody is to try again as failed."""
        rows: list[dict[str, Any]] = []
        for index in batches:
            lost = [job for job in self.run.batches[index].jobs if job.key in self._missing[index]]
            rows += [{"failure": {**asdict(job), "error": why}} for job in lost]
        if rows:
            self.say(f"{len(rows)} jobs failed: {why}")
            self.enter(("", row) for row in rows)

    def _note(self, worker: str, row: Mapping[str, Any]) -> bool:
        if "said" in row:
            self.say(row["said"])
        if "speed" in row:
            self._speed.append(row["speed"])
        made = row.get("output") or row.get("failure")
        index = self._batch_of.get(made["key"]) if made else None
        if made is None or index is None or made["key"] not in self._missing[index]:
            return False
        self._missing[index].discard(made["key"])
        self._count(made, failed="failure" in row)
        self._spent[index] = self._spent.get(index, 0.0) + (made.get("seconds") or 0.0)
        if self._missing[index]:
            return False
        seconds = self._spent.pop(index)
        if worker:
            self.schedule.done(worker, index, seconds)
        return True

    def _count(self, row: Mapping[str, Any], *, failed: bool) -> None:
        model = self.state.models[row["model"]]
        model.device_seconds += row.get("seconds") or 0.0
        for one in (self.state, model):
            one.failed += failed
            one.done += not failed
            one.suspect += row.get("status") == "suspect"

    def snapshot(self, workers: Mapping[str, str]) -> State:
        """Return how the whole stands; `workers` says where each is and what it does."""
        state, schedule = self.state, self.schedule
        for name, model in state.models.items():
            model.queued_batches = schedule.waiting(name)
            model.workers = schedule.workers_on(name)
        state.queued_batches = sum(one.queued_batches for one in state.models.values())
        state.workers = workers
        state.seconds = round(time.monotonic() - self._began, 1)
        state.seconds_left = round(schedule.seconds_left(), 1)
        return state

    def summary(self, seconds: float) -> Summary:
        """Return what was done, as `bench.generate.generate` does."""
        return Summary(
            planned=self.due.planned,
            made=self.state.done,
            there_before=self.due.there_before,
            failed=self.state.failed,
            suspect=self.state.suspect,
            cut=self.cut,
            seconds=seconds,
            speed=of_workers(self._speed),
        )
