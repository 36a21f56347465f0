"""Work that falls into shares of its own accord: each goes to one worker, and to another where that one dies.

For what needs no schedule, as answers, where a share is every n-th batch of a model. A share can be
done again at any time: what is there is passed over.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from bench import errors, manifest
from bench.crew.crews import Crew, News
from bench.crew.scheduling import DEATHS
from bench.crew.slurm_jobs import executor_of, is_over, result_of
from bench.crew.trust import distrust
from bench.crew.worker import Worker, answer, code_hash
from bench.errors import PinluError, WorkError
from bench.request import SlurmOptions

IDLERS = 20
"""Workers that may be lost in a row before they were given anything, until the work is given up."""


class Share(Protocol):
    """A share of some work, as it travels to a worker."""

    @property
    def title(self) -> str:
        """What a dashboard shows."""

    def work(self, worker: str) -> dict[str, Any]:
        """Do it, on the worker of this name, and return plain data."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a share: what its work returned, or why it was given up."""

    found: Mapping[str, Any]
    error: str = ""
    kind: str = "WorkError"


class Hands(Protocol):
    """Workers that do shares. `places` is how many there are room for."""

    places: int

    def do(
        self, shares: Sequence[Share], watch: Callable[[], None] = lambda: None
    ) -> list[Outcome]:
        """Have shares done; return what came of each, in their order. `watch` is called meanwhile."""


@contextmanager
def by_crew(crew_of: Callable[[Path], Crew], folder: Path, token: str) -> Iterator[Hands]:
    """Give a crew's hands; the caller holds the run of this token."""
    marker = folder / manifest.STATE / "marker"
    marker.write_text(token, encoding="utf-8")
    crew = crew_of(folder / manifest.STATE / "logs")
    try:
        yield _Crewed(crew, folder, token)
    finally:
        crew.close()
        marker.unlink(missing_ok=True)


class _Crewed:
    """Workers that were probed and are trusted; `busy` have the share of that number in hand."""

    def __init__(self, crew: Crew, folder: Path, token: str) -> None:
        self.crew, self.folder, self.token = crew, folder, token
        self.places = crew.places()
        self.code = code_hash()
        self.probed: set[str] = set()
        self.hosts: dict[str, str] = {}
        self.idle: list[str] = []
        self.busy: dict[str, int] = {}
        self.lost = 0
        self.trouble = ""

    def do(
        self, shares: Sequence[Share], watch: Callable[[], None] = lambda: None
    ) -> list[Outcome]:
        """Have shares done.

        Raises:
            WorkError: no worker is left.
        """
        todo = _Todo(shares)
        while todo.left():
            self.crew.hire()
            for news in self.crew.news(0.25):
                self.hear(news, todo)
            watch()
            for worker in list(self.idle):
                number = todo.next(self.hosts[worker])
                if number is not None:
                    self.idle.remove(worker)
                    self.busy[worker] = number
                    asked = (shares[number], self.folder, self.token)
                    self.crew.ask(worker, "do", asked, shares[number].title)
            left = self.probed or self.idle or self.busy or self.crew.coming()
            if not left or self.lost > IDLERS:
                raise WorkError(f"no worker is left: {self.trouble}; what was finished is kept")
            if not (self.busy or self.probed or self.crew.coming()):
                todo.give_up({self.hosts[worker] for worker in self.idle})
        return [todo.outcomes[number] for number in range(len(shares))]

    def hear(self, news: News, todo: _Todo) -> None:
        """Take one piece of news."""
        name = news.worker
        if news.kind == "came":
            self.probed.add(name)
            marker = self.folder / manifest.STATE / "marker"
            self.crew.ask(name, "probe", (marker,), "pinlu: probe")
        elif news.kind == "died":
            number = self.busy.pop(name, None)
            self.probed.discard(name)
            self.idle = [one for one in self.idle if one != name]
            self.lose(name, str(news.content), idle=number is None)
            if number is not None:
                todo.died(number, str(news.content))
        elif name in self.probed:
            self.probed.discard(name)
            found = news.content.get("answer", {})
            wrong = news.content.get("error") or distrust(found, self.folder, self.token, self.code)
            if wrong:
                self.lose(name, wrong, idle=True)
                self.crew.dismiss(name, for_good=True)
            else:
                self.hosts[name] = found["host"]
                self.idle.append(name)
        else:
            self.lost = 0
            todo.ended(self.busy.pop(name), self.hosts[name], _outcome(news.content))
            self.idle.append(name)

    def lose(self, worker: str, why: str, *, idle: bool) -> None:
        """Note that a worker is no more, and say so."""
        self.lost += idle
        self.trouble = why
        _say(f"worker {worker} is lost ({why})")


class _Todo:
    """The shares of one call: what waits, what came of each, and on which hosts it has failed.

    What failed on one host is tried on another: a node may lack the model's files, or room.
    """

    def __init__(self, shares: Sequence[Share]) -> None:
        self.waiting = deque(range(len(shares)))
        self.outcomes: dict[int, Outcome] = {}
        self.deaths: Counter[int] = Counter()
        self.failed: dict[int, dict[str, Outcome]] = {}
        self.count = len(shares)

    def left(self) -> bool:
        return len(self.outcomes) < self.count

    def next(self, host: str) -> int | None:
        """Return a share for a worker of this host; first one that failed on no host."""
        fresh = (n for n in self.waiting if n not in self.failed)
        other = (n for n in self.waiting if host not in self.failed.get(n, ()))
        number = next(chain(fresh, other), None)
        if number is not None:
            self.waiting.remove(number)
        return number

    def died(self, number: int, why: str) -> None:
        """Take back a share whose worker died over it; twice, and it is set aside."""
        self.deaths[number] += 1
        if self.deaths[number] >= DEATHS:
            self.outcomes[number] = Outcome({}, f"set aside: its workers die ({why})")
        else:
            self.waiting.append(number)

    def ended(self, number: int, host: str, outcome: Outcome) -> None:
        """Take what came of a share; a wrong request is wrong on every host."""
        if outcome.error and outcome.kind not in {"RequestError", "ConflictError"}:
            self.failed.setdefault(number, {})[host] = outcome
            self.waiting.append(number)
        else:
            self.outcomes[number] = outcome

    def give_up(self, hosts: Collection[str]) -> None:
        """Give up the shares that have failed on all of these hosts; nobody else is there."""
        for number in list(self.waiting):
            tried = self.failed.get(number, {})
            if tried and tried.keys() >= set(hosts):
                self.waiting.remove(number)
                self.outcomes[number] = next(iter(tried.values()))


POLLED_EVERY = 1.0
"""Seconds between two looks at Slurm's jobs."""


@contextmanager
def by_slurm(options: SlurmOptions, folder: Path, token: str) -> Iterator[Hands]:
    """Give Slurm jobs' hands; the jobs end with whoever submitted them."""
    marker = folder / manifest.STATE / "marker"
    marker.write_text(token, encoding="utf-8")
    place = folder / manifest.STATE / "shares"
    hands = _Submitted(executor_of(place, options), options, folder, token)
    try:
        yield hands
        shutil.rmtree(place, ignore_errors=True)
    finally:
        for job in hands.under_way:
            job.cancel()
        marker.unlink(missing_ok=True)


class _Submitted:
    def __init__(self, executor: Any, options: SlurmOptions, folder: Path, token: str) -> None:
        self.executor, self.options, self.folder, self.token = executor, options, folder, token
        self.places = options.jobs
        self.under_way: list[Any] = []

    def do(
        self, shares: Sequence[Share], watch: Callable[[], None] = lambda: None
    ) -> list[Outcome]:
        """Have shares done; one whose job dies is submitted once more."""
        found: dict[int, Outcome] = {}
        for _ in range(DEATHS):
            left = [number for number in range(len(shares)) if number not in found]
            size = self.options.jobs if self.options.cluster == "local" else len(left) or 1
            for start in range(0, len(left), size):
                some = left[start : start + size]
                calls = [(shares[n], self.folder, self.token, code_hash()) for n in some]
                jobs = self.executor.map_array(_Job(), *zip(*calls, strict=True))
                self.under_way = jobs
                while not all(map(is_over, jobs)):
                    time.sleep(POLLED_EVERY)
                    watch()
                ended = zip(some, map(result_of, jobs), strict=True)
                found |= {n: _outcome(one) for n, one in ended if "died" not in one}
                self.under_way = []
        lost = Outcome(
            {}, f"its Slurm jobs die: {self.folder / manifest.STATE / 'shares'} says why"
        )
        return [found.get(number, lost) for number in range(len(shares))]


class _Job:
    """What a Slurm job does with a share; out of time, it goes back into the queue."""

    def __call__(self, share: Share, folder: Path, token: str, code: str) -> dict[str, Any]:
        worker = Worker(
            f"slurm-{os.environ.get('SLURM_JOB_ID') or os.getpid()}-{uuid.uuid4().hex[:8]}"
        )
        found = worker.probe(folder / manifest.STATE / "marker")
        if wrong := distrust(found, folder, token, code):
            return {"error": wrong, "kind": "WorkError"}
        return answer(worker, "do", (share, folder, token))

    def checkpoint(self, *arguments: Any) -> Any:
        """Go back into the queue: what the share made is passed over."""
        from submitit.helpers import DelayedSubmission  # noqa: PLC0415 - an extra

        return DelayedSubmission(self, *arguments)


def raised(outcome: Outcome) -> Mapping[str, Any]:
    """Return what a share found, or raise its error as if it had been met here."""
    if outcome.error:
        kind = getattr(errors, outcome.kind, WorkError)
        error: PinluError = kind(outcome.error)
        raise error
    return outcome.found


def _outcome(content: Mapping[str, Any]) -> Outcome:
    if "error" in content:
        return Outcome({}, content["error"], content.get("kind", "WorkError"))
    return Outcome(content["answer"])


def _say(text: str) -> None:
    sys.stderr.write(f"pinlu: {text}\n")
