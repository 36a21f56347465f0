"""What a study draws on: the finished outputs of runs, and a folder of references."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from bench.errors import ConflictError, FileFormatError, RequestError
from bench.files import read_rows
from bench.manifest import read_outputs, read_run
from bench.reading import FileModel, check
from bench.records import CUE, FOIL, NEUTRAL, REFERENCE, WorkDiagnosticity
from bench.suites import Suite, load_suite

Text = Mapping[str, str]

UNTITLED: Text = {
    "zh": "这幅画未附文字。请就画面本身评判。",
    "en": "This picture comes without a text. Please judge it by itself.",
}
"""What stands in for the scene's text where a reference has no caption."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One picture or clip that may be shown: where it lies, and all that the key will say of it.

    `size` is (width, height) as the run's manifest has it, None of what comes from elsewhere.
    """

    path: Path
    sha256: str
    kind: str
    model: str
    scene: str
    target: str
    caption: Text
    cue: str = ""
    size: tuple[int, int] | None = None
    key: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_foil(self) -> bool:
        """Whether it is a work of a tradition that is not among those compared."""
        return bool(self.key.get("diagnosticity") == FOIL)


@dataclass(frozen=True, slots=True)
class Sources:
    """The suites and outputs of all runs of a study, found free of contradictions.

    `warnings` says in a sentence each what is missing.
    """

    home: str
    traditions: tuple[str, ...]
    suites: Mapping[str, str]
    modality: str
    outputs: tuple[Candidate, ...]
    runs: tuple[Mapping[str, Any], ...]
    warnings: tuple[str, ...] = ()


class _ReferenceRow(FileModel):
    file_name: str
    id: str = Field(min_length=1)
    tradition: str
    genre: str = ""
    medium: str = ""
    period: str | int = ""
    stratum: str = ""
    sha256: str
    synthetic: bool
    caption: dict[str, str] | None = None
    # what `pinlu references add` says beside it; none of it reaches a rater
    work: str = ""
    tier: str = ""
    diagnosticity: WorkDiagnosticity = ""
    derivative: str = ""


def read_runs(runs: Sequence[Path], languages: Sequence[str]) -> Sources:
    """Read the finished outputs of `runs`, with captions in `languages`.

    Raises:
        RequestError: no run, or one given twice; a caption missing; images and clips together.
        ConflictError: runs disagree on a model's revision or on a suite.
    """
    if not runs:
        raise RequestError("a study needs a run: give one with --run")
    if len({run.resolve() for run in runs}) < len(runs):
        raise RequestError("a run is given twice")
    headers = [read_run(run) for run in runs]
    _refuse_conflicts(runs, headers)
    outputs: list[Candidate] = []
    suites: dict[str, Suite] = {}
    for run, header in zip(runs, headers, strict=True):
        if header["modality"] not in {"image", "video"}:
            raise RequestError(f"{run} holds neither images nor clips: a room cannot show it")
        if header["modality"] != headers[0]["modality"]:
            raise RequestError(f"{runs[0]} and {run} hold images and clips: make a study of each")
        suite = suites.setdefault(header["suite"]["name"], load_suite(str(run / "suite.yaml")))
        outputs += _outputs(run, suite, languages)
    first = next(iter(suites.values()))
    for suite in suites.values():
        if (suite.home, set(suite.traditions)) != (first.home, set(first.traditions)):
            raise ConflictError(
                f"suites {first.name} and {suite.name} differ in home or traditions: "
                "make a study of each"
            )
    return Sources(
        home=first.home,
        traditions=first.traditions,
        suites={header["suite"]["name"]: header["suite"]["hash"] for header in headers},
        modality=headers[0]["modality"],
        outputs=tuple(outputs),
        runs=tuple(
            {"run": run.resolve().name, "suite": header["suite"], "models": header["models"]}
            for run, header in zip(runs, headers, strict=True)
        ),
        warnings=tuple(
            warning
            for run, header in zip(runs, headers, strict=True)
            for warning in _incomplete(run, header)
        ),
    )


def read_references(
    folder: Path,
    sources: Sources,
    languages: Sequence[str],
    *,
    limit: int | None,
    foils: Mapping[str, int] | None = None,
    without: Collection[str] = (),
    rng: np.random.Generator,
) -> list[Candidate]:
    """Read a folder of references; where there are more than `limit` of a tradition, draw.

    Of each tradition in `foils` at most so many are taken, after all others, so that what is drawn
    of those does not depend on them. Works whose id or hash is in `without` are left out.

    Raises:
        RequestError: the folder has no `metadata.jsonl`, or an empty one; a foil is one of the
            suite's traditions.
        FileFormatError: a row breaks the schema, an id is there twice, a tradition is unknown.
    """
    foils = foils or {}
    path = folder / "metadata.jsonl"
    if not path.is_file():
        raise RequestError(f"{folder} has no metadata.jsonl: it is not a folder of references")
    rows = [check(row, _ReferenceRow, path) for row in read_rows(path)]
    if not rows:
        raise RequestError(f"{path} is empty: there are no references in it")
    for foil in {*sources.traditions, NEUTRAL} & set(foils):
        raise RequestError(f"references.foils: {foil!r} is asked of models: it is no foil")
    limits = {**dict.fromkeys(sources.traditions, limit), **foils}
    found: dict[str, list[Candidate]] = {tradition: [] for tradition in limits}
    ids: set[str] = set()
    for row in rows:
        if row.id in ids:
            raise FileFormatError(f"{path}: the id {row.id!r} is there twice")
        ids.add(row.id)
        if fault := _tradition_fault(row, sources.traditions, foils):
            raise FileFormatError(f"{path}: {row.id}: {fault}")
        if not {row.id, row.sha256} & set(without):
            found[row.tradition].append(_reference(folder, row, sources, languages))
    return [
        candidate
        for tradition, candidates in found.items()
        for candidate in _at_most(candidates, limits[tradition], rng)
    ]


def _at_most(
    candidates: list[Candidate], limit: int | None, rng: np.random.Generator
) -> list[Candidate]:
    """Draw `limit` of the candidates, in their order, where there are more."""
    if limit is None or len(candidates) <= limit:
        return candidates
    drawn = rng.choice(len(candidates), limit, replace=False)
    return [candidates[index] for index in sorted(drawn)]


def _tradition_fault(
    row: _ReferenceRow, traditions: Collection[str], foils: Collection[str]
) -> str:
    """Say why a reference's tradition does not fit, "" where it does."""
    own = ", ".join(traditions)
    if row.diagnosticity == FOIL and row.tradition in traditions:
        return f"{row.tradition!r} cannot be a foil; the suite's traditions are {own}"
    if row.diagnosticity == FOIL and row.tradition not in foils:
        return (
            f"a foil of {row.tradition!r}, which the study does not name: enter it under "
            "references.foils, with 0 to leave it out"
        )
    if row.diagnosticity != FOIL and row.tradition not in traditions:
        return (
            f"unknown tradition {row.tradition!r}; the suite's are {own}, and a work of another "
            f"has the diagnosticity {FOIL!r}"
        )
    return ""


def _incomplete(run: Path, header: Mapping[str, Any]) -> list[str]:
    there, planned = len(read_outputs(run)), header.get("planned", 0)
    if there >= planned:
        return []
    sentence = (
        f"{run} is incomplete: {there} of {planned} outputs are there; run pinlu generate again, or "
        "models with gaps are compared on fewer scenes"
    )
    return [sentence]


def _refuse_conflicts(runs: Sequence[Path], headers: Sequence[Mapping[str, Any]]) -> None:
    suites: dict[str, tuple[str, Path]] = {}
    models: dict[str, tuple[str, Path]] = {}
    speedups: dict[str, dict[str, Any]] = {}
    for run, header in zip(runs, headers, strict=True):
        name, hash_ = header["suite"]["name"], header["suite"]["hash"]
        before, where = suites.setdefault(name, (hash_, run))
        if before != hash_:
            raise ConflictError(
                f"{where} and {run} were made with different versions of suite {name}: "
                "make a study of each"
            )
        for model in header["models"]:
            revision = str(model["revision"])
            before, where = models.setdefault(model["id"], (revision, run))
            if before != revision:
                raise ConflictError(
                    f"{where} and {run} hold different revisions of model {model['id']} "
                    f"({before[:12]} and {revision[:12]}): give one of them another id"
                )
            asked = dict(model.get("speedups") or {})
            if speedups.setdefault(model["id"], asked) != asked:
                raise ConflictError(
                    f"{where} and {run} hold model {model['id']} with and without speed-ups that "
                    "change its pictures: give one of them another id"
                )


def _outputs(run: Path, suite: Suite, languages: Sequence[str]) -> list[Candidate]:
    found = []
    for row in read_outputs(run):
        prompt = suite.prompts.get(row["prompt"])
        if prompt is None:
            raise FileFormatError(
                f"{run / 'metadata.jsonl'}: {row['key'][:12]}: the prompt {row['prompt']!r} is "
                f"not in the run's suite"
            )
        neutral = suite.prompts.get(f"{prompt.scene}/{NEUTRAL}")
        text = (neutral or prompt).text
        for language in languages:
            if language not in text:
                raise RequestError(
                    f"suite {suite.name}: scene {prompt.scene} has no text in {language!r} to show "
                    "raters: add it, or take that language from the study's `languages`"
                )
        found.append(
            Candidate(
                path=_inside(run, row["file_name"]),
                sha256=row["sha256"],
                kind="output",
                model=row["model"],
                scene=prompt.scene,
                target=prompt.target,
                caption={language: text[language] for language in languages},
                cue="" if neutral else CUE,
                size=(row["width"], row["height"]),
                key={
                    "suite": suite.name,
                    "home": suite.home,
                    "prompt": prompt.id,
                    "language": row["language"],
                    "seed": row["seed"],
                    "genre": prompt.genre,
                    "stratum": prompt.stratum,
                    "diagnosticity": prompt.diagnosticity,
                    "work": "",
                    "run": run.resolve().name,
                    "key": row["key"],
                    "file_name": row["file_name"],
                    "synthetic": False,
                    "status": row["status"],
                },
            )
        )
    return found


def _reference(
    folder: Path, row: _ReferenceRow, sources: Sources, languages: Sequence[str]
) -> Candidate:
    caption = row.caption if row.caption is not None else UNTITLED
    for language in languages:
        if language not in caption:
            raise FileFormatError(
                f"{folder / 'metadata.jsonl'}: {row.id}: the caption has no text in {language!r}"
            )
    return Candidate(
        path=_inside(folder, row.file_name),
        sha256=row.sha256,
        kind=REFERENCE,
        model=REFERENCE,
        # variants of one work are one scene, which the design keeps apart
        scene=f"{REFERENCE}/{row.work or row.id}",
        target=row.tradition,
        caption={language: caption[language] for language in languages},
        cue="" if row.caption is not None else "reference without a caption",
        key={
            "suite": next(iter(sources.suites)) if len(sources.suites) == 1 else "",
            "home": sources.home,
            "prompt": row.id,
            "language": "",
            "seed": None,
            "genre": row.genre,
            "stratum": row.stratum,
            "diagnosticity": row.diagnosticity,
            "work": row.work,
            "run": "",
            "key": "",
            "file_name": row.file_name,
            "synthetic": row.synthetic,
            "status": "ok",
        },
    )


def _inside(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise FileFormatError(f"{folder / 'metadata.jsonl'}: {name!r} lies outside the folder")
    return path
