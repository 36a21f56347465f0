"""`pinlu probe`: look at every output of a run, keep what was seen, and write `probes.parquet`.

What a file shows is computed once and cached under the run's `.state/probe/` by the file's hash, so
a second call looks at new outputs alone; the tables are made anew from the cache each time.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import clips, manifest
from bench.errors import RequestError, WorkError
from bench.files import write_whole, written_whole
from bench.media import Pixels
from bench.probing import faults, tables, video
from bench.probing.embeddings import ATELIER, Cache, Embeddings, Network, Prepared, load_network
from bench.probing.items import (
    Item,
    hold_to_hash,
    items_of_references,
    items_of_run,
    read_picture,
    worked_ahead,
)
from bench.probing.names import DIVERSITY, PROBES, REPORT
from bench.probing.texts import find_probe_texts
from bench.progress import progress
from bench.suites import load_suite

NO_NETWORK = "none"
USUAL_NETWORK = "google/siglip2-base-patch16-224"
"""What sees pictures where nothing else is asked for; the hub has it for everyone."""
_KEEP_EVERY = 256


@dataclass(frozen=True)
class Probed:
    """What a call of `probe` did; `faults` has a sentence per output that could not be looked at."""

    outputs: int
    references: int
    new: int
    faults: tuple[str, ...]
    seconds: float
    forward_seconds: float
    looking_seconds: float
    """From the first file read to the last embedding kept: of this, forward passes are a share."""
    report: Mapping[str, Any]


@dataclass
class _Seen:
    """What workers hand over of one item: what needs no network, and what the network is to see."""

    facts: npt.NDArray[Any] | None
    prepared: list[Prepared] = field(default_factory=list)


def probe(
    run: Path,
    *,
    network: str | None = None,
    revision: str | None = None,
    references: Path | None = None,
    texts: Path | None = None,
    languages: Sequence[str] = (),
    batch_size: int = 32,
    workers: int | None = None,
) -> Probed:
    """Look at what is new in a run and write its tables of probes.

    Args:
        run: the run folder.
        network: what sees pictures (`embeddings.load_network`); `none` for faults alone; by default
            atelier-probe where all models are the atelier's, else `USUAL_NETWORK`.
        revision: of a network on the hub.
        references: a folder of reference works with a `metadata.jsonl`.
        texts: a `probe.yaml` in the place of the suite's own.
        languages: of its texts, those that the network reads; all where none is named.
        batch_size: pictures per forward pass.
        workers: threads that read and decode; by default the number of cores.

    Raises:
        RequestError: no run, no such network, no references where a folder is named.
    """
    began = time.monotonic()
    content = manifest.read_run(run)
    if content["modality"] not in {"image", "video"}:
        raise RequestError(f"{run} holds neither images nor clips: there is nothing to look at")
    suite = load_suite(str(run / "suite.yaml"))
    outputs = items_of_run(run, suite)
    works = items_of_references(references, suite) if references is not None else []
    ensembles = find_probe_texts(suite, texts, languages)
    name = network or usual_network(content)
    seer = None if name == NO_NETWORK else load_network(name, revision)
    if seer is not None and seer.head and not set(suite.traditions) <= set(seer.traditions):
        raise RequestError(
            f"{seer.name} tells {', '.join(seer.traditions)} apart, not {', '.join(suite.traditions)}"
        )
    with manifest.opened(run):
        looked = _look(run, [*outputs, *works], seer, batch_size, workers or os.cpu_count() or 1)
        found = tables.tables(
            [one for one in outputs if one.path not in looked.lost],
            [one for one in works if one.path not in looked.lost],
            looked.facts,
            looked.embedded,
            network=seer,
            suite=suite,
            texts=ensembles,
        )
        _write_tables(run, found)
        read = list(languages) or "all"
        report = {**found.report, "text_languages": read, "faults": list(looked.faults)}
        write_whole(
            run / REPORT,
            (json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode(),
            run / manifest.STATE / "tmp",
        )
    return Probed(
        outputs=len(outputs),
        references=len(works),
        new=looked.new,
        faults=tuple(looked.faults),
        seconds=time.monotonic() - began,
        forward_seconds=looked.forward_seconds,
        looking_seconds=looked.seconds,
        report=report,
    )


def usual_network(content: Mapping[str, Any]) -> str:
    """Return atelier-probe where every model of a run is the atelier's, else the usual network."""
    sources = [Path(str(model.get("source", ""))) for model in content["models"]]
    ours = all((source / "training.json").is_file() for source in sources)
    return ATELIER if sources and ours else USUAL_NETWORK


@dataclass
class _Looked:
    facts: Mapping[str, npt.NDArray[Any]]
    embedded: Mapping[str, Embeddings]
    faults: list[str] = field(default_factory=list)
    lost: set[Path] = field(default_factory=set)
    new: int = 0
    forward_seconds: float = 0.0
    seconds: float = 0.0


def _look(
    run: Path, items: Sequence[Item], seer: Network | None, batch_size: int, workers: int
) -> _Looked:
    """Read every file once: what is cached is held to its hash, the rest is looked at and cached."""
    folder = run / manifest.STATE / "probe"
    facts = Cache(folder / "facts-1")
    embedded = Cache(folder / f"network-{seer.revision[:16]}") if seer else None
    looked = _Looked(facts.there, embedded.there if embedded else {})
    known = set(facts.there) & (set(embedded.there) if embedded else set(facts.there))
    looked.new = len({one.sha256 for one in items} - known)
    began = time.perf_counter()
    work = functools.partial(_see_one, frozenset(facts.there), embedded, seer)
    waiting: list[tuple[Item, list[Prepared]]] = []
    fresh_facts: dict[str, npt.NDArray[Any]] = {}
    fresh: dict[str, Embeddings] = {}

    def settle(*, keep: bool) -> None:
        if seer is not None and waiting:
            start = time.perf_counter()
            fresh.update(_embed(seer, waiting, batch_size))
            looked.forward_seconds += time.perf_counter() - start
            waiting.clear()
        if keep:
            facts.add(dict(fresh_facts))
            fresh_facts.clear()
            if embedded is not None:
                embedded.add(dict(fresh))
                fresh.clear()

    with progress("probe", "files", len(items)) as bar:
        for number, (item, seen) in enumerate(worked_ahead(work, items, workers), start=1):
            if isinstance(seen, WorkError):
                looked.faults.append(str(seen))
                looked.lost.add(item.path)
            elif seen.facts is not None:
                fresh_facts[item.sha256] = seen.facts
            if isinstance(seen, _Seen) and seen.prepared:
                waiting.append((item, seen.prepared))
            if number % _KEEP_EVERY == 0 or _size(waiting) >= batch_size:
                settle(keep=number % _KEEP_EVERY == 0)
            bar.advance(1)
        settle(keep=True)
    looked.seconds = time.perf_counter() - began
    return looked


def _size(waiting: Sequence[tuple[Item, list[Prepared]]]) -> int:
    return sum(len(prepared) for _, prepared in waiting)


def _embed(
    seer: Network, waiting: Sequence[tuple[Item, list[Prepared]]], batch_size: int
) -> Iterator[tuple[str, Embeddings]]:
    """Embed what waits; a picture gets one row, a clip one per frame and version, (2, 16, width)."""
    flat = [one for _, prepared in waiting for one in prepared]
    rows = np.concatenate(
        [seer.see(flat[start : start + batch_size]) for start in range(0, len(flat), batch_size)]
    )
    place = 0
    for item, prepared in waiting:
        own = rows[place : place + len(prepared)]
        place += len(prepared)
        if item.frames is None:
            yield item.sha256, own[0]
            continue
        whole = np.full((2, video.SEEN_FRAMES, own.shape[1]), np.nan, np.float32)
        half = len(own) // 2
        whole[0, :half], whole[1, :half] = own[:half], own[half:]
        yield item.sha256, whole


def _see_one(
    facts: frozenset[str], embedded: Cache | None, seer: Network | None, item: Item
) -> _Seen:
    """Do a worker's part of one item; nothing but the hash where all is cached."""
    wants_facts = item.sha256 not in facts
    wants_network = embedded is not None and item.sha256 not in embedded.there
    if not (wants_facts or wants_network):
        hold_to_hash(item)
        return _Seen(None)
    if item.frames is not None:
        return _see_clip(item, seer if wants_network else None)
    pixels = read_picture(item)
    seen = _Seen(faults.features(pixels) if wants_facts else None)
    if wants_network and seer is not None:
        seen.prepared = [seer.prepare(_image(pixels))]
    return seen


def _see_clip(item: Item, seer: Network | None) -> _Seen:
    """Measure a clip, and prepare some frames as they are and the same with colours levelled."""
    chosen = set(video.seen_frames(item.frames or 1))
    copies, frames = [], []
    for number, frame in enumerate(_checked_frames(item)):
        copies.append(video.small_copy(frame))
        if number in chosen:
            frames.append(frame)
    measures = video.measure(copies)
    found = (
        [float("nan")] * 3 + [float(len(copies))]
        if measures is None
        else [
            measures.background_steadiness,
            measures.flicker,
            measures.motion,
            float(measures.frames),
        ]
    )
    seen = _Seen(np.array(found))
    if seer is not None:
        shown = [*frames, *video.level_colours(frames)]
        seen.prepared = [seer.prepare(_image(frame)) for frame in shown]
    return seen


def _checked_frames(item: Item) -> Iterator[Pixels]:
    """Yield a clip's frames; a master is held to the hash of its pixels, a clip to that of its file."""
    if item.exact != "ffv1":
        hold_to_hash(item)
        yield from clips.read_frames(item.path)
        return
    content, count = None, 0
    for frame in clips.read_frames(item.path):
        if content is None:
            shape = (item.frames, *frame.shape)
            content = hashlib.sha256("x".join(map(str, shape)).encode() + b"\n")
        content.update(np.ascontiguousarray(frame).data)
        count += 1
        yield frame
    if content is None or count != item.frames or content.hexdigest() != item.sha256:
        raise WorkError(f"changed or torn: the master of {item.row['file_name']} has other pixels")


def _image(pixels: Pixels) -> Any:
    from PIL import Image  # noqa: PLC0415 - the only use

    return Image.fromarray(pixels)


def _write_tables(run: Path, found: tables.Tables) -> None:
    scratch = run / manifest.STATE / "tmp"
    for name, frame in ((PROBES, found.probes), (DIVERSITY, found.diversity)):
        if frame.empty:  # a table without rows would be no table to whoever reads it
            (run / name).unlink(missing_ok=True)
            continue
        with written_whole(run / name, scratch) as temporary:
            frame.to_parquet(temporary, index=False)
