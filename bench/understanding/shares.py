"""Answers by several workers: each takes every n-th batch of a model, and writes a part of its own."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench import manifest, parts
from bench.cards import write_run_card
from bench.crew.driving import absolute
from bench.crew.shares import Hands, raised
from bench.errors import RequestError, WorkError
from bench.files import append_rows, cut_torn_line, read_rows
from bench.progress import Progress, progress
from bench.request import Request
from bench.understanding.answering import SPEED, AnswerSummary, Writer, answer_parts
from bench.understanding.asking import (
    Asking,
    environment_here,
    planned_answers,
    settle_answers,
)


@dataclass(frozen=True, slots=True)
class Settling:
    """Settles a run as the device has it that will give the answers."""

    request: Request
    asking: Asking
    folder: Path
    allow_mixed: bool
    title: str = "settle"

    def work(self, worker: str) -> dict[str, Any]:
        """Write `run.yaml`; return the models, and how many jobs are planned, there and left."""
        del worker
        run = planned_answers(self.request, self.asking, self.folder)
        settle_answers(run, environment_here(), allow_mixed=self.allow_mixed)
        finished = {row["key"] for row in manifest.read_outputs(self.folder)}
        planned = [job.key for jobs in run.jobs.values() for job in jobs]
        now = [job.key for model in run.models for jobs in run.now(model) for job in jobs]
        return {
            "models": list(run.models),
            "planned": len(planned),
            "there_before": len(finished.intersection(planned)),
            "left": len(set(now) - finished),
        }


@dataclass(frozen=True, slots=True)
class Answers:
    """Every n-th batch of a model: `share` is which of how many."""

    request: Request
    asking: Asking
    folder: Path
    model: str
    share: tuple[int, int]

    @property
    def title(self) -> str:
        """What a dashboard shows."""
        return f"{self.model}, share {self.share[0] + 1} of {self.share[1]}"

    def work(self, worker: str) -> dict[str, Any]:
        """Answer what is not there yet; return the tokens of padding, and how fast that was.

        Raises:
            WorkError: the device or the versions are not those of the run.
        """
        run = planned_answers(self.request, self.asking, self.folder)
        content = manifest.read_run(self.folder)
        here = environment_here(content["environment"]["threads"])
        if here not in [content["environment"], *content["mixed"]]:
            raise WorkError(
                f"{self.folder} was made on another device or under other versions than a worker "
                "has: answers may differ"
            )
        if run.content["parts"] != content["parts"]:
            raise WorkError(
                f"{socket.gethostname()} does not see in {self.asking.works} the pictures of which the run "
                "was asked: they must lie on a file system that all share"
            )
        run = replace(run, content=content)
        part = parts.Part(self.folder, worker)
        part.path.parent.mkdir(parents=True, exist_ok=True)
        cut_torn_line(part.path)
        finished = {row["key"] for row in manifest.read_outputs(self.folder)}
        finished |= {row["output"]["key"] for row in read_rows(part.path) if "output" in row}
        writer = Writer(run, self.asking, finished, AnswerSummary(0, 0), _Nobody(), place=part)
        spec = run.models[self.model]
        speed = answer_parts(self.asking, spec, run.now(self.model), writer, share=self.share)
        return {"padding": writer.done.padding, "speed": speed}


def answer_by_workers(
    request: Request,
    asking: Asking,
    folder: Path,
    by: Callable[[Path, str], AbstractContextManager[Hands]],
    *,
    allow_mixed: bool = False,
) -> AnswerSummary:
    """Answer as `bench.understanding.answering.answer` does, by several workers.

    Args:
        request: suite, models, languages, seeds.
        asking: works and questions; no server.
        folder: the run folder, which every worker must see under this path, as the folder of works.
        by: gives the workers, for a folder and the token of who holds it.
        allow_mixed: begin under other versions or on another device kind than the run's.

    Raises:
        RequestError, ConflictError, WorkError: as `answer`; a WorkError where no worker is left.
    """
    began = time.monotonic()
    request, folder = absolute(request), folder.resolve()
    asking = replace(asking, works=asking.works.resolve())
    was_there = folder.exists()
    try:
        with manifest.opened(folder) as token:
            parts.gather(folder)
            try:
                with by(folder, token) as hands:
                    done = _answered(Settling(request, asking, folder, allow_mixed), hands)
            finally:
                parts.gather(folder)
    except RequestError:
        if not was_there and not (folder / "run.yaml").exists():
            shutil.rmtree(folder)  # nothing was begun
        raise
    done.seconds = time.monotonic() - began
    return done


def _answered(asked: Settling, hands: Hands) -> AnswerSummary:
    """Settle the run, have all shares done, and count."""
    settled, folder = raised(hands.do([asked])[0]), asked.folder
    manifest.forget_failures(folder)
    shares = [
        Answers(asked.request, asked.asking, folder, model, (number, hands.places))
        for model in settled["models"]
        for number in range(hands.places)
    ]
    done = AnswerSummary(settled["planned"], settled["there_before"])
    with progress("answer", "answers", settled["left"]) as bar:
        following = _Following(folder, bar, done)
        outcomes = hands.do(shares, following.read) if settled["left"] else []
        following.read()
    speeds: dict[str, list[Mapping[str, Any]]] = {}
    for share, outcome in zip(shares, outcomes, strict=False):
        if outcome.error:
            continue
        done.padding += outcome.found["padding"]
        if outcome.found["speed"]:
            speeds.setdefault(share.model, []).append(outcome.found["speed"])
    append_rows(folder / SPEED, [_together(rows) for rows in speeds.values()])
    write_run_card(folder)
    if lost := [outcome.error for outcome in outcomes if outcome.error]:
        raise WorkError(
            f"{len(lost)} of {len(shares)} shares were not done ({lost[0]}); what was finished is "
            "kept, run again"
        )
    return done


class _Following:
    """Enters what workers write in their parts into the run, each job once, and counts."""

    def __init__(self, folder: Path, bar: Progress, done: AnswerSummary) -> None:
        self.folder, self.bar, self.done = folder, bar, done
        self.readers: dict[str, parts.Reader] = {}
        self.book = parts.Book(folder, {row["key"] for row in manifest.read_outputs(folder)})
        self.failed: set[str] = set()

    def read(self) -> None:
        """Enter what is new: of two that answered one question the first counts."""
        for path in sorted(parts.folder_of(self.folder).glob("*.jsonl")):
            reader = self.readers.setdefault(path.stem, parts.Reader(self.folder, path.stem))
            new = [row for row in reader.new() if self.is_new(row)]
            if not new:
                continue
            self.book.enter(new)
            for row in new:
                self.count(row)
            self.bar.advance(len(new), (new[-1].get("output") or new[-1]["failure"])["model"])

    def is_new(self, row: Mapping[str, Any]) -> bool:
        if "output" in row:
            return row["output"]["key"] not in self.book.entered
        return "failure" in row and row["failure"]["key"] not in self.failed

    def count(self, row: Mapping[str, Any]) -> None:
        if "failure" in row:
            self.failed.add(row["failure"]["key"])
            self.done.failed += 1
            return
        answer = row["output"]
        self.done.made += 1
        self.done.flags.update(answer["flags"])
        self.done.tokens += answer["tokens"] or 0
        self.done.asked_tokens += answer["asked_tokens"] or 0
        self.done.cost += answer["cost"] or 0.0


class _Nobody:
    """Where a worker's writer reports to: who drives counts by the parts."""

    def advance(self, count: int, note: str = "") -> None: ...

    def say(self, text: str) -> None: ...


def _together(rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one row of how fast a model was, of those of its shares; seconds are workers' seconds."""
    total = {
        name: sum(row[name] for row in rows)
        for name in ("answers", "tokens", "seconds", "load_seconds")
    }
    padding = sum(row["padding"] * row["seconds"] for row in rows) / total["seconds"]
    return {
        "model": rows[0]["model"],
        **{name: round(value, 3) for name, value in total.items()},
        "tokens_per_second": round(total["tokens"] / total["seconds"], 3),
        "padding": round(padding, 4),
        "workers": len(rows),
    }
