"""The headline table, as plain text for a terminal, Markdown and LaTeX (booktabs)."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench.records import REFERENCE, Score
from leaderboard.board import HEADLINE_ASPECT, Board, Labels, boards
from leaderboard.letters import letters_of
from leaderboard.marks import marked, note_of_marks
from leaderboard.plots import number
from leaderboard.quality import MEAN_SCORE
from leaderboard.weighting import OVERALL
from leaderboard.words import Words, words_in

_LONGEST = 14
"""Columns of a terminal for the heading of a score."""

NOT_JUDGED = "not judged on this"
"""Why a model has no score of a kind that others have."""


class Cell(NamedTuple):
    """A value, its interval and its rank interval, as words; empty where there is none."""

    value: str
    interval: str = ""
    rank: str = ""
    reason: str = ""
    letters: str = ""
    """Models that share one do not differ significantly."""


class Column(NamedTuple):
    """A heading, and its short name where it has one."""

    heading: str
    short: str = ""
    id: str = ""
    """Stands in for a heading too long for a terminal."""


class HeadlineTable(NamedTuple):
    """Models down, measures across."""

    columns: Sequence[Column]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    n_scores: int
    """How many of the columns are scores; those after them are biases."""
    anchor: bool
    """Whether the last row is the references'."""

    @property
    def has_letters(self) -> bool:
        """Whether any cell has a significance letter."""
        return any(cell.letters for _, cells in self.rows for cell in cells)


def headline_table(board: Board, words: Words) -> HeadlineTable:
    """Return means and votes with ranks and letters, and the bias towards each other tradition.

    Where there are several criteria, their weighted mean comes first: the order follows it.
    """
    with_votes = any(score.metric == "strength" for score in board.scores)
    overall = any(board.overall(model) for model in board.models)
    scores = [
        *([Column(words.say("overall"), id="overall")] if overall else []),
        *(Column(words.term(criterion), id=criterion) for criterion in board.criteria),
        *([Column(words.say("strength"), id="strength")] if with_votes else []),
    ]
    short = bias_names(board.others)
    biases = [
        Column(words.say("bias", tradition=words.tradition(other)), short[other])
        for other in board.others
    ]
    anchors = [score for score in board.all_of(MEAN_SCORE) if score.model == REFERENCE]
    models = [*board.models, *([REFERENCE] if anchors else [])]
    borne = {name: letters_of(board, name) for name in board.criteria}
    borne[""] = letters_of(board, "", OVERALL)
    rows = []
    for model in models:
        cells = [_overall_cell(board, words, model, borne[""])] if overall else []
        cells += [
            _mean_cell(board, words, criterion, model, borne[criterion])
            for criterion in board.criteria
        ]
        if with_votes:
            cells.append(_strength_cell(board, words, model))
        for other in board.others:
            leak = board.find("excess_leak", criterion=HEADLINE_ASPECT, model=model, group=other)
            cells.append(_cell(leak, words))
        if model != REFERENCE:
            lacking = Cell("–", reason=words.reason(NOT_JUDGED))
            cells = [cell if cell.value else lacking for cell in cells]
        rows.append(
            (capital(words.label(model)) if model == REFERENCE else words.label(model), cells)
        )
    return HeadlineTable([*scores, *biases], rows, len(scores), bool(anchors))


def bias_names(others: Sequence[str]) -> dict[str, str]:
    """Return short names of the bias indices, "WBI" for western; none where initials collide."""
    initials = [other[:1].upper() for other in others]
    return {
        other: f"{initial}BI" if initials.count(initial) == 1 and initial.isascii() else ""
        for other, initial in zip(others, initials, strict=True)
    }


def headline(scores: Sequence[Score], *, language: str = "en", labels: Labels | None = None) -> str:
    """Return the headline tables of all studies as text for a terminal."""
    words = words_in(language, marked(labels, scores))
    blocks = []
    for board in boards(scores, tuple(labels or ())):
        table = headline_table(board, words)
        told = ([words.say("simulated")] if board.simulated else []) + (
            [f"{words.say('study')}: {board.study}"] if board.study else []
        )
        blocks += [" · ".join(told)] if told else []
        width = len(table.columns)
        for part in (range(table.n_scores), range(table.n_scores, width)):
            if len(part):
                blocks.append(_text_block(table, part, words))
        if note := note_of_marks(board, words):
            blocks.append(note)
    return "\n\n".join(blocks)


def markdown(scores: Sequence[Score], words: Words) -> str:
    """Return the headline tables of all studies in Markdown."""
    parts = []
    for board in boards(scores, tuple(words.labels)):
        table = headline_table(board, words)
        if board.study:
            parts.append(f"## {board.study}")
        if board.simulated:
            parts.append(f"**{words.say('simulated')}.** {words.say('simulated_long')}")
        heads = [words.say("model"), *(_heading(column) for column in table.columns)]
        lines = [_pipes(heads), _pipes(["---", *["---:"] * len(table.columns)])]
        lines += [
            _pipes([name, *(_one_line(cell) + _raised(cell, "<sup>{}</sup>") for cell in cells)])
            for name, cells in table.rows
        ]
        parts += ["\n".join(lines), notes_of(board, table, words)]
        if board.home:
            parts.append(words.say("no_purity"))
    return "\n\n".join(parts) + "\n"


def interval_of(score: Score, digits: int = 2) -> str:
    """Return "[low, high]", or nothing where there is no interval."""
    if not (math.isfinite(score.low) and math.isfinite(score.high)):
        return ""
    return f"[{number(score.low, digits)}, {number(score.high, digits)}]"


def capital(words: str) -> str:
    """Return the words with their first letter raised, the rest as they are."""
    return words[:1].upper() + words[1:]


def _overall_cell(board: Board, words: Words, model: str, borne: Mapping[str, str]) -> Cell:
    mean = board.find(OVERALL, model=model) if model == REFERENCE else board.overall(model)
    cell = _cell(mean, words, board.find("rank", model=model, group=OVERALL))
    return cell._replace(letters=borne.get(model, ""))


def _mean_cell(
    board: Board, words: Words, criterion: str, model: str, borne: Mapping[str, str]
) -> Cell:
    mean = board.find(MEAN_SCORE, criterion=criterion, model=model)
    rank = board.find("rank", criterion=criterion, model=model, group=MEAN_SCORE)
    return _cell(mean, words, rank)._replace(letters=borne.get(model, ""))


def _strength_cell(board: Board, words: Words, model: str) -> Cell:
    found = [score for score in board.all_of("strength") if score.model == model]
    if not found:
        return Cell("")
    criterion = found[0].criterion
    rank = board.find("rank", criterion=criterion, model=model)
    borne = letters_of(board, criterion, "")
    return _cell(found[0], words, rank)._replace(letters=borne.get(model, ""))


def _cell(score: Score | None, words: Words, rank: Score | None = None) -> Cell:
    if score is None:
        return Cell("")
    if not math.isfinite(score.value):
        return Cell("–", reason=words.reason(score.reason))
    interval = interval_of(score)
    reason = "" if interval or not score.reason else words.reason(score.reason)
    return Cell(number(score.value), interval, _rank_words(rank), reason)


def _rank_words(rank: Score | None) -> str:
    if rank is None or not math.isfinite(rank.value):
        return ""
    return f"{rank.low:.0f}" if rank.low == rank.high else f"{rank.low:.0f}–{rank.high:.0f}"


def _text_block(table: HeadlineTable, part: range, words: Words) -> str:
    is_bias = part.start >= table.n_scores
    heads = [_heading(table.columns[place]) for place in part]
    if not is_bias and any(width_of(head) > _LONGEST for head in heads):
        heads = [table.columns[place].id for place in part]
    grid = [[words.say("model"), *heads]]
    for name, cells in table.rows:
        shown = [cells[place] for place in part]
        if any(cell.value for cell in shown):
            grid.append([name, *(_terminal(cell, with_interval=is_bias) for cell in shown)])
    widths = [max(width_of(row[place]) for row in grid) for place in range(len(part) + 1)]
    lines = []
    for row in grid:
        first = row[0] + " " * (widths[0] - width_of(row[0]))
        rest = [
            " " * (width - width_of(cell)) + cell
            for cell, width in zip(row[1:], widths[1:], strict=True)
        ]
        lines.append("  ".join([first, *rest]))
    return "\n".join(lines)


def _terminal(cell: Cell, *, with_interval: bool) -> str:
    if with_interval:
        return f"{cell.value} {cell.interval or cell.reason}".strip()
    return f"{cell.value} ({cell.rank})" if cell.rank else cell.value


def _one_line(cell: Cell) -> str:
    rank = f" ({cell.rank})" if cell.rank else ""
    return f"{cell.value} {cell.interval or cell.reason}".strip() + rank


def _raised(cell: Cell, form: str) -> str:
    return form.format(cell.letters) if cell.letters else ""


def notes_of(board: Board, table: HeadlineTable, words: Words) -> str:
    """Return what a reader must know of the table: its order, ranks and letters."""
    told = [words.say("ranks_note", confidence=f"{100 * confidence_of(board):g}")]
    if table.has_letters:
        told.append(words.say("letters_note"))
    if any(board.overall(model) for model in board.models):
        shares = words.listed(
            [f"{words.term(name)} {100 * weight:.3g}%" for name, weight in board.weights.items()]
        )
        key = "weights_declared" if board.declared else "weights_equal"
        told.append(words.say(key, weights=shares))
    if board.home:
        told.append(words.say("bias_note", home=words.tradition(board.home)))
    if marks := note_of_marks(board, words):
        told.append(marks)
    return words.join(told)


def confidence_of(board: Board) -> float:
    """Return the confidence of the board's intervals."""
    return next((score.confidence for score in board.scores), 0.95)


def _heading(column: Column) -> str:
    return f"{column.heading} ({column.short})" if column.short else column.heading


def _pipes(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def width_of(words: str) -> int:
    """Return how many columns of a terminal words take."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in words)


def shortened(words: str, columns: int) -> str:
    """Return words in at most so many columns, what is left out told by an ellipsis."""
    if width_of(words) <= columns:
        return words
    while width_of(words) > columns - 1:
        words = words[:-1]
    return f"{words.rstrip()}…"
