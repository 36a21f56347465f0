"""Outputs behind the device's back: files are written by a bounded pool, rows in the plan's order."""

from __future__ import annotations

import errno
import os
import statistics
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from bench import manifest
from bench.errors import WorkError, first_line
from bench.outputs import write_output
from bench.progress import Progress
from bench.records import Batch, Job, Output
from bench.speedups import described

if TYPE_CHECKING:
    from bench.parts import Part
    from bench.run import Run
    from bench.transfer import Made, Pending

_T = TypeVar("_T")

WAITING = 2
"""Batches whose files may be on their way while the next is made: so memory stays flat."""

_FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


@dataclass(frozen=True, slots=True)
class _Batch:
    """A batch on its way to the disk."""

    batch: Batch
    made: Made
    files: Sequence[tuple[Job, Future[Output]]]


class Keeper:
    """Writes the outputs of batches; counts them. A context: on leaving it, all that is due is kept.

    What a writer fails at is raised by whichever call meets it, as WorkError; files that are not
    whole are never given their name, and rows are written after their files, one write per batch.
    """

    def __init__(
        self, run: Run, entered: set[str], bar: Progress, part: Part | None = None
    ) -> None:
        """Write into `run`; jobs that are `entered` have a row and keep it.

        Rows go into the run's manifest; those of one worker among several into its `part`.
        """
        self._run, self._entered, self._bar, self._part = run, entered, bar, part
        # twice the cores: half of a writer's time is waiting for the disk
        self._pool = ThreadPoolExecutor(max_workers=min(8, 2 * (os.cpu_count() or 1)))
        self._due: deque[_Batch] = deque()
        self.made = self.suspect = self.failed = 0
        self.spent: defaultdict[str, float] = defaultdict(float)
        """Seconds by stage, of what was kept; on a GPU stages of two batches run side by side."""
        self._seconds: list[float] = []
        self._until: Any = None
        self.occupied = 0.0
        """Seconds for which the device worked on what was kept."""
        self.say = bar.say

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep what is due, also when the work was broken off; drop what has not begun."""
        try:
            while self._due and not isinstance(error, WorkError):
                self._settle()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def keep(
        self, batch: Batch, made: Made, missing: Sequence[Job], notes: Mapping[str, str]
    ) -> None:
        """Have a batch's missing outputs written; waits when too many are on their way.

        `notes` are said of outputs, by job key.
        """
        began = time.perf_counter()
        files = [
            (job, self._pool.submit(self._write, batch, job, made.pictures[job.key], notes))
            for job in missing
        ]
        self._due.append(_Batch(batch, made, files))
        while len(self._due) > WAITING or (self._due and _is_done(self._due[0])):
            self._settle()
        self.spent["waiting for files"] += time.perf_counter() - began

    def fail(self, jobs: Sequence[Job], error: str) -> None:
        """Enter jobs that failed."""
        rows = [{**asdict(job), "error": error} for job in jobs]
        folder = self._run.folder
        append = self._part.failures if self._part else partial(manifest.append_failures, folder)
        self._to_disk(lambda: append(rows))
        self.failed += len(jobs)
        self._bar.advance(len(jobs), jobs[0].model if jobs else "")

    def settle(self) -> None:
        """Wait until everything due is kept."""
        while self._due:
            self._settle()

    def first_batch_beyond_the_rest(self) -> float:
        """Return how much longer the first batch took than later ones do: what compiling took."""
        first, *rest = self._seconds or [0.0]
        return max(0.0, first - statistics.median(rest)) if rest else 0.0

    def _write(self, batch: Batch, job: Job, picture: Pending, notes: Mapping[str, str]) -> Output:
        pixels, why = picture.on_host()
        output = write_output(
            self._run.folder,
            job,
            pixels,
            suite=self._run.suite.name,
            suite_hash=self._run.suite.hash,
            why=why,
            fps=self._run.models[job.model].fps,
            master=self._run.content["video_master"],
            details={
                "batch": batch.index,
                "device": self._run.content["environment"]["device"],
                "speedups": described(self._run.models[job.model].speedups),
            },
        )
        said = [note for note in (output.note, notes.get(job.key, "")) if note]
        return replace(output, note="; ".join(said))

    def _settle(self) -> None:
        """Wait for the oldest batch's files and enter its rows."""
        due = self._due.popleft()
        outputs, broken = [], []
        for job, file in due.files:
            wrong = file.exception()
            if isinstance(wrong, ValueError):  # not a picture, or a clip that cannot be a file
                broken.append((job, str(wrong)))
            else:
                outputs.append(self._to_disk(file.result))
        spent = due.made.seconds()
        self._seconds.append(sum(spent.values()))
        for stage, taken in spent.items():
            self.spent[stage] += taken
        occupied = due.made.occupied(self._until)
        self._until = due.made.ended
        self.occupied += occupied
        seconds = due.made.devices * occupied / len(due.batch.jobs)
        rows = [
            replace(
                output,
                seconds=round(seconds, 6),
                batch_size=due.made.size,
                devices=due.made.devices,
                note="; ".join(note for note in (output.note, due.made.note) if note),
            )
            for output in outputs
        ]
        new = [row for row in rows if row.key not in self._entered]
        folder = self._run.folder
        append = self._part.outputs if self._part else partial(manifest.append_outputs, folder)
        self._to_disk(lambda: append(new) if new else None)
        self.made += len(rows)
        self.suspect += sum(row.status == "suspect" for row in rows)
        self._bar.advance(len(rows), due.batch.model)
        for job, error in broken:
            self.fail([job], error)

    def _to_disk(self, write: Callable[[], _T]) -> _T:
        try:
            return write()
        except WorkError:
            raise
        except Exception as error:
            raise _stopped(self._run.folder, error) from error


def _is_done(due: _Batch) -> bool:
    return all(file.done() for _, file in due.files)


def _stopped(folder: Path, error: Exception) -> WorkError:
    what = f"a writer failed ({first_line(error)})"
    if isinstance(error, OSError):
        full = error.errno in _FULL_DISK
        why = "the disk is full or read-only" if full else (error.strerror or str(error))
        what = f"cannot write into {folder}: {why}"
    return WorkError(f"stopped: {what}; what was finished is kept, run again")
