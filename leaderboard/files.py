"""Scores on disk: `scores.csv` and `scores.parquet`, and the same as JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pandas as pd

from bench import files
from bench.errors import FileFormatError, RequestError
from bench.records import Score
from leaderboard.sources import read_source

COLUMNS = tuple(field.name for field in fields(Score))
KEY = COLUMNS[: COLUMNS.index("group") + 1]
"""The columns that are unique together."""

_KINDS = {field.name: str(field.type) for field in fields(Score)}


def write_scores(scores: Sequence[Score], out: Path) -> Path:
    """Write `scores.csv` and `scores.parquet` into the folder `out`; return the CSV's path.

    Each is written under a temporary name and renamed: what is there is whole.

    Raises:
        ValueError: two scores have the same columns up to `group`: a fault of the caller.
        RequestError: the folder cannot be written to.
    """
    counts = Counter(tuple(getattr(score, name) for name in KEY) for score in scores)
    twins = [key for key, count in counts.items() if count > 1]
    if twins:
        named = ", ".join(
            f"{name}={part}" for name, part in zip(KEY, twins[0], strict=True) if part
        )
        raise ValueError(f"{len(twins)} scores stand twice, first {named}")
    frame = pd.DataFrame([asdict(score) for score in scores], columns=list(COLUMNS))
    frame = frame.astype(
        {name: {"str": "str", "float": "float64", "int": "int64"}[_KINDS[name]] for name in COLUMNS}
    )
    table = io.BytesIO()
    frame.to_parquet(table, index=False)
    write_whole(out / "scores.parquet", table.getvalue())
    text = frame.to_csv(index=False, lineterminator="\n")
    write_whole(out / "scores.csv", text.encode())
    return out / "scores.csv"


def read_scores(path: Path) -> list[Score]:
    """Return the scores of a CSV, a Parquet file or a folder that holds `scores.csv`.

    Raises:
        FileFormatError: names file, line or row, and column.
    """
    source = read_source(path / "scores.csv" if path.is_dir() else path)
    missing = [name for name in COLUMNS if name not in source.frame]
    if missing:
        raise FileFormatError(f"{source.name}: the column {missing[0]!r} of a score is missing")
    scores = []
    for row, record in enumerate(source.frame[list(COLUMNS)].to_dict("records")):
        try:
            scores.append(Score(**{name: _cell(name, record[name]) for name in COLUMNS}))
        except ValueError as error:
            raise FileFormatError(f"{source.place(row)}: {error}") from error
    return scores


def write_labels(labels: Mapping[str, Mapping[str, str]], out: Path) -> None:
    """Write `labels.json` beside the scores, so that a page made of them later knows the names.

    Raises:
        RequestError: the folder cannot be written to.
    """
    text = json.dumps(labels, ensure_ascii=False, indent=1)
    write_whole(out / "labels.json", f"{text}\n".encode())


def read_labels(path: Path) -> dict[str, dict[str, str]]:
    """Return the labels that lie beside a scores file, or none.

    Raises:
        FileFormatError: the file is no mapping of ids to languages to words.
    """
    file = (path if path.is_dir() else path.parent) / "labels.json"
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return {
            str(name): {str(language): str(said) for language, said in by_language.items()}
            for name, by_language in content.items()
        }
    except (ValueError, AttributeError) as error:
        raise FileFormatError(f"{file}: is no table of labels: {error}") from error


def to_json(scores: Sequence[Score]) -> str:
    """Return a JSON list of records; NaN is null."""
    records = [
        {
            name: None if isinstance(cell, float) and not math.isfinite(cell) else cell
            for name, cell in asdict(score).items()
        }
        for score in scores
    ]
    return json.dumps(records, ensure_ascii=False, indent=1, allow_nan=False)


_BY_KIND = ("check", "component", "count", "covariance", "forecast", "p value", "verdict")
_WITHOUT = {"", *(f"no interval: a {kind}" for kind in _BY_KIND)}
_NOT_PEOPLES_ALONE = {"judge", "combined"}
"""Sources that a line of a terminal names: their metrics have names that raters' have too."""


def to_text(scores: Sequence[Score]) -> str:
    """Return one line per score for a terminal; what is missing gives its reason.

    What has no interval by its kind, as a count or a verdict, does not say so.
    """
    lines = []
    for score in scores:
        named = [
            score.study,
            f"({score.source})" if score.source in _NOT_PEOPLES_ALONE else "",
            score.slice,
            score.metric,
            score.criterion,
            score.model,
            f"against {score.against}" if score.against else "",
            score.group,
        ]
        what = "  ".join(name for name in named if name)
        if math.isnan(score.value):
            lines.append(f"{what}: none ({score.reason})")
        elif math.isnan(score.low):
            why = "" if score.reason in _WITHOUT else f" ({score.reason})"
            lines.append(f"{what}: {score.value:.4g}{why}")
        else:
            lines.append(f"{what}: {score.value:.4g} [{score.low:.4g}, {score.high:.4g}]")
    return "\n".join(lines)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole, making its folder.

    Raises:
        RequestError: the place cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_whole(path, content)
    except OSError as error:
        raise RequestError(f"cannot write {path}: {error.strerror or error}") from error


def csv_text(rows: Sequence[Sequence[object]]) -> str:
    """Return rows as CSV, the first being the header; NaN is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow(["" if isinstance(cell, float) and cell != cell else cell for cell in row])  # noqa: PLR0124 - NaN
    return text.getvalue()


def _cell(name: str, cell: Any) -> Any:
    kind = _KINDS[name]
    if kind == "str":
        return "" if cell is None or cell is pd.NA or cell != cell else str(cell)  # noqa: PLR0124 - NaN
    if kind == "float" and (cell is None or cell == ""):
        return math.nan
    try:
        return float(cell) if kind == "float" else int(cell)
    except ValueError as error:
        raise ValueError(f"column {name!r} is not a number: {cell!r}") from error
