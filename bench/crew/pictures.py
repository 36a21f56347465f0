"""Pictures and clips by several workers: a run's batches are the pieces, whoever makes them.

Imports torch through `bench.model_work`.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench import errors
from bench.cards import write_run_card
from bench.crew.crafts import By, Piece, Plan, refuse_other_checkpoint
from bench.crew.estimates import estimates_of
from bench.environments import environment_of
from bench.generate import warnings_of_languages, what_is_due
from bench.keeper import Keeper
from bench.model_work import ModelWork, sentence
from bench.parts import Book, Part, Wanted
from bench.pipelines import settle_threads
from bench.records import Batch, ModelSpec
from bench.request import Request
from bench.run import planned_run, run_on_disk, settle, with_environment
from bench.speed import of_workers
from bench.summary import Summary


def generate_by(by: By, request: Request, folder: Path, *, allow_mixed: bool = False) -> Summary:
    """Make what `bench.generate.generate` makes, by several workers."""
    done = by(Pictures(absolute(request)), folder, allow_mixed=allow_mixed)
    return replace(done, speed=of_workers(done.speed))


@dataclass(frozen=True, slots=True)
class Pictures:
    """The outputs that a request asks for."""

    request: Request

    def settle(self, folder: Path, *, allow_mixed: bool) -> list[str]:
        """Plan and settle the run, as the device here has it; return the ids of the models asked.

        Raises:
            RequestError: as `planned_run` and `settle` do.
        """
        return sorted(settle(planned_run(self.request, folder), allow_mixed=allow_mixed).asked)

    def plan(self, folder: Path, settled: Any, under_way: Collection[int] = ()) -> Plan:
        """Return what the run lacks."""
        run = run_on_disk(folder, frozenset(settled))
        due = what_is_due(run, under_way)
        environments = [run.content["environment"], *run.content["mixed"]]

        def mix(environment: Mapping[str, Any]) -> None:
            nonlocal run
            run = with_environment(run, environment)
            environments.append(environment)

        def failures(piece: int, keys: Collection[str], why: str) -> list[dict[str, Any]]:
            batch = run.batches[piece]
            return [{**asdict(job), "error": why} for job in batch.jobs if job.key in keys]

        def piece(batch: Batch) -> Piece:
            keys = tuple(job.key for job in batch.jobs)
            return Piece(batch.index, batch.model, keys, cost_of(batch, run.models[batch.model]))

        return Plan(
            doing="generate",
            unit=f"{run.suite.modality}s",
            pieces=[piece(batch) for batch in due.batches],
            finished=due.finished,
            environments=environments,
            planned=due.planned,
            there_before=due.there_before,
            enter=Book(folder, due.entered).enter,
            failures=failures,
            estimates=lambda: estimates_of(run),
            mix=mix,
            warnings=warnings_of_languages(run, due.batches),
            after=lambda _: write_run_card(folder),
        )

    def desk(self, folder: Path, part: Part) -> PictureDesk:
        """Read the settled run."""
        return PictureDesk(folder, part)

    def finish(self, folder: Path, *told: Any) -> None:
        """Do nothing more."""


class PictureDesk:
    """A worker's place where pictures are made; threads are the run's."""

    def __init__(self, folder: Path, part: Part) -> None:
        """Read the run as it was settled."""
        self._run, self._part = run_on_disk(folder, frozenset()), part
        self._work: ModelWork | None = None
        content = self._run.content
        self.known = [content["environment"], *content["mixed"]]
        self.environment = environment_of(settle_threads(content["environment"]["threads"]))

    def keys(self, piece: int) -> Sequence[str]:
        """Return the keys of a batch's jobs."""
        return [job.key for job in self._run.batches[piece].jobs]

    def load(self, model: str) -> float:
        """Load a model."""
        spec = self._run.models[model]
        refuse_other_checkpoint(spec)
        try:
            keeper = Keeper(self._run, set(), _Said(self._part), self._part)
            self._work = ModelWork(self._run, spec, keeper)
        except errors.DeviceLostError:
            raise
        except Exception as error:
            raise errors.LoadError(f"{sentence(error)} (on {socket.gethostname()})") from error
        return self._work.load_seconds

    def make(self, wanted: Wanted) -> int:
        """Make what is wanted of batches."""
        if self._work is None:
            msg = "make before load"
            raise RuntimeError(msg)
        batches = [self._run.batches[index] for index in sorted(wanted)]
        missing = {
            batch.index: [
                job
                for job in batch.jobs
                if (keys := wanted[batch.index]) is None or job.key in set(keys)
            ]
            for batch in batches
        }
        before = self._work.cut
        self._work.work(batches, missing, self._part.begun)
        return self._work.cut - before

    def put_away(self) -> None:
        """Free the model, and enter how fast it was."""
        if self._work is not None:
            self._part.speed(self._work.close())
        self._work = None


class _Said:
    """Where a worker's keeper reports to: who drives counts by the parts."""

    def __init__(self, part: Part) -> None:
        self._part = part

    def advance(self, count: int, note: str = "") -> None:
        """Say nothing: the rows say it."""

    def say(self, text: str) -> None:
        """Have a line printed by whoever drives."""
        self._part.said(text)


def cost_of(batch: Batch, spec: ModelSpec) -> float:
    """Return what a batch costs relative to its model's others: the more frames, the longer."""
    usual = spec.frames or 1
    return (batch.frames or usual) / usual


def absolute(request: Request) -> Request:
    """Return a request whose paths hold from any folder."""

    def resolved(name: str) -> str:
        return str(Path(name).resolve()) if Path(name).exists() else name

    return replace(
        request, suite=resolved(request.suite), models=tuple(map(resolved, request.models))
    )
