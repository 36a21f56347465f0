"""Probes by several workers: each looks at chunks of files, one of them writes the tables at the end.

Imports torch through `bench.probing.embeddings`.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.crew.crafts import Piece, Plan, Row, read_pieces, write_pieces
from bench.crew.pictures import By
from bench.errors import LoadError, PinluError, RequestError
from bench.parts import Part, Wanted
from bench.probing.embeddings import Network, load_network
from bench.probing.items import Item
from bench.probing.looking import Caches, Looked, Wish, caches_of, chunks, see
from bench.probing.names import REPORT
from bench.probing.run import NO_NETWORK, Probed, Probing, to_see, write_tables
from bench.understanding.asking import environment_here

PIECES = "probe"


@dataclass(frozen=True, slots=True)
class Probes:
    """What is to be seen of a run's files."""

    asked: Probing

    def settle(self, folder: Path, *, allow_mixed: bool) -> None:
        """Find out what is not kept yet, and cut the files into chunks.

        Raises:
            RequestError: as `bench.probing.run.to_see`.
        """
        del allow_mixed
        environment, there = environment_here(), to_see(folder, self.asked)
        wishes = caches_of(folder, there.seer).wishes(there.items)
        about = {
            "environment": environment,
            "network": there.network,
            "seer": _identity(there.seer),
            "outputs": len(there.outputs),
            "references": len(there.works),
            "new": len({one.item.sha256 for one in wishes if one.facts or one.network}),
        }
        rows, place = [], 0
        for index, chunk in enumerate(chunks(wishes, self.asked.batch_size)):
            jobs = [_job(key, wish) for key, wish in enumerate(chunk, start=place)]
            rows.append({"index": index, "jobs": jobs})
            place += len(chunk)
        write_pieces(folder, PIECES, about, rows)

    def plan(self, folder: Path, settled: Any, under_way: Collection[int] = ()) -> Plan:
        """Return all chunks: what is kept of a file is held to its hash again."""
        del settled, under_way
        about, rows = read_pieces(folder, PIECES)
        faults: dict[str, str] = {}

        def enter(new: Sequence[Row]) -> None:
            lost = [row["failure"] for row in new if "failure" in row]
            faults.update((row["key"], row["error"]) for row in lost)

        def failures(piece: int, keys: Collection[str], why: str) -> list[dict[str, Any]]:
            del piece
            return [{"key": key, "model": about["network"], "error": why} for key in sorted(keys)]

        def piece(row: Mapping[str, Any]) -> Piece:
            keys = tuple(job["key"] for job in row["jobs"])
            new = sum(job["facts"] or job["network"] for job in row["jobs"])
            return Piece(row["index"], about["network"], keys, 0.05 + new / len(keys))

        return Plan(
            doing="probe",
            unit="files",
            pieces=[piece(row) for row in rows],
            finished=(),
            environments=[about["environment"]],
            planned=sum(len(row["jobs"]) for row in rows),
            there_before=0,
            enter=enter,
            failures=failures,
            last=lambda: [faults],
        )

    def desk(self, folder: Path, part: Part) -> ProbeDesk:
        """Read what there is to look at."""
        return ProbeDesk(folder, part, self.asked)

    def finish(self, folder: Path, *told: Any) -> bool:
        """Write the tables from all that was seen; `told` are the sentences of files that are lost."""
        there = to_see(folder, self.asked)
        caches, items = caches_of(folder, there.seer), there.items
        faults = {int(key): why for key, why in told[0].items()}
        looked = Looked(caches.facts.there, caches.embedded.there if caches.embedded else {})
        looked.faults = [faults[place] for place in sorted(faults)]
        looked.lost = {items[place].path for place in faults}
        write_tables(folder, self.asked, there, looked)
        return True


class ProbeDesk:
    """A worker's place where files are looked at."""

    def __init__(self, folder: Path, part: Part, asked: Probing) -> None:
        """Read the chunks."""
        self._about, rows = read_pieces(folder, PIECES)
        self._chunks = {row["index"]: row["jobs"] for row in rows}
        self._folder, self._part, self._asked = folder, part, asked
        self.known = [self._about["environment"]]
        self.environment = environment_here(self.known[0]["threads"])
        self._seer: Network | None = None
        self._caches: Caches | None = None
        self._spent = [0.0, 0.0]

    def keys(self, piece: int) -> Sequence[str]:
        """Return the keys of a chunk's files."""
        return [job["key"] for job in self._chunks[piece]]

    def load(self, model: str) -> float:
        """Load the network, which must be the one that was settled."""
        began, host = time.perf_counter(), socket.gethostname()
        if model != NO_NETWORK:
            try:
                self._seer = load_network(model, self._asked.revision)
            except PinluError as error:
                raise LoadError(f"{error} (on {host})") from error
        if _identity(self._seer) != self._about["seer"]:
            raise LoadError(f"on {host}, {model} is another network than was asked for")
        self._caches = caches_of(self._folder, self._seer, writer=self._part.path.stem)
        return time.perf_counter() - began

    def make(self, wanted: Wanted) -> int:
        """Look at chunks; each is looked at whole, so that the network is given the same batches."""
        if self._caches is None:
            msg = "make before load"
            raise RuntimeError(msg)
        order = sorted(wanted)
        cut = [[_wish(job) for job in self._chunks[index]] for index in order]
        began = time.perf_counter()
        found = see(
            cut,
            self._caches,
            self._seer,
            self._asked.batch_size,
            self._asked.decoding_threads(),
            begun=lambda place: self._part.begun(order[place]),
        )
        for index, wishes, chunk in zip(order, cut, found, strict=True):
            ended = time.perf_counter()
            lost = {id(item): why for item, why in chunk.faults}
            model = self._about["network"]
            each = round((ended - began) / len(wishes), 6)
            jobs = [
                (job["key"], wish) for job, wish in zip(self._chunks[index], wishes, strict=True)
            ]
            self._part.seen(
                {"key": key, "model": model, "seconds": each}
                for key, wish in jobs
                if id(wish.item) not in lost
            )
            self._part.failures(
                {"key": key, "model": model, "error": lost[id(wish.item)]}
                for key, wish in jobs
                if id(wish.item) in lost
            )
            self._spent[0] += chunk.forward_seconds
            self._spent[1] += ended - began
            began = ended
        return 0

    def put_away(self) -> None:
        """Free the network, and enter what it took."""
        if self._caches is not None:
            forward, looking = self._spent
            self._part.speed({"forward_seconds": forward, "looking_seconds": looking})
        self._seer, self._caches, self._spent = None, None, [0.0, 0.0]


def probe_by_workers(by: By, run: Path, asked: Probing, *, allow_mixed: bool = False) -> Probed:
    """Probe as `bench.probing.run.probe` does, by several workers.

    Args:
        by: has the workers do it.
        run: the run folder, which every worker must see under this path, as the references and texts.
        asked: with what.
        allow_mixed: take workers with other versions or devices than the first.

    Raises:
        RequestError: as `probe`; WorkError where no worker is left.
    """
    if not (run / "run.yaml").is_file():
        raise RequestError(f"{run} has no run.yaml: it is not a run folder")

    def found(path: Path | None) -> Path | None:
        return path and path.resolve()

    name = asked.network
    asked = replace(
        asked,
        network=str(Path(name).resolve()) if name and Path(name).is_dir() else name,
        references=found(asked.references),
        texts=found(asked.texts),
    )
    done = by(Probes(asked), run, allow_mixed=allow_mixed)
    about, _ = read_pieces(run.resolve(), PIECES)
    report = json.loads((run / REPORT).read_text(encoding="utf-8"))
    return Probed(
        outputs=about["outputs"],
        references=about["references"],
        new=about["new"],
        faults=tuple(report["faults"]),
        seconds=done.seconds,
        forward_seconds=sum(row["forward_seconds"] for row in done.speed),
        looking_seconds=sum(row["looking_seconds"] for row in done.speed),
        report=report,
    )


def _identity(seer: Network | None) -> list[str]:
    return [] if seer is None else [seer.name, seer.revision, seer.dtype]


def _job(key: int, wish: Wish) -> dict[str, Any]:
    item = wish.item
    return {
        "key": str(key),
        "path": str(item.path.absolute()),
        "sha256": item.sha256,
        "row": {name: item.row[name] for name in ("file_name", "model")},
        "frames": item.frames,
        "exact": item.exact,
        "facts": wish.facts,
        "network": wish.network,
    }


def _wish(job: Mapping[str, Any]) -> Wish:
    item = Item(Path(job["path"]), job["sha256"], job["row"], job["frames"], job["exact"])
    return Wish(item, job["facts"], job["network"])
