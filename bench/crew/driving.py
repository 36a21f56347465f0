"""Driving several workers: they are probed, given shares by the schedule, and their parts read.

Whoever drives holds the run, and alone writes its manifest. It makes no pixels and needs no device.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, TextIO

from bench import errors, manifest, parts
from bench.crew import slurm_tasks
from bench.crew.crafts import Craft
from bench.crew.crews import Crew, News
from bench.crew.ledger import Ledger
from bench.crew.scheduling import Share
from bench.crew.trust import distrust
from bench.crew.view import View, say, share_line, view
from bench.crew.worker import code_hash
from bench.environments import differs
from bench.errors import PinluError, RequestError, WorkError
from bench.summary import Summary

HUNG = 600.0
"""Seconds without a sign of life after which a worker may count as hung; see `patience`."""

DEATHS_IN_A_ROW = 5
"""Workers beyond the crew's size that may die with nothing finished between, before all is given up."""


@dataclass(slots=True)
class _Hand:
    """A worker as whoever drives sees it."""

    state: Literal["probed", "waiting", "settling", "beginning", "trusted", "finishing"]
    reader: parts.Reader
    heard: float
    host: str = "?"
    models: tuple[str, str] = ("", "")
    """Where its models lie: the host, and the hub's cache on it."""
    share: Share | None = None
    begun: list[int] = field(default_factory=list)


def drive(
    craft: Craft,
    folder: Path,
    crew_of: Callable[[Path], Crew],
    *,
    allow_mixed: bool = False,
    as_json: bool = False,
) -> Summary:
    """Have a crew of workers do whatever of a craft is not done yet.

    Args:
        craft: what is to be made.
        folder: the run folder, which every worker must see under this path.
        crew_of: makes the crew; it is given the folder for its logs.
        allow_mixed: take workers whose device or versions are not the run's, and record it.
        as_json: show the state as JSON lines on standard output.

    Raises:
        RequestError, ConflictError, WorkError: as `generate`; and WorkError where no worker is left.
    """
    folder = folder.resolve()
    was_there, json_to = folder.exists(), sys.stdout if as_json else None
    try:
        with manifest.opened(folder) as token:
            slurm_tasks.refuse_under_way(folder)
            parts.gather(folder)
            crew = crew_of(folder / manifest.STATE / "logs")
            driver = _Driver(craft, folder, crew, token, allow_mixed=allow_mixed)
            # what libraries print must not stand between the lines of JSON
            with _closed(driver), redirect_stdout(sys.stderr):
                return driver.drive(json_to)
    except RequestError:
        if not was_there and not (folder / "run.yaml").exists():
            shutil.rmtree(folder)  # nothing was begun
        raise


class _Driver:
    def __init__(
        self, craft: Craft, folder: Path, crew: Crew, token: str, *, allow_mixed: bool
    ) -> None:
        self.craft, self.folder, self.crew, self.token = craft, folder, crew, token
        self.allow_mixed = allow_mixed
        self.marker = folder / manifest.STATE / "marker"
        self.hands: dict[str, _Hand] = {}
        self.gone: list[parts.Reader] = []
        self.ledger: Ledger | None = None
        self.view: View | None = None
        self.unsettled: dict[tuple[str, str], PinluError] = {}
        self.unloadable: dict[str, str] = {}
        self.in_a_row = 0
        self.last_trouble = ""
        self.read_at = 0.0
        self.code = code_hash()

    def drive(self, json_to: TextIO | None) -> Summary:
        """Settle the work by the first worker that can, then work it off."""
        began = time.monotonic()
        self.marker.write_text(self.token, encoding="utf-8")
        while self.ledger is None:
            self.turn()
        ledger, plan = self.ledger, self.ledger.plan
        with view(plan.doing, plan.unit, ledger.jobs, json_to) as self.view:
            ledger.begin()
            while not self.is_over():
                self.turn()
                self.finish_by_one(ledger)
                self.view.show(lambda: ledger.snapshot(self.places()))
            self.end()
            self.view.show(lambda: ledger.snapshot(self.places()), last=True)
        done = ledger.summary(time.monotonic() - began)
        plan.after(done)
        return done

    def is_over(self) -> bool:
        """Say whether all pieces are made, and what is left then is done too."""
        ledger = self.ledger
        if ledger is None or ledger.schedule.unfinished:
            return False
        return ledger.plan.last is None or ledger.plan.found is not None

    def finish_by_one(self, ledger: Ledger) -> None:
        """Have a worker do what is left when all pieces are made."""
        if self.is_over() or ledger.schedule.unfinished or ledger.plan.last is None:
            return
        if any(hand.state == "finishing" for hand in self.hands.values()):
            return
        for name, hand in self.hands.items():
            if hand.state == "trusted" and hand.share is None:
                hand.state = "finishing"
                self.ask(name, "finish", self.craft, self.folder, ledger.plan.last())
                return

    def turn(self) -> None:
        """Hear what is new, give out what can be given, hire where there is a place."""
        for news in self.crew.news(0.25):
            self.hear(news)
        self.read_all()
        self.end_what_hangs()
        self.give()
        if self.in_a_row <= DEATHS_IN_A_ROW + 2 * len(self.hands):
            self.crew.hire()  # before it is said that nobody is left: the last one may have died
        self.stop_without_workers()

    def hear(self, news: News) -> None:
        """Take one piece of news."""
        hand = self.hands.get(news.worker)
        if news.kind == "came":
            reader = parts.Reader(self.folder, news.worker)
            self.hands[news.worker] = _Hand("probed", reader, time.monotonic())
            self.ask(news.worker, "probe", self.marker)
        elif news.kind == "died":
            self.lose(news.worker, str(news.content))
        elif hand is not None:
            hand.heard = time.monotonic()
            if "answer" in news.content:
                self.answered(news.worker, hand, news.content["answer"])
            elif hand.state == "settling":
                self.unsettled[hand.models] = _as_raised(news.content)
                hand.state = "waiting"
                self.settle_by_one()
            elif hand.state == "finishing":
                raise _as_raised(news.content)
            elif hand.state == "trusted":
                self.lose(news.worker, news.content["error"])
                self.crew.dismiss(news.worker, for_good=False)
            else:
                self.refuse(news.worker, news.content["error"])

    def answered(self, worker: str, hand: _Hand, found: Any) -> None:
        """Go on with a worker that answered what it was asked last."""
        if hand.state == "probed":
            hand.host, hand.state = found["host"], "waiting"
            hand.models = (found["host"], found["hub_cache"])
            if wrong := distrust(found, self.folder, self.token, self.code):
                self.refuse(worker, wrong)
            elif self.ledger is None:
                self.settle_by_one()
            else:
                self.begin(worker, hand)
        elif hand.state == "settling":
            self.ledger = Ledger(self.craft.plan(self.folder, found), self.say)
            for name, one in self.hands.items():
                if one.state in {"settling", "waiting"}:
                    self.begin(name, one)
        elif hand.state == "beginning":
            self.begun(worker, hand, found)
        elif hand.state == "finishing":
            hand.state = "trusted"
            self.settled().plan.found = found
        elif hand.state == "trusted":
            self.shared(worker, hand, found)

    def settle_by_one(self) -> None:
        """Have one worker settle the run, on the device that will make the pixels.

        Where one host cannot, another is asked: it may have the models' files.
        """
        states = [hand.state for hand in self.hands.values()]
        if self.ledger is not None or "settling" in states:
            return
        for name, hand in self.hands.items():
            if hand.state == "waiting" and hand.models not in self.unsettled:
                hand.state = "settling"
                self.ask(name, "settle", self.craft, self.folder, self.allow_mixed)
                return
        if self.unsettled and "probed" not in states and not self.crew.coming():
            raise next(iter(self.unsettled.values()))

    def begin(self, worker: str, hand: _Hand) -> None:
        """Have a worker read the settled run."""
        hand.state = "beginning"
        self.ask(worker, "begin", self.craft, self.folder, self.token)

    def begun(self, worker: str, hand: _Hand, environment: Mapping[str, Any]) -> None:
        """Trust a worker whose environment is the run's, or one that may be mixed in."""
        ledger = self.settled()
        known = ledger.plan.environments
        if environment not in known and not self.allow_mixed:
            self.refuse(worker, f"{hand.host}: {differs(self.folder, known[0], environment)}")
            return
        if environment not in known:
            ledger.plan.mix(environment)
        hand.state = "trusted"
        ledger.schedule.add(worker)

    def shared(self, worker: str, hand: _Hand, found: Mapping[str, Any]) -> None:
        """Take the end of a share."""
        ledger = self.settled()
        self.read([hand.reader])
        if "stopped" in found:
            self.lose(worker, found["stopped"], blamed=False)
            self.crew.dismiss(worker, for_good=not found["again"])
            return
        hand.share, hand.begun = None, []
        if "cannot_load" in found:
            model = ledger.schedule.doing(worker)[0]
            ledger.schedule.cannot_load(worker)
            self.unloadable[model] = found["cannot_load"]
            self.say(f"{found['cannot_load']}; {model} is left to other workers")
            return
        ledger.cut += found["cut"]
        if found["loaded"] is not None:
            ledger.schedule.loaded(worker, found["loaded"])
        ledger.schedule.ended(worker)

    def give(self) -> None:
        """Give shares to idle workers."""
        if self.ledger is None:
            return
        while (share := self.ledger.schedule.next()) is not None:
            hand = self.hands[share.worker]
            hand.share, hand.begun, hand.heard = share, [], time.monotonic()
            title = share_line(share)
            self.ask(share.worker, "work", share.model, self.ledger.wanted(share), title=title)

    def ask(self, worker: str, method: str, *arguments: Any, title: str = "") -> None:
        """Ask a worker; a dashboard shows the title."""
        self.crew.ask(worker, method, arguments, title or f"pinlu: {method}")

    def refuse(self, worker: str, why: str) -> None:
        """Send a worker away for good, and say why."""
        self.say(f"worker refused: {why}")
        self.forget(worker)
        self.crew.dismiss(worker, for_good=True)
        self.last_trouble = why
        self.settle_by_one()

    def lose(self, worker: str, why: str, *, blamed: bool = True) -> None:
        """Give back what a worker had in hand that died, hung or stopped."""
        self.in_a_row += 1
        self.last_trouble = why
        hand = self.hands.get(worker)
        if hand is None:
            self.say(f"worker {worker} died before it could be asked anything ({why})")
            return
        self.read([hand.reader])
        self.forget(worker)
        self.say(f"worker {worker} on {hand.host} is lost ({why}); what it had is done again")
        if self.ledger is None:
            self.settle_by_one()
            return
        self.ledger.state.deaths += 1
        if hand.state == "trusted":
            began = [index for index in hand.begun if self.ledger.lacks(index)]
            known = blamed and (began or not hand.begun)
            aside = self.ledger.schedule.died(worker, began if known else None)
            self.ledger.set_aside(aside, f"set aside: its workers die ({why})")

    def forget(self, worker: str) -> None:
        """Count on a worker no more; what it still enters in its part is read at the end."""
        hand = self.hands.pop(worker, None)
        if hand is not None:
            self.gone.append(hand.reader)

    def read_all(self) -> None:
        """Read all parts; the more workers, the seldomer."""
        if time.monotonic() - self.read_at >= max(0.25, len(self.hands) / 100):
            self.read_at = time.monotonic()
            self.read([hand.reader for hand in self.hands.values()])

    def read(self, readers: Sequence[parts.Reader]) -> None:
        """Enter what is new in these parts, and note which batches are begun and finished."""
        if self.ledger is None:
            return
        hands = {id(hand.reader): (name, hand) for name, hand in self.hands.items()}
        rows = []
        for reader in readers:
            name, hand = hands.get(id(reader), ("", None))
            for row in reader.new():
                rows.append((name, row))
                if hand is not None:
                    hand.heard = time.monotonic()
                    if "begun" in row:
                        hand.begun.append(row["begun"])
                        self.ledger.schedule.begun(name)
        if self.ledger.enter(rows):
            self.in_a_row = 0

    def end_what_hangs(self) -> None:
        """Kill workers that have given no sign of life for far longer than their work takes."""
        now = time.monotonic()
        for name, hand in list(self.hands.items()):
            idle = hand.state == "waiting" or (hand.state == "trusted" and hand.share is None)
            if not idle and now - hand.heard > self.patience(hand):
                self.crew.dismiss(name, for_good=False)
                self.lose(name, f"no sign of life for {now - hand.heard:.0f} s")

    def patience(self, hand: _Hand) -> float:
        """Return how long a worker may say nothing: 20 times what its batch should take.

        Who settles or finishes a work may read every picture of it: nobody knows how long that takes.
        """
        if hand.state in {"settling", "finishing"}:
            return float("inf")
        if hand.share is None or self.ledger is None:
            return HUNG
        expected = self.ledger.schedule.seconds_of(hand.share.batches[0])
        return max(HUNG, 20 * expected) if expected is not None else float("inf")

    def stop_without_workers(self) -> None:
        """Stop where nobody is left to work; set aside what nobody can load."""
        ledger = self.ledger
        if self.crew.coming() or self.is_over():
            return
        if not self.hands:
            why = self.last_trouble or "none could be started"
            raise WorkError(f"no worker is left ({why}); what was finished is kept, run again")
        idle = all(hand.state == "trusted" and hand.share is None for hand in self.hands.values())
        if ledger is not None and idle:
            for model, lost in groupby(ledger.schedule.stranded(), ledger.model_of):
                ledger.set_aside(lost, self.unloadable.get(model, "no worker can load its model"))

    def end(self) -> None:
        """Let the workers end their shares and put their models away: so it is known how fast they were."""
        until = time.monotonic() + 60
        while any(hand.share for hand in self.hands.values()) and time.monotonic() < until:
            self.turn()
        waiting = {name for name, hand in self.hands.items() if hand.state == "trusted"}
        for name in waiting:
            self.ask(name, "end")
        while waiting and time.monotonic() < until:
            waiting -= {news.worker for news in self.crew.news(0.25)}
        self.read([hand.reader for hand in self.hands.values()])

    def places(self) -> dict[str, str]:
        """Say of each worker where it is and what it does."""
        return {
            name: f"{hand.host}: {share_line(hand.share) if hand.share else hand.state}"
            for name, hand in self.hands.items()
        }

    def settled(self) -> Ledger:
        """Return the ledger, which there is once the run is settled."""
        if self.ledger is None:
            msg = "the run is not settled yet"
            raise RuntimeError(msg)
        return self.ledger

    def say(self, text: str) -> None:
        """Print a line for people."""
        if self.view is not None:
            self.view.say(text)
        else:
            say(text)


@contextmanager
def _closed(driver: _Driver) -> Iterator[None]:
    """End the workers whatever happens, and enter what they finished before."""
    try:
        yield
    finally:
        driver.crew.close()
        driver.read([*driver.gone, *(hand.reader for hand in driver.hands.values())])
        parts.gather(driver.folder)
        driver.marker.unlink(missing_ok=True)


def _as_raised(content: Mapping[str, Any]) -> PinluError:
    """Return the error that a worker met, as if it had been met here."""
    kind = getattr(errors, content["kind"], WorkError)
    error: PinluError = kind(content["error"])
    return error
