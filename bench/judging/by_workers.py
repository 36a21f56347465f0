"""Judging by several workers: one of them cuts the batches, all of them judge.

Imports torch through `bench.understanding.desks`.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.crew.crafts import By, Plan, Row, environments_in, read_pieces, write_pieces
from bench.errors import RequestError, WorkError
from bench.files import append_rows, cut_torn_line, read_rows
from bench.judging.names import REPLIES, read_report
from bench.judging.questions import Judged
from bench.judging.run import (
    JudgeSummary,
    Keeper,
    count,
    in_parts,
    shown_to_judges,
    write_judged,
)
from bench.judging.seats import (
    Judging,
    Seat,
    enter_environment,
    judge_of,
    take_seat,
    threads_of,
)
from bench.parts import Part
from bench.probing.items import items_of_run
from bench.rubrics import load_rubric
from bench.suites import load_suite
from bench.summary import Summary
from bench.understanding.asking import entry_of, environment_here, spec_from
from bench.understanding.by_workers import plan_of
from bench.understanding.desks import Batch, Nobody, QuestionDesk, cut, seen_here
from bench.understanding.working import Worked

PIECES = "judge"


@dataclass(frozen=True, slots=True)
class Judgements:
    """What a judge is to say of a run; no server runs it."""

    asked: Judging

    def settle(self, folder: Path, *, allow_mixed: bool) -> None:
        """Enter the judge, and cut the batches of what it has not judged.

        Raises:
            RequestError, ConflictError: as `judge_of`, `take_seat` and `enter_environment`.
        """
        seat = judge_of(folder, self.asked)
        environment = environment_here(threads_of(seat))
        outputs, questions, lost = take_seat(folder, seat, self.asked)
        there = {str(row["key"]) for row in read_rows(folder / REPLIES)}
        paths = {item.sha256: item for item in outputs}
        left = [job for job in questions if job.key not in there]
        about = {
            "spec": entry_of(seat.spec),
            "rubric_hash": seat.rubric.hash,
            "environments": self._environments(folder, seat, environment, left, allow_mixed),
            "planned": len(questions),
            "there_before": len(questions) - len(left),
            "whole": [item.row["output"] for item in outputs],
            "lost": lost,
        }
        rows = cut(
            seat.spec,
            in_parts(questions) if left else [],
            lambda picture: shown_to_judges(paths[picture]),
            self.asked.batch_size,
        )
        numbered = ({"index": index, **row} for index, row in enumerate(rows))
        write_pieces(folder, PIECES, about, numbered)

    @staticmethod
    def _environments(
        folder: Path, seat: Seat, environment: Row, left: Sequence[Judged], allow_mixed: bool
    ) -> list[Row]:
        """Return those that the judge was asked on, the first of them first, and this one."""
        name = seat.spec.id
        if left:
            return [*enter_environment(folder, name, environment, allow_mixed=allow_mixed)]
        entry = read_report(folder)["judges"][name]
        known = [one for one in [entry.get("environment"), *entry.get("mixed", ())] if one]
        return known if environment in known else [*known, environment]

    def plan(self, folder: Path, settled: Any, under_way: Collection[int] = ()) -> Plan:
        """Return what is not judged."""
        del settled, under_way
        about, rows = read_pieces(folder, PIECES)
        cut_torn_line(folder / REPLIES)
        finished = {str(row["key"]) for row in read_rows(folder / REPLIES)}
        replied, errors, environments = set(finished), Counter[str](), environments_in(about)

        def enter(new: Sequence[Row]) -> None:
            replies = {row["reply"]["key"]: row["reply"] for row in new if "reply" in row}
            append_rows(
                folder / REPLIES, [row for key, row in replies.items() if key not in replied]
            )
            replied.update(replies)
            errors.update(row["failure"]["error"] for row in new if "failure" in row)

        def mix(environment: Row) -> None:
            enter_environment(folder, about["spec"]["id"], environment, allow_mixed=True)
            environments.append(environment)

        def after(done: Summary) -> None:
            judged = _counted(folder, done, about)
            whole = set(about["whole"])
            suite = load_suite(str(folder / "suite.yaml"))
            outputs = [item for item in items_of_run(folder, suite) if item.row["output"] in whole]
            judged.faults += about["lost"]
            write_judged(folder, self.asked, judged, outputs, errors=errors)

        return plan_of(
            rows,
            finished,
            doing="judge",
            unit="replies",
            environments=environments,
            planned=about["planned"],
            there_before=about["there_before"],
            enter=enter,
            mix=mix,
            after=after,
        )

    def desk(self, folder: Path, part: Part) -> QuestionDesk[Judged]:
        """Read the batches."""
        about, rows = read_pieces(folder, PIECES)
        batches = {
            row["index"]: Batch([_judged(job) for job in row["jobs"]], row["lengths"])
            for row in rows
            if "lengths" in row
        }
        spec = spec_from(about["spec"])
        items = items_of_run(folder, load_suite(str(folder / "suite.yaml")))
        paths = {item.sha256: item for item in items}
        done = JudgeSummary(spec.id, float(spec.arguments["temperature"]), 0, 0)
        rubric = load_rubric(self.asked.rubric)
        if rubric.hash != about["rubric_hash"]:
            raise WorkError(
                f"on {socket.gethostname()}, {self.asked.rubric} is another rubric than was asked for"
            )
        keeper = Keeper(self.asked, spec, rubric, set(), done, Nobody(), folder, part)

        def speed(model: str, worked: Worked) -> Row:
            return {"model": model, "padded": worked.padding, "tokens": worked.asked_tokens}

        return QuestionDesk(
            part,
            batches,
            specs={spec.id: spec},
            picture=seen_here(lambda picture: shown_to_judges(paths[picture])),
            keeper=keeper,
            speed=speed,
            environment=environment_here(environments_in(about)[0]["threads"]),
            known=environments_in(about),
        )

    def finish(self, folder: Path, *told: Any) -> None:
        """Do nothing more."""


def judge_by_workers(
    by: By, run: Path, asked: Judging, *, allow_mixed: bool = False
) -> JudgeSummary:
    """Judge as `bench.judging.run.judge` does, by several workers.

    Args:
        by: has the workers do it.
        run: the run folder, which every worker must see under this path.
        asked: by whom, and how; no server.
        allow_mixed: take workers on other kinds of device, and record them.

    Raises:
        RequestError, ConflictError, WorkError: as `judge`; a WorkError where no worker is left.
    """
    if not (run / "run.yaml").is_file():
        raise RequestError(f"{run} has no run.yaml: it is not a run folder")
    model, rubric = map(_absolute, (asked.model, asked.rubric))
    done = by(Judgements(replace(asked, model=model, rubric=rubric)), run, allow_mixed=allow_mixed)
    about, _ = read_pieces(run.resolve(), PIECES)
    found = _counted(run, done, about)
    found.faults = read_report(run)["judges"][found.judge]["faults"]
    padded = sum(row["padded"] for row in done.speed)
    tokens = sum(row["tokens"] for row in done.speed)
    found.padding_share = padded / max(padded + tokens, 1)
    return found


def _counted(run: Path, done: Summary, about: Mapping[str, Any]) -> JudgeSummary:
    """Return what a call did, from its counts and the replies that it entered."""
    spec = about["spec"]
    found = JudgeSummary(
        spec["id"],
        float(spec["arguments"]["temperature"]),
        done.planned,
        done.there_before,
        failed=done.failed,
        seconds=done.seconds,
    )
    rows = list(read_rows(run / REPLIES))
    for row in rows[len(rows) - done.made :]:  # the file only grows
        count(found, row)
    return found


def _judged(job: Mapping[str, Any]) -> Judged:
    lists = {name: tuple(job[name]) for name in ("outputs", "pictures", "criteria")}
    return Judged(**{**job, **lists})


def _absolute(name: str) -> str:
    return str(Path(name).resolve()) if os.path.exists(name) else name  # noqa: PTH110 - may be no path
