"""Workers as Ray Core actors: one for each GPU, or for each of several GPUs, or for CPU slots.

Resume belongs to the run, not to Ray: actors neither restart nor try again by themselves.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.children import IDLE_THREADS
from bench.crew.crews import News
from bench.errors import RequestError

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told that Pinlu runs
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

ANSWER_WITHIN = 5.0
"""Seconds within which an address must take a connection."""

COUNTED_EVERY = 2.0
"""Seconds between two looks at how large the cluster is: nodes come and go."""


class RayCrew:
    """One actor per place of the cluster, at most `workers`.

    `gpus` is the number of GPUs of each; None: one each where the cluster has any, else none.
    """

    def __init__(
        self, address: str | None, workers: int | None, gpus: float | None, logs: Path
    ) -> None:
        """Join the cluster at `address`; without one that of RAY_ADDRESS, or one on this host.

        Raises:
            RequestError: nobody answers there, or it has no such places.
        """
        del logs  # Ray keeps those of its workers
        self._ray = joined(address)
        self._most, self._gpus = workers, gpus
        self._actors: dict[str, Any] = {}
        self._asked: dict[Any, str] = {}
        self._came: set[str] = set()
        self._refused = 0
        self._counted = (float("-inf"), 0)
        self._here = uuid.uuid4().hex[:6]
        self._hired = 0
        if not self.places():
            what = self._ray.cluster_resources()
            self.close()
            raise RequestError(
                f"the Ray cluster has no place for a worker with {gpus or 0:g} GPUs: it has "
                f"{what.get('GPU', 0):g} GPUs and {what.get('CPU', 0):g} CPUs"
            )

    def hire(self) -> None:
        """Have an actor for every place; those that find none any more are given up."""
        places = self.places() - self._refused
        waiting = [name for name in self._actors if name not in self._came]
        for name in waiting[: max(0, len(self._actors) - places)]:
            self.dismiss(name, for_good=False)
        while len(self._actors) < places:
            self._hired += 1
            name = f"{self._here}-{self._hired}"
            options = {"num_gpus": self._of_one(), "num_cpus": 1, "max_restarts": 0}
            actor = self._ray.remote(_Actor).options(
                **options, name=f"pinlu worker {name}", scheduling_strategy="SPREAD"
            )
            self._actors[name] = actor.remote(name, self._of_one() > 0)
            self._asked[self._actors[name].here.remote()] = name

    def coming(self) -> int:
        """Return how many actors wait for a place, or start."""
        return len(self._actors.keys() - self._came)

    def ask(self, worker: str, method: str, arguments: Sequence[Any], title: str) -> None:
        """Call the actor; the task has `title` as its name."""
        call = self._actors[worker].ask.options(name=title, max_task_retries=0)
        self._asked[call.remote(method, tuple(arguments))] = worker

    def news(self, seconds: float) -> list[News]:
        """Return what actors answered, and which died."""
        if not self._asked:
            time.sleep(seconds)
            return []
        first, _ = self._ray.wait(list(self._asked), num_returns=1, timeout=seconds)
        if not first:
            return []
        ready, _ = self._ray.wait(list(self._asked), num_returns=len(self._asked), timeout=0)
        heard = []
        for call in ready:
            name = self._asked.pop(call, None)
            if name is None or name not in self._actors:
                continue
            try:
                content = self._ray.get(call)
            except self._ray.exceptions.RayError as error:
                heard.append(News("died", name, _why(error)))
                self.dismiss(name, for_good=False)
                continue
            heard.append(News("answered" if name in self._came else "came", name, content))
            self._came.add(name)
        return heard

    def dismiss(self, worker: str, *, for_good: bool) -> None:
        """Kill an actor."""
        actor = self._actors.pop(worker, None)
        if actor is not None:
            self._ray.kill(actor)
            self._refused += for_good
        self._asked = {call: name for call, name in self._asked.items() if name != worker}

    def close(self) -> None:
        """Kill all, and leave the cluster."""
        for name in list(self._actors):
            self.dismiss(name, for_good=False)
        self._ray.shutdown()

    def _of_one(self) -> float:
        """Return the GPUs of one worker."""
        if self._gpus is None:
            return 1.0 if self._ray.cluster_resources().get("GPU", 0) else 0.0
        return self._gpus

    def places(self) -> int:
        """Return how many workers the cluster has room for, counted now and then."""
        when, places = self._counted
        if time.monotonic() - when > COUNTED_EVERY:
            resources: Mapping[str, float] = self._ray.cluster_resources()
            each = self._of_one()
            # a little more than nothing: 0.1 goes ten times into 1
            of_gpus = resources.get("GPU", 0) / each + 1e-6 if each else math.inf
            places = int(min(of_gpus, resources.get("CPU", 0), self._most or math.inf))
            self._counted = (time.monotonic(), places)
        return places


class _Actor:
    """A worker in an actor."""

    def __init__(self, name: str, on_gpu: bool) -> None:
        if not on_gpu:  # before torch is asked for anything
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
            os.environ.update(IDLE_THREADS)
        from bench.crew.worker import Worker  # noqa: PLC0415
        from bench.pipelines import has_gpu  # noqa: PLC0415 - on a node this is what may fail

        if on_gpu and not has_gpu():
            msg = f"Ray gave a GPU, but torch sees none on {socket.gethostname()}"
            raise RuntimeError(msg)
        self.worker = Worker(name)

    def here(self) -> None:
        """Answer, once there is a place."""

    def ask(self, method: str, arguments: Sequence[Any]) -> dict[str, Any]:
        """Ask the worker."""
        from bench.crew.worker import answer  # noqa: PLC0415 - as above

        return answer(self.worker, method, arguments)


def joined(address: str | None) -> Any:
    """Join a Ray cluster and return the `ray` module.

    Raises:
        RequestError: Ray is not installed, or nobody answers at the address.
    """
    try:
        import ray  # noqa: PLC0415 - an extra
        import ray.exceptions  # noqa: PLC0415
    except ImportError as error:
        raise RequestError("--engine ray wants Ray: pip install 'pinlu[ray]'") from error
    where = address or os.environ.get("RAY_ADDRESS")
    host, colon, port = (where or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        try:
            socket.create_connection((host, int(port)), timeout=ANSWER_WITHIN).close()
        except OSError as error:
            raise RequestError(
                f"no Ray cluster answers at {where} ({error.strerror or error}): start one with "
                "`ray start --head`, or leave out --address to use this host alone"
            ) from error
    try:
        ray.init(
            address=address, namespace="pinlu", log_to_driver=False, logging_level=logging.ERROR
        )
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise RequestError(f"no Ray cluster answers at {where or 'this host'}: {said}") from error
    return ray


def _why(error: Exception) -> str:
    """Return why an actor died: the first sentence of the last line of what Ray says of it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[-1].partition(". ")[0][:200] if lines else ""
    return f"{type(error).__name__}: {said}"
