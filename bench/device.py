"""What the device's errors mean, and how much memory it held."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bench.errors import DeviceLostError, first_line


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error means that memory ran out, on whatever device."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    # of the host, of pinned memory, of the libraries that allocate for themselves
    said = ("can't allocate memory", "CUDA error: out of memory", "ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(one in str(error) for one in said)


def is_device_lost(error: BaseException) -> bool:
    """Say whether an error means that a device answers no more, after which nothing works on it."""
    if isinstance(error, DeviceLostError):
        return True
    of_device = isinstance(error, (torch.AcceleratorError, torch.distributed.DistError))
    return of_device and not is_out_of_memory(error)


def peak_memory() -> int:
    """Return the most bytes held since the last call: of one GPU, else of this process so far."""
    if torch.cuda.is_available():
        devices = range(torch.cuda.device_count())
        peak = max(map(torch.cuda.max_memory_allocated, devices))
        for device in devices:
            torch.cuda.reset_peak_memory_stats(device)
        return peak
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextmanager
def device_errors() -> Iterator[None]:
    """Tell a device that is lost, after which nothing works, from a batch that failed."""
    try:
        yield
    except (torch.AcceleratorError, torch.distributed.DistError) as error:
        if not is_device_lost(error):
            raise
        raise DeviceLostError(
            f"stopped: the device answers no more ({first_line(error)}); what was "
            "finished is kept, run again"
        ) from error
