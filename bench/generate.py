"""Generation: a run is worked off batch by batch; running again resumes.

Imports torch through `bench.engine`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, zip_longest
from pathlib import Path
from typing import Any

from bench import manifest, parts, pipelines
from bench.cards import write_run_card
from bench.keeper import Keeper
from bench.model_work import ModelWork, missing_of, sentence, tried
from bench.progress import Progress, progress
from bench.records import Batch, ModelSpec
from bench.request import Request
from bench.run import Run, planned_run, settle
from bench.speed import write_speed


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
        parts.gather(folder)
        run = settle(run, allow_mixed=allow_mixed)
        entered = {row["key"] for row in manifest.read_outputs(folder)}
        # what a row names but nobody finds is made again; its row stays
        finished = entered & manifest.kept(folder, masters=bool(run.content["video_master"]))
        planned = [job.key for batch in run.batches for job in batch.jobs]
        manifest.remove_unlisted(folder, planned, finished)
        manifest.forget_failures(folder)
        pending = [
            batch
            for batch in run.batches
            if batch.model in run.asked and any(job.key not in finished for job in batch.jobs)
        ]
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
    missing = missing_of(batches, finished)
    work = tried(lambda: ModelWork(run, spec, keeper))
    if isinstance(work, Exception):
        for jobs in missing.values():
            keeper.fail(jobs, sentence(work))
        return None, 0
    work.work(batches, missing)
    row = work.close()
    write_speed(run.folder, row)
    return row, work.cut


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
