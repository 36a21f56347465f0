"""Generation: a run is worked off batch by batch; running again resumes.

Imports torch through `bench.pipelines`.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import manifest, pipelines
from bench.errors import WorkError
from bench.outputs import write_output
from bench.plan import call_arguments
from bench.progress import Progress, progress
from bench.records import Batch, Job, ModelSpec, Output
from bench.request import Request
from bench.run import Run, planned_run, settle

_FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


@dataclass(frozen=True, slots=True)
class Summary:
    """What a call of `generate` did: counts of jobs, and seconds of wall time."""

    planned: int
    made: int
    there_before: int
    failed: int
    suspect: int
    seconds: float


def generate(request: Request, folder: Path, *, allow_mixed: bool = False) -> Summary:
    """Make every output of the run's models asked for that is not there yet.

    Args:
        request: what is asked; the same again resumes, more of it becomes a new part.
        folder: the run folder, made where needed.
        allow_mixed: resume under other versions or on another device kind, and record it.

    Raises:
        RequestError: the request is wrong; nothing was begun.
        ConflictError: it contradicts what the run was made with.
        WorkError: the disk is full, or cannot be written; what was finished is kept.
    """
    run = planned_run(request, folder)
    with manifest.opened(folder):
        run = settle(run, allow_mixed=allow_mixed)
        entered = {row["key"] for row in manifest.read_outputs(folder)}
        # what a row names but nobody finds is made again; its row stays
        files = {file.stem for file in (folder / manifest.OUTPUTS).iterdir()}
        finished = entered & files
        planned = [job.key for batch in run.batches for job in batch.jobs]
        manifest.remove_unlisted(folder, planned, dict.fromkeys(finished))
        manifest.forget_failures(folder)
        pending = [
            batch
            for batch in run.batches
            if batch.model in run.asked and any(job.key not in finished for job in batch.jobs)
        ]
        began = time.monotonic()
        left = sum(job.key not in finished for batch in pending for job in batch.jobs)
        with progress("generate", "images", left) as bar:
            made = failed = suspect = 0
            for model, batches in groupby(pending, key=lambda batch: batch.model):
                outputs, failures = _work_off(
                    run, run.models[model], batches, finished=finished, entered=entered, bar=bar
                )
                made += len(outputs)
                failed += failures
                suspect += sum(output.status == "suspect" for output in outputs)
        _write_card(run)
    return Summary(
        planned=len(planned),
        made=made,
        there_before=len(finished.intersection(planned)),
        failed=failed,
        suspect=suspect,
        seconds=time.monotonic() - began,
    )


def _work_off(
    run: Run,
    spec: ModelSpec,
    batches: Iterable[Batch],
    *,
    finished: set[str],
    entered: set[str],
    bar: Progress,
) -> tuple[list[Output], int]:
    """Work off one model's batches; return the outputs made and the number of jobs that failed.

    Jobs that are `finished` have their file, those `entered` their row.
    """
    outputs: list[Output] = []
    failed = 0
    pipeline: Any = None
    broken = ""
    for batch in batches:
        missing = [job for job in batch.jobs if job.key not in finished]
        images, error = None, broken
        if not broken:
            began = time.monotonic()
            try:
                pipeline = pipeline or pipelines.load(spec, spec.dtype)
                began = time.monotonic()
                images = pipelines.draw(pipeline, batch, call_arguments(spec))
            except Exception as raised:  # noqa: BLE001 - whatever one model raises, the others go on
                error = (
                    str(raised) if isinstance(raised, WorkError) else pipelines.first_line(raised)
                )
                broken = "" if pipeline else error
        if images is None:
            _record(run.folder, failures=[{**asdict(job), "error": error} for job in missing])
            failed += len(missing)
        else:
            seconds = (time.monotonic() - began) / len(batch.jobs)
            made = _keep(run, batch, missing, images, seconds)
            _record(run.folder, outputs=[one for one in made if one.key not in entered])
            outputs += made
        bar.advance(len(missing), spec.id)
    return outputs, failed


def _keep(
    run: Run,
    batch: Batch,
    missing: Sequence[Job],
    images: npt.NDArray[np.floating],
    seconds: float,
) -> list[Output]:
    """Write a batch's files in parallel; their rows come after, in one write."""
    details = {
        "seconds": round(seconds, 6),
        "batch": batch.index,
        "batch_size": batch.size,
        "device": run.content["environment"]["device"],
    }

    def write(job: Job, picture: npt.NDArray[np.floating]) -> Output:
        return write_output(
            run.folder,
            job,
            picture,
            suite=run.suite.name,
            suite_hash=run.suite.hash,
            fps=run.models[job.model].fps,
            master=run.content.get("video_master", ""),
            details=details,
        )

    wanted = {job.key for job in missing}
    pairs = [
        (job, image) for job, image in zip(batch.jobs, images, strict=True) if job.key in wanted
    ]
    try:
        with ThreadPoolExecutor() as pool:
            outputs = list(pool.map(lambda pair: write(*pair), pairs))
    except OSError as error:
        raise _stopped(run.folder, error) from error
    return outputs


def _record(
    folder: Path, *, outputs: Sequence[Output] = (), failures: Sequence[Mapping[str, Any]] = ()
) -> None:
    try:
        if outputs:
            manifest.append_outputs(folder, outputs)
        if failures:
            manifest.append_failures(folder, failures)
    except OSError as error:
        raise _stopped(folder, error) from error


def _stopped(folder: Path, error: OSError) -> WorkError:
    full = error.errno in _FULL_DISK
    what = "the disk is full or read-only" if full else (error.strerror or str(error))
    return WorkError(
        f"stopped: cannot write into {folder}: {what}; what was finished is kept, run again"
    )


def _write_card(run: Run) -> None:
    rows = manifest.read_outputs(run.folder)
    planned = sum(len(batch.jobs) for batch in run.batches)
    lines = [
        f"Made by Pinlu with suite `{run.suite.name}`, version {run.suite.version}, content hash",
        f"`{run.suite.hash[:12]}`: {len(rows)} of {planned} planned outputs.",
        "",
        "| model | revision | outputs | suspect | licence |",
        "| --- | --- | --- | --- | --- |",
    ]
    for spec in run.models.values():
        mine = [row for row in rows if row["model"] == spec.id]
        suspect = sum(row["status"] == "suspect" for row in mine)
        licence = spec.licence or "not stated"
        lines.append(
            f"| {spec.id} | `{spec.revision[:12]}` | {len(mine)} | {suspect} | {licence} |"
        )
    lines += [
        "",
        "`run.yaml` says what was asked and under which versions, `suite.yaml` is the suite as it",
        'was. The noise of an output comes from `torch.Generator("cpu").manual_seed(seed)`.',
    ]
    manifest.write_card(run.folder, title=run.folder.resolve().name, text="\n".join(lines))
