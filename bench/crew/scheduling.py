"""Which worker does what next: model by model, long batches first, whatever dies.

Pure: no clock, no files, no processes. The engines and the simulation in `benchmarks/scheduling.py`
run this same code. An event costs O(log batches + models).

The rules, and why:
- a worker goes on with the model it has loaded, since loading costs a minute;
- a worker without work takes a model of which it will make enough to be worth the load, and among
  these the one with most left for each of its workers, models of long batches well before others:
  so short batches fill the gaps at the end, and a long one that died is made again beside them;
- when no model is worth it any more the last ones are split over whoever is idle, unless the workers
  at hand would be through before another has loaded;
- it is given several short batches at once, never more than half of its part of what is left;
- batches whose worker died are made again one at a time; one that kills its worker again, alone, is
  set aside, and the rest goes on.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

QUANTUM = 20.0
"""Seconds of work that a worker is given at once, where batches are short."""

DEATHS = 2
"""Workers that one batch may cost, before it is set aside."""

WORTH = 4
"""A model is begun by so many workers that each works this many times as long as it loads."""

EARLY = 20
"""So many of its longest batches are added to what is left of a model, in choosing the next one."""

LOADS = 3
"""Workers that a model may cost while they load it, before it is set aside."""


@dataclass(frozen=True, slots=True)
class Task:
    """One batch to be made: its index in the plan, and its cost relative to its model's others."""

    index: int
    model: str
    cost: float = 1.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is expected of a model before anything is measured: seconds per unit of cost, to load.

    None: not known. Then it is given out batch by batch until one has been measured.
    """

    seconds: float | None = None
    load_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Share:
    """What one worker is given at once: batches of one model, by index."""

    worker: str
    model: str
    batches: tuple[int, ...]


@dataclass(slots=True)
class _Model:
    seconds: float | None
    load_seconds: float
    pending: list[tuple[float, int]] = field(default_factory=list)
    """A heap of (−cost, index): the longest batch first, then in the plan's order."""
    alone: list[int] = field(default_factory=list)
    """Batches whose worker died: made again one at a time."""
    cost_left: float = 0.0
    workers: int = 0
    idle: dict[str, None] = field(default_factory=dict)
    spent: float = 0.0
    measured: float = 0.0
    unloadable: int = 0

    def rate(self) -> float:
        return self.spent / self.measured if self.measured else self.seconds or 1.0

    def left(self) -> float:
        return self.cost_left * self.rate()

    def longest(self, costs: Mapping[int, float]) -> float:
        cost = max((costs[index] for index in self.alone), default=0.0)
        return max(cost, -self.pending[0][0] if self.pending else 0.0) * self.rate()


@dataclass(slots=True)
class _Worker:
    model: str = ""
    in_hand: dict[int, None] = field(default_factory=dict)
    barred: set[str] = field(default_factory=set)


class Schedule:
    """What is to be done, what is being done, and by whom. Call it from one thread.

    A worker that was added is idle until `next` gives it a share; it is idle again after `ended`.
    Whoever calls adds a worker only when it has answered a probe.
    """

    def __init__(
        self,
        tasks: Iterable[Task],
        estimates: Mapping[str, Estimate] | None = None,
        *,
        quantum: float = QUANTUM,
        deaths: int = DEATHS,
    ) -> None:
        """Take what is to be done; `estimates` by model id, where there are any."""
        self._models: dict[str, _Model] = {}
        self._costs: dict[int, float] = {}
        self._model_of: dict[int, str] = {}
        self._deaths: dict[int, int] = {}
        self._workers: dict[str, _Worker] = {}
        self._fresh: dict[str, None] = {}
        """Idle workers that have no model loaded."""
        self._quantum, self._most_deaths = quantum, deaths
        self.unfinished = 0
        """Batches neither done nor set aside."""
        for task in tasks:
            if task.model not in self._models:
                known = (estimates or {}).get(task.model, Estimate())
                self._models[task.model] = _Model(known.seconds, known.load_seconds)
            model = self._models[task.model]
            model.pending.append((-task.cost, task.index))
            model.cost_left += task.cost
            self._costs[task.index] = task.cost
            self._model_of[task.index] = task.model
            self.unfinished += 1
        for model in self._models.values():
            heapq.heapify(model.pending)

    def add(self, worker: str) -> None:
        """Take in a worker that answers: it has loaded nothing and waits for work."""
        if worker in self._workers:
            msg = f"worker {worker!r} is there already"
            raise ValueError(msg)
        self._workers[worker] = _Worker()
        self._fresh[worker] = None

    def next(self) -> Share | None:
        """Return a share for one of the idle workers; None when none of them is to do anything."""
        for name, model in self._models.items():
            if model.idle and self._waits(model):
                return self._give(next(iter(model.idle)), name)
        if not self._fresh and not any(model.idle for model in self._models.values()):
            return None
        open_ = [name for name, model in self._models.items() if self._worth_joining(model)]
        for name in sorted(open_, key=self._urgency, reverse=True):
            worker = self._idle_for(name)
            if worker is not None:
                return self._give(worker, name)
        return None

    def begun(self, worker: str) -> None:
        """Note that a worker has begun a batch: its model loads."""
        model = self._models.get(self._workers[worker].model)
        if model:
            model.unloadable = 0

    def loaded(self, worker: str, seconds: float) -> None:
        """Note how long a worker took to load its model."""
        model = self._models.get(self._workers[worker].model)
        if model:
            model.load_seconds = seconds

    def done(self, worker: str, batch: int, seconds: float = 0.0) -> None:
        """Note a finished batch: its outputs are whole, or its failure is entered.

        `seconds` is how long it took; 0 where that is not known.
        """
        held = self._workers[worker].in_hand
        if batch not in held:
            return
        del held[batch]
        self.unfinished -= 1
        if seconds > 0:
            model = self._models[self._model_of[batch]]
            model.spent += seconds
            model.measured += self._costs[batch]

    def ended(self, worker: str) -> None:
        """Take a worker back when its share has ended; what it did not finish waits again."""
        state = self._workers[worker]
        self._return(state.in_hand)
        state.in_hand.clear()
        model = self._models[state.model]
        model.workers -= 1
        model.idle[worker] = None

    def died(self, worker: str, began: Sequence[int] | None = None) -> list[int]:
        """Strike off a worker that died, hung or is not trusted any more.

        Args:
            worker: its name.
            began: the batches it had begun and not finished; empty: it died before its first,
                while it loaded the model; None: it died of something else, and nothing is blamed.

        Returns:
            The batches that are set aside: they are not given out again.
        """
        state = self._workers.pop(worker)
        self._fresh.pop(worker, None)
        model = self._models.get(state.model)
        if model is None:
            return []
        model.idle.pop(worker, None)
        held = list(state.in_hand)
        if not held:
            return []
        model.workers -= 1
        if began is not None and not began:
            self._return(held)
            return self._died_loading(model)
        blamed = [index for index in held if index in set(began or ())]
        self._return(index for index in held if index not in blamed)
        aside = []
        for index in blamed:
            # several at once: nobody knows which of them it was
            self._deaths[index] = self._deaths.get(index, 0) + 1
            if self._deaths[index] >= self._most_deaths and len(held) == 1:
                aside.append(index)
            else:
                self._return([index])
        self.unfinished -= len(aside)
        return aside

    def cannot_load(self, worker: str) -> None:
        """Take back a worker on which its model does not load; others may be able to.

        Where none is, `stranded` says so in the end: a node without the files must not decide.
        """
        state = self._workers[worker]
        model = self._models[state.model]
        self._return(state.in_hand)
        state.in_hand.clear()
        state.barred.add(state.model)
        state.model = ""
        model.workers -= 1
        self._fresh[worker] = None

    def stranded(self) -> list[int]:
        """Set aside what waits for a model that no worker can load, and return it.

        To be asked when no worker is at work, none is about to come, and `next` gives nothing.
        """
        return sorted(index for model in self._models.values() for index in self._aside(model))

    def doing(self, worker: str) -> tuple[str, list[int]]:
        """Return a worker's model ("" for none) and the batches it has in hand."""
        state = self._workers[worker]
        return state.model, list(state.in_hand)

    def models(self) -> list[str]:
        """Return the models of which there was anything to do."""
        return list(self._models)

    def workers_on(self, model: str) -> int:
        """Return how many workers are at work on a model."""
        return self._models[model].workers

    def waiting(self, model: str) -> int:
        """Return how many batches of a model nobody has in hand."""
        return len(self._models[model].pending) + len(self._models[model].alone)

    def seconds_left(self) -> float:
        """Estimate the seconds until all is done, with the workers there are."""
        held = sum(
            self._costs[index] * self._models[state.model].rate()
            for state in self._workers.values()
            for index in state.in_hand
        )
        pending = sum(model.left() for model in self._models.values())
        return (pending + held) / max(1, len(self._workers))

    def seconds_of(self, batch: int) -> float | None:
        """Return how long a batch should take; None where nothing like it was measured."""
        model = self._models[self._model_of[batch]]
        known = model.measured or model.seconds
        return self._costs[batch] * model.rate() if known else None

    def _waits(self, model: _Model) -> bool:
        return bool(model.pending or model.alone)

    def _worth_joining(self, model: _Model) -> bool:
        return self._waits(model) and (
            not model.workers or model.left() / model.workers >= model.load_seconds
        )

    def _urgency(self, name: str) -> tuple[bool, float]:
        model = self._models[name]
        enough = model.left() / (model.workers + 1) >= WORTH * model.load_seconds
        return enough, model.left() / (model.workers + 1) + EARLY * model.longest(self._costs)

    def _idle_for(self, name: str) -> str | None:
        """Return an idle worker that may load a model: one without a model first."""
        pools = [self._fresh, *(model.idle for model in self._models.values())]
        for pool in pools:
            for worker in pool:
                if name not in self._workers[worker].barred:
                    return worker
        return None

    def _give(self, worker: str, name: str) -> Share:
        state, model = self._workers[worker], self._models[name]
        self._fresh.pop(worker, None)
        if state.model:
            self._models[state.model].idle.pop(worker, None)
        state.model = name
        model.workers += 1
        batches = [model.alone.pop()] if model.alone else self._taken(model)
        for index in batches:
            model.cost_left -= self._costs[index]
        if not self._waits(model):
            model.cost_left = 0.0  # what rounding left
        state.in_hand.update(dict.fromkeys(batches))
        return Share(worker, name, tuple(batches))

    def _taken(self, model: _Model) -> list[int]:
        most = min(self._quantum, model.left() / (2 * model.workers))
        if not model.measured and not model.seconds:
            most = 0.0
        batches, seconds = [heapq.heappop(model.pending)[1]], 0.0
        seconds = self._costs[batches[0]] * model.rate()
        while model.pending and seconds - model.pending[0][0] * model.rate() <= most:
            cost, index = heapq.heappop(model.pending)
            batches.append(index)
            seconds -= cost * model.rate()
        return batches

    def _return(self, batches: Iterable[int]) -> None:
        for index in batches:
            model = self._models[self._model_of[index]]
            model.cost_left += self._costs[index]
            if index in self._deaths:
                model.alone.append(index)
            else:
                heapq.heappush(model.pending, (-self._costs[index], index))

    def _died_loading(self, model: _Model) -> list[int]:
        model.unloadable += 1
        if model.unloadable < LOADS:
            return []
        return sorted(self._aside(model))

    def _aside(self, model: _Model) -> list[int]:
        aside = [index for _, index in model.pending] + model.alone
        model.pending, model.alone, model.cost_left = [], [], 0.0
        self.unfinished -= len(aside)
        return aside
