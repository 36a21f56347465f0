"""Questions about pictures by several workers: cut into batches once, read at desks.

Imports torch through `bench.understanding.reader`.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic

from bench.crew.crafts import Row, refuse_other_checkpoint
from bench.errors import LoadError, PinluError, WorkError
from bench.parts import Part, Wanted
from bench.records import ModelSpec
from bench.understanding.reader import Reader
from bench.understanding.working import (
    Asked,
    Keeper,
    Picture,
    Worked,
    batches_by_length,
    lengths_of,
    padding_of,
    read_batch,
)


def cut(
    spec: ModelSpec, parts: Sequence[Sequence[Asked]], picture: Picture, batch_size: int
) -> Iterator[dict[str, Any]]:
    """Cut a model's questions into batches as one process does, for `bench.crew.crafts.write_pieces`.

    Yields:
        Rows without `index`: `model`, `jobs`, and `lengths`, the tokens that go in for each; or in their place
        `hopeless`, why these cannot be asked.
    """
    try:
        reader = Reader(spec, spec.arguments, picture, weights=False)
    except WorkError as error:
        for jobs in parts:
            yield _row(spec, jobs, hopeless=str(error))
        return
    for jobs in parts:
        lengths, faults = lengths_of(reader, jobs)
        for job in jobs:
            if job.key in faults:
                yield _row(spec, [job], hopeless=faults[job.key])
        there = [job for job in jobs if job.key in lengths]
        for batch in batches_by_length(there, lengths, batch_size):
            yield _row(spec, batch, lengths=[lengths[job.key] for job in batch])


def hopeless(spec: ModelSpec, job: Any, why: str) -> dict[str, Any]:
    """Return the row of a question that cannot be asked."""
    return _row(spec, [job], hopeless=why)


def _row(spec: ModelSpec, jobs: Sequence[Any], **more: Any) -> dict[str, Any]:
    return {"model": spec.id, "jobs": [asdict(job) for job in jobs], **more}


@dataclass(frozen=True, slots=True)
class Batch(Generic[Asked]):
    """A batch of questions, and how many tokens go in for each."""

    jobs: Sequence[Asked]
    lengths: Sequence[int]


class QuestionDesk(Generic[Asked]):
    """A worker's place where questions are answered."""

    def __init__(
        self,
        part: Part,
        batches: Mapping[int, Batch[Asked]],
        *,
        specs: Mapping[str, ModelSpec],
        picture: Picture,
        keeper: Keeper[Asked],
        speed: Callable[[str, Worked], Row],
        environment: Row,
        known: Sequence[Row],
    ) -> None:
        """Be ready; `speed` makes of what a model took the row that is entered of it."""
        self.environment, self.known = environment, known
        self._part, self._batches, self._specs = part, batches, specs
        self._picture, self._keeper, self._speed = picture, keeper, speed
        self._reader: Reader | None = None
        self._worked = Worked()

    def keys(self, piece: int) -> Sequence[str]:
        """Return the keys of a batch's questions."""
        return [job.key for job in self._batches[piece].jobs]

    def load(self, model: str) -> float:
        """Load a model."""
        spec = self._specs[model]
        refuse_other_checkpoint(spec)
        began = time.perf_counter()
        try:
            self._reader = Reader(spec, spec.arguments, self._picture)
        except WorkError as error:
            raise LoadError(f"{error} (on {socket.gethostname()})") from error
        seconds = time.perf_counter() - began
        self._worked = Worked(load_seconds=seconds)
        return seconds

    def make(self, wanted: Wanted) -> int:
        """Answer what is wanted of batches; a batch is read whole, or its answers would be others."""
        if self._reader is None:
            msg = "make before load"
            raise RuntimeError(msg)
        for index, keys in sorted(wanted.items()):
            self._part.begun(index)
            batch, before, began = self._batches[index], self._worked, time.perf_counter()
            mine = [job for job in batch.jobs if keys is None or job.key in set(keys)]
            read = read_batch(self._reader, batch.jobs, mine, self._keeper)
            self._worked = Worked(
                before.seconds + time.perf_counter() - began,
                before.load_seconds,
                before.padding + (padding_of(batch.lengths) if read else 0),
                before.asked_tokens + (sum(batch.lengths) if read else 0),
            )
        return 0

    def put_away(self) -> None:
        """Free the model, and enter how fast it was."""
        if self._reader is not None:
            if self._worked.seconds:
                self._part.speed(self._speed(self._reader.spec.id, self._worked))
            self._reader.close()
        self._reader = None


def seen_here(picture: Picture) -> Picture:
    """Have a picture that is not here, or is another than was asked about, bar this worker alone."""

    def shown(name: str) -> Any:
        try:
            return picture(name)
        except PinluError as error:
            raise LoadError(f"on {socket.gethostname()}: {error}") from error

    return shown


class Nobody:
    """Where a worker's keeper reports to: who drives counts by the parts."""

    def advance(self, count: int, note: str = "") -> None:
        """Say nothing."""

    def say(self, text: str) -> None:
        """Say nothing."""
