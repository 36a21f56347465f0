"""An analysis as it lies in a study's folder, and the marks that its text can bear."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench.errors import RequestError


@lru_cache(maxsize=512)
def sections_of(file: Path) -> list[dict[str, Any]]:
    """Return an analysis: questions by language, each with its answer as plain text."""
    content: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return content


def refuse_beyond(marks: Iterable[Mapping[str, Any]], files: Mapping[str, Path]) -> None:
    """Refuse marks on what is not there.

    Args:
        marks: with side, section, start and end, in characters (code points), the end left out.
        files: the analysis on each side.

    Raises:
        RequestError: the analysis has no such section, or its text ends before the mark does.
    """
    for mark in marks:
        sections = sections_of(files[mark["side"]])
        if mark["section"] >= len(sections):
            raise RequestError("a mark's section must be one that its analysis has")
        if mark["end"] > len(sections[mark["section"]]["text"]):
            raise RequestError("a mark must end within its section's text")
