"""What a run that several workers work off still lacks, and what came of it so far.

The ledger belongs to whoever holds the run: it reads the rows of workers' parts, enters them once, and
keeps the schedule told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bench.crew.crafts import Piece, Plan, made_in
from bench.crew.scheduling import Schedule, Share, Task
from bench.crew.view import ModelState, State
from bench.parts import Wanted
from bench.summary import Summary


class Ledger:
    """A settled work under way. `say` prints a line for people."""

    def __init__(self, plan: Plan, say: Callable[[str], None]) -> None:
        """Schedule what is due."""
        self.plan, self.say = plan, say
        self._missing = {
            piece.index: {key for key in piece.keys if key not in plan.finished}
            for piece in plan.pieces
        }
        self.jobs = sum(map(len, self._missing.values()))
        self.state = State(total=self.jobs)
        self._pieces = {piece.index: piece for piece in plan.pieces}
        self.schedule = Schedule(
            map(task_of, (one for one in plan.pieces if one.index not in plan.hopeless)),
            plan.estimates(),
        )
        self.cut = 0
        self._began = time.monotonic()
        self._piece_of = {key: index for index, keys in self._missing.items() for key in keys}
        self._spent: dict[int, float] = {}
        self._speed: list[Mapping[str, Any]] = []
        for piece in plan.pieces:
            model = self.state.models.setdefault(piece.model, ModelState())
            model.total += len(self._missing[piece.index])

    def begin(self) -> None:
        """Say what is to be known before, and set aside what nobody can make."""
        for warning in self.plan.warnings:
            self.say(warning)
        for why in dict.fromkeys(self.plan.hopeless.values()):
            self.set_aside((one for one, said in self.plan.hopeless.items() if said == why), why)

    def model_of(self, piece: int) -> str:
        """Return the model of a piece."""
        return self._pieces[piece].model

    def wanted(self, share: Share) -> Wanted:
        """Return what a worker is to make of its share, as `bench.crew.worker.Worker.work` takes it."""
        return {
            index: sorted(self._missing[index])
            if len(self._missing[index]) < len(self._pieces[index].keys)
            else None
            for index in share.batches
        }

    def left(self) -> list[Piece]:
        """Return the pieces of which something is missing."""
        return [self._pieces[index] for index, keys in self._missing.items() if keys]

    def lacks(self, batch: int) -> bool:
        """Say whether anything of a batch is missing; of one that was whole before nothing is."""
        return bool(self._missing.get(batch))

    def enter(self, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> bool:
        """Enter rows of parts, each with its worker's name ("" where it is gone).

        Returns:
            Whether a batch was finished.
        """
        rows = list(rows)
        self.plan.enter([row for _, row in rows])
        finished = [self._note(worker, row) for worker, row in rows]
        return True in finished

    def set_aside(self, batches: Iterable[int], why: str) -> None:
        """Enter the jobs of batches that nobody is to try again as failed."""
        rows: list[dict[str, Any]] = []
        for index in batches:
            lost = self.plan.failures(index, self._missing[index], why)
            rows += [{"failure": row} for row in lost]
        if rows:
            self.say(f"{len(rows)} jobs failed: {why}")
            self.enter(("", row) for row in rows)

    def _note(self, worker: str, row: Mapping[str, Any]) -> bool:
        if "said" in row:
            self.say(row["said"])
        if "speed" in row:
            self._speed.append(row["speed"])
        made = made_in(row)
        index = self._piece_of.get(made["key"]) if made else None
        if made is None or index is None or made["key"] not in self._missing[index]:
            return False
        self._missing[index].discard(made["key"])
        self._count(self._pieces[index].model, made, failed="failure" in row)
        seconds = (made.get("seconds") or 0.0) / made.get("devices", 1)
        self._spent[index] = self._spent.get(index, 0.0) + seconds
        if self._missing[index]:
            return False
        seconds = self._spent.pop(index)
        if worker:
            self.schedule.done(worker, index, seconds)
        return True

    def _count(self, name: str, row: Mapping[str, Any], *, failed: bool) -> None:
        model = self.state.models[name]
        model.device_seconds += row.get("seconds") or 0.0
        for one in (self.state, model):
            one.failed += failed
            one.done += not failed
            one.suspect += row.get("status") == "suspect"

    def snapshot(self, workers: Mapping[str, str]) -> State:
        """Return how the whole stands; `workers` says where each is and what it does."""
        state, schedule = self.state, self.schedule
        for name in schedule.models():
            state.models[name].queued_batches = schedule.waiting(name)
            state.models[name].workers = schedule.workers_on(name)
        state.queued_batches = sum(one.queued_batches for one in state.models.values())
        state.workers = workers
        state.seconds = round(time.monotonic() - self._began, 1)
        state.seconds_left = round(schedule.seconds_left(), 1)
        return state

    def summary(self, seconds: float) -> Summary:
        """Return what was done, as `bench.generate.generate` does; of speed a row for each worker."""
        return Summary(
            planned=self.plan.planned,
            made=self.state.done,
            there_before=self.plan.there_before,
            failed=self.state.failed,
            suspect=self.state.suspect,
            cut=self.cut,
            seconds=seconds,
            speed=self._speed,
        )


def task_of(piece: Piece) -> Task:
    """Return a piece as the scheduler takes it."""
    return Task(piece.index, piece.model, piece.cost)
