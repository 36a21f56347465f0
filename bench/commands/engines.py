"""What every command takes that several workers can do: which engine, where, how many."""

from __future__ import annotations

import argparse
from typing import Any

from bench.arguments import names, positive
from bench.errors import RequestError

MIXED = (
    "go on under other versions or on another kind of device than before, and record it; of several "
    "workers let those on other kinds of device in, never other versions than the others'"
)
"""What `--allow-mixed` does."""


def add_engine_options(group: Any, *, served: str) -> None:
    """Add the options of engines; `served` says for what a server may be one."""
    add = group.add_argument
    add(
        "--engine",
        choices=["local", "ray", "slurm", "openai"],
        default="local",
        help="local: this process, or with --devices or --workers one process for each (local); "
        f"openai: a server, for {served}",
    )
    add(
        "--devices",
        type=names,
        help="local: GPUs by number, as in 0,1,2,3; 0+1,2+3 gives each worker two; or cpu,cpu",
    )
    add("--workers", type=positive, help="at most so many workers; locally so many without a GPU")
    add("--address", help="ray: HOST:PORT of a cluster's head (RAY_ADDRESS, else this host alone)")
    add(
        "--gpus-per-worker",
        type=float,
        dest="gpus",
        help="ray: GPUs of each worker; 0 for CPU slots (1 where the cluster has any)",
    )
    add("--json", action="store_true", help="show the state of all workers as JSON lines")


def refuse_idle_options(options: argparse.Namespace) -> None:
    """Refuse options that mean nothing to the engine asked for. Nothing heavy is imported for this.

    Raises:
        RequestError: names what to leave out.
    """
    if options.engine == "openai":
        given = {
            "devices": options.devices,
            "workers": options.workers,
            "address": options.address,
            "gpus-per-worker": options.gpus is not None,
            "allow-mixed": options.allow_mixed,
            "json": options.json,
        }
        for name, value in given.items():
            if value:
                raise RequestError(f"a server has its own workers: leave out --{name}")
    if options.devices and options.engine != "local":
        raise RequestError(
            f"--devices is for this host's devices, not for --engine {options.engine}"
        )
    if options.engine != "ray" and (options.address or options.gpus is not None):
        raise RequestError("--address and --gpus-per-worker are for --engine ray")
    if options.devices and options.workers:
        raise RequestError("--devices says where the workers are: leave out --workers")
