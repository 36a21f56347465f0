"""The scheduler: every batch exactly once, whatever dies; few loads; long batches first."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.crew.scheduling import DEATHS, LOADS, Estimate, Schedule, Share, Task
from benchmarks.scheduling import GOALS, compared


def tasks_of(**counts: int) -> list[Task]:
    models = [model for model, count in counts.items() for _ in range(count)]
    return [Task(index, model) for index, model in enumerate(models)]


def started(schedule: Schedule, *workers: str) -> list[Share]:
    for worker in workers:
        schedule.add(worker)
    return list(iter(schedule.next, None))


def finish(schedule: Schedule, share: Share, seconds: float = 0.0) -> None:
    for index in share.batches:
        schedule.done(share.worker, index, seconds)
    schedule.ended(share.worker)


def test_a_worker_goes_on_with_the_model_it_has_loaded() -> None:
    schedule = Schedule(
        tasks_of(a=40, b=200), {"a": Estimate(1, 5), "b": Estimate(1, 5)}, quantum=1
    )
    (share,) = started(schedule, "w")
    models = [share.model]
    while schedule.unfinished:
        finish(schedule, share)
        share = schedule.next() or share
        models.append(share.model)
    assert models == sorted(models, key=models.index)  # no model comes twice
    assert models[0] == "b"


def test_long_batches_are_started_first_and_the_last_model_is_split() -> None:
    tasks = [*tasks_of(pictures=50), *[Task(50 + n, "clips", 1 + n % 2) for n in range(4)]]
    schedule = Schedule(tasks, {"pictures": Estimate(1.0), "clips": Estimate(1000.0)})
    shares = started(schedule, *"abcdef")
    assert [share.batches for share in shares if share.model == "clips"] == [
        (51,), (53,), (50,), (52,),
    ]  # fmt: skip
    assert [share.model for share in shares].count("pictures") == 2


def test_a_worker_does_not_load_for_what_others_will_have_done_by_then() -> None:
    schedule = Schedule(tasks_of(a=30), {"a": Estimate(1.0, 60.0)})
    assert [share.worker for share in started(schedule, "x", "y")] == ["x"]
    schedule.died("x", None)
    again = schedule.next()
    assert again is not None
    assert again.worker == "y"


def test_short_batches_are_given_several_at_once_never_more_than_half_a_part() -> None:
    schedule = Schedule(tasks_of(a=100), {"a": Estimate(0.5)})
    assert [len(share.batches) for share in started(schedule, "x", "y")] == [40, 30 // 2]
    unknown = Schedule(tasks_of(a=100))
    (share,) = started(unknown, "x")
    assert len(share.batches) == 1  # nothing is known yet
    finish(unknown, share, 0.1)
    share = unknown.next() or share
    assert len(share.batches) == 49


def test_a_batch_that_kills_its_worker_twice_is_set_aside_and_the_rest_goes_on() -> None:
    schedule = Schedule(tasks_of(a=10), {"a": Estimate(1.0)})
    aside: list[int] = []
    made: Counter[int] = Counter()
    number = 0
    while schedule.unfinished:
        worker = f"w{number}"
        number += 1
        schedule.add(worker)
        while share := schedule.next():
            began = list(share.batches[: share.batches.index(7) + 1]) if 7 in share.batches else []
            if began:  # batch 7 kills, with up to two before it still on their way to the disk
                for index in began[:-3]:
                    made[index] += 1
                    schedule.done(worker, index)
                aside += schedule.died(worker, began[-3:])
                break
            made.update(share.batches)
            finish(schedule, share)
    assert aside == [7]
    assert number == 1 + DEATHS
    assert made == Counter(set(range(10)) - {7})


def test_a_model_that_does_not_load_here_is_left_to_others() -> None:
    schedule = Schedule(tasks_of(bad=3, good=2), {"bad": Estimate(9.0), "good": Estimate(1.0)})
    first = started(schedule, "x", "y")
    assert {share.model for share in first} == {"bad"}
    schedule.cannot_load("x")
    (other,) = iter(schedule.next, None)
    assert (other.worker, other.model) == ("x", "good")
    finish(schedule, other)
    finish(schedule, first[1])
    while share := schedule.next():
        assert (share.worker, share.model) in {("x", "good"), ("y", "bad")}
        finish(schedule, share)
    assert schedule.unfinished == 0


def test_a_model_over_which_workers_die_loading_is_set_aside() -> None:
    schedule = Schedule(tasks_of(bad=3), {"bad": Estimate(9.0)})
    aside = []
    for number in range(LOADS):
        started(schedule, f"w{number}")
        aside.append(schedule.died(f"w{number}", []))
    assert aside == [[], [], [0, 1, 2]]
    assert schedule.unfinished == 0


def test_what_no_worker_can_load_is_found_stranded() -> None:
    schedule = Schedule(tasks_of(a=2), {})
    started(schedule, "x", "y")
    schedule.cannot_load("x")
    schedule.died("y", None)
    assert schedule.next() is None
    assert schedule.stranded() == [0, 1]
    assert schedule.unfinished == 0


def test_a_worker_is_added_once() -> None:
    schedule = Schedule([])
    schedule.add("x")
    with pytest.raises(ValueError, match="there already"):
        schedule.add("x")


class Chaos:
    """Workers that come, work and die as events say; holds the schedule to its word at each step."""

    def __init__(self, tasks: list[Task], estimates: dict[str, Estimate]) -> None:
        self.schedule = Schedule(tasks, estimates)
        self.model_of = {task.index: task.model for task in tasks}
        self.finished: Counter[int] = Counter()
        self.aside: Counter[int] = Counter()
        self.deaths: Counter[int] = Counter()
        self.unloadable: Counter[str] = Counter()
        self.held: dict[str, list[int]] = {}
        self.added = 0

    def give(self) -> None:
        while share := self.schedule.next():
            assert not self.held[share.worker]
            in_hands = {index for some in self.held.values() for index in some}
            assert not (in_hands | self.finished.keys() | self.aside.keys()) & set(share.batches)
            assert {self.model_of[index] for index in share.batches} == {share.model}
            self.held[share.worker] = list(share.batches)

    def add(self) -> None:
        self.added += 1
        self.schedule.add(f"w{self.added}")
        self.held[f"w{self.added}"] = []

    def done(self, worker: str) -> None:
        self.finished[self.held[worker][0]] += 1
        self.schedule.done(worker, self.held[worker].pop(0), 1.0 + self.added % 3)
        if not self.held[worker]:
            self.schedule.ended(worker)

    def end(self, worker: str) -> None:
        self.schedule.ended(worker)
        self.held[worker] = []

    def die(self, worker: str) -> None:
        began = self.held.pop(worker)[:1]
        self.deaths.update(began)
        self.aside.update(self.schedule.died(worker, began))

    def lost(self, worker: str) -> None:
        del self.held[worker]
        assert self.schedule.died(worker, None) == []

    def unable(self, worker: str) -> None:
        self.unloadable[self.model_of[self.held[worker][0]]] += 1
        self.schedule.cannot_load(worker)
        self.held[worker] = []


@settings(max_examples=200, deadline=None)
@given(
    counts=st.lists(st.integers(1, 12), min_size=1, max_size=5),
    costs=st.lists(st.floats(0.5, 20), min_size=1, max_size=7),
    loads=st.lists(st.floats(0, 50), min_size=1, max_size=5),
    events=st.lists(
        st.tuples(
            st.sampled_from(["add", "done", "done", "done", "end", "die", "lost", "unable"]),
            st.integers(0, 10**6),
        ),
        max_size=120,
    ),
)
def test_every_batch_is_made_exactly_once_or_set_aside_whatever_dies(
    counts: list[int], costs: list[float], loads: list[float], events: list[tuple[str, int]]
) -> None:
    tasks = [
        Task(task.index, task.model, costs[task.index % len(costs)])
        for task in tasks_of(**{f"m{n}": count for n, count in enumerate(counts)})
    ]
    chaos = Chaos(tasks, {f"m{n}": Estimate(1.0, load) for n, load in enumerate(loads)})
    for what, chance in [*events, ("add", 0)]:
        busy = sorted(worker for worker, some in chaos.held.items() if some)
        if what == "add":
            chaos.add()
        elif busy:
            getattr(chaos, what)(busy[chance % len(busy)])
        chaos.give()
    while busy := [worker for worker, some in chaos.held.items() if some]:
        chaos.done(busy[0])
        chaos.give()
    chaos.aside.update(chaos.schedule.stranded())
    assert chaos.schedule.unfinished == 0
    assert max([*chaos.finished.values(), *chaos.aside.values()]) == 1
    assert chaos.finished.keys() | chaos.aside.keys() == {task.index for task in tasks}
    assert not chaos.finished.keys() & chaos.aside.keys()
    for index in chaos.aside:
        assert chaos.deaths[index] >= DEATHS or chaos.unloadable[tasks[index].model]


@given(st.integers(1, 40), st.integers(1, 6))
def test_what_is_left_comes_to_nothing(count: int, workers: int) -> None:
    schedule = Schedule(tasks_of(a=count, b=count), {"a": Estimate(2.0), "b": Estimate(3.0)})
    shares = started(schedule, *map(str, range(workers)))
    assert schedule.seconds_left() == pytest.approx(5.0 * count / workers)
    while shares:
        finish(schedule, shares.pop())
        shares += list(iter(schedule.next, None))
    assert schedule.seconds_left() == 0.0
    assert schedule.unfinished == 0


@pytest.mark.parametrize("workers", GOALS)
def test_twelve_models_take_little_more_than_the_shortest_time_possible(workers: int) -> None:
    found = compared(workers, seed=0)
    assert found["scheduler"] <= GOALS[workers]
    assert found["scheduler"] <= min(found["round_robin"], found["queue"])
    if workers == 8:
        assert found["loads_per_model_and_worker"] <= 1.2
