"""`study.yaml`: the protocol of a study, resolved and frozen when the first rater starts.

Nothing in it names a model or a run: the rating server reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, model_validator

from bench.errors import ConflictError, FileFormatError, RequestError
from bench.reading import FileModel, canonical_hash, check, read_yaml
from bench.records import Rubric
from bench.rubrics import RubricFile, rubric_from
from raters.config import Ask, Question, RoomLanguage, Text

FILE = "study.yaml"
OTHER = "other"
CANNOT_TELL = "cannot_tell"


class Plan(FileModel):
    """The planned panel, and what a block holds at most, and how long it takes.

    A block is what one rater is given; it falls into `sessions`. `singles` are those of the plan,
    anchors among them; `scaled` of them have scales. `repeats`, `detections` and `attention` items
    come to them, and the warm-ups of the first session and of each later one. `seconds` is the
    table that the plan was made with.
    """

    raters: int = Field(ge=1)
    raters_per_item: int = Field(ge=0)
    scales_per_item: int = Field(ge=0)
    votes_per_pair: int = Field(ge=0)
    singles: int = Field(ge=0)
    scaled: int = Field(ge=0)
    pairs: int = Field(ge=0)
    repeats: float = Field(ge=0)
    warm_ups: tuple[int, int]
    attention: int = Field(ge=0)
    detections: int = Field(ge=0)
    training: int = Field(ge=0)
    sessions: int = Field(ge=1)
    minutes: int = Field(ge=0)
    seconds: dict[str, float]


class Protocol(FileModel):
    """What every rater of a study is asked.

    `stand_ins` says that some references are not works by people but drawn by a program.
    `suites` maps a suite's name to its hash. `declared_labels` may be named as a tradition beside
    the suite's own. `debriefing` follows the last item; empty, the room's own does. `background` is asked
    with the consent.
    """

    schema_: Literal[1] = Field(alias="schema")
    study: str
    version: int
    simulated: bool
    stand_ins: bool
    modality: Literal["image", "video", "understanding"]
    home: str
    traditions: list[str] = Field(min_length=1)
    declared_labels: list[str]
    languages: list[RoomLanguage] = Field(min_length=1)
    ask: Ask
    debriefing: Text
    background: list[Question]
    suites: dict[str, str]
    plan: Plan
    rubric_hash: str
    rubric: RubricFile

    @model_validator(mode="after")
    def _rubric_has_its_hash(self) -> Self:
        if rubric_from(self.rubric).hash != self.rubric_hash:
            raise ValueError("the rubric does not have its hash: it was changed by hand")
        return self

    @property
    def substantive_labels(self) -> tuple[str, ...]:
        """What a manner or a thing may be attributed to, without `other` and `cannot_tell`."""
        return (*self.traditions, *self.declared_labels)

    @property
    def labels(self) -> tuple[str, ...]:
        """What a manner or a thing may be attributed to."""
        return (*self.substantive_labels, OTHER, CANNOT_TELL)

    @property
    def scales(self) -> Rubric:
        """The rubric as a record."""
        return rubric_from(self.rubric)

    @property
    def hash(self) -> str:
        """The hash that is frozen when the first rater starts."""
        return canonical_hash(self.content)

    @property
    def content(self) -> dict[str, object]:
        """The protocol as plain data."""
        return self.model_dump(mode="json", by_alias=True)


def write_protocol(protocol: Protocol, study: Path) -> None:
    """Write `study.yaml`."""
    text = yaml.safe_dump(protocol.content, allow_unicode=True, sort_keys=False, width=100)
    (study / FILE).write_text(text, encoding="utf-8")


def read_protocol(study: Path) -> Protocol:
    """Return the protocol of a study folder.

    Raises:
        RequestError: it is no study folder.
        ConflictError: an earlier version made it.
        FileFormatError: `study.yaml` breaks the schema.
    """
    path = study / FILE
    if not path.is_file():
        raise RequestError(f"{study} has no {FILE}: it is not a study folder")
    content = read_yaml(path)
    if isinstance(content, dict) and "traditions" in content and "modality" not in content:
        raise ConflictError(
            f"{study} was made by an earlier version: bring it up with pinlu study migrate {study}"
        )
    protocol = check(content, Protocol, path)
    for scale in protocol.rubric.scales:
        for language in protocol.languages:
            texts = [scale.label, scale.question, *scale.anchors.values()]
            if any(language not in text for text in texts):
                raise FileFormatError(f"{path}: scale {scale.id} lacks a text in {language!r}")
    return protocol
