"""Looking at files: what needs no network, what a network sees, each once and then from the cache.

Threads read, check and prepare; the network runs in the caller's thread; what was seen is kept under
the run's `.state/probe/` by the file's hash, chunk by chunk.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from bench import clips, manifest
from bench.errors import WorkError
from bench.files import file_hash
from bench.media import Pixels
from bench.probing import faults, video
from bench.probing.cache import Cache, folder_name
from bench.probing.embeddings import Embeddings, Network, Prepared
from bench.probing.items import (
    MASTER,
    Item,
    hold_to_hash,
    pictures_in,
    read_picture,
    worked_ahead,
)
from bench.progress import progress

KEEP_EVERY = 64
"""Pictures in a chunk, at least: what was seen of one is written at once, and lost at most when a
call is killed. A clip counts as many."""
_FACTS = "facts-1"
"""Its number goes up where `faults.features` or `video.measure` change."""


@dataclass
class _Seen:
    """What threads hand over of one item: what needs no network, and what the network is to see."""

    facts: npt.NDArray[Any] | None = None
    prepared: list[Prepared] = field(default_factory=list)
    file_hash: npt.NDArray[np.uint8] | None = None
    """Of a clip's master whose pixels were checked: the hash of its file, to know it by next time."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A file, and what is still to be seen of it: `facts` that need no network, and by the `network`."""

    item: Item
    facts: bool
    network: bool


@dataclass
class Looked:
    """What is known of every file by its hash, and what could not be looked at."""

    facts: Mapping[str, npt.NDArray[Any]]
    embedded: Mapping[str, Embeddings]
    faults: list[str] = field(default_factory=list)
    lost: set[Path] = field(default_factory=set)
    new: int = 0
    forward_seconds: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class Caches:
    """What is kept of files, by their hash."""

    facts: Cache
    masters: Cache
    """By the hash of a master's pixels that of its file, which is quicker to check."""
    embedded: Cache | None

    @property
    def folders(self) -> list[Path]:
        """Where lies what the network saw, and what was seen without."""
        return [cache.folder for cache in (self.embedded, self.facts) if cache is not None]

    def folders_with(self, wishes: Sequence[Wish]) -> list[Path]:
        """Return those of the folders in which something of these files is not kept yet."""
        lacking = [(self.embedded, any(one.network for one in wishes))]
        lacking.append((self.facts, any(one.facts for one in wishes)))
        return [cache.folder for cache, new in lacking if cache is not None and new]

    def wishes(self, items: Sequence[Item]) -> list[Wish]:
        """Return of each file what is not kept."""
        embedded = None if self.embedded is None else self.embedded.there
        return [
            Wish(
                item,
                item.sha256 not in self.facts.there,
                embedded is not None and item.sha256 not in embedded,
            )
            for item in items
        ]


def look(
    caches: Caches, wishes: Sequence[Wish], seer: Network | None, batch_size: int, threads: int
) -> Looked:
    """Read every file once: what is kept is held to its hash, the rest is looked at and kept."""
    looked = Looked(caches.facts.there, caches.embedded.there if caches.embedded else {})
    looked.new = new_in(wishes)
    began = time.perf_counter()
    with progress("probe", "files", len(wishes)) as bar:
        for chunk in see(chunks(wishes, batch_size), caches, seer, batch_size, threads):
            looked.faults += [said for _, said in chunk.faults]
            looked.lost |= {item.path for item, _ in chunk.faults}
            looked.forward_seconds += chunk.forward_seconds
            bar.advance(chunk.files)
    looked.seconds = time.perf_counter() - began
    return looked


def new_in(wishes: Sequence[Wish]) -> int:
    """Return of how many files something is not kept yet."""
    return len({one.item.sha256 for one in wishes if one.facts or one.network})


def chunks(wishes: Sequence[Wish], batch_size: int) -> list[list[Wish]]:
    """Cut files into the chunks that are looked at and kept whole, of whole batches.

    The cut follows from the files alone and not from what is left of them: whoever looks at a chunk
    gives the network the same batches.
    """
    most = batch_size * math.ceil(KEEP_EVERY / batch_size)
    cut: list[list[Wish]] = [[]]
    pictures = 0
    for wish in wishes:
        if cut[-1] and pictures + pictures_in(wish.item) > most:
            cut.append([])
            pictures = 0
        cut[-1].append(wish)
        pictures += pictures_in(wish.item)
    return [chunk for chunk in cut if chunk]


@dataclass
class Chunk:
    """What came of one chunk: how many files, which could not be looked at and why, what it took."""

    files: int
    faults: list[tuple[Item, str]] = field(default_factory=list)
    forward_seconds: float = 0.0


def see(
    cut: Sequence[Sequence[Wish]],
    caches: Caches,
    seer: Network | None,
    batch_size: int,
    threads: int,
    *,
    begun: Callable[[int], None] = lambda _: None,
) -> Iterator[Chunk]:
    """Look at chunks one after another, reading ahead, and keep what was seen of each before it is told.

    `begun` is told the place of each chunk before its files are waited for; threads may have read some of them
    by then, so a file that kills who reads it can be blamed on the chunk before.
    """
    wishes = {id(wish.item): wish for chunk in cut for wish in chunk}
    items = [wish.item for wish in wishes.values()]
    stream = worked_ahead(lambda item: _see_one(caches, seer, wishes[id(item)]), items, threads)
    fresh = _Fresh()
    for place, chunk in enumerate(cut):
        begun(place)
        found = Chunk(len(chunk))
        for last, (item, seen) in enumerate(islice(stream, len(chunk)), start=1 - len(chunk)):
            if isinstance(seen, WorkError):
                found.faults.append((item, str(seen)))
            else:
                fresh.take(item, seen)
            if seer is not None and fresh.waiting and (not last or fresh.pictures() >= batch_size):
                start = time.perf_counter()
                fresh.embedded.update(_embed(seer, fresh.waiting, batch_size))
                found.forward_seconds += time.perf_counter() - start
                fresh.waiting.clear()
        fresh.keep(caches)
        yield found


@dataclass
class _Fresh:
    """What was seen and is not yet written, and what the network is still to see."""

    facts: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    masters: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    embedded: dict[str, Embeddings] = field(default_factory=dict)
    waiting: list[tuple[Item, list[Prepared]]] = field(default_factory=list)

    def take(self, item: Item, seen: _Seen) -> None:
        if seen.facts is not None:
            self.facts[item.sha256] = seen.facts
        if seen.file_hash is not None:
            self.masters[item.sha256] = seen.file_hash
        if seen.prepared:
            self.waiting.append((item, seen.prepared))

    def pictures(self) -> int:
        return sum(len(prepared) for _, prepared in self.waiting)

    def keep(self, caches: Caches) -> None:
        for cache, found in (
            (caches.facts, self.facts),
            (caches.masters, self.masters),
            (caches.embedded, self.embedded),
        ):
            if cache is not None:
                cache.add(dict(found))
                found.clear()


def caches_of(run: Path, seer: Network | None, *, writer: str = "") -> Caches:
    """Return what is kept for a network; a `writer` among several reads what it needs, and no more."""
    folder = run / manifest.STATE / "probe"

    def cache(name: str, *, read: bool = not writer) -> Cache:
        return Cache(folder / name, writer=writer, read=read)

    embedded = None
    if seer is not None:
        decides = (seer.name, seer.revision, seer.dtype, video.SEEN)
        embedded = cache(f"network-{folder_name(*decides)}")
    return Caches(cache(_FACTS), cache("masters-1", read=True), embedded)


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


def _see_one(caches: Caches, seer: Network | None, wish: Wish) -> _Seen:
    """Do a thread's part of one item; nothing but the hash where all is cached."""
    item = wish.item
    if not (wish.facts or wish.network):
        return _hold_again(item, caches.masters.there.get(item.sha256))
    if item.frames is not None:
        return _see_clip(item, seer if wish.network else None)
    pixels = read_picture(item)
    seen = _Seen(faults.features(pixels) if wish.facts else None)
    if wish.network and seer is not None:
        seen.prepared = [seer.prepare(Image.fromarray(pixels))]
    return seen


def _hold_again(item: Item, known: npt.NDArray[np.uint8] | None) -> _Seen:
    """Hold a file to its hash; a master that is not the file of last time is held to its pixels anew."""
    if item.exact != MASTER:
        hold_to_hash(item)
        return _Seen()
    found = _hash_of(item)
    if known is not None and (found == known).all():
        return _Seen()
    for _ in _checked_frames(item):
        pass
    return _Seen(file_hash=found)


def _hash_of(item: Item) -> npt.NDArray[np.uint8]:
    """Return the hash of a master's file as an array, as a cache keeps it."""
    try:
        return np.frombuffer(bytes.fromhex(file_hash(item.path)), np.uint8)
    except OSError as error:
        raise WorkError(f"missing: {item.row['file_name']}'s master {item.path.name}") from error


def _see_clip(item: Item, seer: Network | None) -> _Seen:
    """Measure a clip, and prepare some frames as they are and the same with colours levelled."""
    of_file = _hash_of(item) if item.exact == MASTER else None
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
    seen = _Seen(np.array(found), file_hash=of_file)
    if seer is not None:
        shown = [*frames, *video.level_colours(frames)]
        seen.prepared = [seer.prepare(Image.fromarray(frame)) for frame in shown]
    return seen


def _checked_frames(item: Item) -> Iterator[Pixels]:
    """Yield a clip's frames; a master is held to the hash of its pixels, a clip to that of its file."""
    if item.exact != MASTER:
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
