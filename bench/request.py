"""What `pinlu generate` is asked: by flags, or by a run's YAML."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import yaml
from pydantic import Field

from bench.errors import RequestError
from bench.plan import parse_seeds
from bench.reading import FileModel, check, find_config, read_yaml


@dataclass(frozen=True, slots=True)
class Request:
    """What `pinlu generate` is asked.

    `batch_size` None: what the run has, else the default. `video_master` None: what the run has,
    else none; "ffv1" keeps a lossless file beside each clip. `speedups` are those of
    `bench.speedups`, for every model asked.
    """

    suite: str
    models: tuple[str, ...]
    languages: tuple[str, ...]
    seeds: tuple[int, ...]
    targets: tuple[str, ...] = ()
    scenes: tuple[str, ...] = ()
    limit: int | None = None
    arguments: Mapping[str, Any] | None = None
    batch_size: int | None = None
    video_master: str | None = None
    speedups: Mapping[str, Any] | None = None


class SlurmOptions(FileModel):
    """What is asked of Slurm: `slurm:` in a run's YAML.

    `jobs` at most run at once, each for at most `minutes`, with `gpus` and `cpus`; `requeues` is how
    often one may run out of time and go on. `parameters` go to sbatch as they stand (`qos: long`).
    `cluster: local` makes processes on this host in Slurm's place, for trying out.
    """

    partition: str | None = None
    account: str | None = None
    minutes: int = Field(default=240, ge=1)
    gpus: int = Field(default=1, ge=0)
    cpus: int = Field(default=4, ge=1)
    memory_gb: float | None = Field(default=None, gt=0)
    jobs: int = Field(default=8, ge=1)
    requeues: int = Field(default=10, ge=0)
    parameters: dict[str, str | int | float | bool] = Field(default_factory=dict)
    cluster: Literal["slurm", "local"] = "slurm"


class RunFile(FileModel):
    """A YAML in `configs/runs/`. `out` is relative to where the command runs, or a URL."""

    run: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    suite: str
    models: tuple[str, ...] = Field(min_length=1)
    languages: tuple[str, ...] = Field(min_length=1)
    seeds: str | int = "0"
    targets: tuple[str, ...] = ()
    scenes: tuple[str, ...] = ()
    limit: int | None = Field(default=None, ge=1)
    arguments: dict[str, Any] = Field(default_factory=dict)
    batch_size: int | None = Field(default=None, ge=1)
    video_master: Literal["ffv1"] | None = None
    speedups: dict[str, Any] = Field(default_factory=dict)
    out: str | None = None
    slurm: SlurmOptions = SlurmOptions()


def slurm_options(options: argparse.Namespace) -> SlurmOptions:
    """Return what the run's YAML asks of Slurm; without one, or without `slurm:`, the usual."""
    if not options.run_yaml:
        return SlurmOptions()
    path = find_config("runs", options.run_yaml)
    return check(read_yaml(path), RunFile, path).slurm


def request_from(options: argparse.Namespace) -> tuple[Request, str]:
    """Return the request and the run folder, or its URL, that the command line means.

    Flags given beside a run's YAML take precedence over it.

    Raises:
        RequestError: what is needed is neither in a YAML nor in the flags, or means nothing.
    """
    asked: dict[str, Any] = {}
    if options.run_yaml:
        path = find_config("runs", options.run_yaml)
        asked = check(read_yaml(path), RunFile, path).model_dump()
    sizes = ("limit", "batch_size", "video_master")
    flags = ("suite", "models", "languages", "seeds", "targets", "scenes", *sizes, "out")
    asked |= {name: getattr(options, name) for name in flags if getattr(options, name) is not None}
    for name in ("suite", "models", "languages"):
        if not asked.get(name):
            raise RequestError(f"generate wants a run's YAML, or --{name}")
    request = Request(
        suite=asked["suite"],
        models=tuple(asked["models"]),
        languages=tuple(asked["languages"]),
        seeds=parse_seeds(str(asked.get("seeds", "0"))),
        targets=tuple(asked.get("targets") or ()),
        scenes=tuple(asked.get("scenes") or ()),
        limit=asked.get("limit"),
        arguments={**asked.get("arguments", {}), **settings("set", options.set)},
        batch_size=asked.get("batch_size"),
        video_master=asked.get("video_master"),
        speedups={**asked.get("speedups", {}), **settings("speedup", options.speedup)},
    )
    out = asked.get("out") or (f"runs/{asked['run']}" if "run" in asked else None)
    if out is None:
        raise RequestError("generate wants --out, the run folder")
    return request, str(out)


def settings(option: str, texts: Sequence[str]) -> dict[str, Any]:
    """Read NAME=VALUE, the value as YAML."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            example = {"set": "num_inference_steps=4", "speedup": "cache=first_block"}[option]
            raise RequestError(f"--{option} {text!r}: write NAME=VALUE, as in {example}")
        try:
            found[name] = yaml.safe_load(value)
            json.dumps(found[name])
        except (yaml.YAMLError, TypeError) as error:
            raise RequestError(
                f"--{option} {text!r}: the value is no number, text or list"
            ) from error
    return found
