"""Simulated raters of analyses: what they see in a text beside its picture is given by the caller."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from bench.rubrics import ScaleFile
from raters.passages import sections_of
from raters.payloads import MARKS, SIDES
from raters.protocol import Protocol
from raters.stimuli import FOLDER
from raters.temper import Temper, vote

if TYPE_CHECKING:
    from raters.position import Step

_SENTENCE = re.compile(r"[^。！？!?.]+[。！？!?.]?")


@dataclass(frozen=True, slots=True)
class Fault:
    """A passage that is wrong or invented: [start, end) in characters of a section's text."""

    section: int
    start: int
    end: int
    kind: str = MARKS[0]


@dataclass(frozen=True, slots=True)
class Reading:
    """What can be told of an analysis by who sees the picture too.

    Args:
        merit: how good it is, in [0, 1].
        faults: the passages that are wrong or invented.
    """

    merit: float
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is no merit or no passage."""
        if not 0 <= self.merit <= 1:
            raise ValueError(f"merit {self.merit} lies outside 0 to 1")
        for fault in self.faults:
            if not 0 <= fault.start < fault.end or fault.section < 0 or fault.kind not in MARKS:
                raise ValueError(f"{fault} is no passage")


Read = Callable[[Image.Image, Sequence[Mapping[str, Any]]], Reading]
"""Reads an analysis beside its picture: sections, each with its question by language and its text."""


class Reader:
    """Reads each analysis of a study once."""

    def __init__(self, study: Path, read: Read) -> None:
        """Read by `read`, in the study's folder."""
        self.study, self.read = study, read
        self.seen: dict[str, tuple[Reading, list[dict[str, Any]]]] = {}

    def __call__(self, picture: str, file: str) -> tuple[Reading, list[dict[str, Any]]]:
        """Return what is seen in an analysis, and its sections."""
        if file not in self.seen:
            sections = sections_of(self.study / file)
            with Image.open(self.study / FOLDER / f"{picture}.webp") as image:
                self.seen[file] = (self.read(image.convert("RGB"), sections), sections)
        return self.seen[file]


def judge_readings(
    here: Step, protocol: Protocol, temper: Temper, reader: Reader, rng: np.random.Generator
) -> dict[str, Any]:
    """Judge two analyses as a rater of this temper: vote, scales of both, and marks.

    A fault is overlooked as often as the rater confuses or doubts; as often as the rater doubts, a
    sentence that is right is called wrong.
    """
    both = [reader(here.picture, stimulus.file) for stimulus in here.stimuli]
    left, right = (reading.merit for reading, _ in both)
    marks: list[dict[str, Any]] = []
    for side, (reading, sections) in zip(SIDES, both, strict=True):
        marks += [{"side": side, **mark} for mark in _marks(reading, sections, temper, rng)]
    return {
        "winner": vote(left, right, temper, rng),
        "scales": {
            side: {
                scale.id: _score(reading.merit, scale, temper, rng)
                for scale in protocol.rubric.scales
            }
            for side, (reading, _) in zip(SIDES, both, strict=True)
        },
        "marks": marks,
    }


def _score(merit: float, scale: ScaleFile, temper: Temper, rng: np.random.Generator) -> int:
    value = scale.low + (scale.high - scale.low) * merit - temper.severity
    value += temper.noise * float(rng.normal())
    return int(np.clip(round(value), scale.low, scale.high))


def _marks(
    reading: Reading,
    sections: Sequence[Mapping[str, Any]],
    temper: Temper,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    overlooked = min(1.0, temper.confusion + temper.doubt)
    found = [
        {"section": fault.section, "start": fault.start, "end": fault.end, "kind": fault.kind}
        for fault in reading.faults
        if rng.random() >= overlooked
    ]
    if rng.random() < temper.doubt:
        section = int(rng.integers(len(sections)))
        there = [match.span() for match in _SENTENCE.finditer(sections[section]["text"])]
        if there:
            start, end = there[int(rng.integers(len(there)))]
            doubted = {"section": section, "start": start, "end": end, "kind": MARKS[0]}
            found += [doubted] if doubted not in found else []
    return found
