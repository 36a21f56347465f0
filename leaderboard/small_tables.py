"""A small table of scores: its rows, and how a value is told in a cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from bench.records import Score
from leaderboard.plots import number
from leaderboard.tabulate import interval_of
from leaderboard.words import Words


class Line(NamedTuple):
    """One row of a table; `decided` where its interval leaves out 0."""

    cells: Sequence[str]
    decided: bool = False


class Table(NamedTuple):
    """A small table with a title and a note."""

    title: str
    note: str
    heads: Sequence[str]
    rows: Sequence[Line]
    folded: bool = False
    wraps: bool = False
    by_raters: bool = True
    """Whether raters had a part in it, so that it says so where they were simulated."""
    tag: str = ""
    """Whose it is, in place of what its section says of all."""


def without_empty(table: Table) -> Table:
    """Return the table without the columns in which no row has anything."""
    shown = [
        place
        for place in range(len(table.heads))
        if any(row.cells[place] not in {"", "–"} for row in table.rows)
    ]
    rows = [row._replace(cells=[row.cells[place] for place in shown]) for row in table.rows]
    return table._replace(heads=[table.heads[place] for place in shown], rows=rows)


def value_of(score: Score | None) -> str:
    """Return a value as a cell, a dash where it is none, nothing without a score."""
    if score is None:
        return ""
    return number(score.value) if math.isfinite(score.value) else "–"


def with_interval(score: Score | None, words: Words) -> str:
    """Return the same with its interval, or, behind a line break, why there is none."""
    if score is None:
        return ""
    if not math.isfinite(score.value):
        return f"–\n{words.reason(score.reason)}".strip()
    if interval := interval_of(score):
        return f"{number(score.value)} {interval}"
    return f"{number(score.value)}\n{words.reason(score.reason)}".strip()
