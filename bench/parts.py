"""What workers have made, each in a part of its own: `.state/parts/<worker>.jsonl`.

A worker alone writes its part, and whoever holds the run reads all of them into `metadata.jsonl` and
`failures.jsonl`: nobody needs a lock but the one on the run. A row is of one kind: `here` (host and
process), `begun` (a piece's index), `output`, `reply` (of a judge), `seen` (a file), `failure`, `said` (a
line for people), `speed`, or `ended`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import manifest
from bench.files import append_rows, cut_torn_line, read_rows
from bench.judging.names import REPLIES
from bench.records import Answer, Output
from bench.speed import write_speed

Wanted = Mapping[int, Sequence[str] | None]
"""Batches to be made, by index: the keys of the jobs that are missing, None for all."""


def folder_of(run: Path) -> Path:
    """Return where a run's parts lie."""
    return run / manifest.STATE / "parts"


class Part:
    """The part that one worker writes. A row is whole or not there; outputs come after their files."""

    def __init__(self, run: Path, worker: str) -> None:
        """Write into the part of this worker."""
        self.path = folder_of(run) / f"{worker}.jsonl"

    def here(self, host: str, pid: int) -> None:
        """Note who writes this part."""
        self._note({"here": {"host": host, "pid": pid}})

    def begun(self, batch: int) -> None:
        """Note that a batch is begun: should the worker die, it is known over what."""
        self._note({"begun": batch})

    def said(self, text: str) -> None:
        """Leave a line for people."""
        self._note({"said": text})

    def _note(self, row: Mapping[str, Any]) -> None:
        """Add what no power cut needs to spare."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def outputs(self, outputs: Iterable[Output | Answer]) -> None:
        """Enter a batch's outputs in one write."""
        append_rows(self.path, ({"output": asdict(output)} for output in outputs))

    def replies(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Enter what a judge said."""
        append_rows(self.path, ({"reply": row} for row in rows))

    def seen(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Enter what was seen of files: the keys alone, the rest is in the caches."""
        append_rows(self.path, ({"seen": row} for row in rows))

    def failures(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Enter jobs that failed, each with its error."""
        append_rows(self.path, ({"failure": row} for row in rows))

    def speed(self, row: Mapping[str, Any]) -> None:
        """Enter how fast a model was."""
        append_rows(self.path, [{"speed": row}])

    def ended(self) -> None:
        """Note that nothing more will come."""
        append_rows(self.path, [{"ended": True}])


class Reader:
    """Follows a part that is being written, from where it was read last."""

    def __init__(self, run: Path, worker: str) -> None:
        """Begin at the part's beginning; it need not be there yet."""
        self.path = folder_of(run) / f"{worker}.jsonl"
        self._read = 0

    def new(self) -> list[dict[str, Any]]:
        """Return the rows that came since the last call; a row half written waits."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                content = file.read()
        except FileNotFoundError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._read += len(whole)
        return [json.loads(line) for line in whole.splitlines()]


class Book:
    """Enters the rows of parts into the run, each output once, whoever made it twice."""

    def __init__(self, run: Path, entered: set[str]) -> None:
        """Enter into `run`; jobs in `entered` have a row, and those that come are added to it."""
        self.run, self.entered = run, entered

    def enter(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Enter rows of parts in one write; outputs of jobs that have a row are passed over."""
        rows = list(rows)
        outputs = {}
        for row in rows:
            output = row.get("output")
            if output and output["key"] not in self.entered:
                outputs[output["key"]] = output
        if outputs:
            append_rows(self.run / manifest.METADATA, outputs.values())
            self.entered.update(outputs)
        failures = [row["failure"] for row in rows if "failure" in row]
        if failures:
            manifest.append_failures(self.run, failures)
        for row in rows:
            if "speed" in row:
                write_speed(self.run, row["speed"])


def gather(run: Path) -> None:
    """Enter what workers left that nobody read to the end, and remove their parts.

    The caller holds the run. Failures are not taken over: their jobs are about to be tried again.
    """
    left = list(_left(run))
    if not left:
        return
    book = Book(run, {row["key"] for row in manifest.read_outputs(run)})
    cut_torn_line(run / REPLIES)
    replied = {row["key"] for row in read_rows(run / REPLIES)}
    for path in left:
        cut_torn_line(path)
        rows = list(read_rows(path))
        book.enter(row for row in rows if "output" in row)
        replies = {row["reply"]["key"]: row["reply"] for row in rows if "reply" in row}
        if new := [reply for key, reply in replies.items() if key not in replied]:
            append_rows(run / REPLIES, new)
        replied |= replies.keys()
        path.unlink()


def _left(run: Path) -> Iterator[Path]:
    yield from sorted(folder_of(run).glob("*.jsonl"))
