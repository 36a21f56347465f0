"""The command that looks at what a run holds: by networks, or by a model that judges."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from bench.arguments import Adder, Command, positive
from bench.commands.engines import MIXED, add_engine_options, refuse_idle_options
from bench.commands.judges import add_judge_options, judge_command, refuse_judges_options
from bench.errors import RequestError


def add(command: Adder, commands: Any) -> None:
    """Add the commands of this file."""
    del commands
    _add_probe(command("probe", "look at a run's outputs by networks: style, diversity, faults"))


def _add_probe(probe: argparse.ArgumentParser) -> None:
    add = probe.add_argument
    add("run", metavar="RUN", help="the run folder, or its URL")
    add(
        "--network",
        metavar="NAME",
        help="what sees: a CLIP-like checkpoint's folder or hub id, atelier-probe, or none (for the "
        "atelier's models atelier-probe, else google/siglip2-base-patch16-224, from the hub)",
    )
    add("--revision", help="of a network on the hub (its newest)")
    add("--references", type=Path, help="folder of reference works with a metadata.jsonl")
    add("--texts", type=Path, metavar="FILE", help="a probe.yaml in the place of the suite's")
    add(
        "--batch-size",
        type=positive,
        dest="batch_size",
        help="pictures per forward pass (32; of a judge 8)",
    )
    add("--threads", type=positive, help="that read and decode, of each worker (one per core)")
    add("--allow-mixed", action="store_true", help=MIXED)
    add(
        "--run-yaml",
        dest="run_yaml",
        metavar="RUN.yaml",
        help="with --engine slurm: a run's YAML, for what stands in it under slurm:",
    )
    add_engine_options(probe.add_argument_group("engine", "who looks"), served="judges")
    add_judge_options(probe.add_argument_group("judge", "a model that judges in a network's place"))


def _probe(options: argparse.Namespace) -> int:
    """Look at a run; a judge in a network's place."""
    refuse_idle_options(options)
    if options.run_yaml and options.engine != "slurm":
        raise RequestError("--run-yaml says what is asked of Slurm: it wants --engine slurm")
    if options.workers and options.engine == "local":
        _refuse_workers_beside_gpus()
    if options.judge:
        return judge_command(options)
    refuse_judges_options(options)
    from bench.crew.engines import workers_of
    from bench.probing.by_workers import probe_by_workers
    from bench.probing.run import Probing, probe
    from bench.probing.words import told
    from bench.remote import worked_in

    asked = Probing(
        options.network,
        options.revision,
        options.references,
        options.texts,
        options.languages,
        options.batch_size or 32,
        options.threads,
    )
    by = workers_of(options)
    with worked_in(options.run, whole=True) as run:
        if by is None:
            done = probe(run, asked, allow_mixed=options.allow_mixed)
        else:
            done = probe_by_workers(by, run, asked, allow_mixed=options.allow_mixed)
    for fault in done.faults:
        print(fault, file=sys.stderr)
    print("\n".join(told(options.run, done)), file=sys.stderr if options.json else sys.stdout)
    return 1 if done.faults else 0


def _refuse_workers_beside_gpus() -> None:
    """Refuse `--workers` where it would leave GPUs idle: once it counted threads.

    Raises:
        RequestError: names what to say in its place.
    """
    from bench.pipelines import count_gpus

    if count_gpus():
        raise RequestError(
            "--workers makes CPU workers, and here are GPUs: say --devices 0,1 (or cpu,cpu); threads "
            "that read and decode are --threads"
        )


COMMANDS: dict[str, Command] = {"probe": _probe}
