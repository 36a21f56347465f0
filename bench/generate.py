"""Generation: a run is worked off batch by batch; running again resumes.

Imports torch through `bench.engine`.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, zip_longest
from pathlib import Path
from typing import Any, TypeVar

from bench import engine, manifest, pipelines, placing
from bench.cards import write_run_card
from bench.errors import DeviceLostError, WorkError
from bench.flops import ForwardCounter, matrix_rate
from bench.keeper import Keeper
from bench.plan import call_arguments
from bench.progress import Progress, progress
from bench.records import Batch, Job, ModelSpec
from bench.request import Request
from bench.run import Run, planned_run, settle
from bench.speed import speed_row, write_speed
from bench.speedups import described

_T = TypeVar("_T")

TEXTS_AT_ONCE = 256
"""Distinct prompts encoded ahead of the batches that need them: at most about 1 GB of embeddings."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a call of `generate` did: counts of jobs, and seconds of wall time.

    `cut` are outputs whose prompt was longer than an encoder takes; `speed` has a row per model.
    """

    planned: int
    made: int
    there_before: int
    failed: int
    suspect: int
    cut: int
    seconds: float
    speed: Sequence[Mapping[str, Any]]


def generate(request: Request, folder: Path, *, allow_mixed: bool = False) -> Summary:
    """Make every output of the run's models asked for that is not there yet.

    Args:
        request: what is asked; the same again resumes, more of it becomes a new part.
        folder: the run folder, made where needed.
        allow_mixed: resume under other versions or on another device kind, and record it.

    Raises:
        RequestError: the request is wrong; nothing was begun.
        ConflictError: it contradicts what the run was made with.
        WorkError: the disk is full, or cannot be written; or the device answers no more. What was
            finished is kept.
    """
    run = planned_run(request, folder)
    with manifest.opened(folder):
        run = settle(run, allow_mixed=allow_mixed)
        entered = {row["key"] for row in manifest.read_outputs(folder)}
        finished = entered & manifest.kept(folder, masters=bool(run.content["video_master"]))
        planned = [job.key for batch in run.batches for job in batch.jobs]
        manifest.remove_unlisted(folder, planned, finished)
        manifest.forget_failures(folder)
        pending = [
            batch
            for batch in run.batches
            if batch.model in run.asked and any(job.key not in finished for job in batch.jobs)
        ]
        # what a row names but nobody finds is made again, and so is its row
        lost = {job.key for batch in pending for job in batch.jobs}.intersection(entered - finished)
        manifest.forget_outputs(folder, lost)
        entered -= lost
        began = time.monotonic()
        left = sum(job.key not in finished for batch in pending for job in batch.jobs)
        by_model = [
            (run.models[model], list(batches))
            for model, batches in groupby(pending, key=lambda batch: batch.model)
        ]
        made = failed = suspect = cut = 0
        speed = []
        with progress("generate", f"{run.suite.modality}s", left) as bar:
            _warn_of_languages(by_model, bar)
            for (spec, batches), after in zip_longest(by_model, by_model[1:]):
                with Keeper(run, entered, bar) as keeper, _read_ahead(after[0] if after else None):
                    row, too_long = _work_off(run, spec, batches, keeper, finished)
                speed += [row] if row else []
                made, failed = made + keeper.made, failed + keeper.failed
                suspect, cut = suspect + keeper.suspect, cut + too_long
        write_run_card(run.folder)
    return Summary(
        planned=len(planned),
        made=made,
        there_before=len(finished.intersection(planned)),
        failed=failed,
        suspect=suspect,
        cut=cut,
        seconds=time.monotonic() - began,
        speed=speed,
    )


def _warn_of_languages(
    by_model: Sequence[tuple[ModelSpec, Sequence[Batch]]], bar: Progress
) -> None:
    for spec, batches in by_model:
        asked = {job.language for batch in batches for job in batch.jobs}
        for language in sorted(asked.difference(spec.languages) if spec.languages else ()):
            bar.say(f"{spec.id} does not claim {language}: its outputs say so")


def _work_off(
    run: Run, spec: ModelSpec, batches: Sequence[Batch], keeper: Keeper, finished: set[str]
) -> tuple[Mapping[str, Any] | None, int]:
    """Work off one model's batches; return how fast that was, and how many prompts were cut."""
    missing = _missing(batches, finished)
    started = time.perf_counter()
    worker = _tried(lambda: engine.Engine(pipelines.load(spec, spec.dtype), run.tunings[spec.id]))
    if isinstance(worker, Exception):
        for jobs in missing.values():
            keeper.fail(jobs, _sentence(worker))
        return None, 0
    loaded = time.perf_counter()
    if worker.placement != "whole":
        keeper.say(f"{spec.id} is too large for the device: {worker.placement}, which is slower")
    forwards = ForwardCounter(placing.denoisers(worker.pipeline))
    engine.peak_memory()
    said: set[str] = set()
    for some in _by_texts(batches):
        arguments = call_arguments(spec, some[0].frames)
        texts = dict.fromkeys(job.text for batch in some for job in batch.jobs)
        broken = _tried(functools.partial(worker.encode, texts, arguments))
        for batch in some:
            wanted = missing[batch.index]
            work = functools.partial(worker.make, _padded(batch), arguments, wanted)
            made = _tried(work) if broken is None else broken
            if isinstance(made, Exception):
                keeper.fail(wanted, _sentence(made))
                continue
            for text in worker.cut.keys() - said:
                keeper.say(f"{spec.id}: {worker.cut[text]}: {text[:40]}…")
            said |= worker.cut.keys()
            keeper.keep(batch, made, wanted, _notes(spec, wanted, worker.cut))
    keeper.settle()
    seconds = time.perf_counter() - loaded
    compiling = keeper.first_batch_beyond_the_rest() if worker.tuning.compile else 0.0
    row = speed_row(
        model=spec.id,
        device=run.content["environment"]["device"],
        path=worker.path,
        placement=worker.placement,
        batch_size=worker.tuning.batch_size,
        compiled=worker.tuning.compile,
        outputs=keeper.made,
        seconds=seconds - compiling,
        load_seconds=loaded - started,
        compile_seconds=compiling,
        spent={"text": worker.text_seconds, **keeper.spent},
        flops=forwards.total(),
        matrix_rate=matrix_rate(placing.work_dtype(worker.pipeline)),
        peak_memory=engine.peak_memory(),
        speedups=described(spec.speedups),
        skips="cache" in spec.speedups,
    )
    write_speed(run.folder, row)
    worker.close()
    forwards.close()
    return row, sum(job.text in said for jobs in missing.values() for job in jobs)


def _tried(work: Callable[[], _T]) -> _T | Exception:
    """Return what some work gives, or what went wrong: whatever one model raises, others go on."""
    try:
        return work()
    except DeviceLostError:
        raise
    except Exception as error:  # noqa: BLE001 - its sentence is entered for the jobs it concerns
        return error


def _missing(batches: Sequence[Batch], finished: set[str]) -> dict[int, list[Job]]:
    """Return the jobs that have no output yet, by the batch's index."""
    return {
        batch.index: [job for job in batch.jobs if job.key not in finished] for batch in batches
    }


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


def _notes(spec: ModelSpec, jobs: Sequence[Job], cut: Mapping[str, str]) -> dict[str, str]:
    """Return what must be said of outputs, by job key: a prompt cut, a language not claimed."""
    notes: dict[str, str] = {}
    for job in jobs:
        said = [cut[job.text]] if job.text in cut else []
        if spec.languages and job.language not in spec.languages:
            said.append(f"the model does not claim {job.language}")
        if said:
            notes[job.key] = "; ".join(said)
    return notes


@contextmanager
def _read_ahead(spec: ModelSpec | None) -> Iterator[None]:
    """Have the next model's files fetched and read into the system's cache meanwhile.

    Its parts are not built here: transformers sets torch's default dtype for the whole process
    while it builds one, under the hands of the model at work.
    """
    stop = threading.Event()
    if spec is None:
        yield
        return
    thread = threading.Thread(target=pipelines.read_ahead, args=(spec, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _sentence(error: BaseException) -> str:
    return str(error) if isinstance(error, WorkError) else pipelines.first_line(error)
