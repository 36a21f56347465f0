"""Figures of scores: means, their order under other weights, votes, both together, costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from bench.records import REFERENCE, Score
from leaderboard.board import Board
from leaderboard.figure import (
    Figure,
    model_rows,
    panel_of,
    percent_of,
    row_of,
)
from leaderboard.letters import letters_of
from leaderboard.limits import ends_of
from leaderboard.plots import Axis, Row, axis_over, number
from leaderboard.quality import MEAN_SCORE
from leaderboard.svg import Panel
from leaderboard.tables import ASPECTS
from leaderboard.tabulate import capital
from leaderboard.weighting import OVERALL, rank_ranges
from leaderboard.words import Words

_SEEDS_DRAWN = ", seeds"
"""In the `method` of means over whose seeds intervals were drawn; see `drawing.facets`."""

_FINEST = 0.01
"""What a share of resamples is told to: nearer to 0 or 1 only that it is nearer."""


def scores(board: Board, words: Words) -> Figure | None:
    """Draw the mean scores, a panel per criterion on one axis."""
    means = board.all_of(MEAN_SCORE)
    if not means:
        return None
    axis = axis_over(ends_of(means, board))
    drawn: list[Score] = []
    panels = []
    with_letters = False
    overall = [score for model in board.models if (score := board.overall(model))]
    if anchor := board.find(OVERALL, model=REFERENCE):
        overall.append(anchor)
    for criterion in [*([""] if overall else []), *board.criteria]:
        own = [score for score in means if score.criterion == criterion] if criterion else overall
        borne = letters_of(board, criterion, MEAN_SCORE if criterion else OVERALL)
        with_letters |= bool(borne)
        rows = [
            row._replace(sign=borne.get(score.model, ""))
            for row, score in zip(model_rows(own, board, words), _in_order(own, board), strict=True)
        ]
        title = words.term(criterion) if criterion else words.say("overall")
        panels.append(panel_of(capital(title), rows, axis))
        drawn += own
    parts = [words.say("scores_caption", confidence=percent_of(means))]
    if with_letters:
        parts.append(words.say("letters_note"))
    odd = [name for name in board.criteria if _orders_otherwise(board, name)]
    if odd:
        named = words.listed([words.term(name) for name in odd])
        parts.append(words.say("ordinal_warning", criteria=named))
    if any(score.model == REFERENCE for score in means):
        parts.append(words.say("scores_anchor"))
    return Figure("scores", words.say("scores_title"), words.join(parts), panels, drawn)


def _orders_otherwise(board: Board, criterion: str) -> bool:
    """Say whether the model for ordered categories puts any two models against their means."""
    pairs = [
        (mean.value, location.value)
        for model in board.models
        if (mean := board.find(MEAN_SCORE, criterion=criterion, model=model))
        and (location := board.find("ordinal_location", criterion=criterion, model=model))
    ]
    return any((a - b) * (x - y) < 0 for (a, x), (b, y) in combinations(pairs, 2))


def _in_order(own: Sequence[Score], board: Board) -> list[Score]:
    found = {score.model: score for score in own}
    return [found[model] for model in [*board.models, REFERENCE] if model in found]


def weightings(board: Board, words: Words) -> Figure | None:
    """Draw the range of each model's rank over all weightings of the criteria."""
    overall = {model: score for model in board.models if (score := board.overall(model))}
    complete = [model for model, score in overall.items() if math.isfinite(score.value)]
    if len(complete) < 2:
        return None
    means = np.array(
        [
            [board.index[MEAN_SCORE, name, model, "", ""].value for name in board.criteria]
            for model in complete
        ]
    )
    if not np.isfinite(means).all():
        return None
    ranges = rank_ranges(means)
    values = np.array([overall[model].value for model in complete])
    ranks = [
        replace(
            Score(study=board.study, slice=board.slice, metric="rank_over_weightings"),
            model=model,
            value=float(1 + (values > values[place]).sum()),
            low=float(ranges.best[place]),
            high=float(ranges.worst[place]),
            method="rank under the weights used; least and largest over all weightings, exact",
        )
        for place, model in enumerate(complete)
    ]
    rows = [row_of(score, words.label(score.model), words) for score in ranks]
    rows = [row._replace(told=f"{row.value:.0f} ({_from_to(row.low, row.high)})") for row in rows]
    title = words.say("weightings_panel")
    step = max(1, math.ceil((len(complete) - 1) / 12))
    axis = Axis(1, len(complete), range(1, len(complete) + 1, step))
    shares = words.listed(
        [f"{words.term(name)} {100 * weight:.3g}%" for name, weight in board.weights.items()]
    )
    key = "weights_declared" if board.declared else "weights_equal"
    caption = words.join([words.say("weightings_caption"), words.say(key, weights=shares)])
    panels = [panel_of(title, rows, axis)]
    return Figure("weightings", words.say("weightings_title"), caption, panels, ranks)


def _from_to(low: float, high: float) -> str:
    return f"{low:.0f}" if low == high else f"{low:.0f}–{high:.0f}"


def strengths(board: Board, words: Words) -> Figure | None:
    """Draw the strengths from votes and each model's share of first places among the resamples."""
    found = board.all_of("strength")
    if not found:
        return None
    panels = []
    for criterion in dict.fromkeys(score.criterion for score in found):
        own = [score for score in found if score.criterion == criterion]
        order = sorted(own, key=lambda score: -score.value)
        borne = letters_of(board, criterion, "")
        rows = [
            row_of(score, words.label(score.model), words)._replace(sign=borne.get(score.model, ""))
            for score in order
        ]
        title = capital(words.term(criterion) if criterion else words.say("strength_panel"))
        panels.append(
            panel_of(title, rows, axis_over(ends_of(own, board), include=[0], marks=[0.0]))
        )
        first = [
            _never_certain(row_of(chance, words.label(chance.model), words))
            for score in order
            if (chance := board.find("p_first", criterion=criterion, model=score.model))
        ]
        panels.append(panel_of(words.say("p_first"), first, axis_over([0, 1])))
    bad = [score for score in board.all_of("both_bad_share") if score.n_values]
    votes = sum(score.n_values for score in bad)
    share = sum(score.value * score.n_values for score in bad) / votes if votes else 0.0
    drawn = [*found, *board.all_of("p_first"), *bad]
    parts = [words.say("strength_caption", both_bad=f"{100 * share:.0f}")]
    if any(row for row in board.all_of("ranked_above") if not row.group):
        parts.append(words.say("letters_note"))
    title = words.say("strength_title")
    return Figure("strengths", title, words.join(parts), panels, drawn)


def _never_certain(row: Row) -> Row:
    """Return the row without a bare 0 or 1: so many resamples cannot say as much."""
    if math.isfinite(row.value) and row.value >= 1 - _FINEST / 2:
        return row._replace(told=f"> {number(1 - _FINEST)}")
    if math.isfinite(row.value) and row.value < _FINEST / 2:
        return row._replace(told=f"< {number(_FINEST)}")
    return row


def joint(board: Board, words: Words) -> Figure | None:
    """Draw ratings and votes of the same outputs fused, and where the two disagree."""
    fused = board.all_of("joint_score")
    if not fused:
        return None
    panels = []
    gaps = board.all_of("rating_vote_gap")
    axis = axis_over(ends_of(fused, board))
    apart_axis = axis_over(ends_of(gaps, board), include=[0], marks=[0.0])
    for criterion in dict.fromkeys(score.criterion for score in fused):
        name = capital(words.term(criterion) if criterion else words.say("overall"))
        rows = model_rows((s for s in fused if s.criterion == criterion), board, words)
        panels.append(panel_of(words.say("joint_panel", name=name), rows, axis))
        apart = model_rows((s for s in gaps if s.criterion == criterion), board, words)
        if apart:
            panels.append(panel_of(words.say("gap_panel", name=name), apart, apart_axis))
    fits = board.all_of("rating_vote_fit")
    parts = [words.say("joint_caption", confidence=percent_of(fused))]
    if any(_SEEDS_DRAWN in score.method for score in board.all_of(MEAN_SCORE)):
        parts.append(words.say("joint_seeds"))
    told = [_p_told(score, words) for score in fits if math.isfinite(score.value)]
    if told:
        parts.append(words.say("joint_fit", tests=words.listed(told)))
    drawn = [*fused, *gaps, *fits]
    return Figure("ratings-and-votes", words.say("joint_title"), words.join(parts), panels, drawn)


def _p_told(score: Score, words: Words) -> str:
    name = words.term(score.criterion) if score.criterion else words.say("overall")
    return f"{name} p = {score.value:.3f}" if score.value >= 0.001 else f"{name} p < .001"


def language_gap(board: Board, words: Words) -> Figure | None:
    """Draw the paired difference of two prompt languages, in scores and in leak of manner."""
    gaps = [score for score in board.all_of("language_gap") if score.criterion != ASPECTS[1]]
    if not gaps:
        return None
    axes = {
        of_leak: axis_over(
            ends_of((score for score in gaps if (":" in score.group) == of_leak), board),
            include=[0],
            marks=[0.0],
        )
        for of_leak in (False, True)
    }
    panels = []
    for criterion, group in dict.fromkeys((score.criterion, score.group) for score in gaps):
        own = [s for s in gaps if (s.criterion, s.group) == (criterion, group)]
        rows = model_rows(own, board, words)
        pair, _, other = group.partition(":")
        name = (
            words.say("bias", tradition=words.tradition(other)) if other else words.term(criterion)
        )
        # never parted at the end of a line
        between = "\u00a0−\u00a0".join(map(words.tongue, pair.split("-")))
        title = words.pair(capital(name), between)
        panels.append(panel_of(title, rows, axes[bool(other)]))
    caption = words.say("language_caption", confidence=percent_of(gaps))
    return Figure("language-gap", words.say("language_title"), caption, panels, gaps)


def costs(board: Board, words: Words) -> Figure | None:
    """Draw device seconds per output and the share of jobs that failed."""
    panels: list[Panel] = []
    drawn: list[Score] = []
    for metric, digits in (("device_seconds", 2), ("failure_share", 3)):
        own = board.all_of(metric)
        rows: list[Row] = model_rows(own, board, words, digits=digits)
        if rows:
            axis = axis_over(ends_of(own, board), include=[0])
            panels.append(panel_of(words.say(f"{metric}_panel"), rows, axis))
            drawn += own
    if not panels:
        return None
    title, caption = words.say("costs_title"), words.say("costs_caption")
    return Figure("costs", title, caption, panels, drawn, by_raters=False)
