"""A further rank of a model that is cut over several devices: it does what the first one does.

A process of its own, started by `bench.context_parallel.Ranks`. Imports torch.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection

import torch

from bench import pipelines
from bench.context_parallel import join, leave
from bench.device import is_device_lost, is_out_of_memory
from bench.engine import Engine
from bench.model_work import sentence


def serve(pipe: Connection) -> None:
    """Load the model, and follow the first rank until it says nothing more."""
    spec, tuning, rank, threads = pipe.recv()
    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        torch.cuda.set_device(rank)
    worker: Engine | None = None
    try:
        pipeline = pipelines.load(spec, spec.dtype)
        pipe.send((0, "done", ""))
    except Exception as error:  # noqa: BLE001 - its sentence is what the first rank says
        pipe.send((0, "failed", sentence(error)))
    while asked := pipe.recv():
        step, method, arguments = asked
        kind, why = "done", ""
        try:
            if method == "join":
                join(pipeline, rank, *arguments)
                gc.collect()  # here the frames that held tensors when memory gave out are gone
                torch.cuda.empty_cache()
            if worker is None:
                worker = Engine(pipeline, tuning)
            elif method != "join":
                getattr(worker, method)(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever it is, the first rank must hear of it
            kind, why = _kind(error), sentence(error)
        pipe.send((step, kind, why))
    leave()


def _kind(error: Exception) -> str:
    if is_device_lost(error):
        return "lost"
    return "memory" if is_out_of_memory(error) else "failed"


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(70)


if __name__ == "__main__":
    # what ends or warns a task is for the first rank, whose end ends this one
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(one, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(int(sys.argv[2]),), daemon=True).start()
    with suppress(EOFError):
        serve(Connection(int(sys.argv[1])))
