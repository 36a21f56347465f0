"""Tables beneath the figures: agreement in figures, differences, scales, and the rows' whereabouts."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from bench.records import FOIL, REFERENCE, Score
from leaderboard.board import HEADLINE_ASPECT, Board
from leaderboard.plots import number
from leaderboard.scoring import TABLES
from leaderboard.tables import ASPECTS, CANNOT_TELL, OTHER
from leaderboard.tabulate import NOT_JUDGED, capital, interval_of
from leaderboard.words import Words

_MANY = 12
"""Rows above which the table of differences is folded."""

_SIMPLE = 0.75
_LEAST_SCALES = 3
"""Share of one factor above which one score stands for many (the issue of many scales)."""


PROTOCOL = "protocol"
"""The metric of rows that say how a study was done; what, in `group`."""

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


def tables_of(board: Board, words: Words) -> list[Table]:
    """Return the tables for which the board has scores, in the order of the page."""
    made = [
        _differences(board, words),
        _indices(board, words),
        _apart(board, words),
        _foils(board, words),
        _agreement(board, words),
        _marginals(board, words),
        _as_ranks(board, words),
        _applicability(board, words),
        _scales(board, words),
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
                *(
                    _with_interval(found.get((model, kind)), words)
                    for kind in ("wrong", "invented")
                ),
            ]
        )
        for model in dict.fromkeys(model for model, _ in found)
    ]
    heads = [words.say("model"), words.say("marked_wrong"), words.say("marked_invented")]
    return Table(words.say("marked_title"), words.say("marked_note"), heads, rows)


def _differences(board: Board, words: Words) -> Table:
    """Return the leak differences."""
    rows = []
    for score in board.all_of("leak_difference"):
        if score.criterion != HEADLINE_ASPECT:
            continue
        finite = math.isfinite(score.value)
        cells = [
            f"{words.label(score.model)} − {words.label(score.against)}",
            capital(words.tradition(score.group)),
            number(score.value) if finite else "–",
            interval_of(score) if finite else words.reason(score.reason),
        ]
        rows.append(Line(cells, finite and (score.low > 0 or score.high < 0)))
    heads = [words.say("model"), words.say("towards"), words.say("difference"), ""]
    title = words.say("differences_table")
    note = words.join([words.say("differences_note"), words.say("differences_bold")])
    return Table(title, note, heads, rows, folded=len(rows) > _MANY)


def _indices(board: Board, words: Words) -> Table:
    """Return every index of style bias, a row per model and other tradition."""
    kinds = [*((name, HEADLINE_ASPECT) for name in _INDICES), ("excess_leak", ASPECTS[1])]
    rows = []
    for model in board.models:
        for other in board.others:
            found = [
                board.find(name, criterion=aspect, model=model, group=other)
                for name, aspect in kinds
            ]
            cells = [_with_interval(score, words) for score in found]
            rows.append(Line([words.label(model), capital(words.tradition(other)), *cells]))
    heads = [words.say("model"), words.say("towards")]
    heads += [words.say(f"index_{name}") for name in _INDICES] + [words.say("index_things")]
    title, note = words.say("indices_title"), words.say("indices_note")
    table = _without_empty(Table(title, note, heads, rows, folded=len(rows) > _MANY))
    return table._replace(rows=[_filled(row, words) for row in table.rows])


def _filled(row: Line, words: Words) -> Line:
    """Return a row of an index with dashes for blanks, and the reason where it has no value at all."""
    name, other, *cells = row.cells
    if not any(cells):
        return row._replace(
            cells=[name, other, f"– {words.reason(NOT_JUDGED)}", *["–"] * (len(cells) - 1)]
        )
    return row._replace(cells=[name, other, *(cell or "–" for cell in cells)])


def _apart(board: Board, words: Words) -> Table:
    """Return what scenes and works of several traditions were seen as."""
    found = {row: seen for row, seen in _shares_apart(board).items() if row[1] != FOIL}
    labels = _labels_of(found.values(), board)
    rows = [
        Line(
            [
                capital(words.label(model)) if model == REFERENCE else words.label(model),
                str(words.texts.get(kind, kind)),
                capital(words.tradition(asked)),
                *(_with_interval(seen.get(label), words) for label in labels),
            ]
        )
        for (model, kind, asked), seen in found.items()
    ]
    heads = [words.say("model"), words.say("apart_kind"), words.say("apart_asked")]
    heads += [capital(words.tradition(label)) for label in labels]
    title, note = words.say("apart_title"), words.say("apart_note")
    return Table(title, note, heads, rows, folded=len(rows) > _MANY)


def _foils(board: Board, words: Words) -> Table:
    """Return what works of traditions that are not compared were seen as, a row per tradition."""
    found = {row: seen for row, seen in _shares_apart(board).items() if row[1] == FOIL}
    labels = _labels_of(found.values(), board)
    rows = []
    for (_, _, true), seen in found.items():
        counts = next(iter(seen.values()))
        cells = [_with_interval(seen.get(label), words) for label in labels]
        numbers = f"{counts.n_items}, {counts.n_raters}"
        rows.append(Line([capital(words.tradition(true)), *cells, numbers]))
    heads = [words.say("foils_true"), *(capital(words.tradition(label)) for label in labels)]
    heads.append(words.say("foils_counts"))
    return Table(words.say("foils_title"), words.say("foils_note"), heads, rows)


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


def _without_empty(table: Table) -> Table:
    """Return the table without the columns in which no row has anything."""
    shown = [
        place
        for place in range(len(table.heads))
        if any(row.cells[place] not in {"", "–"} for row in table.rows)
    ]
    rows = [row._replace(cells=[row.cells[place] for place in shown]) for row in table.rows]
    return table._replace(heads=[table.heads[place] for place in shown], rows=rows)


def _protocol(board: Board, words: Words) -> Table:
    """Return how the study was done, where the scores come from a study of ours."""
    rows = [
        Line([str(words.texts.get(f"protocol_{score.group}", score.group)), f"{score.value:g}"])
        for score in board.all_of(PROTOCOL)
    ]
    return Table(
        words.say("protocol_title"),
        words.say("protocol_note_of_answers" if board.of_answers else "protocol_note"),
        ["", ""],
        rows,
    )


def _agreement(board: Board, words: Words) -> Table:
    """Return α and its company, a row per scale."""
    names = dict.fromkeys(score.criterion for score in board.all_of("alpha"))
    order = [*(name for name in board.criteria if name in names), *names]
    rows = []
    for name in dict.fromkeys(order):
        alpha = board.find("alpha", criterion=name)
        without = [
            score.value
            for score in board.all_of("alpha_without")
            if score.criterion == name and math.isfinite(score.value)
        ]
        spread = f"{number(min(without))} – {number(max(without))}" if without else ""
        cells = [
            capital(words.term(name)),
            _with_interval(alpha, words),
            spread,
            *(
                _with_interval(board.find(metric, criterion=name), words)
                for metric in ("ac2", "percent_agreement", "within_one")
            ),
            *(
                _with_interval(board.find(metric, criterion=name), words)
                for metric in ("icc_2_1", "icc_2_k")
            ),
            _with_interval(board.find("intra_rater", criterion=name), words),
            _with_interval(board.find("intra_rater_kappa", criterion=name), words),
            _value(board.find("missing_share", criterion=name)),
            f"{alpha.n_items}, {alpha.n_raters}" if alpha else "",
        ]
        rows.append(Line(cells))
    heads = [
        words.say("details_criterion"),
        "α",
        words.say("details_range"),
        "AC2",
        words.say("details_exact"),
        words.say("details_within"),
        "ICC(2,1)",
        "ICC(2,k)",
        words.say("details_repeats"),
        words.say("details_kappa"),
        words.say("details_missing"),
        words.say("details_counts"),
    ]
    return _without_empty(Table(words.say("details_title"), "", heads, rows))


def _marginals(board: Board, words: Words) -> Table:
    """Return how often each value of a scale was given."""
    found = {(score.criterion, score.group): score for score in board.all_of("marginal")}
    values = sorted({value for _, value in found}, key=_as_number)
    names = [name for name in board.criteria if any(name == criterion for criterion, _ in found)]
    rows = [
        Line([capital(words.term(name)), *(_value(found.get((name, value))) for value in values)])
        for name in names
    ]
    heads = [words.say("details_criterion"), *values]
    return Table(words.say("marginals_title"), words.say("marginals_note"), heads, rows)


def _applicability(board: Board, words: Words) -> Table:
    """Return the share of answers "not applicable", a row per criterion and a column per model."""
    found = {
        (score.criterion, score.model): score for score in board.all_of("not_applicable_share")
    }
    models = [m for m in [*board.models, REFERENCE] if any(m == model for _, model in found)]
    # a criterion that was never applicable has no mean, and so is not among the board's
    names = dict.fromkeys(
        [*(c for c in board.criteria if any(c == one for one, _ in found)), *(c for c, _ in found)]
    )
    rows = [
        Line([capital(words.term(name)), *(_value(found.get((name, m))) or "–" for m in models)])
        for name in names
    ]
    heads = [words.say("details_criterion"), *(words.label(model) for model in models)]
    title, note = words.say("applicability_title"), words.say("applicability_note")
    return Table(title, note, heads, rows)


def _as_ranks(board: Board, words: Words) -> Table:
    """Return the pairs of models that the ratings, taken as ranks alone, order against the means."""
    rows = []
    for name in board.criteria:
        places = {
            model: (mean.value, location.value)
            for model in board.models
            if (mean := board.find("mean_score", criterion=name, model=model))
            and (location := board.find("ordinal_location", criterion=name, model=model))
        }
        for (first, one), (second, other) in combinations(places.items(), 2):
            if (one[0] - other[0]) * (one[1] - other[1]) < 0:
                ahead, behind = (first, second) if one[1] > other[1] else (second, first)
                rows.append(
                    Line([capital(words.term(name)), words.label(ahead), words.label(behind)])
                )
    heads = [words.say(f"as_ranks_{head}") for head in ("scale", "above", "below")]
    return Table(words.say("as_ranks_title"), words.say("as_ranks_note"), heads, rows)


def _as_number(value: str) -> tuple[float, str]:
    """Return what puts values of a scale in their order, words last."""
    try:
        return float(value), value
    except ValueError:
        return math.inf, value


def _scales(board: Board, words: Words) -> Table:
    """Return the correlations of the criteria, below the diagonal."""
    found = {
        frozenset((score.criterion, score.group)): score
        for score in board.all_of("scale_correlation")
    }
    if not found:
        return Table("", "", [], [])
    names = [name for name in board.criteria if any(name in pair for pair in found)]
    rows = []
    for place, name in enumerate(names):
        cells = [_with_interval(found.get(frozenset((name, other))), words) for other in names]
        shown = [cell if other < place else "" for other, cell in enumerate(cells)]
        rows.append(Line([capital(words.term(name)), *shown[:-1]]))
    parts = [words.say("scales_note")]
    factor = board.find("first_factor_share")
    if factor is not None and math.isfinite(factor.value):
        # by the lower end of the interval, and of two scales nothing can be said
        simple = factor.low > _SIMPLE and len(names) >= _LEAST_SCALES
        share = f"{100 * factor.value:.0f}"
        if math.isfinite(factor.low):
            share += f" [{100 * factor.low:.0f}, {100 * factor.high:.0f}]"
        parts.append(words.say("scales_one" if simple else "scales_many", share=share))
    heads = ["", *(capital(words.term(name)) for name in names[:-1])]
    return Table(words.say("scales_title"), words.join(parts), heads, rows[1:])


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


def _value(score: Score | None) -> str:
    if score is None:
        return ""
    return number(score.value) if math.isfinite(score.value) else "–"


def _with_interval(score: Score | None, words: Words) -> str:
    if score is None:
        return ""
    if not math.isfinite(score.value):
        return f"– {words.reason(score.reason)}".strip()
    return f"{number(score.value)} {interval_of(score)}".strip()
