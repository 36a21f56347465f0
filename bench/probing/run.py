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
from bench.errors import RequestError
from bench.files import write_whole, written_whole
from bench.probing import tables
from bench.probing.embeddings import ATELIER, load_network
from bench.probing.items import items_of_references, items_of_run
from bench.probing.looking import look
from bench.probing.names import DIVERSITY, PROBES, REPORT
from bench.probing.texts import find_probe_texts
from bench.suites import load_suite

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
        looked = look(run, [*outputs, *works], seer, batch_size, workers or os.cpu_count() or 1)
        found = tables.tables(
            [one for one in outputs if one.path not in looked.lost],
            [one for one in works if one.path not in looked.lost],
            looked.facts,
            looked.embedded,
            network=seer,
            suite=suite,
            texts=ensembles,
        )
        read = list(languages) or "all"
        report = {**found.report, "text_languages": read, "faults": list(looked.faults)}
        _write(run, found, report)
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
