"""The files that judges leave in a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import manifest
from bench.errors import FileFormatError
from bench.files import write_whole

REPLIES = "judgements.jsonl"
"""One row per reply of a judge, as it came and as it was read; it only grows."""
TABLE = "judgements.parquet"
"""What the scorer reads: one row per scale of a reply, and one per pair; made anew each time."""
REPORT = "judge.json"
"""Who judged, by which rubric, how, and what could not be asked."""


def read_report(run: Path) -> dict[str, Any]:
    """Return what `judge.json` holds; where there is none, that nobody has judged.

    Raises:
        FileFormatError: it is no JSON object.
    """
    path = run / REPORT
    report: dict[str, Any] = {"schema": 1, "judges": {}}
    if path.is_file():
        try:
            report |= json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, TypeError) as error:
            raise FileFormatError(f"{path} is no JSON object: {error}") from error
    return report


def scale_labels(run: Path) -> dict[str, dict[str, str]]:
    """Return what the scales are called that judges of a run were asked for, by language."""
    return {
        name: label
        for judge in read_report(run)["judges"].values()
        for name, label in judge["scales"].items()
    }


def write_report(run: Path, report: Mapping[str, Any]) -> None:
    """Write `judge.json` whole."""
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    write_whole(run / REPORT, text.encode(), run / manifest.STATE / "tmp")
