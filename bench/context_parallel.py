"""One model's attention over several devices: a process for each, in step with this one.

What passes through the denoiser is cut along its sequence, each device works on a part of it, and
attention exchanges heads for positions (DeepSpeed-Ulysses, Jacobs et al. 2023, arXiv 2309.14509), as
diffusers does it. Every device holds the whole weights: a single output comes sooner, and what a long
clip needs beside the weights is shared out. Imports torch.
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import diffusers
import torch
from torch.distributed.distributed_c10d import (  # what is public waits
    _abort_process_group,
    _world,
)

from bench import children, placing
from bench.device import is_device_lost, is_out_of_memory
from bench.device_maps import DENOISERS, check_gpus, class_of
from bench.errors import DeviceLostError, RequestError, WorkError
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

_ABANDONED: list[Any] = []
"""Groups in which something went wrong: to free one over gloo would wait for its exchanges, too."""


def check_context_parallel(
    spec: ModelSpec, pipeline: str, config: Mapping[str, Any] | None, **options: Any
) -> None:
    """Refuse to cut a model's sequences where that is not known to leave its outputs alone.

    Args:
        spec: of the model.
        pipeline: its class.
        config: the checkpoint's list of parts; None where it is not at hand.
        options: how the checkpoint is read.

    Raises:
        RequestError: of another class, together with a device map or speed-ups, or over a number of
            devices that does not divide the heads of attention.
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
    for name in DENOISERS:
        if config is not None and (part := class_of(config, name)):
            usual = inspect.signature(part.__init__).parameters["num_attention_heads"].default
            heads = part.load_config(spec.source, subfolder=name, **options).get(
                "num_attention_heads", usual
            )
            if heads % spec.context_parallel:
                raise RequestError(
                    f"model {spec.id}: context_parallel {spec.context_parallel} does not divide the "
                    f"{heads} heads of its {name}"
                )


def join(pipeline: Any, rank: int, count: int, meeting: str) -> None:
    """Cut what passes through a pipeline's denoisers over all ranks; wait until all have come.

    Args:
        pipeline: loaded, not yet compiled; or in a group before, which is left.
        rank: of this process; that of its device too.
        count: of ranks.
        meeting: the file by which they find each other.
    """
    if torch.distributed.is_initialized():  # one in which something went wrong
        _ABANDONED.extend(_world.pg_map)
        _abort_process_group()  # to leave it would wait for exchanges that others never begin
    torch.distributed.init_process_group(
        # sizes are exchanged on the host: over NCCL each attention would wait for the device
        "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
        init_method=f"file://{meeting}",
        rank=rank,
        world_size=count,
    )
    level = diffusers.utils.logging.get_verbosity()
    diffusers.utils.logging.set_verbosity_error()  # that this is experimental is no news
    try:
        with _cpu_counted():
            for part in placing.denoisers(pipeline):
                if (before := part._parallel_config) is not None:  # noqa: SLF001 - in a group anew
                    part._resolve_parallel_config(before)  # noqa: SLF001
                    continue
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
    """The other ranks, as the first one sees them: what it does they do beside it. For one thread.

    Each answers once for each step: "done"; "failed" or "memory" with a sentence, where it can go on
    to the next; or "lost", where its device answers no more.
    """

    def __init__(self, spec: ModelSpec, tuning: Tuning) -> None:
        """Start a process for each further device; each loads the model by itself.

        Raises:
            LoadError: this worker has fewer devices than the model is to be cut over, or several
                kinds of them.
        """
        self._model, self.count = spec.id, spec.context_parallel
        if torch.cuda.is_available():
            check_gpus(spec.id, self.count)
        self._folder = tempfile.TemporaryDirectory(prefix="pinlu-ranks-")
        self._pipeline: Any = None
        self._step = 0
        self._waits = self._closing = False
        self._news = threading.Condition()
        self._answers: dict[int, tuple[str, str]] = {}
        self._gone = ""
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
        self._pipeline = pipeline
        self._meet()

    def _meet(self, failed: Exception | None = None) -> None:
        """Make a group of all ranks, in the place of one whose exchanges may be out of step."""
        meeting = str(Path(self._folder.name) / f"meeting-{self._step}")
        with self.doing("join", self.count, meeting):
            if failed:
                self._watch(self._step, f"{failed}, and no new group in {PATIENCE} s")
            join(self._pipeline, 0, self.count, meeting)

    @contextmanager
    def doing(self, method: str, *arguments: Any, together: bool = True) -> Iterator[None]:
        """Have the others do what the block does; when it is over all are in step again.

        `together` says that whoever does it waits for the others meanwhile.

        Raises:
            DeviceLostError: one of them ended, or does not come to an end after a failure.
            torch.OutOfMemoryError: memory ran out there.
            WorkError: it failed there.
        """
        with self._news:
            self._step += 1
            self._answers.clear()
            gone = self._gone
            self._waits = together and not gone
        if gone:
            self._end()
            raise self._lost(gone)
        for pipe in self._pipes.values():
            with suppress(BrokenPipeError, ConnectionResetError):  # its end is heard of
                pipe.send((self._step, method, arguments))
        failed: Exception | None = None
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised below
            failed = error
        finally:
            self._waits = False
        try:
            self._await(PATIENCE if failed else None)
        except DeviceLostError as lost:
            if failed and is_out_of_memory(failed):
                raise self._lost("memory ran out on it alone: take smaller batches") from failed
            raise lost from failed
        except (WorkError, torch.OutOfMemoryError) as theirs:
            failed = failed or theirs
        if failed and is_device_lost(failed) and not isinstance(failed, DeviceLostError):
            self._end()
            raise self._lost(str(failed)) from failed
        if failed and together and method != "join":
            self._meet(failed)  # it may have gone wrong at other places on each
        if failed:
            raise failed

    def _await(self, seconds: float | None) -> None:
        """Wait for the answers of all ranks, or for so many seconds."""
        with self._news:
            come = self._news.wait_for(
                lambda: self._gone or len(self._answers) == len(self._pipes), timeout=seconds
            )
            gone, answers = self._gone, list(self._answers.values())
        if gone or not come:
            self._end()
            raise self._lost(gone or f"no answer in {seconds} s")
        for kind, why in answers:
            if kind != "done":
                raise torch.OutOfMemoryError(why) if kind == "memory" else WorkError(why)

    def _listen(self) -> None:
        """Hear what ranks say; see to it that this process waits for nobody who can come no more."""
        listened = dict(self._pipes)
        while listened:
            ready = wait(list(listened.values()))
            for rank, pipe in [one for one in listened.items() if one[1] in ready]:
                step: int | None
                try:
                    step, kind, why = pipe.recv()
                except (EOFError, OSError):
                    del listened[rank]
                    ended = children.why_ended(self._processes[rank], self._log(rank))
                    kind, why = "lost", f"rank {rank}: {ended}"
                if self._closing:
                    return
                with self._news:
                    if kind == "lost":
                        self._gone = self._gone or why
                    elif step == self._step:
                        self._answers[rank] = (kind, why)
                    self._news.notify()
                if kind != "done":
                    self._watch(None if kind == "lost" else step, why)

    def _watch(self, step: int | None, why: str) -> None:
        """Give up after a while where this process waits then, in that step or any."""
        patience = threading.Timer(PATIENCE, self._give_up, (step, why))
        patience.daemon = True
        patience.start()

    def _give_up(self, step: int | None, why: str) -> None:
        """End the others where this process waits, in that step or any; itself if that wakes it not."""
        if not self._waits or step not in {None, self._step}:
            return
        with self._news:
            self._gone = self._gone or why
        self._end()
        time.sleep(children.FAREWELL)
        if self._waits:
            sys.stderr.write(f"pinlu: {self._lost(why)}\n")
            sys.stderr.flush()
            os._exit(1)

    def _lost(self, why: str) -> DeviceLostError:
        return DeviceLostError(
            f"stopped: model {self._model} is cut over {self.count} devices, and one of them is "
            f"lost ({why}); what was finished is kept, run again"
        )

    def _log(self, rank: int) -> Path:
        return Path(self._folder.name) / f"{rank}.log"

    def close(self) -> None:
        """Let the others end, and leave the group beside them."""
        self._closing = True
        for pipe in self._pipes.values():
            with suppress(OSError):
                pipe.send(None)
        leaving = threading.Thread(target=_leave, daemon=True)  # may wait for one that is stuck
        leaving.start()
        for process in self._processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(children.FAREWELL)
        self._end()
        leaving.join(children.FAREWELL)

    def _end(self) -> None:
        self._closing = True
        for process in self._processes.values():
            process.kill()
            process.wait()
        self._folder.cleanup()


def _leave() -> None:
    with suppress(RuntimeError):  # the others are gone already
        leave()
