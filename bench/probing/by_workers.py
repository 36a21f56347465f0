"""Probes by several workers: each looks at chunks of files, one of them writes the tables at the end.

Imports torch through `bench.probing.embeddings`.
"""

from __future__ import annotations

import json
import socket
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.crew.crafts import (
    By,
    Piece,
    Plan,
    Row,
    environments_in,
    read_pieces,
    write_pieces,
)
from bench.errors import LoadError, PinluError, RequestError, WorkError
from bench.files import file_hash
from bench.parts import Part, Wanted
from bench.probing.embeddings import Network, load_network
from bench.probing.environments import enter_environment, known_of, settled_environment
from bench.probing.items import Item
from bench.probing.looking import Caches, Looked, Wish, caches_of, chunks, new_in, see
from bench.probing.names import REPORT
from bench.probing.run import NO_NETWORK, Probed, Probing, to_see, write_tables
from bench.records import REFERENCE
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
            ConflictError: some of it was seen under other versions or on another device.
        """
        there = to_see(folder, self.asked)
        caches = caches_of(folder, there.seer)
        wishes = caches.wishes(there.items)
        into = caches.folders_with(wishes)
        here = settled_environment(caches.folders, into=into, allow_mixed=allow_mixed)
        known = known_of(caches.folders)
        about = {
            "environments": known if here in known else [*known, here],
            "kept": [str(one.relative_to(folder)) for one in caches.folders],
            "kept_anew": [str(one.relative_to(folder)) for one in into],
            "network": there.network,
            "seer": _identity(there.seer),
            "outputs": len(there.outputs),
            "references": len(there.works),
            "new": new_in(wishes),
            "beside": _beside(self.asked),
            "allow_mixed": allow_mixed,
        }
        keys = iter(_keys(there.items))
        rows = (
            {"index": index, "jobs": [_job(next(keys), wish) for wish in chunk]}
            for index, chunk in enumerate(chunks(wishes, self.asked.batch_size))
        )
        write_pieces(folder, PIECES, about, rows)

    def plan(self, folder: Path, settled: Any, under_way: Collection[int] = ()) -> Plan:
        """Return all chunks: what is kept of a file is held to its hash again."""
        del settled, under_way
        about, rows = read_pieces(folder, PIECES)
        faults: dict[str, str] = {}
        environments = environments_in(about)

        def mix(environment: Row) -> None:
            if into := [folder / one for one in about.get("kept_anew", ())]:
                folders = [folder / one for one in about["kept"]]
                enter_environment(folders, environment, into=into, allow_mixed=True)
            environments.append(environment)

        def enter(new: Sequence[Row]) -> None:
            lost = [row["failure"] for row in new if "failure" in row]
            faults.update((row["key"], row["error"]) for row in lost)

        def failures(piece: int, keys: Collection[str], why: str) -> list[dict[str, Any]]:
            jobs = [job for job in rows[piece]["jobs"] if job["key"] in keys]
            return [
                {"key": job["key"], "model": about["network"], "error": f"{_named(job)}: {why}"}
                for job in jobs
            ]

        def piece(row: Mapping[str, Any]) -> Piece:
            keys = tuple(job["key"] for job in row["jobs"])
            new = sum(job["facts"] or job["network"] for job in row["jobs"])
            return Piece(row["index"], about["network"], keys, 0.05 + new / len(keys))

        return Plan(
            doing="probe",
            unit="files",
            pieces=[piece(row) for row in rows],
            finished=(),
            environments=environments,
            planned=sum(len(row["jobs"]) for row in rows),
            there_before=0,
            enter=enter,
            failures=failures,
            mix=mix,
            last=lambda: [faults],
        )

    def desk(self, folder: Path, part: Part) -> ProbeDesk:
        """Read what there is to look at."""
        return ProbeDesk(folder, part, self.asked)

    def finish(self, folder: Path, *told: Any) -> bool:
        """Write the tables from all that was seen; `told` are the sentences of files that are lost.

        What is kept of no file that is not lost is looked at here: it came since, or was not kept.

        Raises:
            ConflictError: that would be on another device or under other versions than what was seen, and
                the work was not settled to allow it.
        """
        there = to_see(folder, self.asked)
        about, _ = read_pieces(folder, PIECES)
        if _identity(there.seer) != about["seer"]:
            raise WorkError(_other_network(about["network"]))
        caches = caches_of(folder, there.seer)
        items = dict(zip(_keys(there.items), there.items, strict=True))
        faults = {key: told[0][key] for key in items if key in told[0]}
        looked = Looked(caches.facts.there, caches.embedded.there if caches.embedded else {})
        looked.faults = list(faults.values())
        looked.lost = {items[key].path for key in faults}
        left = [item for key, item in items.items() if key not in faults]
        lacking = [wish for wish in caches.wishes(left) if wish.facts or wish.network]
        if into := caches.folders_with(lacking):
            here = environment_here(environments_in(about)[0]["threads"])
            mixed = about.get("allow_mixed", False)
            enter_environment(caches.folders, here, into=into, allow_mixed=mixed)
        size = self.asked.batch_size
        for chunk in see(
            chunks(lacking, size), caches, there.seer, size, self.asked.decoding_threads()
        ):
            looked.faults += [said for _, said in chunk.faults]
            looked.lost |= {item.path for item, _ in chunk.faults}
        write_tables(folder, self.asked, there, looked)
        return True


class ProbeDesk:
    """A worker's place where files are looked at."""

    def __init__(self, folder: Path, part: Part, asked: Probing) -> None:
        """Read the chunks."""
        self._about, rows = read_pieces(folder, PIECES)
        self._chunks = {row["index"]: row["jobs"] for row in rows}
        self._folder, self._part, self._asked = folder, part, asked
        for path, known, here in zip(
            _paths(asked), self._about["beside"], _beside(asked), strict=True
        ):
            if here != known:
                raise WorkError(
                    f"{socket.gethostname()} does not see {path} as it was: it must lie on a file "
                    "system that all share"
                )
        self.known = environments_in(self._about)
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
            raise LoadError(_other_network(model))
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
            for job, wish in zip(self._chunks[index], wishes, strict=True):
                if id(wish.item) in lost and _size(wish.item.path) != job["bytes"]:
                    # others may see it as it was when the work was settled
                    raise LoadError(f"on {socket.gethostname()}: {lost[id(wish.item)]}")
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
        allow_mixed: take workers on other kinds of device, and record them.

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


def _paths(asked: Probing) -> list[Path]:
    """Return the files beside the run that say what is looked at, and by what."""
    named = [asked.references and asked.references / "metadata.jsonl", asked.texts]
    return [path for path in named if path]


def _beside(asked: Probing) -> list[str]:
    return [file_hash(path) if path.is_file() else "" for path in _paths(asked)]


def _keys(items: Sequence[Item]) -> list[str]:
    """Return a key of each file, from what it is and holds: it means the same to whoever reads the run."""
    keys: list[str] = []
    times = Counter[str]()
    for item in items:
        role = "reference" if item.row["model"] == REFERENCE else "output"
        key = f"{role}:{item.row['output']}:{item.sha256[:16]}"
        keys.append(f"{key}:{times[key]}" if times[key] else key)
        times[key] += 1
    return keys


def _named(job: Mapping[str, Any]) -> str:
    return f"{job['row']['file_name']} of {job['row']['model']}"


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _other_network(name: str) -> str:
    return f"on {socket.gethostname()}, {name} is another network than was asked for"


def _job(key: str, wish: Wish) -> dict[str, Any]:
    item = wish.item
    return {
        "key": key,
        "path": str(item.path.absolute()),
        "bytes": _size(item.path),
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
