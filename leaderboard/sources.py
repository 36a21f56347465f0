"""Files to rows: CSV, Parquet and JSONL into one frame that still knows where each row stood."""

from __future__ import annotations

import csv
import json
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import FileFormatError, RequestError

MOST_TEXT = 300_000_000
"""Bytes of CSV or JSONL; each takes some twenty of memory while it is read."""


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of one origin: `numbers[i]` is the line (or row, from 1) at which row i stands."""

    name: str
    frame: pd.DataFrame
    word: str = "row"
    numbers: Sequence[int] = ()

    def place(self, row: int) -> str:
        """Return "file, line 7" for a row of the frame."""
        return f"{self.name}, {self.word} {self.numbers[row] if self.numbers else row + 1}"


@dataclass(frozen=True, slots=True)
class Places:
    """Where each row of several sources, laid one after the other, came from."""

    sources: Sequence[Source]

    def place(self, row: int) -> str:
        """Return "file, line 7" for a row of the concatenated frame."""
        ends = list(accumulate(len(source.frame) for source in self.sources))
        which = bisect_right(ends, row)
        return self.sources[which].place(row - (ends[which - 1] if which else 0))


def read_source(path: Path) -> Source:
    """Read one table; every cell of a CSV stays text.

    Raises:
        FileFormatError: the file is missing, unreadable, of an unknown kind, torn, empty, or text
            of more than `MOST_TEXT` bytes.
    """
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise FileFormatError(
            f"{path}: unknown suffix {path.suffix!r}: give .csv, .parquet, .jsonl"
        )
    with _faults_told(path):
        size = path.stat().st_size
        if reader is not _read_parquet and size > MOST_TEXT:
            raise FileFormatError(
                f"{path}: is {size / 1e9:.1f} GB, more than the {MOST_TEXT / 1e9:.1f} GB of text that"
                " are read: write it as Parquet, which is read by columns"
            )
        source = reader(path)
    if source.frame.empty:
        raise FileFormatError(f"{path}: has no rows")
    return source


def read_sources(paths: Sequence[Path | str]) -> list[Source]:
    """Read several tables.

    Raises:
        RequestError: no path was given, or one twice.
        FileFormatError: see `read_source`.
    """
    if not paths:
        raise RequestError("no table was given: name at least one CSV, Parquet or JSONL file")
    seen: set[Path] = set()
    for path in map(Path, paths):
        if path.resolve() in seen:
            raise RequestError(f"{path} is given twice: its rows would count twice")
        seen.add(path.resolve())
    return [read_source(Path(path)) for path in paths]


def columns_of(path: Path, *, enough: Collection[str] = ()) -> list[str]:
    """Return the columns of a table alone, without its rows.

    Lines of JSONL may differ: they are read up to the first that has a column of `enough`.

    Raises:
        FileFormatError: see `read_source`.
    """
    with _faults_told(path):
        if path.suffix.lower() == ".parquet":
            return [str(name) for name in pq.read_schema(path).names]
        if path.suffix.lower() == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                return _header(csv.reader(file), path)
        columns: dict[str, None] = {}
        for _, record in _records(path):
            columns |= dict.fromkeys(record)
            if not columns.keys().isdisjoint(enough):
                break
        return list(columns)


def has_rows(path: Path) -> bool:
    """Say whether a table has any row; a file of an unknown kind is taken to have.

    Raises:
        FileFormatError: see `read_source`.
    """
    with _faults_told(path):
        if path.suffix.lower() == ".parquet":
            return bool(pq.read_metadata(path).num_rows)
        if path.suffix.lower() == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                return sum(1 for _ in islice(filter(str.strip, file), 2)) > 1
        return path.suffix.lower() != ".jsonl" or next(_records(path), None) is not None


@contextmanager
def _faults_told(path: Path) -> Iterator[None]:
    """Turn what reading a file may raise into a sentence about the file."""
    try:
        yield
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        form = "CSV UTF-8" if path.suffix.lower() == ".csv" else "UTF-8"
        raise FileFormatError(f"{path}: is not UTF-8: save it as {form}") from error
    except pa.ArrowException as error:
        raise FileFormatError(f"{path}: is not a readable Parquet file: {error}") from error


def _header(reader: Iterator[list[str]], path: Path) -> list[str]:
    """Return the names in the first line of a CSV, without space around them."""
    header = [name.strip() for name in next(reader, [])]
    for sign, name in ((";", "';'"), ("\t", "tabs")):
        if len(header) == 1 and sign in header[0]:
            raise FileFormatError(f"{path}: is separated by {name}: save it with commas")
    for column in header:
        if header.count(column) > 1:
            raise FileFormatError(f"{path}: the column {column!r} stands twice in the header")
    return header


def _read_csv(path: Path) -> Source:
    rows: list[list[str]] = []
    numbers: list[int] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = _header(reader, path)
            for row in reader:
                if not row:
                    continue
                if len(row) != len(header):
                    raise FileFormatError(
                        f"{path}, line {reader.line_num}: has {len(row)} cells,"
                        f" the header has {len(header)}"
                    )
                rows.append(row)
                numbers.append(reader.line_num)
        except csv.Error as error:
            raise FileFormatError(
                f"{path}, line {reader.line_num}: is not valid CSV: {error}"
            ) from error
    return Source(str(path), pd.DataFrame(rows, columns=header, dtype="str"), "line", numbers)


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a JSONL file with their lines."""
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise FileFormatError(f"{path}, line {number}: is not JSON: {error}") from error
            if not isinstance(record, dict):
                raise FileFormatError(f"{path}, line {number}: is not a JSON object: {line[:80]!r}")
            yield number, record


def _read_jsonl(path: Path) -> Source:
    numbers: list[int] = []
    records: list[dict[str, Any]] = []
    for number, record in _records(path):
        numbers.append(number)
        records.append(record)
    columns = list(dict.fromkeys(key for record in records for key in record))
    cells = {
        # Objects, so that pandas neither guesses dates nor turns whole numbers into fractions
        column: pd.Series([record.get(column) for record in records], dtype="object")
        for column in columns
    }
    return Source(str(path), pd.DataFrame(cells), "line", numbers)


def _read_parquet(path: Path) -> Source:
    try:
        frame = pd.read_parquet(path)
    except OSError:
        raise
    except Exception as error:  # pyarrow's errors share no base class of their own
        raise FileFormatError(f"{path}: is not a readable Parquet file: {error}") from error
    return Source(str(path), frame.reset_index(drop=True))
