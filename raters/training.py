"""Training items: pictures of their own, answered first and then explained."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from bench.errors import FileFormatError, RequestError
from bench.records import Rubric
from raters.config import Example, StudyFile
from raters.protocol import CANNOT_TELL, OTHER
from raters.sources import Candidate, Sources


def read_examples(
    file: StudyFile, folder: Path, sources: Sources, rubric: Rubric
) -> list[Candidate]:
    """Return the training pictures of a config that lies in `folder`, in their order.

    Raises:
        RequestError: a picture is not there.
        FileFormatError: an answer names no label of the study, or a score lies off its scale.
    """
    labels = {*sources.traditions, *file.labels, OTHER, CANNOT_TELL}
    scales = {scale.id: scale for scale in rubric.scales}
    candidates = []
    for number, example in enumerate(file.training, start=1):
        where = f"training {number}"
        for aspect, label in (("manner", example.manner), ("things", example.things)):
            if label not in labels:
                raise FileFormatError(
                    f"{where}: {aspect} {label!r} is none of {', '.join(sorted(labels))}"
                )
        for name, value in example.scales.items():
            if name not in scales:
                raise FileFormatError(f"{where}: the rubric has no scale {name!r}")
            if not scales[name].low <= value <= scales[name].high:
                raise FileFormatError(f"{where}: {name} {value} lies off its scale")
        path = folder / example.picture
        if not path.is_file():
            raise RequestError(f"{where}: {path} is not there")
        candidates.append(
            Candidate(
                path=path,
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                kind="training",
                model="",
                scene=f"training/{number}",
                target=example.manner,
                caption={one: example.caption.get(one, "") for one in file.languages},
            )
        )
    return candidates


def explanation_of(example: Example) -> dict[str, Any]:
    """Return what is told after the answer: the answer explained, and why."""
    return {
        "manner": example.manner,
        "things": example.things,
        "scales": dict(example.scales) or None,
        "text": dict(example.explain),
    }
