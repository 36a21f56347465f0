"""Tables of any kind: which of the scorer's tables a file is, by its columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from bench.errors import FileFormatError, RequestError
from leaderboard.sources import columns_of, has_rows
from leaderboard.tables import read_attributions, read_detections, read_ratings, read_votes

_TELLING = {
    "value": "ratings",
    "winner": "votes",
    "attribution": "attributions",
    "seen_as": "detections",
}
"""The column that each kind has and no other."""


def read_tables(paths: Sequence[Path], *, labels: Sequence[str] = ()) -> dict[str, pd.DataFrame]:
    """Return checked tables by kind, several files of one kind laid one after the other.

    Args:
        paths: CSV, Parquet or JSONL files.
        labels: further labels of attributions.

    Raises:
        RequestError: no path was given.
        FileFormatError: a file is of no kind, or breaks the format of its kind.
    """
    if not paths:
        raise RequestError("no table was given: name at least one CSV, Parquet or JSONL file")
    readers: dict[str, Callable[[Sequence[Path]], pd.DataFrame]] = {
        "ratings": read_ratings,
        "votes": read_votes,
        "attributions": partial(read_attributions, labels=labels),
        "detections": read_detections,
    }
    sorted_: dict[str, list[Path]] = {}
    for path in paths:
        sorted_.setdefault(_kind(path), []).append(path)
    return {kind: readers[kind](found) for kind, found in sorted_.items()}


def with_rows(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return the tables that have a row, and those that have but a header, as an export may hold.

    Raises:
        FileFormatError: a file cannot be read.
    """
    empty = [path for path in paths if path.exists() and not has_rows(path)]
    return [path for path in paths if path not in empty], empty


def _kind(path: Path) -> str:
    columns = _columns(path)
    kinds = [kind for column, kind in _TELLING.items() if column in columns]
    if len(kinds) != 1:
        raise FileFormatError(
            f"{path}: cannot tell what it holds: ratings have the column 'value', votes 'winner',"
            f" attributions 'attribution', detections 'seen_as' (columns there: {', '.join(columns) or 'none'})"
        )
    return kinds[0]


def _columns(path: Path) -> list[str]:
    if path.suffix.lower() not in {".csv", ".parquet", ".jsonl"}:
        raise FileFormatError(
            f"{path} is not there"
            if not path.exists()
            else f"{path}: unknown suffix {path.suffix!r}: give .csv, .parquet, .jsonl, or a study folder"
        )
    return columns_of(path, enough=_TELLING)
