"""Which engine makes a run's outputs: this process, processes, or a cluster."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.crew.crafts import By
from bench.crew.crews import Crew
from bench.errors import RequestError
from bench.request import SlurmOptions


def workers_of(options: argparse.Namespace) -> By | None:
    """Return the workers that the command line means; None: this process.

    Options were held against the engine before (`bench.commands.engines.refuse_idle_options`).

    Raises:
        RequestError: places for workers that there are not, or that do not go together.
    """
    if options.engine == "slurm":
        from bench.crew.slurm import drive_by_slurm

        return partial(drive_by_slurm, options=_slurm(options), as_json=options.json)
    crew = _crew(options)
    if crew is None:
        return None
    from bench.crew.driving import drive

    return partial(drive, crew_of=crew, as_json=options.json)


def _slurm(options: argparse.Namespace) -> SlurmOptions:
    from bench.request import slurm_options

    asked = slurm_options(options)
    return asked.model_copy(update={"jobs": options.workers}) if options.workers else asked


def _crew(options: argparse.Namespace) -> Callable[[Path], Crew] | None:
    """Return what makes the crew; None where this process is to work alone."""
    if options.engine == "ray":
        from bench.crew.ray_actors import RayCrew

        return partial(RayCrew, options.address, options.workers, options.gpus)
    from bench.pipelines import count_gpus

    gpus = count_gpus()
    places = list(options.devices or ["cpu"] * (options.workers or 0))
    if not places and not options.json:
        return None
    places = places or ["0" if gpus else "cpu"]
    if len({place == "cpu" for place in places}) > 1:
        raise RequestError(
            "--devices mixes GPUs and cpu: their pixels differ, so a run is on one kind"
        )
    numbers = [number for place in places if place != "cpu" for number in place.split("+")]
    for number in numbers:
        if not number.isdecimal():
            raise RequestError(
                f"--devices {number}: a device is a GPU's number, several as in 0+1, or cpu"
            )
        if numbers.count(number) > 1:
            raise RequestError(f"--devices names GPU {number} twice")
    if numbers and not gpus:
        raise RequestError(
            f"--devices {numbers[0]}: no GPU here: use --workers N or --devices cpu,cpu"
        )
    if beyond := [number for number in numbers if int(number) >= gpus]:
        raise RequestError(f"--devices {beyond[0]}: GPUs count from 0, and torch sees {gpus} here")
    from bench.crew.local import LocalCrew

    return partial(LocalCrew, places)
