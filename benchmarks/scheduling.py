"""How near the scheduler comes to the shortest time possible, under a virtual clock.

    python benchmarks/scheduling.py [--seed N] [--workers 8,64,512]

The very code that schedules (`bench.crew.scheduling`) hands out twelve models: eight for pictures, 500
prompts × 4 seeds × 2 languages in batches of 8, and four for clips, 3,200 each, one at a time. Load
and batch times are of the order of published ones (SD 1.5 at 0.8 s a picture, Qwen-Image at 20, Wan
14B at 486 s a clip, HunyuanVideo at 1,900). The scheduler is told times that are off by up to 30 %,
each batch varies by 5 %; every worker dies once in 100 hours on average, loses what it has in hand,
and is back, probed, after two minutes.

The lower bound is the larger of all work (each model loaded once) over the workers, and the longest
chain (one load, one batch); nothing that dies is in it. Two others work off the same, in turn:
round-robin deals the batches out in the plan's order, batch i to worker i mod n, and a plain queue
gives the next batch to whoever is idle; both load a model whenever theirs is another.

Then 100,000 batches of 50 ms are scheduled, for the time an event takes and the memory of the process.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import resource
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.crew.scheduling import Estimate, Schedule, Share, Task

HOUR = 3600.0
BACK_AFTER = 120.0
"""Seconds until the place of a worker that died has a probed one again."""

MODELS = {
    # load seconds, seconds per batch, batches
    "sd-1.5": (8, 8 * 0.8, 500),
    "sdxl": (15, 8 * 1.1, 500),
    "pixart-sigma": (25, 8 * 1.0, 500),
    "kolors": (30, 8 * 1.3, 500),
    "z-image": (30, 8 * 2.0, 500),
    "hunyuan-dit": (25, 8 * 3.0, 500),
    "flux.1-dev": (70, 8 * 4.2, 500),
    "qwen-image": (90, 8 * 20.0, 500),
    "cogvideox-5b": (45, 88.0, 3200),
    "wan-1.3b": (40, 90.0, 3200),
    "wan-14b": (100, 486.0, 3200),
    "hunyuan-video": (110, 1900.0, 3200),
}
GOALS = {8: 1.05, 64: 1.05, 512: 1.15}


@dataclass
class Played:
    """What came out: the time at which the last batch was done, and what it took."""

    makespan: float = 0.0
    loads: int = 0
    pairs: set[tuple[str, str]] = field(default_factory=set)
    deaths: int = 0
    aside: int = 0
    done: int = 0


class Dealt:
    """Batches in the plan's order: one queue for all, or one for each worker."""

    def __init__(self, tasks: list[Task], workers: list[str], *, robin: bool) -> None:
        count = len(workers) if robin else 1
        self.queues = [deque(tasks[start::count]) for start in range(count)]
        self.place = {name: number % count for number, name in enumerate(workers)}
        self.unfinished = len(tasks)
        self.idle: deque[str] = deque()
        self.held: dict[str, Task] = {}

    def add(self, worker: str) -> None:
        self.idle.append(worker)

    def next(self) -> Share | None:
        for _ in range(len(self.idle)):
            worker = self.idle.popleft()
            queue = self.queues[self.place[place_of(worker)]]
            if queue:
                task = self.held[worker] = queue.popleft()
                return Share(worker, task.model, (task.index,))
        return None

    def loaded(self, worker: str, seconds: float) -> None: ...

    def done(self, worker: str, batch: int, seconds: float) -> None:
        assert self.held.pop(worker).index == batch and seconds  # noqa: PT018, S101
        self.unfinished -= 1

    def ended(self, worker: str) -> None:
        self.idle.append(worker)

    def died(self, worker: str, began: object) -> list[int]:
        del began
        if worker in self.held:
            self.queues[self.place[place_of(worker)]].appendleft(self.held.pop(worker))
        elif worker in self.idle:
            self.idle.remove(worker)
        return []


class Play:
    """Workers at work under a virtual clock, until nothing is left."""

    def __init__(
        self, schedule: Schedule | Dealt, seconds: dict[int, float], chance: random.Random
    ) -> None:
        self.schedule, self.seconds, self.chance = schedule, seconds, chance
        self.played = Played()
        self.clock: list[tuple[float, int, str, Callable[[float], None]]] = []
        self.order = 0
        self.loaded: dict[str, str] = {}
        self.began: dict[str, list[int]] = {}
        self.alive: set[str] = set()

    def run(self, workers: list[str]) -> Played:
        for name in workers:
            self.come(name, 0.0)
        now = 0.0
        while self.schedule.unfinished:
            while (share := self.schedule.next()) is not None:
                self.start(share, now)
            now, _, name, act = heapq.heappop(self.clock)
            if not name or name in self.alive:
                act(now)
        return self.played

    def later(self, when: float, what: str, act: Callable[[float], None]) -> None:
        self.order += 1
        heapq.heappush(self.clock, (when, self.order, what, act))

    def come(self, name: str, now: float) -> None:
        self.alive.add(name)
        self.schedule.add(name)
        when = now + self.chance.expovariate(1 / (100 * HOUR))
        self.later(when, name, lambda at: self.die(name, at))

    def die(self, name: str, now: float) -> None:
        self.played.deaths += 1
        self.alive.discard(name)
        self.played.aside += len(self.schedule.died(name, self.began.pop(name, None)))
        place, _, number = name.partition("#")
        again = f"{place}#{int(number or 0) + 1}"
        self.later(now + BACK_AFTER, "", lambda at: self.come(again, at))

    def start(self, share: Share, now: float) -> None:
        if self.loaded.get(share.worker) == share.model:
            self.step(share, 0, now)
            return
        load = MODELS[share.model][0] if share.model in MODELS else 1.0
        self.played.loads += 1
        self.played.pairs.add((place_of(share.worker), share.model))
        self.loaded[share.worker] = share.model
        self.began[share.worker] = []

        def ready(then: float) -> None:
            self.schedule.loaded(share.worker, load)
            self.step(share, 0, then)

        self.later(now + load, share.worker, ready)

    def step(self, share: Share, at: int, now: float) -> None:
        if at:
            index = share.batches[at - 1]
            self.schedule.done(share.worker, index, self.seconds[index])
            self.played.done += 1
            self.played.makespan = max(self.played.makespan, now)
        if at == len(share.batches):
            self.began.pop(share.worker, None)
            self.schedule.ended(share.worker)
            return
        self.began[share.worker] = [share.batches[at]]
        when = now + self.seconds[share.batches[at]]
        self.later(when, share.worker, lambda then: self.step(share, at + 1, then))


def place_of(worker: str) -> str:
    """Return the place of a worker: whoever comes after it died has its place."""
    return worker.partition("#")[0]


def twelve_models(
    chance: random.Random,
) -> tuple[list[Task], dict[int, float], dict[str, Estimate]]:
    tasks: list[Task] = []
    seconds: dict[int, float] = {}
    estimates = {}
    for model, (load, each, count) in MODELS.items():
        told = each * chance.uniform(0.7, 1.3)
        estimates[model] = Estimate(told, load * chance.uniform(0.7, 1.3))
        for _ in range(count):
            seconds[len(tasks)] = each * chance.uniform(0.95, 1.05)
            tasks.append(Task(len(tasks), model))
    return tasks, seconds, estimates


def lower_bound(tasks: list[Task], seconds: dict[int, float], workers: int) -> float:
    work = sum(seconds.values()) + sum(load for load, _, _ in MODELS.values())
    chain = max(MODELS[task.model][0] + seconds[task.index] for task in tasks)
    return max(work / workers, chain)


def compared(workers: int, seed: int) -> dict[str, float]:
    tasks, seconds, estimates = twelve_models(random.Random(seed))  # noqa: S311
    names = [f"w{number}" for number in range(workers)]
    bound = lower_bound(tasks, seconds, workers)
    found: dict[str, float] = {"workers": workers, "lower_bound_hours": bound / HOUR}
    ways: dict[str, Callable[[], Schedule | Dealt]] = {
        "scheduler": lambda: Schedule(tasks, estimates),
        "round_robin": lambda: Dealt(tasks, names, robin=True),
        "queue": lambda: Dealt(tasks, names, robin=False),
    }
    for way, make in ways.items():
        played = Play(make(), seconds, random.Random(seed + 1)).run(names)  # noqa: S311
        if played.done + played.aside != len(tasks):
            raise SystemExit(f"{way} finished {played.done} of {len(tasks)} batches")
        found[way] = played.makespan / bound
        if way == "scheduler":
            found["loads_per_model_and_worker"] = played.loads / (len(MODELS) * workers)
            found["loads_per_pair"] = played.loads / len(played.pairs)
            found |= {"deaths": played.deaths, "set_aside": played.aside}
        else:
            found[f"{way}_loads"] = played.loads / (len(MODELS) * workers)
    return found


def many(count: int) -> dict[str, float]:
    """Schedule so many batches of 50 ms on 64 workers; return microseconds an event, and memory."""
    tasks = [Task(index, f"m{index * 12 // count}") for index in range(count)]
    seconds = dict.fromkeys(range(count), 0.05)
    began = time.perf_counter()
    schedule = Schedule(tasks, {f"m{number}": Estimate(0.05, 1.0) for number in range(12)})
    play = Play(schedule, seconds, random.Random(0))  # noqa: S311
    played = play.run([f"w{number}" for number in range(64)])
    taken = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"batches": played.done, "microseconds": 1e6 * taken / count, "mebibytes": memory}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", default="8,64,512")
    options = parser.parse_args()
    ten, hundred = many(10_000), many(100_000)
    rows = []
    for workers in map(int, options.workers.split(",")):
        row = compared(workers, options.seed)
        rows.append(row)
        print(
            "{workers:>4} workers: {scheduler:.3f} × the lower bound of {lower_bound_hours:.1f} h, "
            "round-robin {round_robin:.3f}, a plain queue {queue:.3f}; "
            "{loads_per_model_and_worker:.2f} loads per model and worker, {loads_per_pair:.2f} per "
            "model and worker that had it; {deaths} deaths, {set_aside} set aside".format(**row)
        )
    print(
        f"100,000 batches: {hundred['microseconds']:.0f} µs a batch with the clock's own, "
        f"{hundred['microseconds'] / ten['microseconds']:.2f} × that of 10,000; "
        f"{hundred['mebibytes']:.0f} MiB"
    )
    good = all(row["scheduler"] <= GOALS.get(int(row["workers"]), 1.15) for row in rows)
    good &= all(row["loads_per_model_and_worker"] <= 1.2 for row in rows if row["workers"] == 8)
    print(json.dumps({"simulation": rows, "many": [ten, hundred], "goals_met": good}))


if __name__ == "__main__":
    main()
