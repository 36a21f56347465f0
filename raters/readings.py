"""What a study of answers shows: analyses and the works beside them, as material, rules and files."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.records import Rubric, Stimulus
from raters.config import StudyFile
from raters.material import Material
from raters.sources import Candidate, Sources
from raters.stimuli import FIXED_TIME, FOLDER, SEALED, fitted, read_picture
from raters.tasks import Item, Pair, Rules

LONGEST_SIDE = 2048
SECONDS_PER_SIGN = {"zh": 0.14, "en": 0.045}
"""Reading slowly, with an eye on the picture: about 430 characters or 220 words a minute."""
JUDGING_SECONDS = 45.0


@dataclass(frozen=True, slots=True)
class Analysis:
    """What one model says of one work in one language: answers under their questions, cleaned.

    `sections` are questions by language with the answer; `named` what was taken out.
    """

    candidate: Candidate
    work: str
    sections: tuple[dict[str, Any], ...]
    named: tuple[str, ...]

    @property
    def signs(self) -> int:
        """How many characters its answers have."""
        return sum(len(section["text"]) for section in self.sections)


@dataclass(frozen=True, slots=True)
class Readings:
    """Analyses with their opaque names, the works' pictures with theirs, and how they are paired."""

    sources: Sources
    analyses: list[Analysis]
    items: list[Item]
    pictures: dict[str, Candidate]
    pairs: list[Pair]
    rubric: Rubric
    language: str

    @property
    def material(self) -> Material:
        """What the study's tables are filled from: analyses, then pictures."""
        shown = [
            Item(id=name, scene=name, maker="", asked="", reference=True) for name in self.pictures
        ]
        scales = [scale.id for scale in self.rubric.scales]
        return Material(
            sources=self.sources,
            candidates=[one.candidate for one in self.analyses] + list(self.pictures.values()),
            items=[*self.items, *shown],
            pairs=self.pairs,
            scales={item.id: scales for item in self.items} | {name: [] for name in self.pictures},
            examples=[],
            explained={},
        )

    @property
    def seconds_per_pair(self) -> float:
        """How long a pair takes: reading both, and judging."""
        signs = float(np.mean([one.signs for one in self.analyses])) if self.analyses else 0.0
        return 2 * signs * SECONDS_PER_SIGN.get(self.language, 0.06) + JUDGING_SECONDS


def empty_out(readings: Readings) -> Readings:
    """Return readings without what is nothing to compare with: kept for their order alone."""
    paired = {name for pair in readings.pairs for name in (pair.first, pair.second)}
    kept = [
        (one, item)
        for one, item in zip(readings.analyses, readings.items, strict=True)
        if item.id in paired
    ]
    scenes = {item.scene for _, item in kept}
    return replace(
        readings,
        analyses=[one for one, _ in kept],
        items=[item for _, item in kept],
        pictures={name: one for name, one in readings.pictures.items() if name in scenes},
    )


def rules_of_readings(file: StudyFile, readings: Readings) -> Rules:
    """Return the rules of a study of answers: pairs alone."""
    each = file.analyses.votes_per_pair if file.analyses else 0
    pair = file.seconds.pair or readings.seconds_per_pair
    return Rules(
        raters=file.raters,
        raters_per_item=0,
        scales_per_item=0,
        votes_per_pair=each,
        sessions=file.sessions,
        seconds={"attribution": 0.0, "scale": 0.0, "pair": pair, "detection": 0.0},
    )


def write_readings(readings: Readings, study: Path) -> list[Stimulus]:
    """Write analyses as JSON and pictures as lossless WebP under their opaque names.

    An analysis has the size of the picture that it stands beside. What named its maker goes into
    `sealed/cleaned.csv`, for the organiser's eyes before anyone is invited.
    """
    folder = study / FOLDER
    folder.mkdir()
    sizes: dict[str, tuple[int, int]] = {}
    pictures = []
    for name, candidate in readings.pictures.items():
        image = read_picture(candidate)
        scale = min(1.0, LONGEST_SIDE / max(image.size))
        box = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = fitted(image, box)
        path = folder / f"{name}.webp"
        image.save(path, "WEBP", lossless=True, quality=80, method=4)
        sizes[name] = image.size
        pictures.append(_stimulus(name, path, image.size))
    analyses = []
    for one, item in zip(readings.analyses, readings.items, strict=True):
        path = folder / f"{item.id}.json"
        path.write_text(json.dumps(list(one.sections), ensure_ascii=False), encoding="utf-8")
        analyses.append(_stimulus(item.id, path, sizes[item.scene]))
    (study / SEALED).mkdir(mode=0o700)
    with (study / SEALED / "cleaned.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["stimulus", "model", "work", "taken_out"])
        for one, item in zip(readings.analyses, readings.items, strict=True):
            for name in one.named:
                writer.writerow([item.id, one.candidate.model, one.work, name])
    return analyses + pictures


def _stimulus(name: str, path: Path, size: tuple[int, int]) -> Stimulus:
    os.utime(path, (FIXED_TIME, FIXED_TIME))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Stimulus(name, f"{FOLDER}/{path.name}", size[0], size[1], digest)
