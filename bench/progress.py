"""Progress of long work: a bar with rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

from tqdm import tqdm


class Progress(Protocol):
    """What long work reports to."""

    def advance(self, count: int, note: str = "") -> None:
        """Say that `count` more are done; `note` is the piece of work now under way."""

    def say(self, text: str) -> None:
        """Print a line of its own."""


class _Bar:
    def __init__(self, bar: tqdm[Any]) -> None:
        self.bar = bar

    def advance(self, count: int, note: str = "") -> None:
        if note:
            self.bar.set_postfix_str(note, refresh=False)
        self.bar.update(count)

    def say(self, text: str) -> None:
        self.bar.write(f"pinlu: {text}", file=self.bar.fp)


APART = 2.0
"""Seconds between two plain lines at least: work that is over sooner says nothing of itself."""


class _Lines:
    """A line at every tenth of the work, but not too often, and when half a minute has gone by."""

    def __init__(self, what: str, unit: str, total: int, stream: TextIO) -> None:
        self.what, self.unit, self.total, self.stream = what, unit, total, stream
        self.done, self.said_at_count = 0, 0
        self.began = self.said_at = time.monotonic()

    def say(self, text: str) -> None:
        print(f"pinlu: {text}", file=self.stream, flush=True)

    def advance(self, count: int, note: str = "") -> None:
        self.done += count
        now = time.monotonic()
        tenth = self.done * 10 // max(self.total, 1) > self.said_at_count * 10 // max(self.total, 1)
        since = now - self.said_at
        last = self.done == self.total and (self.said_at_count or since >= APART)
        if not (last or (tenth and since >= APART) or since > 30):
            return
        self.said_at, self.said_at_count = now, self.done
        rate = self.done / max(now - self.began, 1e-9)
        left = (self.total - self.done) / rate if rate else float("inf")
        print(
            f"{self.what}: {self.done}/{self.total} {self.unit}, {rate:.2f} {self.unit}/s, "
            f"{left:.0f} s left{f' ({note})' if note else ''}",
            file=self.stream,
            flush=True,
        )


@contextmanager
def progress(what: str, unit: str, total: int, stream: TextIO | None = None) -> Iterator[Progress]:
    """Report work of `total` units on standard error (or `stream`)."""
    stream = stream or sys.stderr
    if stream.isatty():
        bar: tqdm[Any] = tqdm(desc=what, unit=unit, total=total, file=stream, smoothing=0.1)
        with bar:
            yield _Bar(bar)
    else:
        yield _Lines(what, unit, total, stream)
