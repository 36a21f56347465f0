"""What an organiser writes: `configs/studies/*.yaml`, which pictures are asked of whom and how."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from bench.reading import FileModel, check, find_config, read_yaml

RoomLanguage = Literal["zh", "en"]
"""Languages in which the rating room speaks."""

Names = list[str]


class Select(FileModel):
    """Which outputs of the runs are taken; what is left out takes all."""

    targets: Names | None = Field(default=None, min_length=1)
    languages: Names | None = Field(default=None, min_length=1)
    seeds: list[int] | None = Field(default=None, min_length=1)
    models: Names | None = Field(default=None, min_length=1)


class Single(FileModel):
    """Single items: how many raters judge each, and for which targets the scales are asked.

    `scales_for` holds targets of outputs and true traditions of references alike; left out, it is
    the home tradition.
    """

    raters_per_item: int = Field(ge=1)
    scales_for: Names | None = None


class Pairs(FileModel):
    """Pairs of two models' outputs: votes per pair, and of which targets (left out: home)."""

    votes_per_pair: int = Field(ge=1)
    targets: Names | None = Field(default=None, min_length=1)


class References(FileModel):
    """How many references of each tradition are drawn; left out, all."""

    per_tradition: int | None = Field(default=None, ge=1)


class StudyFile(FileModel):
    """A study as its organiser asks for it."""

    study: str = Field(pattern=r"^[a-z0-9-]+$")
    version: int = Field(ge=1)
    rubric: str = "core"
    languages: list[RoomLanguage] = Field(default=["zh", "en"], min_length=1)
    seed: int = Field(ge=0)
    raters: int = Field(ge=1)
    select: Select = Select()
    single: Single
    pairs: Pairs | None = None
    references: References = References()
    simulated: bool = False

    @model_validator(mode="after")
    def _there_are_raters_enough(self) -> Self:
        if len(set(self.languages)) < len(self.languages):
            raise ValueError("a language is given twice")
        if self.single.raters_per_item > self.raters:
            raise ValueError(
                f"raters_per_item {self.single.raters_per_item} exceeds raters {self.raters}"
            )
        if self.pairs and self.pairs.votes_per_pair > self.raters:
            raise ValueError(
                f"votes_per_pair {self.pairs.votes_per_pair} exceeds raters {self.raters}"
            )
        return self


def load_config(name: str | Path) -> StudyFile:
    """Return the study of that name in `configs/studies/`, or at that path.

    Raises:
        RequestError: there is none.
        FileFormatError: the file breaks the schema.
    """
    path = find_config("studies", str(name))
    return check(read_yaml(path), StudyFile, path)
