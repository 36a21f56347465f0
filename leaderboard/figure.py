"""A figure: what it shows, in the words of one language, and its data; and what all figures share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bench.records import REFERENCE, Score
from leaderboard.board import Board
from leaderboard.plots import Axis, Row, dot_panel, number
from leaderboard.svg import INK, Panel
from leaderboard.tables import CANNOT_TELL, OTHER
from leaderboard.tabulate import capital, interval_of, shortened
from leaderboard.words import Words

_HUES = ("#b0452c", "#7fa9c4", "#e0bb6a", "#5d8a6c", "#a88fb5", "#9b8a72")
"""For traditions other than home: apart in lightness, so that they survive greyscale."""

_OF_LABEL = {OTHER: "#d6d1c6", CANNOT_TELL: "#edeae3"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: panels, the words around them, and the scores that it draws."""

    name: str
    title: str
    caption: str
    panels: Sequence[Panel]
    scores: Sequence[Score]
    legend: Sequence[tuple[str, str]] = ()
    """Colour and label."""
    by_raters: bool = True
    """Whether raters had a part in it, so that it says so where they were simulated."""


Maker = Callable[[Board, Words], Figure | None]
"""Draws one figure of a board, or none where the board has no scores for it."""


def colours(board: Board) -> dict[str, str]:
    """Return the colour of every label; home is ink."""
    hues = {
        label: _HUES[place % len(_HUES)]
        for place, label in enumerate(
            label for label in board.labels if label not in {board.home, OTHER, CANNOT_TELL}
        )
    }
    return {board.home: INK} | hues | _OF_LABEL


_LONGEST_TOLD = 40
"""Columns that fit beside a row's label on a phone; tables and CSV have the whole."""


def row_of(score: Score, label: str, words: Words, *, anchor: bool = False, digits: int = 2) -> Row:
    """Return a row of dots for a score: its value with interval, or why there is none."""
    if math.isfinite(score.value):
        beside = interval_of(score, digits) or words.reason(score.reason)
        told = f"{number(score.value, digits)} {beside}".strip()
    else:
        told = f"– {words.reason(score.reason)}"
    told = shortened(told, _LONGEST_TOLD)
    return Row(label, score.value, score.low, score.high, told, anchor)


def model_rows(
    scores: Iterable[Score], board: Board, words: Words, *, digits: int = 2
) -> list[Row]:
    """Return a row per model in the board's order, references last as an anchor."""
    found = {score.model: score for score in scores}
    return [
        row_of(found[model], name_of(model, words), words, anchor=model == REFERENCE, digits=digits)
        for model in [*board.models, REFERENCE]
        if model in found
    ]


def panel_of(title: str, rows: Sequence[Row], axis: Axis) -> Panel:
    """Return a panel of dots that reads its own content aloud."""
    return dot_panel(title, rows, axis, told(title, rows))


def told(title: str, rows: Sequence[Row]) -> str:
    """Return a panel's content as one text, for those who do not see it."""
    return f"{title}. " + "; ".join(f"{row.label}: {row.told}" for row in rows)


def name_of(model: str, words: Words) -> str:
    """Return what a model is called; the references' name begins with a capital."""
    return capital(words.label(model)) if model == REFERENCE else words.label(model)


def percent_of(scores: Sequence[Score]) -> str:
    """Return the confidence of the scores in per cent."""
    return f"{100 * scores[0].confidence:g}"
