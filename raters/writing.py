"""Writing a study folder: whole or not at all, and what is sealed apart from what raters' rooms read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sqlalchemy import Engine, insert

from bench.errors import RequestError
from bench.records import SCHEMA, Stimulus
from raters import tables as t
from raters.config import StudyFile
from raters.material import Material
from raters.plan import Shown, store_blocks
from raters.protocol import Protocol
from raters.sources import Sources
from raters.stimuli import SEALED
from raters.tables import note, now
from raters.tasks import Block, Item, Rules


@contextmanager
def study_folder(out: Path) -> Iterator[Path]:
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


def write_sealed(
    file: StudyFile, sources: Sources, summary: Mapping[str, Any], study: Path
) -> None:
    """Keep what was asked, the runs' models and the summary sealed: the protocol names no model."""
    asked = {
        "schema": SCHEMA,
        "config": file.model_dump(mode="json"),
        "runs": [dict(run) for run in sources.runs],
    }
    for name, content in (("sources.yaml", asked), ("summary.yaml", dict(summary))):
        text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
        (study / SEALED / name).write_text(text, encoding="utf-8")


def fill_database(
    engine: Engine,
    protocol: Protocol,
    material: Material,
    stimuli: Sequence[Stimulus],
    *,
    rules: Rules,
    planned: Sequence[Block],
    rng: np.random.Generator,
) -> None:
    """Make `ratings.db` with all stimuli and the planned blocks; `rng` draws attention items."""
    captions = [candidate.caption for candidate in (*material.candidates, *material.examples)]
    training = [Item(name, f"training {name}"[:16], "", "") for name in material.explained]
    rows = [
        {
            "id": stimulus.id,
            "file": stimulus.file,
            "width": stimulus.width,
            "height": stimulus.height,
            "sha256": stimulus.sha256,
            "seconds": stimulus.seconds,
            "captions": dict(caption),
            "scales": material.scales[stimulus.id],
            "anchor": item.anchor,
            "scene": item.scene,
            "maker": item.maker,
            "asked": item.asked,
        }
        for caption, stimulus, item in zip(
            captions, stimuli, [*material.items, *training], strict=True
        )
    ]
    with t.writing(engine) as connection:
        t.metadata.create_all(connection)
        connection.execute(insert(t.migration).values(version_num=t.REVISION))
        connection.execute(
            insert(t.meta),
            [
                {"key": "schema", "value": str(SCHEMA)},
                {"key": "study", "value": protocol.study},
                {"key": "created_at", "value": now()},
            ],
        )
        connection.execute(insert(t.stimulus), sorted(rows, key=lambda row: str(row["id"])))
        store_blocks(
            connection,
            planned,
            first=0,
            stimuli={
                item.id: Shown(item.scene, material.scales[item.id])
                for item in (*material.items, *training)
            },
            explained=material.explained,
            rules=rules,
            labels=protocol.traditions,
            rubric_hash=protocol.rubric_hash,
            rng=rng,
        )
        note(connection, "created", protocol.hash)
