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
from bench.engine import Engine, is_out_of_memory
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
    except Exception as error:  # noqa: BLE001 - its sentence is what the first rank says
        pipe.send(("failed", sentence(error)))
        return
    pipe.send(("done", ""))
    while asked := pipe.recv():
        method, arguments = asked
        said = ("done", "")
        try:
            if worker is None:
                join(pipeline, rank, *arguments)
                worker = Engine(pipeline, tuning)
            else:
                getattr(worker, method)(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever it is, the first rank must hear of it
            said = ("memory" if is_out_of_memory(error) else "failed", sentence(error))
        if said[0] == "memory":  # here the frames that held tensors are gone
            gc.collect()
            torch.cuda.empty_cache()
        pipe.send(said)
    leave()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(70)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever drives
    threading.Thread(target=_end_with, args=(int(sys.argv[2]),), daemon=True).start()
    with suppress(EOFError):
        serve(Connection(int(sys.argv[1])))
