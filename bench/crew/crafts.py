"""What workers can be put to: pictures, answers, probes, judgements; each is a craft.

A craft is plain data that travels to workers. One of them settles what is to be made; whoever drives
plans it as pieces, the units of work; each worker sits down at a desk and makes pieces.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bench import errors, manifest
from bench.checkpoints import folder_revision
from bench.crew.scheduling import Estimate
from bench.files import read_rows, write_whole
from bench.parts import Part, Wanted
from bench.records import ModelSpec
from bench.summary import Summary

Row = Mapping[str, Any]

By = Callable[..., Summary]
"""Has workers do a craft: called with it and the folder, and with `allow_mixed`."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A unit of work of one model: the keys of its jobs, and its cost relative to others of the model."""

    index: int
    model: str
    keys: tuple[str, ...]
    cost: float = 1.0


@dataclass(slots=True)
class Plan:
    """What is to be made, as whoever drives sees it.

    `doing` and `unit` are for the view over it: "generate" so many "images". `pieces` are those of which something is missing; jobs in `finished` need nothing. `environments`
    are those that a worker may have. `hopeless` says of pieces, by index, why nobody can make them.
    """

    doing: str
    unit: str
    pieces: Sequence[Piece]
    finished: Collection[str]
    environments: list[Row]
    planned: int
    there_before: int
    enter: Callable[[Sequence[Row]], None]
    """Enters rows of parts into the run, each job once, whoever did it twice."""
    failures: Callable[[int, Collection[str], str], list[dict[str, Any]]]
    """Gives the rows of a piece's jobs that failed: its index, their keys, and why."""
    estimates: Callable[[], Mapping[str, Estimate]] = dict
    mix: Callable[[Row], None] = lambda _: None
    """Records that a worker with another environment makes some of it."""
    warnings: Sequence[str] = ()
    hopeless: Mapping[int, str] = field(default_factory=dict)
    last: Callable[[], Sequence[Any]] | None = None
    """Gives what one worker is told when all pieces are made: it calls the craft's `finish`."""
    after: Callable[[Summary], None] = lambda _: None
    """Called at the end, while the run is held still."""
    found: Any = None
    """What `finish` returned."""


class Desk(Protocol):
    """A worker's place: what it has read of the work, and the model that it has loaded."""

    environment: Row
    known: Sequence[Row]
    """Environments that made some of the work before."""

    def keys(self, piece: int) -> Sequence[str]:
        """Return the keys of a piece's jobs."""

    def load(self, model: str) -> float:
        """Load a model in the place of the one before; return the seconds that it took.

        Raises:
            LoadError: it does not load here; another worker may have its files.
        """

    def make(self, wanted: Wanted) -> int:
        """Make pieces of the loaded model; when this returns their rows are in the part.

        Returns:
            How many jobs' prompts were cut.
        """

    def put_away(self) -> None:
        """Free the model's memory, and enter how fast it was; without one nothing."""


class Craft(Protocol):
    """One kind of work, as it travels to workers."""

    def settle(self, folder: Path, *, allow_mixed: bool) -> Any:
        """Decide, on a device like those that work, what is to be made; return what `plan` is told."""

    def plan(self, folder: Path, settled: Any, under_way: Collection[int] = ()) -> Plan:
        """Return the plan of a settled work; of pieces `under_way` elsewhere nothing is touched."""

    def desk(self, folder: Path, part: Part) -> Desk:
        """Sit down to a settled work, on a worker whose part this is."""

    def finish(self, folder: Path, *told: Any) -> Any:
        """Do what is left when all pieces are made, on one worker."""


def refuse_other_checkpoint(spec: ModelSpec) -> None:
    """Refuse a folder that is not here, or that holds something else than when the work was settled.

    Raises:
        LoadError: names this host.
    """
    host = socket.gethostname()
    if os.path.isabs(spec.source) and not os.path.isdir(spec.source):  # noqa: PTH112, PTH117 - may be a hub id
        raise errors.LoadError(f"on {host}, {spec.source} is not there")
    if os.path.isdir(spec.source) and folder_revision(Path(spec.source)) != spec.revision:  # noqa: PTH112
        raise errors.LoadError(
            f"on {host}, {spec.source} holds another checkpoint than was asked for"
        )


def write_pieces(folder: Path, name: str, about: Row, pieces: Iterable[Row]) -> None:
    """Keep what was settled, for all who work on it: what it is `about`, then a row for each piece."""
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in (about, *pieces))
    write_whole(_pieces(folder, name), "".join(lines).encode(), folder / manifest.STATE / "tmp")


def read_pieces(folder: Path, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what `write_pieces` kept."""
    about, *pieces = read_rows(_pieces(folder, name))
    return about, pieces


def environments_in(about: Row) -> list[Row]:
    """Return on what a settled work was begun, and then on what else; pieces of before name one alone."""
    return list(about.get("environments") or [about["environment"]])


def _pieces(folder: Path, name: str) -> Path:
    return folder / manifest.STATE / f"{name}.jsonl"


def made_in(row: Row) -> Row | None:
    """Return what a row of a part says was made, or failed; None where it says something else."""
    return next((row[kind] for kind in ("output", "reply", "seen", "failure") if kind in row), None)


def keys_there(part: Path) -> Iterator[str]:
    """Yield the keys of what a part holds, failures left out."""
    for row in read_rows(part):
        made = made_in(row)
        if made is not None and "failure" not in row:
            yield made["key"]
