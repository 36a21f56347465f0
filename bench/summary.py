"""What a call of `generate`, or of several workers in its place, did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of jobs, and seconds of wall time.

    `cut` are outputs whose prompt was longer than an encoder takes; `speed` has a row per model.
    """

    planned: int
    made: int
    there_before: int
    failed: int
    suspect: int
    cut: int
    seconds: float
    speed: Sequence[Mapping[str, Any]]
