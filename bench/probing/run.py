"""`pinlu probe`: look at every output of a run, keep what was seen, and write `probes.parquet`.

What a file shows is computed once and cached under the run's `.state/probe/` by the file's hash, so
a second call looks at new outputs alone; the tables are made anew from the cache each time.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import manifest
from bench.crew import slurm_tasks
from bench.errors import RequestError, perhaps_elsewhere
from bench.files import write_whole, written_whole
from bench.pipelines import settle_threads
from bench.probing import tables
from bench.probing.embeddings import ATELIER, Network, load_network
from bench.probing.environments import environments_of, settled_environment
from bench.probing.items import Item, items_of_references, items_of_run
from bench.probing.looking import Looked, caches_of, look
from bench.probing.names import DIVERSITY, PROBES, REPORT
from bench.probing.texts import find_probe_texts
from bench.suites import Suite, load_suite

NO_NETWORK = "none"
USUAL_NETWORK = "google/siglip2-base-patch16-224"
"""What sees pictures where nothing else is asked for; the hub has it for everyone."""


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


@dataclass(frozen=True, slots=True)
class Probing:
    """What a run is looked at with.

    `network` is what sees pictures (`embeddings.load_network`); `none` for faults alone; by default
    atelier-probe where all models are the atelier's, else `USUAL_NETWORK`. `revision` is that of a
    network on the hub. `references` is a folder of reference works with a `metadata.jsonl`, `texts` a
    `probe.yaml` in the place of the suite's own; of its texts those in `languages` are read, all where
    none is named. `batch_size` counts pictures per forward pass, `threads` those that read and decode,
    by default as many as there are cores.
    """

    network: str | None = None
    revision: str | None = None
    references: Path | None = None
    texts: Path | None = None
    languages: tuple[str, ...] = ()
    batch_size: int = 32
    threads: int | None = None

    def decoding_threads(self) -> int:
        """Return how many threads read and decode."""
        return self.threads or os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class ToSee:
    """What there is to look at in a run, and with what."""

    suite: Suite
    outputs: Sequence[Item]
    works: Sequence[Item]
    network: str
    seer: Network | None
    ensembles: Mapping[str, tuple[str, ...]] | None

    @property
    def items(self) -> list[Item]:
        """The outputs and then the references."""
        return [*self.outputs, *self.works]


def to_see(run: Path, asked: Probing) -> ToSee:
    """Find out what there is to look at, and load the network.

    Raises:
        RequestError: no run, no such network, no references where a folder is named.
    """
    content = manifest.read_run(run)
    if content["modality"] not in {"image", "video"}:
        raise RequestError(f"{run} holds neither images nor clips: there is nothing to look at")
    suite = load_suite(str(run / "suite.yaml"))
    outputs = items_of_run(run, suite)
    with perhaps_elsewhere():
        works = items_of_references(asked.references, suite) if asked.references else []
    ensembles = find_probe_texts(suite, asked.texts, asked.languages)
    name = asked.network or usual_network(content)
    with perhaps_elsewhere():
        seer = None if name == NO_NETWORK else load_network(name, asked.revision)
    if seer is not None and seer.head and not set(suite.traditions) <= set(seer.traditions):
        raise RequestError(
            f"{seer.name} tells {', '.join(seer.traditions)} apart, not {', '.join(suite.traditions)}"
        )
    return ToSee(suite, outputs, works, name, seer, ensembles)


def probe(run: Path, asked: Probing, *, allow_mixed: bool = False) -> Probed:
    """Look at what is new in a run and write its tables of probes.

    Args:
        run: the run folder.
        asked: with what.
        allow_mixed: go on under other versions or on another device kind, and record it.

    Raises:
        RequestError: as `to_see`; a ConflictError where Slurm tasks may be at work on the run, or where
            some of it was seen under other versions.
    """
    began = time.monotonic()
    settle_threads(None)
    there = to_see(run, asked)
    with manifest.opened(run):
        slurm_tasks.refuse_under_way(run)
        caches = caches_of(run, there.seer)
        wishes = caches.wishes(there.items)
        into = caches.folders_with(wishes)
        settled_environment(caches.folders, into=into, allow_mixed=allow_mixed)
        looked = look(caches, wishes, there.seer, asked.batch_size, asked.decoding_threads())
        report = write_tables(run, asked, there, looked)
    return Probed(
        outputs=len(there.outputs),
        references=len(there.works),
        new=looked.new,
        faults=tuple(looked.faults),
        seconds=time.monotonic() - began,
        forward_seconds=looked.forward_seconds,
        looking_seconds=looked.seconds,
        report=report,
    )


def write_tables(run: Path, asked: Probing, there: ToSee, looked: Looked) -> Mapping[str, Any]:
    """Write the tables from what was seen, and return what the report says."""
    found = tables.tables(
        [one for one in there.outputs if one.path not in looked.lost],
        [one for one in there.works if one.path not in looked.lost],
        looked.facts,
        looked.embedded,
        network=there.seer,
        suite=there.suite,
        texts=there.ensembles,
    )
    read = list(asked.languages) or "all"
    seen_under = environments_of(caches_of(run, there.seer, writer="none").folders)
    report = {
        **found.report, **seen_under, "text_languages": read, "faults": list(looked.faults)
    }  # fmt: skip
    _write(run, found, report)
    return report


def usual_network(content: Mapping[str, Any]) -> str:
    """Return atelier-probe where every model of a run is the atelier's, else the usual network."""
    models = content["models"]
    ours = all(
        # runs of before do not say it
        model.get("atelier") or (Path(str(model.get("source", ""))) / "training.json").is_file()
        for model in models
    )
    return ATELIER if models and ours else USUAL_NETWORK


def _write(run: Path, found: tables.Tables, report: Mapping[str, Any]) -> None:
    """Write the report last and take the old one away first: where it is, tables are whole and its own."""
    scratch = run / manifest.STATE / "tmp"
    (run / REPORT).unlink(missing_ok=True)
    for name, frame in ((PROBES, found.probes), (DIVERSITY, found.diversity)):
        if frame.empty:  # a table without rows would be no table to whoever reads it
            (run / name).unlink(missing_ok=True)
            continue
        with written_whole(run / name, scratch) as temporary:
            frame.to_parquet(temporary, index=False)
    content = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    write_whole(run / REPORT, content.encode(), scratch)
