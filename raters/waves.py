"""Later waves: the anchors of an earlier study are shown again, which ties the two panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bench.errors import ConflictError, RequestError
from bench.files import read_rows
from bench.reading import read_yaml
from raters import tables as t
from raters.database import open_database
from raters.protocol import read_protocol
from raters.sources import Candidate, Sources
from raters.stimuli import KEY, KEY_COLUMNS, SEALED


def read_anchors(study: Path, sources: Sources, languages: Sequence[str]) -> list[Candidate]:
    """Return the anchors of an earlier study, as they were shown there.

    Raises:
        RequestError: it is no study, has no anchors or no key here, or lacks a caption.
        ConflictError: it is of other traditions, clips instead of pictures, or another revision
            of a model.
    """
    protocol = read_protocol(study)
    path = study / SEALED / KEY
    if not path.is_file():
        raise RequestError(f"{path} is not there: anchors can only be taken where the key lies")
    if (protocol.home, set(protocol.traditions)) != (sources.home, set(sources.traditions)):
        raise ConflictError(f"{study} is of other traditions than the runs: it cannot be anchored")
    if protocol.modality != sources.modality:
        raise ConflictError(f"{study} and the runs are not both of pictures, or of clips")
    _refuse_other_revisions(study, sources)
    engine = open_database(study)
    try:
        with t.reading(engine) as connection:
            rows = {
                row.id: row
                for row in connection.execute(
                    select(t.stimulus).where(t.stimulus.c.anchor.is_(True))
                )
            }
    finally:
        engine.dispose()
    if not rows:
        raise RequestError(f"{study} has no anchors: its config gave none")
    return [
        _anchor(study, rows[row["stimulus"]], row, languages)
        for row in read_rows(path)
        if row["stimulus"] in rows
    ]


def _refuse_other_revisions(study: Path, sources: Sources) -> None:
    before = {
        model["id"]: str(model["revision"])
        for run in read_yaml(study / SEALED / "sources.yaml")["runs"]
        for model in run["models"]
    }
    for run in sources.runs:
        for model in run["models"]:
            if before.get(model["id"], str(model["revision"])) != str(model["revision"]):
                raise ConflictError(
                    f"{study} and {run['run']} hold different revisions of model {model['id']}: "
                    "give one of them another id"
                )


def _anchor(
    study: Path, stimulus: Any, key: Mapping[str, Any], languages: Sequence[str]
) -> Candidate:
    for language in languages:
        if language not in stimulus.captions:
            raise RequestError(f"{study}: its anchors have no text in {language!r} to show raters")
    output = key["kind"] == "output"
    return Candidate(
        path=study / stimulus.file,
        sha256=stimulus.sha256,
        kind=key["kind"],
        model=key["model"],
        scene=key["scene"] if output else f"{key['model']}/{key['work'] or key['prompt']}",
        target=key["target"],
        caption={language: stimulus.captions[language] for language in languages},
        key={
            "suite": key["suite"],
            "home": key["home"],
            "prompt": key["prompt"],
            **{column: key[column] for column in KEY_COLUMNS},
        },
    )
