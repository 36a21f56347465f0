"""Answers: a run of understanding is worked off batch by batch; running again resumes.

Imports torch through `bench.understanding.working` where models run here.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bench import manifest, parts
from bench.cards import write_run_card
from bench.crew import slurm_tasks
from bench.errors import RequestError, WorkError
from bench.files import append_rows
from bench.progress import Progress, progress
from bench.records import Answer, ModelSpec
from bench.request import Request
from bench.understanding.asking import (
    AskedRun,
    Asking,
    environment_here,
    planned_answers,
    settle_answers,
)
from bench.understanding.flags import flags_of
from bench.understanding.jobs import Asked
from bench.understanding.working import Text, Worked, work_off
from bench.understanding.works import Work, shown

SPEED = "speed.jsonl"


@dataclass
class AnswerSummary:
    """What a call of `answer` did: counts of jobs, flags, tokens out, cost, seconds of wall time."""

    planned: int
    there_before: int
    made: int = 0
    failed: int = 0
    tokens: int = 0
    asked_tokens: int = 0
    padding: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    flags: Counter[str] = field(default_factory=Counter)

    @property
    def padding_share(self) -> float:
        """The share of padding among the tokens that went in."""
        return self.padding / max(self.padding + self.asked_tokens, 1)


def answer(
    request: Request, asking: Asking, folder: Path, *, allow_mixed: bool = False
) -> AnswerSummary:
    """Have every question answered that the run's models were asked and have not answered yet.

    Args:
        request: suite, models, languages, seeds; the same again resumes, more becomes a new part.
        asking: works and questions, and by whom models are run.
        folder: the run folder, made where needed.
        allow_mixed: resume under other versions or on another device kind, and record it.

    Raises:
        RequestError: the request is wrong; nothing was begun.
        ConflictError: it contradicts what the run was made with.
        WorkError: the disk is full, or cannot be written. What was finished is kept.
    """
    run = planned_answers(request, asking, folder)
    environment = None if asking.server else environment_here()
    began = time.monotonic()
    with manifest.opened(folder):
        slurm_tasks.refuse_under_way(folder)
        parts.gather(folder)
        run = settle_answers(run, environment, allow_mixed=allow_mixed)
        finished = {row["key"] for row in manifest.read_outputs(folder)}
        manifest.forget_failures(folder)
        asked = {model: run.now(model) for model in run.models}
        planned = [job for jobs in run.jobs.values() for job in jobs]
        done = AnswerSummary(len(planned), sum(job.key in finished for job in planned))
        left = [
            job for own in asked.values() for jobs in own for job in jobs if job.key not in finished
        ]
        with progress("answer", "answers", len(left)) as bar:
            writer = Writer(run, asking, finished, done, bar)
            for model, jobs in asked.items():
                worked = answer_parts(asking, run.models[model], jobs, writer)
                if worked and not asking.server:
                    append_rows(folder / SPEED, [worked])
        write_run_card(folder)
    done.seconds = time.monotonic() - began
    return done


class Place(Protocol):
    """Where rows are entered: a run's manifest, or a worker's part."""

    def outputs(self, outputs: Sequence[Answer]) -> None:
        """Enter answers in one write."""

    def failures(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Enter jobs that failed, each with its error."""


@dataclass(frozen=True, slots=True)
class _Manifest:
    run: Path

    def outputs(self, outputs: Sequence[Answer]) -> None:
        append_rows(self.run / manifest.METADATA, map(asdict, outputs))

    def failures(self, rows: Sequence[Mapping[str, Any]]) -> None:
        manifest.append_failures(self.run, rows)


class Writer:
    """Turns what engines return into rows, and counts."""

    def __init__(
        self,
        run: AskedRun,
        asking: Asking,
        finished: set[str],
        done: AnswerSummary,
        bar: Progress,
        *,
        place: Place | None = None,
    ) -> None:
        """Write into `run`, or into another place; jobs that are `finished` have their row."""
        self.run, self.asking, self.finished, self.done = run, asking, finished, done
        self.place = place or _Manifest(run.folder)
        self.bar = bar
        self.say = bar.say

    def keep(self, jobs: Sequence[Asked], texts: Sequence[Text]) -> None:
        """Enter the answers that have no row yet, in one write."""
        rows = [
            self._row(job, text, self.run.here[job.work])
            for job, text in zip(jobs, texts, strict=True)
            if job.key not in self.finished
        ]
        self._to_disk(lambda: self.place.outputs(rows))
        for row in rows:
            self.finished.add(row.key)
            self.done.made += 1
            self.done.flags.update(row.flags)
            self.done.tokens += row.tokens or 0
            self.done.asked_tokens += row.asked_tokens or 0
            self.done.cost += row.cost or 0.0
        self.bar.advance(len(rows), jobs[0].model)

    def fail(self, jobs: Sequence[Asked], error: str) -> None:
        """Enter jobs that failed."""
        mine = [job for job in jobs if job.key not in self.finished]
        rows = [{**asdict(job), "error": error} for job in mine]
        self._to_disk(lambda: self.place.failures(rows))
        self.done.failed += len(mine)
        if mine:
            self.bar.advance(len(mine), mine[0].model)

    def _row(self, job: Asked, text: Text, work: Work) -> Answer:
        flags = tuple(flags_of(text.text, job.language, cut=text.cut))
        languages = self.run.models[job.model].languages
        said = [work.note] if work.note else []
        if languages and job.language not in languages:
            said.append(f"the model does not claim {job.language}")
        environment = self.run.content["environment"] or {}
        cost = None
        if self.asking.price and text.asked_tokens is not None and text.tokens is not None:
            into, out = self.asking.price
            cost = round((into * text.asked_tokens + out * text.tokens) / 1e6, 9)
        return Answer(
            file_name="",
            key=job.key,
            model=job.model,
            prompt=job.prompt,
            language=job.language,
            text=job.text,
            seed=job.seed,
            width=work.width,
            height=work.height,
            frames=None,
            fps=None,
            sha256=hashlib.sha256(text.text.encode()).hexdigest(),
            pixel_sha256=work.pixel_sha256,
            status="suspect" if flags else "ok",
            suite=self.run.suite.name,
            suite_hash=self.run.suite.hash,
            answer=text.text,
            work=work.id,
            question=job.question,
            target=work.tradition,
            genre=work.genre,
            flags=flags,
            note="; ".join(said),
            asked_tokens=text.asked_tokens,
            tokens=text.tokens,
            seconds=round(text.seconds, 6),
            batch_size=text.batch_size,
            device="server" if self.asking.server else environment.get("device", ""),
            cost=cost,
        )

    def _to_disk(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            raise WorkError(
                f"stopped: cannot write into {self.run.folder}: {error.strerror or error}; what was "
                "finished is kept, run again"
            ) from error


def answer_parts(
    asking: Asking, spec: ModelSpec, asked: Sequence[Sequence[Asked]], writer: Writer
) -> dict[str, Any]:
    """Work off one model's jobs, part by part; of works without a picture they fail.

    Args:
        asking: works, and by whom models are run.
        spec: the model.
        asked: its jobs, part by part.
        writer: keeps what comes.

    Returns:
        How fast that was, as `speed.jsonl` keeps it; empty where nothing was left to do.
    """
    works = writer.run.here
    for job in (job for jobs in asked for job in jobs if not job.picture):
        writer.fail([job], works[job.work].fault)
    before = (writer.done.made, writer.done.tokens)
    worked = work_off(
        spec,
        [[job for job in jobs if job.picture] for jobs in asked],
        lambda work: shown(asking.works, works[work]),
        writer,
        server=asking.server,
        batch_size=writer.run.content["batch_size"],
    )
    writer.done.padding += worked.padding
    if not worked.seconds:
        return {}
    answers, tokens = writer.done.made - before[0], writer.done.tokens - before[1]
    return speed_of(spec.id, worked, answers, tokens)


def speed_of(model: str, worked: Worked, answers: int, tokens: int) -> dict[str, Any]:
    """Return a row of `speed.jsonl`: how fast a model gave so many answers of so many tokens."""
    return {
        "model": model,
        "answers": answers,
        "tokens": tokens,
        "seconds": round(worked.seconds, 3),
        "load_seconds": round(worked.load_seconds, 3),
        "tokens_per_second": round(tokens / worked.seconds, 3),
        "padding": round(worked.padding_share, 4),
    }


def refuse_other_modality(request: Request, modality: str) -> None:
    """Refuse what only pictures and clips can be asked for."""
    if request.video_master or request.targets or request.scenes:
        raise RequestError(
            f"--targets, --scenes and --video-master mean nothing to a suite of {modality}"
        )
