"""`pinlu probe RUN --judge MODEL`: a vision–language model judges a run's pictures by a rubric.

Replies are kept as they come, in `judgements.jsonl`; a second call asks about new outputs alone, and
the table is made anew from all replies. Imports torch where the model runs here.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from bench import manifest, parts
from bench.crew import slurm_tasks
from bench.errors import WorkError
from bench.files import append_rows, cut_torn_line, read_rows, written_whole
from bench.judging.names import REPLIES, TABLE, read_report, write_report
from bench.judging.questions import SCALES, Judged
from bench.judging.replies import read_pair, read_scales
from bench.judging.rows import judgement, table_of
from bench.judging.seats import Judging, enter_environment, judge_of, take_seat, threads_of
from bench.probing.items import Item, read_picture
from bench.progress import Progress, progress
from bench.records import ModelSpec, Rubric
from bench.understanding.asking import environment_here
from bench.understanding.working import Text, work_off
from bench.understanding.works import brought_down


@dataclass
class JudgeSummary:
    """What a call of `judge` did; `faults` has a sentence per question or file that failed."""

    judge: str
    temperature: float
    planned: int
    there_before: int
    made: int = 0
    failed: int = 0
    unread: int = 0
    """Replies of which something could not be read."""
    tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    padding_share: float = 0.0
    flags: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def in_parts(questions: Sequence[Judged]) -> list[list[Judged]]:
    """Return the questions on scales and those about pairs: no batch holds both."""
    scales = [job for job in questions if job.kind == SCALES]
    return [scales, [job for job in questions if job.kind != SCALES]]


def judge(run: Path, asked: Judging, *, allow_mixed: bool = False) -> JudgeSummary:
    """Have a model judge every picture of a run that it has not judged yet, and pairs of them.

    Args:
        run: the run folder, of pictures.
        asked: by whom, and how.
        allow_mixed: go on under other versions or on another device kind, and record it.

    Raises:
        RequestError: no such model, rubric or language; the run holds no pictures.
        ConflictError: the judge has judged this run by another rubric, revision or decoding, or on
            another device.
        WorkError: the disk is full; what was judged is kept.
    """
    began = time.monotonic()
    seat = judge_of(run, asked)
    environment = None if asked.server else environment_here(threads_of(seat))
    with manifest.opened(run):
        slurm_tasks.refuse_under_way(run)
        parts.gather(run)
        cut_torn_line(run / REPLIES)
        outputs, questions, lost = take_seat(run, seat, asked)
        there = {str(row["key"]) for row in read_rows(run / REPLIES)}
        done = JudgeSummary(
            seat.spec.id, float(seat.spec.arguments["temperature"]), len(questions),
            sum(job.key in there for job in questions), faults=lost,
        )  # fmt: skip
        if done.there_before < len(questions):
            enter_environment(run, seat.spec.id, environment, allow_mixed=allow_mixed)
        with progress("judge", "replies", len(questions) - done.there_before) as bar:
            keeper = Keeper(asked, seat.spec, seat.rubric, there, done, bar, run)
            paths = {item.sha256: item for item in outputs}
            worked = work_off(
                seat.spec,
                in_parts(questions),
                lambda picture: shown_to_judges(paths[picture]),
                keeper,
                server=asked.server,
                batch_size=asked.batch_size,
            )
        done.padding_share = worked.padding_share
        write_judged(run, asked, done, outputs, errors=keeper.errors)
    done.seconds = time.monotonic() - began
    return done


def count(done: JudgeSummary, row: Mapping[str, Any]) -> None:
    """Count a reply."""
    lacks = None in row["scores"].values() if row["kind"] == SCALES else not row["winner"]
    done.made += 1
    done.unread += lacks
    done.flags.update(row["flags"])
    done.tokens += row["tokens"] or 0
    done.cost += row["cost"] or 0.0


class Place(Protocol):
    """Where replies are entered: a run's `judgements.jsonl`, or a worker's part."""

    def replies(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Enter replies in one write."""

    def failures(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Enter questions without a reply."""


@dataclass
class Keeper:
    """Turns replies into rows, and counts; `finished` have their row.

    They go into `judgements.jsonl` of the `run`, or into another `place`.
    """

    asked: Judging
    spec: ModelSpec
    rubric: Rubric
    finished: set[str]
    done: JudgeSummary
    bar: Progress
    run: Path
    place: Place | None = None
    errors: Counter[str] = field(default_factory=Counter)
    """How many questions failed by each sentence."""

    def keep(self, jobs: Sequence[Judged], texts: Sequence[Text]) -> None:
        """Enter replies that have no row yet, in one write."""
        rows = [
            self._row(job, text)
            for job, text in zip(jobs, texts, strict=True)
            if job.key not in self.finished
        ]
        try:
            if self.place is None:
                append_rows(self.run / REPLIES, rows)
            else:
                self.place.replies(rows)
        except OSError as error:
            raise WorkError(
                f"stopped: cannot write into {self.run}: {error.strerror or error}; what was judged "
                "is kept, run again"
            ) from error
        for row in rows:
            self.finished.add(row["key"])
            count(self.done, row)
        self.bar.advance(len(rows), self.spec.id)

    def fail(self, jobs: Sequence[Judged], error: str) -> None:
        """Count questions without a reply; they are asked again by the next call."""
        mine = [job for job in jobs if job.key not in self.finished]
        self.done.failed += len(mine)
        self.errors[error] += len(mine)
        if self.place is not None:
            self.place.failures([{"key": job.key, "error": error} for job in mine])
        if mine:
            self.bar.advance(len(mine), self.spec.id)

    def _row(self, job: Judged, text: Text) -> dict[str, Any]:
        if job.kind == SCALES:
            read = read_scales(text.text, self.rubric, job.criteria, cut=text.cut)
        else:
            read = read_pair(text.text, cut=text.cut)
        cost = None
        if self.asked.price and text.asked_tokens is not None and text.tokens is not None:
            into, out = self.asked.price
            cost = round((into * text.asked_tokens + out * text.tokens) / 1e6, 9)
        return asdict(
            judgement(
                job,
                read,
                text.text,
                judge=self.spec.id,
                rubric=self.rubric.id,
                rubric_hash=self.rubric.hash,
                temperature=self.done.temperature,
                asked_tokens=text.asked_tokens,
                tokens=text.tokens,
                seconds=round(text.seconds, 6),
                batch_size=text.batch_size,
                device="server" if self.asked.server else "",
                cost=cost,
            )
        )


def shown_to_judges(item: Item) -> Image.Image:
    """Return what a judge sees: pixels alone, at most as long as models are shown works."""
    return brought_down(Image.fromarray(read_picture(item)))


def write_judged(
    run: Path,
    asked: Judging,
    done: JudgeSummary,
    outputs: Sequence[Item],
    *,
    errors: Counter[str],
) -> None:
    """Write the table of all judges, and what there is to say of this one."""
    done.faults += [
        f"not judged, {number} of {done.planned}: {error}" for error, number in errors.most_common()
    ]
    rows = list(read_rows(run / REPLIES))
    table = table_of(rows, outputs)
    scratch = run / manifest.STATE / "tmp"
    if table.empty:  # a table without rows would be no table to whoever reads it
        (run / TABLE).unlink(missing_ok=True)
    else:
        with written_whole(run / TABLE, scratch) as temporary:
            table.to_parquet(temporary, index=False)
    mine = [row for row in rows if row["judge"] == done.judge]
    report = read_report(run)
    report["judges"][done.judge] |= {
        "pairs": "all" if asked.pairs is None else asked.pairs,
        "temperature": done.temperature,
        "languages": sorted({row["language"] for row in mine}),
        "seeds": sorted({row["seed"] for row in mine}),
        "replies": len(mine),
        "flags": dict(sorted(Counter(flag for row in mine for flag in row["flags"]).items())),
        "faults": done.faults,
    }
    write_report(run, report)
