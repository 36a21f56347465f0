"""Rubrics: named scales with anchors, read from `configs/rubrics/`."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from bench.reading import FileModel, canonical_hash, check, find_config, read_yaml
from bench.records import Rubric, Scale

Text = dict[str, str]


class ScaleFile(FileModel):
    """One scale as the file gives it."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    level: Literal["nominal", "ordinal", "interval", "ratio"] = "ordinal"
    low: int = 1
    high: int = 5
    label: Text
    question: Text
    anchors: dict[int, Text]
    example: Text = Field(default_factory=dict)
    applies_to: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _anchors_lie_on_the_scale(self) -> Self:
        if not self.low < self.high:
            raise ValueError("low must be less than high")
        for value in self.anchors:
            if not self.low <= value <= self.high:
                raise ValueError(f"anchor {value} lies off the scale {self.low} to {self.high}")
        return self


class RubricFile(FileModel):
    """A rubric as the file gives it."""

    rubric: str = Field(pattern=r"^[a-z0-9-]+$")
    version: int = Field(ge=1)
    not_applicable: bool = False
    scales: list[ScaleFile] = Field(min_length=1)
    weights: dict[str, float] | None = None
    """Of the scales in the overall score; equal where the file says nothing."""

    @model_validator(mode="after")
    def _scale_ids_are_unique(self) -> Self:
        ids = [scale.id for scale in self.scales]
        if len(set(ids)) < len(ids):
            raise ValueError("two scales have one id")
        return self

    @model_validator(mode="after")
    def _weights_are_of_the_scales(self) -> Self:
        if self.weights is None:
            return self
        ids = {scale.id for scale in self.scales}
        if set(self.weights) != ids:
            odd = min(ids ^ set(self.weights))
            raise ValueError(f"weights must name every scale and nothing else: see {odd!r}")
        if not (min(self.weights.values()) >= 0 < sum(self.weights.values()) < math.inf):
            raise ValueError("weights must not be negative, and not all be 0")
        return self

    @model_serializer(mode="wrap")
    def _without_what_was_not_said(
        self, serialise: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        """Leave out what came later and is not said: rubrics from before keep their hash."""
        content: dict[str, Any] = serialise(self)
        later = {"weights", "not_applicable"}
        return {name: value for name, value in content.items() if name not in later or value}


def load_rubric(name: str) -> Rubric:
    """Return the rubric of that name in `configs/rubrics/`, or at that path.

    Raises:
        RequestError: there is none.
        FileFormatError: the file breaks the schema.
    """
    path = find_config("rubrics", name)
    return rubric_from(check(read_yaml(path), RubricFile, path))


def rubric_from(file: RubricFile) -> Rubric:
    """Return the record of a checked rubric file."""
    return Rubric(
        id=file.rubric,
        version=file.version,
        scales=tuple(Scale(**scale.model_dump()) for scale in file.scales),
        hash=canonical_hash(file.model_dump(mode="json")),
        not_applicable=file.not_applicable,
        weights=file.weights or {},
    )
