"""All tables beneath the figures, in their order; of marks, of the protocol, and of the rows' whereabouts."""

from __future__ import annotations

from collections.abc import Iterator

from leaderboard import details_raters, details_style
from leaderboard.board import Board
from leaderboard.scoring import TABLES
from leaderboard.small_tables import Line, Table, with_interval
from leaderboard.words import Words

PROTOCOL = "protocol"
"""The metric of rows that say how a study was done; what, in `group`."""


def tables_of(board: Board, words: Words) -> list[Table]:
    """Return the tables for which the board has scores, in the order of the page."""
    made = [
        details_style.differences(board, words),
        details_style.indices(board, words),
        details_style.apart(board, words),
        details_style.hybrids(board, words),
        details_style.foils(board, words),
        details_raters.agreement(board, words),
        details_raters.marginals(board, words),
        details_raters.as_ranks(board, words),
        details_raters.applicability(board, words),
        details_raters.scales(board, words),
        _marked(board, words),
        _protocol(board, words),
        _rows(board, words),
    ]
    return [table for table in made if table.rows]


def _marked(board: Board, words: Words) -> Table:
    """Return the passages marked in answers, a row per model."""
    found = {
        (score.model, score.criterion): score
        for score in board.all_of("marked_characters_per_1000")
    }
    rows = [
        Line(
            [
                words.label(model),
                *(with_interval(found.get((model, kind)), words) for kind in ("wrong", "invented")),
            ]
        )
        for model in dict.fromkeys(model for model, _ in found)
    ]
    heads = [words.say("model"), words.say("marked_wrong"), words.say("marked_invented")]
    return Table(words.say("marked_title"), words.say("marked_note"), heads, rows)


def _protocol(board: Board, words: Words) -> Table:
    """Return how the study was done, where the scores come from a study of ours."""
    rows = [
        Line([str(words.texts.get(f"protocol_{score.group}", score.group)), f"{score.value:g}"])
        for score in board.all_of(PROTOCOL)
        # a study of texts has no pictures to plan
        if score.value or not board.of_answers or score.group == "withdrawn"
    ]
    return Table(
        words.say("protocol_title"),
        words.say(board.text("protocol_note")),
        ["", ""],
        rows,
    )


def _rows(board: Board, words: Words) -> Table:
    """Return per table its rows, and how many were used and set aside for what."""
    rows = []
    for table in _tables_in(board):
        counts = {s.group: int(s.value) for s in board.all_of("rows") if s.criterion == table}
        total = counts.pop("", sum(counts.values()))
        parts = [
            words.pair(words.texts.get(f"rows_{use}", use), str(count))
            for use, count in counts.items()
            if count
        ]
        name = str(words.texts.get(table, table))
        rows.append(Line([name, str(total), words.clauses(parts)]))
    heads = [words.say("rows_table"), words.say("rows_all"), ""]
    return Table(words.say("rows_title"), "", heads, rows, wraps=True)


def _tables_in(board: Board) -> Iterator[str]:
    there = dict.fromkeys(score.criterion for score in board.all_of("rows"))
    yield from (table for table in TABLES if table in there)
    yield from (table for table in there if table not in TABLES)
