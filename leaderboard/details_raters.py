"""Tables of the panel beneath the figures: agreement, use of the scales, and what they have in common."""

from __future__ import annotations

import math
from itertools import combinations

from bench.records import REFERENCE
from leaderboard.board import Board
from leaderboard.plots import number
from leaderboard.scales import LEAST_SCALES, ONE_FACTOR
from leaderboard.small_tables import Line, Table, value_of, with_interval, without_empty
from leaderboard.tabulate import capital
from leaderboard.words import Words


def agreement(board: Board, words: Words) -> Table:
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
            with_interval(alpha, words),
            spread,
            *(
                with_interval(board.find(metric, criterion=name), words)
                for metric in ("ac2", "percent_agreement", "within_one")
            ),
            *(
                with_interval(board.find(metric, criterion=name), words)
                for metric in ("icc_2_1", "icc_2_k")
            ),
            with_interval(board.find("intra_rater", criterion=name), words),
            with_interval(board.find("intra_rater_kappa", criterion=name), words),
            value_of(board.find("missing_share", criterion=name)),
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
        words.say(board.text("details_counts")),
    ]
    return without_empty(Table(words.say("details_title"), "", heads, rows))


def marginals(board: Board, words: Words) -> Table:
    """Return how often each value of a scale was given."""
    found = {(score.criterion, score.group): score for score in board.all_of("marginal")}
    values = sorted({value for _, value in found}, key=_as_number)
    names = [name for name in board.criteria if any(name == criterion for criterion, _ in found)]
    rows = [
        Line([capital(words.term(name)), *(value_of(found.get((name, value))) for value in values)])
        for name in names
    ]
    heads = [words.say("details_criterion"), *values]
    return Table(words.say("marginals_title"), words.say(board.text("marginals_note")), heads, rows)


def _as_number(value: str) -> tuple[float, str]:
    """Return what puts values of a scale in their order, words last."""
    try:
        return float(value), value
    except ValueError:
        return math.inf, value


def applicability(board: Board, words: Words) -> Table:
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
        Line([capital(words.term(name)), *(value_of(found.get((name, m))) or "–" for m in models)])
        for name in names
    ]
    heads = [words.say("details_criterion"), *(words.label(model) for model in models)]
    title, note = words.say("applicability_title"), words.say("applicability_note")
    return Table(title, note, heads, rows)


def as_ranks(board: Board, words: Words) -> Table:
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


def scales(board: Board, words: Words) -> Table:
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
        cells = [with_interval(found.get(frozenset((name, other))), words) for other in names]
        shown = [cell if other < place else "" for other, cell in enumerate(cells)]
        rows.append(Line([capital(words.term(name)), *shown[:-1]]))
    parts = [words.say(board.text("scales_note"))]
    factor = board.find("first_factor_share")
    # of two scales nothing can be said
    if factor is not None and math.isfinite(factor.value) and len(names) >= LEAST_SCALES:
        simple = factor.low > ONE_FACTOR  # by the lower end of the interval
        share = f"{100 * factor.value:.0f}"
        if math.isfinite(factor.low):
            share += f" [{100 * factor.low:.0f}, {100 * factor.high:.0f}]"
        parts.append(words.say("scales_one" if simple else "scales_many", share=share))
    heads = ["", *(capital(words.term(name)) for name in names[:-1])]
    return Table(words.say("scales_title"), words.join(parts), heads, rows[1:])
