"""Generation: a run is worked off batch by batch; running again resumes.

Imports torch through `bench.engine`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, zip_longest
from pathlib import Path
from typing import Any

from bench import manifest, parts, pipelines
from bench.cards import write_run_card
from bench.crew import slurm_tasks
from bench.keeper import Keeper
from bench.model_work import ModelWork, missing_of, sentence, tried
from bench.progress import progress
from bench.records import Batch, ModelSpec
from bench.request import Request
from bench.run import Run, planned_run, settle
from bench.speed import write_speed
from bench.summary import Summary


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
        slurm_tasks.refuse_under_way(folder)
        parts.gather(folder)
        run = settle(run, allow_mixed=allow_mixed)
        due = what_is_due(run)
        entered, finished = due.entered, due.finished
        began = time.monotonic()
        by_model = [
            (run.models[model], list(batches))
            for model, batches in groupby(due.batches, key=lambda batch: batch.model)
        ]
        made = failed = suspect = cut = 0
        speed = []
        with progress("generate", f"{run.suite.modality}s", due.jobs) as bar:
            for warning in warnings_of_languages(run, due.batches):
                bar.say(warning)
            for (spec, batches), after in zip_longest(by_model, by_model[1:]):
                with Keeper(run, entered, bar) as keeper, _read_ahead(after[0] if after else None):
                    row, too_long = _work_off(run, spec, batches, keeper, finished)
                speed += [row] if row else []
                made, failed = made + keeper.made, failed + keeper.failed
                suspect, cut = suspect + keeper.suspect, cut + too_long
        write_run_card(run.folder)
    return Summary(
        planned=due.planned,
        made=made,
        there_before=due.there_before,
        failed=failed,
        suspect=suspect,
        cut=cut,
        seconds=time.monotonic() - began,
        speed=speed,
    )


@dataclass(frozen=True, slots=True)
class Due:
    """What a settled run lacks: batches of the models asked, and the keys of what is there.

    Jobs that are `entered` have a row, of those that are `finished` the file is there too; `jobs`
    counts what is missing.
    """

    batches: Sequence[Batch]
    entered: set[str]
    finished: set[str]
    jobs: int
    planned: int
    there_before: int


def what_is_due(run: Run, under_way: Collection[int] = ()) -> Due:
    """Find out what a run lacks, and clear away what no row names. The caller holds the run.

    Of batches that are `under_way` in other processes no file is touched.
    """
    folder = run.folder
    entered = {row["key"] for row in manifest.read_outputs(folder)}
    finished = entered & manifest.kept(folder, masters=bool(run.content["video_master"]))
    planned = [job.key for batch in run.batches for job in batch.jobs]
    ours = (batch for batch in run.batches if batch.index not in under_way)
    manifest.remove_unlisted(folder, (job.key for batch in ours for job in batch.jobs), finished)
    manifest.forget_failures(folder)
    batches = [
        batch
        for batch in run.batches
        if batch.model in run.asked and any(job.key not in finished for job in batch.jobs)
    ]
    # what a row names but nobody finds is made again, and so is its row
    again = [batch for batch in batches if batch.index not in under_way]
    lost = {job.key for batch in again for job in batch.jobs}.intersection(entered - finished)
    manifest.forget_outputs(folder, lost)
    entered -= lost
    jobs = sum(job.key not in finished for batch in batches for job in batch.jobs)
    there_before = len(finished.intersection(planned))
    return Due(batches, entered, finished, jobs, len(planned), there_before)


def warnings_of_languages(run: Run, batches: Sequence[Batch]) -> list[str]:
    """Say which models are asked in languages that they do not claim."""
    asked: dict[str, set[str]] = {}
    for batch in batches:
        asked.setdefault(batch.model, set()).update(job.language for job in batch.jobs)
    return [
        f"{model} does not claim {language}: its outputs say so"
        for model, languages in asked.items()
        for language in sorted(languages.difference(run.models[model].languages or languages))
    ]


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
