"""Making a study folder: candidates, cleaned copies, the sealed key, the plan, the protocol."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sqlalchemy import insert

from bench.errors import ConflictError, RequestError
from bench.records import SCHEMA, Rubric, Stimulus
from bench.rubrics import RubricFile, load_rubric
from raters import tables as t
from raters.config import StudyFile, load_config
from raters.design import Block, Item, blocks
from raters.material import items_of, pairs_of, scales_for
from raters.plan import store_blocks
from raters.protocol import Protocol, write_protocol
from raters.sources import Candidate, Sources, read_references, read_runs
from raters.stimuli import SEALED, write_key, write_stimuli
from raters.summary import seconds_of, summarise
from raters.tables import note, now


def create(
    config: Path | str,
    runs: Sequence[Path],
    *,
    references: Path | None,
    out: Path,
    advance: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Make the study folder `out` and return a summary with counts and hours per rater.

    The folder is written beside `out` and renamed when it is whole. `advance` hears of every
    picture written.

    Raises:
        ConflictError: `out` exists, or the runs contradict each other.
        RequestError, FileFormatError: the request or a file is wrong; nothing is left behind.
    """
    file = load_config(config)
    rubric = load_rubric(file.rubric)
    if out.exists():
        raise ConflictError(f"{out} exists already: choose another folder, or remove it first")
    rng = np.random.default_rng([file.seed, 1])
    # The seed is public, and must not unseal a study of people. Where raters are simulated there
    # is nobody to be blinded, and a study made twice is the same.
    naming = np.random.default_rng([file.seed, 2] if file.simulated else None)
    sources = read_runs(runs, file.select, file.languages)
    candidates = list(sources.outputs)
    if references is not None:
        limit = file.references.per_tradition
        candidates += read_references(references, sources, file.languages, limit=limit, rng=rng)
    for name, targets in (
        ("single.scales_for", file.single.scales_for),
        ("pairs.targets", file.pairs.targets if file.pairs else None),
    ):
        _refuse_unknown(name, targets, candidates)
    names = [naming.bytes(8).hex() for _ in candidates]
    items = items_of(candidates, names, naming)
    pairs = pairs_of(candidates, items, file, sources.home) if file.pairs else []
    # in the order of the opaque names, so that the plan does not follow the runs' order
    items.sort(key=lambda item: item.id)
    pairs.sort(key=lambda pair: (pair.first, pair.second))
    planned = blocks(
        items,
        pairs,
        raters=file.raters,
        raters_per_item=file.single.raters_per_item,
        votes_per_pair=file.pairs.votes_per_pair if file.pairs else 0,
        rng=rng,
    )
    scaled_targets = set(file.single.scales_for or [sources.home])
    scales = {
        name: scales_for(candidate, rubric) if candidate.target in scaled_targets else []
        for candidate, name in zip(candidates, names, strict=True)
    }
    protocol = _protocol(
        file,
        rubric=rubric,
        sources=sources,
        candidates=candidates,
        items=len(items),
        pairs=len(pairs),
        seconds=max(seconds_of(block, scales) for block in planned),
    )
    with _folder(out) as study:
        stimuli = write_stimuli(candidates, names, study, advance)
        (study / SEALED).mkdir(mode=0o700)
        write_key(candidates, names, study)
        _write_sources(file, sources, study)
        write_protocol(protocol, study)
        _write_database(
            study,
            protocol,
            candidates=candidates,
            stimuli=stimuli,
            items=items,
            planned=planned,
            scales=scales,
        )
    return summarise(
        protocol,
        candidates=candidates,
        stimuli=stimuli,
        pairs=len(pairs),
        planned=planned,
        scales=scales,
    )


def _refuse_unknown(
    name: str, targets: Sequence[str] | None, candidates: Sequence[Candidate]
) -> None:
    there = {candidate.target for candidate in candidates}
    for target in targets or ():
        if target not in there:
            raise RequestError(
                f"{name}: no picture has {target!r}; there are: {', '.join(sorted(there))}"
            )


def _protocol(
    file: StudyFile,
    *,
    rubric: Rubric,
    sources: Sources,
    candidates: Sequence[Candidate],
    items: int,
    pairs: int,
    seconds: float,
) -> Protocol:
    each, votes = file.single.raters_per_item, file.pairs.votes_per_pair if file.pairs else 0
    return Protocol.model_validate(
        {
            "schema": SCHEMA,
            "study": file.study,
            "version": file.version,
            "simulated": file.simulated,
            "stand_ins": any(candidate.key["synthetic"] for candidate in candidates),
            "home": sources.home,
            "traditions": list(sources.traditions),
            "languages": file.languages,
            "suites": dict(sources.suites),
            "plan": {
                "raters": file.raters,
                "raters_per_item": each,
                "votes_per_pair": votes,
                "singles": -(-items * each // file.raters),
                "pairs": -(-pairs * votes // file.raters),
                "minutes": round(seconds / 60),
            },
            "rubric_hash": rubric.hash,
            "rubric": _rubric_content(rubric),
        }
    )


def _rubric_content(rubric: Rubric) -> dict[str, Any]:
    content = {
        "rubric": rubric.id,
        "version": rubric.version,
        "not_applicable": rubric.not_applicable,
        "scales": [asdict(scale) for scale in rubric.scales],
        "weights": dict(rubric.weights) or None,
    }
    return RubricFile.model_validate(content).model_dump(mode="json")


@contextmanager
def _folder(out: Path) -> Iterator[Path]:
    """Give a folder beside `out` that takes its name when all went well, and else is removed."""
    temporary = out.parent / f".{out.name}.{os.getpid()}.tmp"
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise RequestError(f"cannot write into {out.parent}: {error.strerror}") from error
    try:
        yield temporary
        temporary.rename(out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _write_sources(file: StudyFile, sources: Sources, study: Path) -> None:
    """Keep what was asked and the runs' models under the seal: the protocol names no model."""
    content = {
        "schema": SCHEMA,
        "config": file.model_dump(mode="json"),
        "runs": [dict(run) for run in sources.runs],
    }
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    (study / SEALED / "sources.yaml").write_text(text, encoding="utf-8")


def _write_database(
    study: Path,
    protocol: Protocol,
    *,
    candidates: Sequence[Candidate],
    stimuli: Sequence[Stimulus],
    items: Sequence[Item],
    planned: Sequence[Block],
    scales: Mapping[str, list[str]],
) -> None:
    by_id = {item.id: item for item in items}
    rows = [
        {
            "id": stimulus.id,
            "file": stimulus.file,
            "width": stimulus.width,
            "height": stimulus.height,
            "sha256": stimulus.sha256,
            "captions": dict(candidate.caption),
            "scales": scales[stimulus.id],
            "scene": by_id[stimulus.id].scene,
            "maker": by_id[stimulus.id].maker,
            "asked": by_id[stimulus.id].asked,
        }
        for candidate, stimulus in zip(candidates, stimuli, strict=True)
    ]
    engine = t.open_engine(study / t.DATABASE)
    with t.writing(engine) as connection:
        t.metadata.create_all(connection)
        connection.execute(
            insert(t.meta),
            [
                {"key": "schema", "value": str(SCHEMA)},
                {"key": "study", "value": protocol.study},
                {"key": "created_at", "value": now()},
            ],
        )
        connection.execute(insert(t.stimulus), sorted(rows, key=lambda row: str(row["id"])))
        store_blocks(connection, planned, first=0, scales=scales, rubric_hash=protocol.rubric_hash)
        note(connection, "created", protocol.hash)
    engine.dispose()
