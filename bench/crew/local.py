"""Workers as processes on this host: one for each device, or for each of several CPU places."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from bench import children
from bench.crew.crews import News

_PR_SET_PDEATHSIG = 1


class LocalCrew:
    """One process for each of `places`: a GPU's number, several as in "0+1", or "cpu". Logs go into `logs`."""

    def __init__(self, places: Sequence[str], logs: Path) -> None:
        """Hire nobody yet."""
        self._places, self._logs = list(places), logs
        self._free = list(range(len(places)))
        self._crew: dict[str, tuple[int, Connection, children.Process]] = {}
        self._came: set[str] = set()
        self._here = uuid.uuid4().hex[:6]
        self._hired = 0

    def hire(self) -> None:
        """Start a process for every place that has none."""
        self._logs.mkdir(parents=True, exist_ok=True)
        while self._free:
            place = self._free.pop(0)
            self._hired += 1
            name = f"{self._here}-{self._hired}"
            self._crew[name] = (place, *self._start(name, self._places[place]))

    def _start(self, name: str, place: str) -> tuple[Connection, children.Process]:
        # before torch is asked for anything it sees this one device, or none
        device = {"CUDA_VISIBLE_DEVICES": "" if place == "cpu" else _as_visible(place)}
        if place == "cpu":
            device |= children.IDLE_THREADS
        return children.start("bench.crew.local", [name], self._log(name), device)

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def places(self) -> int:
        """Return how many places there are."""
        return len(self._places)

    def coming(self) -> int:
        """Return how many have not come yet."""
        return len(self._crew.keys() - self._came)

    def ask(self, worker: str, method: str, arguments: Sequence[Any], title: str) -> None:
        """Send what is asked down the worker's pipe."""
        del title
        with suppress(BrokenPipeError, ConnectionResetError):  # its death is news of its own
            self._crew[worker][1].send((method, tuple(arguments)))

    def news(self, seconds: float) -> list[News]:
        """Return what came down the pipes; a pipe that ends means that its worker died."""
        by_pipe = {pipe.fileno(): name for name, (_, pipe, _) in self._crew.items()}
        heard = []
        for ready in wait(list(by_pipe), timeout=seconds):
            name = by_pipe[ready]  # type: ignore[index] # they are the numbers that went in
            try:
                kind, content = self._crew[name][1].recv()
                heard.append(News(kind, name, content))
                self._came.add(name)
            except (EOFError, ConnectionResetError):
                heard.append(
                    News("died", name, children.why_ended(self._crew[name][2], self._log(name)))
                )
                self.dismiss(name, for_good=False)
        return heard

    def dismiss(self, worker: str, *, for_good: bool) -> None:
        """Kill a worker's process."""
        if worker not in self._crew:
            return
        place, pipe, process = self._crew.pop(worker)
        process.kill()
        process.wait()
        pipe.close()
        if not for_good:
            self._free.append(place)

    def close(self) -> None:
        """Let those go that have nothing to do, kill the others."""
        for _, pipe, _ in self._crew.values():
            with suppress(OSError):
                pipe.send(None)
        for _, _, process in self._crew.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(children.FAREWELL)
        for name in list(self._crew):
            self.dismiss(name, for_good=True)


def _as_visible(place: str) -> str:
    """Return the GPUs of a worker: they count among those that this process may use."""
    ours = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    visible = ours.split(",") if ours else None
    numbers = place.split("+")
    return ",".join(visible[int(number)] if visible else number for number in numbers)


def serve(name: str, descriptor: int, parent: int) -> None:
    """Be a worker, in a process of its own, until nothing more is asked or the parent dies."""
    if sys.platform == "linux":  # elsewhere the pipe ends
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(70)
    from bench.crew.worker import Worker, answer  # noqa: PLC0415 - slow, and the parent may be gone

    worker, pipe = Worker(name), Connection(descriptor)
    pipe.send(("came", None))
    with suppress(EOFError):
        while asked := pipe.recv():
            pipe.send(("answered", answer(worker, *asked)))


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
