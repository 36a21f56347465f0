"""Answers by several workers: one of them cuts the batches, all of them answer.

Imports torch through `bench.understanding.desks`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench import manifest
from bench.cards import write_run_card
from bench.crew.crafts import By, Piece, Plan, Row, read_pieces, write_pieces
from bench.crew.pictures import absolute
from bench.errors import WorkError
from bench.files import append_rows
from bench.media import pixel_hash
from bench.parts import Book, Part
from bench.request import Request
from bench.summary import Summary
from bench.understanding.answering import SPEED, AnswerSummary, Writer, speed_of
from bench.understanding.asking import (
    AskedRun,
    Asking,
    asked_run_on_disk,
    environment_here,
    planned_answers,
    settle_answers,
)
from bench.understanding.desks import Batch, Nobody, QuestionDesk, cut, hopeless, seen_here
from bench.understanding.jobs import Asked
from bench.understanding.working import Worked
from bench.understanding.works import Work, shown

PIECES = "answers"


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers that a request asks for; no server gives them."""

    request: Request
    asking: Asking

    def settle(self, folder: Path, *, allow_mixed: bool) -> None:
        """Settle the run as the device here has it, and cut the batches of what is not answered.

        Raises:
            RequestError, ConflictError: as `planned_answers` and `settle_answers`.
        """
        run = planned_answers(self.request, self.asking, folder)
        run = settle_answers(run, environment_here(), allow_mixed=allow_mixed)
        finished = {row["key"] for row in manifest.read_outputs(folder)}
        planned = [job.key for jobs in run.jobs.values() for job in jobs]
        about = {"planned": len(planned), "there_before": len(finished.intersection(planned))}
        rows = ({"index": index, **row} for index, row in enumerate(self._pieces(run, finished)))
        write_pieces(folder, PIECES, about, rows)

    def _pieces(self, run: AskedRun, finished: Collection[str]) -> Iterator[dict[str, Any]]:
        for model, spec in run.models.items():
            asked = run.now(model)
            every = [job for jobs in asked for job in jobs]
            yield from (
                hopeless(spec, job, run.here[job.work].fault) for job in every if not job.picture
            )
            if all(job.key in finished for job in every if job.picture):
                continue
            shown_ = [[job for job in jobs if job.picture] for jobs in asked]
            yield from cut(spec, shown_, lambda work: shown(self.asking.works, run.here[work]),
                           run.content["batch_size"])  # fmt: skip

    def plan(self, folder: Path, settled: Any, under_way: Collection[int] = ()) -> Plan:
        """Return what is not answered."""
        del settled, under_way
        about, rows = read_pieces(folder, PIECES)
        finished = {row["key"] for row in manifest.read_outputs(folder)}
        manifest.forget_failures(folder)
        content = manifest.read_run(folder)
        book = Book(folder, set(finished))
        environments = [content["environment"], *content["mixed"]]

        def mix(environment: Row) -> None:
            environments.append(environment)
            content["mixed"].append(dict(environment))
            del content["schema"]
            manifest.write_run(folder, content)
            content["schema"] = 1

        def after(done: Summary) -> None:
            speeds: dict[str, list[Row]] = {}
            for row in done.speed:
                speeds.setdefault(row["model"], []).append(row)
            append_rows(folder / SPEED, map(_together, speeds.values()))
            write_run_card(folder)

        return plan_of(
            rows,
            finished,
            doing="answer",
            unit="answers",
            environments=environments,
            planned=about["planned"],
            there_before=about["there_before"],
            enter=lambda new: book.enter(row for row in new if "speed" not in row),
            mix=mix,
            after=after,
        )

    def desk(self, folder: Path, part: Part) -> QuestionDesk[Asked]:
        """Read the batches."""
        _, rows = read_pieces(folder, PIECES)
        batches = {
            row["index"]: Batch([Asked(**job) for job in row["jobs"]], row["lengths"])
            for row in rows
            if "lengths" in row
        }
        run = asked_run_on_disk(folder, (job for one in batches.values() for job in one.jobs))
        first, mixed = run.content["environment"], run.content["mixed"]
        done = AnswerSummary(0, 0)
        writer = Writer(run, self.asking, set(), done, Nobody(), place=part)
        counted = [0, 0]

        def speed(model: str, worked: Worked) -> Row:
            answers, tokens = done.made - counted[0], done.tokens - counted[1]
            counted[:] = done.made, done.tokens
            row = speed_of(model, worked, answers, tokens)
            return {**row, "padded": worked.padding}

        return QuestionDesk(
            part,
            batches,
            specs=run.models,
            picture=seen_here(lambda work: _checked(self.asking.works, run.here[work])),
            keeper=writer,
            speed=speed,
            environment=environment_here(first["threads"]),
            known=[first, *mixed],
        )

    def finish(self, folder: Path, *told: Any) -> None:
        """Do nothing more."""


def plan_of(rows: Iterable[Mapping[str, Any]], finished: Collection[str], **more: Any) -> Plan:
    """Return the plan of questions cut into batches, those left out of which all is finished."""
    jobs = {row["index"]: row["jobs"] for row in rows}
    keys = {index: tuple(job["key"] for job in some) for index, some in jobs.items()}
    open_ = [row for row in rows if not set(keys[row["index"]]) <= set(finished)]
    tokens = {row["index"]: sum(row.get("lengths", (1,))) for row in open_}
    usual = sum(tokens.values()) / max(1, len(tokens))

    def failures(piece: int, lost: Collection[str], why: str) -> list[dict[str, Any]]:
        return [{**job, "error": why} for job in jobs[piece] if job["key"] in lost]

    return Plan(
        pieces=[
            Piece(index := row["index"], row["model"], keys[index], tokens[index] / usual)
            for row in open_
        ],
        finished=finished,
        failures=failures,
        hopeless={row["index"]: row["hopeless"] for row in open_ if "hopeless" in row},
        **more,
    )


def answer_by_workers(
    by: By, request: Request, asking: Asking, folder: Path, *, allow_mixed: bool = False
) -> AnswerSummary:
    """Answer as `bench.understanding.answering.answer` does, by several workers.

    Args:
        by: has the workers do it.
        request: suite, models, languages, seeds.
        asking: works and questions; no server.
        folder: the run folder, which every worker must see under this path, as the folder of works.
        allow_mixed: begin under other versions or on another device kind than the run's.

    Raises:
        RequestError, ConflictError, WorkError: as `answer`; a WorkError where no worker is left.
    """
    asking = replace(asking, works=asking.works.resolve())
    done = by(Answers(absolute(request), asking), folder, allow_mixed=allow_mixed)
    found = AnswerSummary(done.planned, done.there_before, failed=done.failed, seconds=done.seconds)
    found.padding = sum(row["padded"] for row in done.speed)
    rows = manifest.read_outputs(folder)
    for row in rows[len(rows) - done.made :]:  # the manifest only grows
        found.made += 1
        found.flags.update(row["flags"])
        found.tokens += row["tokens"] or 0
        found.asked_tokens += row["asked_tokens"] or 0
        found.cost += row["cost"] or 0.0
    return found


def _checked(folder: Path, work: Work) -> Image.Image:
    """Return what is shown of a work.

    Raises:
        WorkError: it is another picture than the run was asked about.
    """
    image = shown(folder, work)
    if pixel_hash(np.asarray(image)) != work.pixel_sha256:
        raise WorkError(
            f"{folder} does not show of {work.id} the picture of which the run was asked: it must lie "
            "on a file system that all share"
        )
    return image


def _together(rows: list[Row]) -> dict[str, Any]:
    """Return one row of how fast a model was, of those of its workers; seconds are workers' seconds."""
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
