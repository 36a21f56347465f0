"""One view over all workers: a bar on a terminal, lines elsewhere, JSON lines for dashboards."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import TextIO

from bench.crew.scheduling import Share
from bench.progress import progress

EVERY = {"json": 5.0, "terminal": 1.0, "lines": 30.0}
"""Seconds between two views."""


@dataclass(slots=True)
class ModelState:
    """How one model stands: outputs, device seconds, batches in the queue, workers on it."""

    done: int = 0
    total: int = 0
    failed: int = 0
    suspect: int = 0
    device_seconds: float = 0.0
    queued_batches: int = 0
    workers: int = 0


@dataclass(slots=True)
class State:
    """How the whole stands. Times in seconds; `workers` maps a name to where and at what it is."""

    done: int = 0
    total: int = 0
    failed: int = 0
    suspect: int = 0
    queued_batches: int = 0
    workers: Mapping[str, str] = field(default_factory=dict)
    deaths: int = 0
    models: dict[str, ModelState] = field(default_factory=dict)
    seconds: float = 0.0
    seconds_left: float = 0.0


class View:
    """Shows states as they come; call `show` as often as convenient."""

    def __init__(
        self, doing: str, unit: str, total: int, json_to: TextIO | None, stack: ExitStack
    ) -> None:
        """Show a work of `total` outputs."""
        self._json = json_to
        self._bar = None if json_to else stack.enter_context(progress(doing, unit, total))
        self._done = 0
        self._said: set[str] = set()
        self._shown = float("-inf")
        terminal = "terminal" if sys.stderr.isatty() else "lines"
        self._every = EVERY["json" if json_to else terminal]

    def say(self, text: str) -> None:
        """Print a line for people, once however many workers say it."""
        if text in self._said:
            return
        self._said.add(text)
        if self._bar is not None:
            self._bar.say(text)
        else:
            say(text)

    def show(self, state: Callable[[], State], *, last: bool = False) -> None:
        """Show the state, where enough time has gone by or it is the last."""
        if time.monotonic() - self._shown < self._every and not last:
            return
        self._shown = time.monotonic()
        now = state()
        if self._json:
            event = {"event": "last" if last else "state", **asdict(now)}
            self._json.write(json.dumps(event) + "\n")
            self._json.flush()
        elif self._bar is not None:
            done = now.done + now.failed
            self._bar.advance(done - self._done, _note(now))
            self._done = done


@contextmanager
def view(doing: str, unit: str, total: int, json_to: TextIO | None) -> Iterator[View]:
    """Give a view, of JSON lines where it is told whither; its bar is put away at the end."""
    with ExitStack() as stack:
        yield View(doing, unit, total, json_to, stack)


def _note(state: State) -> str:
    """Return the view over all workers as part of one line."""
    at_work = [
        f"{name} {one.done}/{one.total} on {one.workers}, {_each(one)}"
        for name, one in state.models.items()
        if one.workers
    ]
    pieces = [f"{len(state.workers)} workers", *at_work, f"{state.queued_batches} batches wait"]
    pieces += [f"{state.failed} failed"] if state.failed else []
    pieces += [f"{state.deaths} died"] if state.deaths else []
    left = state.seconds_left
    pieces += [f"{left / 3600:.1f} h left" if left > 5400 else f"{left:.0f} s left by batches"]
    return "; ".join(pieces)


def _each(one: ModelState) -> str:
    return f"{one.device_seconds / one.done:.2f} s each" if one.done else "none yet"


def say(text: str) -> None:
    """Print a line for people, where no bar is shown."""
    sys.stderr.write(f"pinlu: {text}\n")


def share_line(share: Share) -> str:
    """Return what a worker does, for people and dashboards."""
    first, last = min(share.batches), max(share.batches)
    which = f"batch {first}" if first == last else f"batches {first}–{last}"
    return f"{share.model}, {which}"
