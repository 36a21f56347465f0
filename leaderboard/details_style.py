"""Tables of style bias beneath the figures: differences, every index, and what is reported apart."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from bench.records import FOIL, REFERENCE, Score
from leaderboard.board import HEADLINE_ASPECT, Board
from leaderboard.hybrids import stand
from leaderboard.small_tables import Line, Table, with_interval, without_empty
from leaderboard.tables import ASPECTS, CANNOT_TELL, OTHER
from leaderboard.tabulate import NOT_JUDGED, capital
from leaderboard.words import Words

_MANY = 12
"""Rows above which a table is folded."""

_INDICES = (
    "raw_leak",
    "excess_leak",
    "excess_leak_unrecognised",
    "graded_excess_leak",
    "corrected_mixture",
    "mirror_asymmetry",
    "choice_bias",
    "excess_blur",
    "neutral_default",
)


def differences(board: Board, words: Words) -> Table:
    """Return the leak differences."""
    rows = []
    for score in board.all_of("leak_difference"):
        if score.criterion != HEADLINE_ASPECT:
            continue
        finite = math.isfinite(score.value)
        cells = [
            f"{words.label(score.model)} − {words.label(score.against)}",
            capital(words.tradition(score.group)),
            with_interval(score, words),
        ]
        rows.append(Line(cells, finite and (score.low > 0 or score.high < 0)))
    heads = [words.say("model"), words.say("towards"), words.say("difference")]
    title = words.say("differences_table")
    note = words.join([words.say("differences_note"), words.say("differences_bold")])
    return Table(title, note, heads, rows, folded=len(rows) > _MANY)


def indices(board: Board, words: Words) -> Table:
    """Return every index of style bias, a row per model and other tradition."""
    kinds = [*((name, HEADLINE_ASPECT) for name in _INDICES), ("excess_leak", ASPECTS[1])]
    rows = []
    for model in board.models:
        for other in board.others:
            found = [
                board.find(name, criterion=aspect, model=model, group=other)
                for name, aspect in kinds
            ]
            cells = [with_interval(score, words) for score in found]
            rows.append(Line([words.label(model), capital(words.tradition(other)), *cells]))
    heads = [words.say("model"), words.say("towards")]
    heads += [words.say(f"index_{name}") for name in _INDICES] + [words.say("index_things")]
    title, note = words.say("indices_title"), words.say("indices_note")
    table = without_empty(Table(title, note, heads, rows, folded=len(rows) > _MANY))
    return table._replace(rows=[_filled(row, words) for row in table.rows])


def _filled(row: Line, words: Words) -> Line:
    """Return a row of an index with dashes for blanks, and the reason where it has no value at all."""
    name, other, *cells = row.cells
    if not any(cells):
        return row._replace(
            cells=[name, other, f"–\n{words.reason(NOT_JUDGED)}", *["–"] * (len(cells) - 1)]
        )
    return row._replace(cells=[name, other, *(cell or "–" for cell in cells)])


def apart(board: Board, words: Words) -> Table:
    """Return what scenes and works of several traditions were seen as."""
    found = {row: seen for row, seen in _shares_apart(board).items() if row[1] != FOIL}
    labels = _labels_of(found.values(), board)
    rows = [
        Line(
            [
                capital(words.label(model)) if model == REFERENCE else words.label(model),
                str(words.texts.get(kind, kind)),
                capital(words.tradition(asked)),
                *(with_interval(seen.get(label), words) for label in labels),
            ]
        )
        for (model, kind, asked), seen in found.items()
    ]
    heads = [words.say("model"), words.say("apart_kind"), words.say("apart_asked")]
    heads += [capital(words.tradition(label)) for label in labels]
    title, note = words.say("apart_title"), words.say("apart_note")
    return Table(title, note, heads, rows, folded=len(rows) > _MANY)


def hybrids(board: Board, words: Words) -> Table:
    """Return where raters put works that mix traditions, 0 and 1 being the poles, and the verdict."""
    rows = []
    for score in board.all_of("hybrid_position"):
        if score.criterion != HEADLINE_ASPECT:
            continue
        told = words.say(f"hybrids_{stand(score)}") if math.isfinite(score.value) else "–"
        cells = [capital(words.tradition(score.group)), with_interval(score, words), told]
        rows.append(Line([*cells, _counts(score, words)]))
    heads = [words.say(f"hybrids_{key}") for key in ("seen_as", "position", "stand")]
    heads.append(words.say("foils_counts"))
    title, note = words.say("hybrids_title"), words.say("hybrids_note")
    return Table(title, note, heads, rows, wraps=True)  # whole on a phone


def foils(board: Board, words: Words) -> Table:
    """Return what works of traditions that are not compared were seen as, a row per tradition."""
    found = {row: seen for row, seen in _shares_apart(board).items() if row[1] == FOIL}
    labels = _labels_of(found.values(), board)
    rows = []
    for (_, _, true), seen in found.items():
        counts = next(iter(seen.values()))
        cells = [with_interval(seen.get(label), words) for label in labels]
        rows.append(Line([capital(words.tradition(true)), *cells, _counts(counts, words)]))
    heads = [words.say("foils_true"), *(capital(words.tradition(label)) for label in labels)]
    heads.append(words.say("foils_counts"))
    return Table(words.say("foils_title"), words.say("foils_note"), heads, rows)


def _counts(score: Score, words: Words) -> str:
    return words.listed([str(score.n_items), str(score.n_raters)])


def _shares_apart(board: Board) -> dict[tuple[str, str, str], dict[str, Score]]:
    """Return the scores by (model, kind, asked or true tradition), and there by label."""
    found: dict[tuple[str, str, str], dict[str, Score]] = {}
    for score in board.all_of("share_apart"):
        kind, asked, seen = score.group.split(":")
        if score.criterion == HEADLINE_ASPECT:
            found.setdefault((score.model, kind, asked), {})[seen] = score
    return found


def _labels_of(found: Collection[Mapping[str, Score]], board: Board) -> list[str]:
    """Return the labels that any has: the board's first, those given to these alone, the last two."""
    there = dict.fromkeys(label for seen in found for label in seen)
    last = [OTHER, CANNOT_TELL]
    order = dict.fromkeys([*(label for label in board.labels if label not in last), *there])
    return [
        label for label in [*(one for one in order if one not in last), *last] if label in there
    ]
