"""Which engine makes a run's outputs: this process, processes, or a cluster."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

from bench.errors import RequestError
from bench.generate import Summary

Engine = Callable[..., Summary]
"""Called like `bench.generate.generate`: request, folder, allow_mixed."""


def engine_of(options: argparse.Namespace) -> Engine:
    """Return the engine that the command line means.

    Raises:
        RequestError: options that do not go together.
    """
    if options.devices and options.engine != "local":
        raise RequestError(
            f"--devices is for this host's devices, not for --engine {options.engine}"
        )
    if options.engine != "ray" and (options.address or options.gpus is not None):
        raise RequestError("--address and --gpus-per-worker are for --engine ray")
    return {"local": _local, "ray": _ray, "slurm": _slurm}[options.engine](options)


def _ray(options: argparse.Namespace) -> Engine:
    from bench.crew.driving import drive
    from bench.crew.ray_actors import RayCrew

    crew = partial(RayCrew, options.address, options.workers, options.gpus)
    return partial(drive, crew_of=crew, as_json=options.json)


def _slurm(options: argparse.Namespace) -> Engine:
    from bench.crew.slurm import drive_by_slurm
    from bench.request import slurm_options

    asked = slurm_options(options)
    if options.workers:
        asked = asked.model_copy(update={"jobs": options.workers})
    return partial(drive_by_slurm, options=asked, as_json=options.json)


def _local(options: argparse.Namespace) -> Engine:
    if options.devices and options.workers:
        raise RequestError("--devices says where the workers are: leave out --workers")
    from bench.pipelines import count_gpus

    gpus = count_gpus()
    places = list(options.devices or ["cpu"] * (options.workers or 0))
    if not places and not options.json:
        from bench.generate import generate

        return generate
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
    from bench.crew.driving import drive
    from bench.crew.local import LocalCrew

    return partial(drive, crew_of=partial(LocalCrew, places), as_json=options.json)
