"""What every command takes that several workers can do: which engine, where, how many."""

from __future__ import annotations

import argparse
from typing import Any

from bench.arguments import names, positive
from bench.errors import RequestError


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


def refuse_beside_server(options: argparse.Namespace) -> None:
    """Refuse workers of ours where a server does the work.

    Raises:
        RequestError: names what to leave out.
    """
    if options.engine != "openai":
        return
    for name in ("devices", "workers", "json"):
        if getattr(options, name):
            raise RequestError(f"a server has its own workers: leave out --{name}")
