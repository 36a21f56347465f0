"""What carries work to workers: the crew's side of every engine that has several of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True)
class News:
    """What happened to a worker: it came, it answered what it was asked, or it died.

    `content` is the answer (as `bench.crew.worker.answer` gives it), or in words why it died.
    """

    kind: Literal["came", "answered", "died"]
    worker: str
    content: Any = None


class Crew(Protocol):
    """Workers on one engine. Call it from one thread."""

    def hire(self) -> None:
        """Have a worker come for every place that has none."""

    def places(self) -> int:
        """Return how many workers there is room for now."""

    def coming(self) -> int:
        """Return how many are on their way, or may still find a place."""

    def ask(self, worker: str, method: str, arguments: Sequence[Any], title: str) -> None:
        """Ask a worker that has answered everything before; `title` is what a dashboard shows."""

    def news(self, seconds: float) -> list[News]:
        """Return what happened, having waited for it at most so long."""

    def dismiss(self, worker: str, *, for_good: bool) -> None:
        """End a worker; `for_good` leaves its place empty. No news comes of it any more."""

    def close(self) -> None:
        """End all workers, whatever they do."""
