"""The files that `pinlu probe` leaves in a run."""

from __future__ import annotations

from pathlib import Path

from bench.errors import RequestError

PROBES = "probes.parquet"
"""One row per output and probe."""
DIVERSITY = "diversity.parquet"
"""Vendi scores by prompt."""
REPORT = "probe.json"
"""What looked, how well it tells the references apart, and what could not be looked at; written last."""

TOLD = (
    "output", "file_name", "sha256", "suite", "home", "model", "prompt", "target", "language",
    "seed", "genre", "stratum", "diagnosticity", "work",
)  # fmt: skip
"""The columns of both tables, and of judgements, that say which output a row is about."""


def is_probed(run: Path) -> bool:
    """Say whether a run has the tables of probes.

    Raises:
        RequestError: it was being probed when something broke in: its tables may be of two calls.
    """
    there = (run / PROBES).is_file()
    if there and not (run / REPORT).is_file():
        raise RequestError(
            f"the probing of {run} was broken off, so its tables may not belong together: run "
            "pinlu probe again, which goes on"
        )
    return there
