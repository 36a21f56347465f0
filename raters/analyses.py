"""A study of answers is gathered: runs of understanding to two models' analyses of one work."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ConflictError, FileFormatError, RequestError
from bench.files import read_rows
from bench.manifest import read_outputs, read_run
from bench.records import Rubric
from bench.suites import Suite, load_suite
from raters.cleaning import cleaned, names_of
from raters.config import StudyFile
from raters.readings import Analysis, Readings
from raters.sources import Candidate, Sources
from raters.tasks import Item, Pair


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
