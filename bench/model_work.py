"""One model at work in this process: loaded once, worked off share by share.

The same for a run in one process and for each of many workers. Imports torch through `bench.engine`.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from bench import device, engine, placing
from bench.errors import DeviceLostError, WorkError, first_line
from bench.flops import ForwardCounter, matrix_rate
from bench.keeper import Keeper
from bench.plan import call_arguments
from bench.records import Batch, Job, ModelSpec
from bench.run import Run
from bench.sizes import brought_back
from bench.speed import speed_row
from bench.speedups import described

_T = TypeVar("_T")

TEXTS_AT_ONCE = 256
"""Distinct prompts encoded ahead of the batches that need them: at most about 1 GB of embeddings."""


class ModelWork:
    """A loaded model and what was made with it. Call it from one thread.

    `cut` counts the jobs whose prompt was longer than an encoder takes; `load_seconds` is what
    reading and placing the weights took.
    """

    def __init__(self, run: Run, spec: ModelSpec, keeper: Keeper) -> None:
        """Load the model.

        Raises:
            WorkError: it does not load; or whatever placing it raised.
        """
        self.run, self.spec, self.keeper = run, spec, keeper
        started = time.perf_counter()
        self.worker = engine.load(spec, run.tunings[spec.id])
        self.load_seconds = time.perf_counter() - started
        if self.worker.placement != "whole":
            placement = self.worker.placement
            keeper.say(f"{spec.id} is too large for the device: {placement}, which is slower")
        self.cut = 0
        self._forwards = ForwardCounter(placing.denoisers(self.worker.pipeline))
        self._said: set[str] = set()
        self._split = False
        self._seconds = 0.0
        device.peak_memory()

    def work(
        self,
        batches: Sequence[Batch],
        missing: Mapping[int, Sequence[Job]],
        begun: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Make what is missing of these batches, and return when it is kept.

        Args:
            batches: of this model, in the plan's order.
            missing: the jobs that have no output yet, by the batch's index.
            begun: told the index of each batch before it is made.
        """
        began = time.perf_counter()
        for some in _by_texts(batches):
            arguments = call_arguments(self.spec, some[0].frames)
            texts = dict.fromkeys(job.text for batch in some for job in batch.jobs)
            brought = brought_back(self.worker.pipeline, arguments)
            broken = tried(functools.partial(self.worker.encode, texts, arguments))
            for batch in some:
                begun(batch.index)
                self._make(batch, arguments, missing[batch.index], broken, brought)
        self.keeper.settle()
        self.cut += sum(job.text in self._said for jobs in missing.values() for job in jobs)
        self._seconds += time.perf_counter() - began

    def _make(
        self,
        batch: Batch,
        arguments: Mapping[str, Any],
        wanted: Sequence[Job],
        broken: Exception | None,
        brought: str,
    ) -> None:
        work = functools.partial(self.worker.make, _padded(batch), arguments, wanted)
        made = tried(work) if broken is None else broken
        if isinstance(made, Exception):
            self.keeper.fail(wanted, sentence(made))
            return
        cut = self.worker.cut
        for text in cut.keys() - self._said:
            self.keeper.say(f"{self.spec.id}: {cut[text]}: {text[:40]}…")
        self._said |= cut.keys()
        if made.note and not self._split:
            self._split = True
            hint = f"--batch-size {made.size} in a run of its own spares the attempts"
            self.keeper.say(f"{self.spec.id}: {made.note}; {hint}")
        self.keeper.keep(
            batch, made, wanted, _notes(self.spec, wanted, cut, brought, self.worker.placement)
        )

    def close(self) -> dict[str, Any]:
        """Free the memory; return how fast it was, as a row of `speed.jsonl`."""
        worker, keeper = self.worker, self.keeper
        compiling = keeper.first_batch_beyond_the_rest() if worker.compiled else 0.0
        row = speed_row(
            model=self.spec.id,
            device=self.run.content["environment"]["device"],
            path=worker.path,
            placement=worker.placement,
            batch_size=worker.tuning.batch_size,
            compiled=worker.compiled,
            outputs=keeper.made,
            seconds=self._seconds - compiling,
            load_seconds=self.load_seconds,
            compile_seconds=compiling,
            device_seconds=worker.text_seconds + keeper.occupied,
            spent={"text": worker.text_seconds, **keeper.spent},
            flops=self._forwards.total(),
            matrix_rate=matrix_rate(placing.work_dtype(worker.pipeline)),
            peak_memory=device.peak_memory(),
            speedups=described(self.spec.speedups),
            skips="cache" in self.spec.speedups,
            devices=worker.devices,
        )
        worker.close()
        self._forwards.close()
        return row


def tried(work: Callable[[], _T]) -> _T | Exception:
    """Return what some work gives, or what went wrong: whatever one model raises, others go on."""
    try:
        return work()
    except DeviceLostError:
        raise
    except Exception as error:  # noqa: BLE001 - its sentence is entered for the jobs it concerns
        return error


def missing_of(batches: Sequence[Batch], finished: set[str]) -> dict[int, list[Job]]:
    """Return the jobs that have no output yet, by the batch's index."""
    return {
        batch.index: [job for job in batch.jobs if job.key not in finished] for batch in batches
    }


def sentence(error: BaseException) -> str:
    """Return what went wrong as one sentence."""
    return str(error) if isinstance(error, WorkError) else first_line(error)


def _by_texts(batches: Sequence[Batch]) -> Iterator[list[Batch]]:
    """Cut batches into runs of one shape with at most so many distinct prompts."""
    some: list[Batch] = []
    texts: set[str] = set()
    for batch in batches:
        more = texts | {job.text for job in batch.jobs}
        if some and (len(more) > TEXTS_AT_ONCE or batch.frames != some[0].frames):
            yield some
            some, more = [], {job.text for job in batch.jobs}
        some.append(batch)
        texts = more
    if some:
        yield some


def _padded(batch: Batch) -> list[Job]:
    return [*batch.jobs, *[batch.jobs[-1]] * (batch.size - len(batch.jobs))]


def _notes(
    spec: ModelSpec,
    jobs: Sequence[Job],
    cut: Mapping[str, str],
    brought: str,
    placement: placing.Placement,
) -> dict[str, str]:
    """Return what must be said of outputs, by job key.

    A prompt that was cut, a language that is not claimed, another size that was made first, a model
    that came onto its device in pieces.
    """
    notes: dict[str, str] = {}
    for job in jobs:
        said = [cut[job.text]] if job.text in cut else []
        if spec.languages and job.language not in spec.languages:
            said.append(f"the model does not claim {job.language}")
        if brought:
            said.append(brought)
        if placement in {"parts in turn", "layers in turn"}:
            said.append(f"too large for the device: {placement}")
        if said:
            notes[job.key] = "; ".join(said)
    return notes
