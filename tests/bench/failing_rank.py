"""A further rank whose denoiser fails once: `FAILING_RANK` says how. Started in the place of `bench.rank`."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import torch

from bench import pipelines, rank

ERRORS: dict[str, Exception] = {
    "device": torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
    "memory": torch.AcceleratorError("CUDA error: out of memory"),
    "exchange": ValueError("wrong here, with an exchange begun"),
    "stuck": ValueError("wrong here, and then stuck"),
}


def fail_once(pipeline: Any, error: Exception, before: Callable[[], Any] = lambda: None) -> None:
    """Have a pipeline's denoiser fail the next time in its first block, after doing `before`."""

    def failing(*_: Any) -> None:
        hook.remove()
        before()
        raise error

    hook = pipeline.transformer.transformer_blocks[0].register_forward_pre_hook(failing)


def begin_exchange() -> None:
    """Begin an exchange beside which the other rank begins none, as a layer further on would."""
    sizes = [torch.empty(1, dtype=torch.int64) for _ in range(2)]
    torch.distributed.all_gather(sizes, torch.ones(1, dtype=torch.int64), async_op=True)


if __name__ == "__main__":
    how, load = os.environ["FAILING_RANK"], pipelines.load

    def loaded(*told: Any) -> Any:
        pipeline = load(*told)
        before = begin_exchange if how == "exchange" else lambda: None
        fail_once(pipeline, ERRORS[how], before)
        return pipeline

    if how == "stuck":
        join = rank.join

        def joined(*told: Any) -> None:
            if torch.distributed.is_initialized():
                threading.Event().wait()  # as one waits whose old exchanges come to no end
            join(*told)

        rank.join = joined
    pipelines.load = loaded
    rank.serve(Connection(int(sys.argv[1])))
