"""What is expected of a run's batches before they are made: for whom to schedule, and what to show."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from bench.crew.scheduling import Estimate
from bench.files import read_rows
from bench.records import ModelSpec
from bench.run import Run
from bench.speed import SPEED
from bench.tuning import stored

READING = 500e6
"""Bytes of weights a second: what a shared file system gives one of several readers."""


def estimates_of(run: Run) -> Mapping[str, Estimate]:
    """Return what is known of the models asked: from this run so far, else from `pinlu profile`."""
    rows = {row["model"]: row for row in read_rows(run.folder / SPEED)}
    device = run.content["environment"]["device"]
    found = {}
    for name in run.asked:
        spec, tuning, row = run.models[name], run.tunings[name], rows.get(name)
        each = row.get("device_seconds_per_output") if row else None
        if row and each is not None:
            each /= row.get("devices", 1)
        else:
            options = [one for one in stored(spec, device) if one.tuning == tuning]
            each = options[0].seconds if options else None
        seconds = each * tuning.batch_size if each else None
        found[name] = Estimate(seconds, row["load_seconds"] if row else _load_seconds(spec))
    return found


def _load_seconds(spec: ModelSpec) -> float:
    """Guess how long a checkpoint takes to load; nothing where its size is not to be seen here."""
    with suppress(OSError):
        files = Path(spec.source).rglob("*.safetensors")
        return sum(file.stat().st_size for file in files) / READING
    return 0.0
