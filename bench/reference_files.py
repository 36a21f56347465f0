"""Which of the user's files stand for which works: by their names, or by a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import FileFormatError, RequestError

COLUMNS = ("file", "id", "crop", "mask")

Box = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of width and height."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that stands for a work: what to cut out of it, and what to cover."""

    file: Path
    id: str
    crop: Box | None = None
    mask: Box | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """The files that were given, and a sentence for each thing in the folder that is not read."""

    wanted: tuple[Wanted, ...]
    unread: tuple[str, ...]


def given_files(folder: Path, table: Path | None) -> Given:
    """Return the files of `folder` and the works they stand for.

    Args:
        folder: the user's files; without a table, each is named by a work's id.
        table: a CSV in UTF-8 with the columns `file, id` and optionally `crop` and `mask`, each
            four shares `left top right bottom`.

    Raises:
        RequestError: the folder is none or empty, the table cannot be read or has no rows.
        FileFormatError: the table is wrong; names the line or the column.
    """
    if not folder.is_dir():
        raise RequestError(f"{folder} is no folder of pictures")
    there = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    files = [path for path in there if path.is_file() and path.suffix.lower() != ".csv"]
    if table is None:
        wanted = [Wanted(file, file.stem) for file in files]
        unread = [
            f"{path.name}: a table is read with --table"
            for path in there
            if path.is_file() and path not in files
        ]
        if not wanted:
            raise RequestError(f"{folder} holds no files: put the pictures in it, named by id")
    else:
        wanted = _from_table(folder, table)
        named = {one.file.resolve() for one in wanted}
        unread = _not_named([file.name for file in files if file.resolve() not in named])
        if not wanted:
            raise RequestError(f"{table} has no rows: write a line per file")
    read = {parent for one in wanted for parent in one.file.resolve().parents}
    unread += [
        f"{path.name}/: folders are not read"
        for path in there
        if path.is_dir() and path.resolve() not in read
    ]
    return Given(tuple(wanted), tuple(unread))


def _not_named(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    files = "1 file" if len(names) == 1 else f"{len(names)} files"
    more = ", …" if len(names) > 5 else ""
    return [f"not in the table: {files} ({', '.join(names[:5])}{more})"]


def _from_table(folder: Path, table: Path) -> list[Wanted]:
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{table} is not UTF-8: in Excel, save it as 'CSV UTF-8'") from error
    except OSError as error:
        raise RequestError(f"cannot read {table}: {error}") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        columns = [cell.strip() for cell in next(reader, [])]
        _check_columns(columns, table)
        return [
            _wanted(folder, columns, cells, f"{table}, line {reader.line_num}")
            for cells in reader
            if any(cell.strip() for cell in cells)
        ]
    except csv.Error as error:
        raise FileFormatError(f"{table}, line {reader.line_num}: {error}") from error


def _check_columns(columns: Sequence[str], table: Path) -> None:
    for separator, name in ((";", "';'"), ("\t", "tabs")):
        if len(columns) == 1 and separator in columns[0]:
            raise FileFormatError(f"{table} is separated by {name}: save it with commas")
    if not {"file", "id"} <= set(columns):
        raise FileFormatError(f"{table}: the columns file and id are wanted")
    for column in columns:
        # Excel writes commas after the last column: such a column has no name and no content
        if column and column not in COLUMNS:
            raise FileFormatError(f"{table}: unknown column {column!r}: {', '.join(COLUMNS)}")
        if column and columns.count(column) > 1:
            raise FileFormatError(f"{table}: the column {column!r} is there twice")


def _wanted(folder: Path, columns: Sequence[str], cells: Sequence[str], where: str) -> Wanted:
    row = dict.fromkeys(COLUMNS, "")
    for number, cell in enumerate(cells):
        column = columns[number] if number < len(columns) else ""
        if cell.strip() and not column:
            raise FileFormatError(f"{where}: {cell.strip()!r} stands under no column")
        row[column] = cell.strip()
    if not row["file"] or not row["id"]:
        raise FileFormatError(f"{where}: file and id are wanted")
    crop, mask = _box(row["crop"], where), _box(row["mask"], where)
    return Wanted(folder / row["file"], row["id"], crop, mask)


def _box(text: str, where: str) -> Box | None:
    if not text:
        return None
    try:
        left, top, right, bottom = map(float, text.split())
    except ValueError as error:
        raise FileFormatError(f"{where}: {text!r} is not `left top right bottom`") from error
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise FileFormatError(f"{where}: {text!r} lies outside 0 to 1")
    return left, top, right, bottom
