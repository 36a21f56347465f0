"""One model's attention over several devices: a process for each, in step with this one.

What passes through the denoiser is cut along its sequence, each device works on a part of it, and
attention exchanges heads for positions (DeepSpeed-Ulysses, Jacobs et al. 2023, arXiv 2309.14509), as
diffusers does it. Every device holds the whole weights: a single output comes sooner, and what a long
clip needs beside the weights is shared out. Imports torch.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import diffusers
import torch

from bench import children, placing
from bench.errors import DeviceLostError, LoadError, RequestError, WorkError
from bench.records import ModelSpec
from bench.tuning import Tuning

FAMILIES = frozenset(
    {
        "Flux2KleinPipeline",
        "Flux2Pipeline",
        "FluxPipeline",
        "QwenImagePipeline",
        "WanPipeline",
    }
)
"""Pipeline classes that are held to one device's pixels by a test on a tiny checkpoint. diffusers
0.42.1 has plans for others; LTX's fails at its masks."""

PATIENCE = 60.0
"""Seconds after which ranks that are not in step again, once one of them has failed, are given up."""


def check_context_parallel(spec: ModelSpec, pipeline: str) -> None:
    """Refuse to cut a model's sequences where that is not known to leave its outputs alone.

    Raises:
        RequestError: of another class, together with a device map, or with speed-ups.
    """
    if spec.context_parallel == 1:
        return
    if pipeline not in FAMILIES:
        raise RequestError(
            f"model {spec.id}: {pipeline} is not known to work with context_parallel; these are: "
            f"{', '.join(sorted(FAMILIES))}"
        )
    for name, there in (("device_map", spec.device_map), ("speedups", spec.speedups)):
        if there:
            raise RequestError(
                f"model {spec.id}: context_parallel and {name} do not go together: leave one out"
            )


def join(pipeline: Any, rank: int, count: int, meeting: str) -> None:
    """Cut what passes through a pipeline's denoisers over all ranks; wait until all have come.

    Args:
        pipeline: loaded, not yet compiled.
        rank: of this process; that of its device too.
        count: of ranks.
        meeting: the file by which they find each other.
    """
    on_gpu = torch.cuda.is_available()
    leave()  # a group whose ranks were lost is still there
    torch.distributed.init_process_group(
        "nccl" if on_gpu else "gloo",
        init_method=f"file://{meeting}",
        rank=rank,
        world_size=count,
        device_id=torch.device("cuda", rank) if on_gpu else None,
    )
    level = diffusers.utils.logging.get_verbosity()
    diffusers.utils.logging.set_verbosity_error()  # that this is experimental is no news
    try:
        with _cpu_counted():
            for part in placing.denoisers(pipeline):
                # with a text of any length before it a sequence is seldom a multiple of the count
                part.enable_parallelism(
                    config=diffusers.ContextParallelConfig(
                        ulysses_degree=count, ulysses_anything=True
                    )
                )
    finally:
        diffusers.utils.logging.set_verbosity(level)


def leave() -> None:
    """Leave the process group, where this process is in one."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@contextmanager
def _cpu_counted() -> Iterator[None]:
    """Count the CPU as a device: diffusers 0.42.1 takes ranks modulo the number of accelerators."""
    count = torch.accelerator.device_count
    if count() == 0:
        torch.accelerator.device_count = lambda: 1
    try:
        yield
    finally:
        torch.accelerator.device_count = count


class Ranks:
    """The other ranks, as the first one sees them: what it does they do beside it. For one thread."""

    def __init__(self, spec: ModelSpec, tuning: Tuning) -> None:
        """Start a process for each further device; each loads the model by itself.

        Raises:
            LoadError: this worker has fewer devices than the model is to be cut over.
        """
        self._model, self.count = spec.id, spec.context_parallel
        gpus = torch.cuda.device_count()
        if torch.cuda.is_available() and gpus < self.count:
            raise LoadError(
                f"model {spec.id} is to be cut over {self.count} devices (context_parallel), and "
                f"there are {gpus} here: --devices 0+1, --gpus-per-worker 2, or gpus: 2 for Slurm"
            )
        self._folder = tempfile.TemporaryDirectory(prefix="pinlu-ranks-")
        self._step = 0
        self._at_work = self._closing = False
        self._heard: SimpleQueue[tuple[int, str, str]] = SimpleQueue()
        self._processes: dict[int, children.Process] = {}
        self._pipes: dict[int, Connection] = {}
        for rank in range(1, self.count):
            # ranks on a CPU share its cores
            environment = {} if torch.cuda.is_available() else children.IDLE_THREADS
            self._pipes[rank], self._processes[rank] = children.start(
                "bench.rank", [], self._log(rank), environment
            )
            self._pipes[rank].send((spec, tuning, rank, torch.get_num_threads()))
        threading.Thread(target=self._listen, daemon=True).start()

    def join(self, pipeline: Any) -> None:
        """Be the first rank, once all have loaded the model.

        Raises:
            WorkError: it does not load there.
        """
        self._await(None)
        meeting = str(Path(self._folder.name) / "meeting")
        with self.doing("join", self.count, meeting):
            join(pipeline, 0, self.count, meeting)

    @contextmanager
    def doing(self, method: str, *arguments: Any) -> Iterator[None]:
        """Have the others do what the block does; when it is over all are in step again.

        Raises:
            DeviceLostError: one of them ended, or does not come to an end after a failure.
            torch.OutOfMemoryError: memory ran out there.
            WorkError: it failed there.
        """
        self._step += 1
        self._at_work = True
        for pipe in self._pipes.values():
            with suppress(BrokenPipeError, ConnectionResetError):  # its end is heard of
                pipe.send((method, arguments))
        try:
            yield
        except Exception as error:
            self._at_work = False
            try:
                self._await(PATIENCE)
            except DeviceLostError as lost:
                raise lost from error
            except (WorkError, torch.OutOfMemoryError):
                pass  # they failed likewise, and are in step
            raise
        self._at_work = False
        self._await(None)

    def _await(self, seconds: float | None) -> None:
        """Hear from every rank; `seconds` is the longest wait for each."""
        failed: tuple[str, str] | None = None
        for _ in self._pipes:
            try:
                _, kind, why = self._heard.get(timeout=seconds)
            except Empty:
                kind, why = "ended", f"no answer in {seconds:.0f} s"
            if kind == "ended":
                self._end()
                raise DeviceLostError(self._lost(why))
            failed = failed or ((kind, why) if kind != "done" else None)
        if failed:
            raise (
                torch.OutOfMemoryError(failed[1]) if failed[0] == "memory" else WorkError(failed[1])
            )

    def _listen(self) -> None:
        """Hear what ranks say; end this process where it waits for one that can come no more."""
        listened = dict(self._pipes)
        while listened:
            ready = wait(list(listened.values()))
            for rank, pipe in [one for one in listened.items() if one[1] in ready]:
                try:
                    kind, why = pipe.recv()
                except (EOFError, OSError):
                    if self._closing:
                        return
                    kind, why = (
                        "ended",
                        f"rank {rank}: {children.why_ended(self._processes[rank], self._log(rank))}",
                    )
                    del listened[rank]
                self._heard.put((rank, kind, why))
                if kind in {"failed", "memory", "ended"}:
                    patience = threading.Timer(PATIENCE, self._give_up, (self._step, why))
                    patience.daemon = True
                    patience.start()

    def _give_up(self, step: int, why: str) -> None:
        if self._at_work and self._step == step:  # nothing wakes who waits for a rank that failed
            sys.stderr.write(self._lost(why) + "\n")
            sys.stderr.flush()
            os._exit(1)

    def _lost(self, why: str) -> str:
        return (
            f"stopped: model {self._model} is cut over {self.count} devices, and one of them is "
            f"lost ({why}); what was finished is kept, run again"
        )

    def _log(self, rank: int) -> Path:
        return Path(self._folder.name) / f"{rank}.log"

    def close(self) -> None:
        """Let the others end, and leave the group."""
        self._closing = True
        for pipe in self._pipes.values():
            with suppress(OSError):
                pipe.send(None)
        with suppress(RuntimeError):  # the others are gone already
            leave()
        for process in self._processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(children.FAREWELL)
        self._end()

    def _end(self) -> None:
        self._closing = True
        for process in self._processes.values():
            process.kill()
            process.wait()
        self._folder.cleanup()
