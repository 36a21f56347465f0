"""Outputs on their way from the device to the host, and how long each stage held the device.

Nothing here waits, except who asks an output for its pixels, or a batch for its seconds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt
import torch

from bench.device import device_errors


@dataclass(frozen=True, slots=True)
class Pending:
    """One output on its way to the host; `ready` is the moment at which it is there."""

    pixels: torch.Tensor | npt.NDArray[Any]
    finite: torch.Tensor | None = None
    ready: Any = None

    def on_host(self) -> tuple[npt.NDArray[Any], str]:
        """Wait for the pixels; return them, and why they are suspect ("" where they are not)."""
        if self.ready is not None:
            with device_errors():
                self.ready.synchronize()
        if isinstance(self.pixels, torch.Tensor):
            finite = self.finite is None or bool(self.finite)
            return self.pixels.numpy(), "" if finite else "values that are not numbers"
        return self.pixels, ""


@dataclass(frozen=True, slots=True)
class Made:
    """What a batch gave: an output per job that was wanted, and how it was made."""

    pictures: Mapping[str, Pending]
    size: int
    note: str
    devices: int
    spans: Sequence[tuple[str, Any, Any]] = field(repr=False)

    def seconds(self) -> dict[str, float]:
        """Return the seconds on the device by stage, once the outputs are on the host."""
        spent: dict[str, float] = {}
        with device_errors():
            for stage, start, end in self.spans:
                spent[stage] = spent.get(stage, 0.0) + _seconds(start, end)
        return spent

    @property
    def ended(self) -> Any:
        """Return the moment at which the device was done with this batch."""
        return self.spans[-1][2]

    def occupied(self, since: Any = None) -> float:
        """Return for how many seconds this batch alone held the device.

        Stages of two batches run side by side there, so that theirs add up to more.

        Args:
            since: the moment at which the batch before had ended; None where there was none.
        """
        with device_errors():
            whole = _seconds(self.spans[0][1], self.ended)
            return whole if since is None else min(whole, _seconds(since, self.ended))


def send(pixels: torch.Tensor, finite: torch.Tensor) -> Pending:
    """Send an output to the host without waiting for it."""
    if pixels.device.type == "cpu":
        return Pending(pixels, finite)
    there = torch.empty(pixels.shape, dtype=pixels.dtype, pin_memory=True)
    there_finite = torch.empty((), dtype=torch.bool, pin_memory=True)
    there.copy_(pixels, non_blocking=True)
    there_finite.copy_(finite, non_blocking=True)
    ready = torch.cuda.current_stream().record_event()
    return Pending(there, there_finite, ready)


def mark() -> Any:
    """Return this moment, as the device comes to it."""
    if not torch.cuda.is_available():
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    event.record()
    return event


def _seconds(start: Any, end: Any) -> float:
    if isinstance(start, float):
        return float(end - start)
    end.synchronize()
    return float(start.elapsed_time(end)) / 1000
