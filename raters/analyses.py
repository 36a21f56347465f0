"""A study of answers: two models' analyses of one work, side by side; who sees which, and what."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ConflictError, FileFormatError, RequestError
from bench.files import read_rows
from bench.manifest import read_outputs, read_run
from bench.records import Rubric, Stimulus
from bench.suites import Suite, load_suite
from raters.cleaning import cleaned, names_of
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


def gathered_readings(
    file: StudyFile, runs: Sequence[Path], works: Path | None, *, rubric: Rubric
) -> Readings:
    """Read the answers of runs of understanding and pair them by work, language and seed.

    Args:
        file: the config, with `analyses`.
        runs: run folders.
        works: the folder of the works' pictures.
        rubric: whose scales are asked of each analysis.

    Raises:
        RequestError, ConflictError, FileFormatError: what is asked for is not there, or does not
            fit together.
    """
    if works is None:
        raise RequestError("raters see the works too: give --references, the folder of the works")
    if not runs or file.analyses is None:
        raise RequestError("a study needs a run: give one with --run")
    headers = [read_run(run) for run in runs]
    for run, header in zip(runs, headers, strict=True):
        if header["modality"] != "understanding":
            raise RequestError(f"{run} holds {header['modality']}s, and the study is of answers")
        if header["suite"]["hash"] != headers[0]["suite"]["hash"]:
            raise ConflictError(f"{runs[0]} and {run} asked by different texts of a suite")
    suite = load_suite(str(runs[0] / "suite.yaml"))
    asked = _asked(file, suite)
    names = names_of([model for header in headers for model in header["models"]])
    found = [one for run in runs for one in _analyses(run, suite, asked, file, names)]
    if not found:
        raise RequestError("no model has answered the study's questions: ask them first")
    naming = np.random.default_rng([file.seed, 2] if file.simulated else None)
    works_shown = _pictures(runs, works, {one.work for one in found})
    pictures = {naming.bytes(8).hex(): candidate for candidate in works_shown}
    scene_of = {candidate.scene: name for name, candidate in pictures.items()}
    makers = _codes({one.candidate.model for one in found}, naming)
    targets = _codes({one.candidate.target for one in found}, naming)
    items = [
        Item(
            id=naming.bytes(8).hex(),
            scene=scene_of[one.work],
            maker=makers[one.candidate.model],
            asked=targets[one.candidate.target],
        )
        for one in found
    ]
    pairs = _pairs(found, items)
    if not pairs:
        raise RequestError(
            "no two models have answered about one work: there is nothing to compare"
        )
    sources = Sources(
        home=suite.home,
        traditions=suite.traditions,
        suites={suite.name: suite.hash},
        modality="understanding",
        outputs=(),
        runs=tuple(
            {"run": run.resolve().name, "suite": header["suite"], "models": header["models"]}
            for run, header in zip(runs, headers, strict=True)
        ),
        warnings=tuple(_warnings(found)),
    )
    return Readings(
        sources, found, items, pictures, pairs, rubric, found[0].candidate.key["language"]
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


def _asked(file: StudyFile, suite: Suite) -> list[str]:
    known = [question.id for question in suite.questions]
    asked = file.analyses.questions if file.analyses else []
    for name in asked:
        if name not in known:
            raise RequestError(
                f"analyses: suite {suite.name} has no question {name!r}; it has: {', '.join(known)}"
            )
    return asked


def _analyses(
    run: Path, suite: Suite, asked: Sequence[str], file: StudyFile, names: Sequence[str]
) -> list[Analysis]:
    questions = {question.id: question for question in suite.questions}
    rows: dict[tuple[Any, ...], dict[str, dict[str, Any]]] = defaultdict(dict)
    for row in read_outputs(run):
        if row["question"] in asked and _is_selected(row, file):
            cell = (row["model"], row["work"], row["language"], row["seed"], row["pixel_sha256"])
            rows[cell][row["question"]] = row
    found = []
    for by_question in rows.values():
        if set(by_question) != set(asked):
            continue  # an analysis with a gap would be judged for the gap
        sections, named = [], []
        for name in asked:
            text, taken = cleaned(str(by_question[name]["answer"]), names)
            sections.append({"question": dict(questions[name].text), "text": text})
            named += taken
        first = by_question[asked[0]]
        found.append(
            Analysis(
                _candidate(run, suite, first, file), first["work"], tuple(sections), tuple(named)
            )
        )
    return found


def _is_selected(row: dict[str, Any], file: StudyFile) -> bool:
    wanted = (
        (file.select.models, row["model"]),
        (file.select.languages, row["language"]),
        (file.select.seeds, row["seed"]),
        (file.select.targets, row["target"]),
        (file.select.scenes, row["work"]),
    )
    return all(some is None or value in some for some, value in wanted)


def _candidate(run: Path, suite: Suite, row: dict[str, Any], file: StudyFile) -> Candidate:
    return Candidate(
        path=run / "metadata.jsonl",
        sha256="",
        kind="output",
        model=row["model"],
        scene=row["work"],
        target=row["target"],
        caption=dict.fromkeys(file.languages, ""),
        key={
            "suite": suite.name,
            "home": suite.home,
            "prompt": row["work"],
            "language": row["language"],
            "seed": row["seed"],
            "genre": row["genre"],
            "stratum": "",
            "diagnosticity": "",
            "work": row["work"],
            "run": run.resolve().name,
            "key": row["key"],
            "file_name": "",
            "synthetic": False,
            "status": row["status"],
        },
    )


def _pictures(runs: Sequence[Path], folder: Path, wanted: set[str]) -> list[Candidate]:
    """Return the works' pictures, each the very file that the models were shown."""
    found: dict[str, Candidate] = {}
    for run in runs:
        for row in read_rows(run / "works.jsonl"):
            if row["id"] not in wanted or row["fault"]:
                continue
            path = folder / row["file"]
            if not path.is_file():
                raise RequestError(f"{path} is not there: the picture of {row['id']} is wanted")
            if hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"]:
                raise FileFormatError(f"{path} is not the picture that the models were shown")
            found[row["id"]] = Candidate(
                path=path,
                sha256=row["sha256"],
                kind="work",
                model="",
                scene=row["id"],
                target=row["tradition"],
                caption={},
                key={
                    "suite": "", "home": "", "prompt": row["id"], "language": "", "seed": None,
                    "genre": row["genre"], "stratum": row["stratum"], "diagnosticity": "",
                    "work": row["id"], "run": "", "key": "", "file_name": row["file"],
                    "synthetic": row["synthetic"], "status": "ok",
                },
            )  # fmt: skip
    return [found[name] for name in sorted(found)]


def _codes(values: set[str], naming: np.random.Generator) -> dict[str, str]:
    known = sorted(values)
    order = naming.permutation(len(known))
    return {value: str(code) for value, code in zip(known, order, strict=True)}


def _pairs(analyses: Sequence[Analysis], items: Sequence[Item]) -> list[Pair]:
    """Pair two models' analyses of one work in one language, seed by seed in order."""
    cells: dict[tuple[str, str], dict[str, list[tuple[int, Item]]]] = defaultdict(dict)
    for one, item in zip(analyses, items, strict=True):
        key = one.candidate.key
        cell = cells[one.work, key["language"]]
        cell.setdefault(item.maker, []).append((key["seed"], item))
    pairs = []
    for makers in cells.values():
        for first, second in combinations(sorted(makers), 2):
            mine, theirs = (
                sorted(makers[maker], key=lambda one: one[0]) for maker in (first, second)
            )
            pairs += [
                Pair(one.id, other.id, one.scene, (first, second))
                for (_, one), (_, other) in zip(mine, theirs, strict=False)  # the shorter decides
            ]
    return pairs


def _warnings(analyses: Sequence[Analysis]) -> list[str]:
    named = [one for one in analyses if one.named]
    if not named:
        return []
    names = sorted({name for one in named for name in one.named})
    return [
        (
            f"{len(named)} of {len(analyses)} analyses named their maker ({', '.join(names[:8])}): taken "
            "out, see sealed/cleaned.csv before you invite anyone"
        )
    ]


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
