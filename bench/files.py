"""Writing so that what a name points to is whole: temporary name, flush, rename."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.errors import FileFormatError


def write_whole(path: Path, content: bytes, scratch: Path | None = None) -> None:
    """Write `content` under a temporary name (in `scratch`, or beside `path`), then rename."""
    with written_whole(path, scratch) as temporary:
        temporary.write_bytes(content)


@contextmanager
def written_whole(path: Path, scratch: Path | None = None) -> Iterator[Path]:
    """Give a temporary name (in `scratch`, or beside `path`); flush what is there, then rename."""
    temporary = (scratch or path.parent) / f".{path.name}.{os.getpid()}.tmp"
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def append_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append JSON lines in one write, flushed to the disk before returning."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    with os.fdopen(descriptor, "ab", buffering=0) as file:
        data = memoryview(text.encode())
        while data:
            data = data[file.write(data) :]
        os.fsync(file.fileno())


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a JSON-lines file; a torn last line (no newline) is passed over.

    Raises:
        FileFormatError: a whole line is not a JSON object; names file and line.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                row = json.loads(line)
            except ValueError as error:
                raise FileFormatError(f"{path}, line {number} is not JSON: {error}") from error
            if not isinstance(row, dict):
                raise FileFormatError(f"{path}, line {number} is not a JSON object")
            yield row


def cut_torn_line(path: Path) -> int:
    """Cut what follows the last newline of `path`; return how many bytes were cut."""
    if not path.exists():
        return 0
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        keep = size
        while keep:
            start = max(0, keep - 65536)
            file.seek(start)
            at = file.read(keep - start).rfind(b"\n")
            if at >= 0:
                keep = start + at + 1
                break
            keep = start
        if keep < size:
            file.truncate(keep)
            os.fsync(file.fileno())
    return size - keep


def file_hash(path: Path) -> str:
    """Return the SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
