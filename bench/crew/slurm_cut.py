"""Cutting what is left into Slurm's tasks: the scheduler of the other engines, played forward."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import replace

from bench.crew.scheduling import Estimate, Schedule, Share, Task


def cut(
    tasks: Iterable[Task], estimates: Mapping[str, Estimate], *, workers: int, seconds: float
) -> list[Share]:
    """Cut batches into stretches of one model, as so many workers would do them one after another.

    The scheduler is played forward under a virtual clock.

    Args:
        tasks: the batches.
        estimates: what is expected of each model, by id.
        workers: how many work at once.
        seconds: how long a stretch may take at most; a single batch may take longer.

    Returns:
        The stretches in the order in which they begin.
    """
    schedule = Schedule(tasks, estimates)
    for number in range(workers):
        schedule.add(str(number))
    clock: list[tuple[float, str, Share]] = []
    open_: dict[str, tuple[Share, float]] = {}
    stretches: list[tuple[float, Share]] = []
    now = 0.0
    while True:
        while (share := schedule.next()) is not None:
            taken = sum(schedule.seconds_of(index) or 1.0 for index in share.batches)
            begun, until = open_.get(share.worker, (None, 0.0))
            if begun and begun.model == share.model and until + taken <= seconds:
                share = replace(share, batches=begun.batches + share.batches)
                taken_whole = until + taken
                at = next(n for n, (_, one) in enumerate(stretches) if one is begun)
                stretches[at] = (stretches[at][0], share)
            else:
                taken_whole = taken
                stretches.append((now, share))
            open_[share.worker] = (share, taken_whole)
            heapq.heappush(clock, (now + taken, share.worker, share))
        if not clock:
            return [share for _, share in stretches]
        now, worker, share = heapq.heappop(clock)
        for index in share.batches:
            schedule.done(worker, index)
        schedule.ended(worker)
