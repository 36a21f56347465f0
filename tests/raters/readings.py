"""A study of answers made from answers that were imported: three models, three works."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from bench.records import ModelSpec
from bench.understanding.importing import COLUMNS, import_answers
from raters.study import create
from tests.bench.understanding.material import WORKS, suite_of_questions, works_folder
from tests.conftest import write_yaml

MODELS = ("qwen-sample", "maker-two", "maker-three")
LONG = "The mist is left blank. <script>alert('x')</script> <b>Bold</b> trees stand below. " * 6


def readings_run(folder: Path) -> tuple[Path, Path]:
    """Return a run of imported answers, and the folder of works."""
    works = works_folder(folder / "works")
    suite = suite_of_questions(folder / "suite.yaml")
    for number, model in enumerate(MODELS):
        table = folder / f"{model}.csv"
        with table.open("w", encoding="utf-8", newline="") as file:
            rows = [
                (work, "depicted", "zh", "0", f"As Qwen2.5-VL, I see {work}. {LONG}{number}")
                for work in WORKS
            ]
            csv.writer(file).writerows([COLUMNS, *rows])
        spec = ModelSpec(model, "", "1")
        run = folder / "run"
        import_answers(works, spec, run, suite=str(suite), table=table)
    return folder / "run", works


def readings_config(folder: Path, **more: Any) -> Path:
    content = {
        "study": "readings",
        "version": 1,
        "rubric": "understanding",
        "seed": 3,
        "raters": 4,
        "analyses": {"questions": ["depicted"], "votes_per_pair": 2},
        "warm_ups": {"first": 0, "later": 0},
        "detections": 0,
    }
    return write_yaml(folder / "readings.yaml", content | more)


def readings_study(folder: Path, **more: Any) -> Path:
    run, works = readings_run(folder)
    create(readings_config(folder, **more), [run], references=works, out=folder / "study")
    return folder / "study"
