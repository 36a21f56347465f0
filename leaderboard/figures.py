"""The figures of a page: what each shows, in the words of one language, and its data."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.records import NEUTRAL, REFERENCE, Score
from leaderboard.board import HEADLINE_ASPECT, Board
from leaderboard.plots import Bar, Row, Share, axis_over, bar_panel, dot_panel, number
from leaderboard.quality import MEAN_SCORE
from leaderboard.style import LEAST_DISCRIMINATION
from leaderboard.svg import INK, Panel
from leaderboard.tables import CANNOT_TELL, OTHER
from leaderboard.tabulate import capital, interval_of
from leaderboard.words import Words

ALPHA_MARKS = (0.667, 0.8)
"""Krippendorff 2004, p. 241: tentative conclusions and reliable ones; marks, not gates."""

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


def figures_of(board: Board, words: Words) -> list[Figure]:
    """Return the figures for which the board has scores, in the order of the page."""
    makers: list[Callable[[Board, Words], Figure | None]] = [
        _scores,
        _strengths,
        _shares,
        _leaks,
        _agreement,
    ]
    return [figure for make in makers if (figure := make(board, words)) is not None]


def colours(board: Board) -> dict[str, str]:
    """Return the colour of every label; home is ink."""
    hues = {
        label: _HUES[place % len(_HUES)]
        for place, label in enumerate(
            label for label in board.labels if label not in {board.home, OTHER, CANNOT_TELL}
        )
    }
    return {board.home: INK} | hues | _OF_LABEL


def _scores(board: Board, words: Words) -> Figure | None:
    means = board.all_of(MEAN_SCORE)
    if not means:
        return None
    axis = axis_over([bound for score in means for bound in (score.value, score.low, score.high)])
    panels = []
    for criterion in board.criteria:
        rows = []
        for model in [*board.models, REFERENCE]:
            score = board.find(MEAN_SCORE, criterion=criterion, model=model)
            if score is not None:
                rows.append(_row(score, _name(model, words), words, anchor=model == REFERENCE))
        title = capital(words.term(criterion))
        panels.append(dot_panel(title, rows, axis, _told(title, rows)))
    caption = words.say("scores_caption", confidence=_percent(means))
    if any(score.model == REFERENCE for score in means):
        caption = words.join([caption, words.say("scores_anchor")])
    return Figure("scores", words.say("scores_title"), caption, panels, means)


def _strengths(board: Board, words: Words) -> Figure | None:
    strengths = board.all_of("strength")
    if not strengths:
        return None
    panels = []
    for criterion in dict.fromkeys(score.criterion for score in strengths):
        found = {score.model: score for score in strengths if score.criterion == criterion}
        order = sorted(found.values(), key=lambda score: -score.value)
        rows = [_row(score, _name(score.model, words), words) for score in order]
        bounds = [bound for row in rows for bound in (row.value, row.low, row.high)]
        title = capital(words.term(criterion) if criterion else words.say("strength_panel"))
        axis = axis_over(bounds, include=[0], marks=[0.0])
        panels.append(dot_panel(title, rows, axis, _told(title, rows)))
        first = [
            _row(found_, _name(found_.model, words), words)
            for score in order
            if (found_ := board.find("p_first", criterion=criterion, model=score.model))
        ]
        title = words.say("p_first")
        panels.append(dot_panel(title, first, axis_over([0, 1]), _told(title, first)))
    bad = [score for score in board.all_of("both_bad_share") if score.n_values]
    votes = sum(score.n_values for score in bad)
    share = sum(score.value * score.n_values for score in bad) / votes if votes else 0.0
    drawn = [*strengths, *board.all_of("p_first")]
    caption = words.say("strength_caption", both_bad=f"{100 * share:.0f}")
    return Figure("strengths", words.say("strength_title"), caption, panels, drawn)


def _shares(board: Board, words: Words) -> Figure | None:
    shares = [s for s in board.all_of("attribution_share") if s.criterion == HEADLINE_ASPECT]
    if not shares:
        return None
    colour = colours(board)
    panels = []
    for asked in (board.home, NEUTRAL):
        bars = []
        for model in [*board.models, REFERENCE]:
            found = {
                label: score
                for label in board.labels
                if (
                    score := board.find(
                        "attribution_share",
                        criterion=HEADLINE_ASPECT,
                        model=model,
                        group=f"{asked}:{label}",
                    )
                )
            }
            if found:
                parts = [
                    Share(score.value, colour[label], words.tradition(label))
                    for label, score in found.items()
                ]
                items = next(iter(found.values())).n_items
                bars.append(Bar(_name(model, words), f"n = {items}", parts))
        if bars:
            neutral = asked == NEUTRAL
            title = (
                words.say("asked_neutral")
                if neutral
                else words.say("asked_for", tradition=words.tradition(asked))
            )
            panels.append(bar_panel(title, bars, _told_shares(title, bars)))
    caption = words.say("shares_caption", home=words.tradition(board.home))
    legend = [(colour[label], capital(words.tradition(label))) for label in board.labels]
    return Figure("attributions", words.say("shares_title"), caption, panels, shares, legend)


def _leaks(board: Board, words: Words) -> Figure | None:
    leaks = [s for s in board.all_of("excess_leak") if s.criterion == HEADLINE_ASPECT]
    if not leaks:
        return None
    colour = colours(board)
    bounds = [bound for score in leaks for bound in (score.value, score.low, score.high)]
    axis = axis_over(bounds, include=[0], marks=[0.0])
    panels = []
    for other in board.others:
        found = {score.model: score for score in leaks if score.group == other}
        rows = [
            _row(found[model], _name(model, words), words)._replace(fill=colour[other])
            for model in board.models
            if model in found
        ]
        title = words.say("bias", tradition=words.tradition(other))
        panels.append(dot_panel(title, rows, axis, _told(title, rows)))
    caption = words.say(
        "leak_caption", confidence=_percent(leaks), home=words.tradition(board.home)
    )
    return Figure("excess-leak", words.say("leak_title"), caption, panels, leaks)


def _agreement(board: Board, words: Words) -> Figure | None:
    alphas = board.all_of("alpha")
    panels = []
    captions = []
    if alphas:
        ratings = [s for name in board.criteria for s in alphas if s.criterion == name]
        rows = [
            _alpha_row(score, words)
            for score in [*ratings, *(s for s in alphas if s not in ratings)]
        ]
        bounds = [bound for row in rows for bound in (row.value, row.low, row.high)]
        axis = axis_over(bounds, include=[0, 1], marks=ALPHA_MARKS)
        title = words.say("agreement_panel")
        panels.append(dot_panel(title, rows, axis, _told(title, rows)))
        captions.append(words.say("agreement_caption", confidence=_percent(alphas)))
    found = [board.find("icc_2_k", criterion=criterion) for criterion in board.criteria]
    if means := [score for score in found if score is not None]:
        rows = [_row(score, capital(words.term(score.criterion)), words) for score in means]
        bounds = [row.value for row in rows]
        title = words.say("mean_panel")
        panels.append(dot_panel(title, rows, axis_over(bounds, include=[0, 1]), _told(title, rows)))
    told_apart = [s for s in board.all_of("discrimination") if s.criterion == HEADLINE_ASPECT]
    if told_apart:
        rows = [_row(score, capital(words.tradition(score.group)), words) for score in told_apart]
        bounds = [bound for row in rows for bound in (row.value, row.low, row.high)]
        axis = axis_over(bounds, include=[0, 1], marks=[LEAST_DISCRIMINATION])
        title = words.say("discrimination_panel")
        panels.append(dot_panel(title, rows, axis, _told(title, rows)))
        captions.append(words.say("discrimination_caption", home=words.tradition(board.home)))
    if not panels:
        return None
    title = words.say("agreement_title")
    return Figure("agreement", title, words.join(captions), panels, [*alphas, *means, *told_apart])


def _alpha_row(score: Score, words: Words) -> Row:
    row = _row(score, capital(words.term(score.criterion)), words)
    tentative, reliable = ALPHA_MARKS
    fill = "#fff"
    if score.low >= tentative:
        fill = INK if score.low >= reliable else "#9aa3a8"
    return row._replace(fill=fill)


def _row(score: Score, label: str, words: Words, *, anchor: bool = False) -> Row:
    if math.isfinite(score.value):
        told = f"{number(score.value)} {interval_of(score)}".strip()
    else:
        told = f"– {words.reason(score.reason)}"
    return Row(label, score.value, score.low, score.high, told, anchor)


def _name(model: str, words: Words) -> str:
    return capital(words.label(model)) if model == REFERENCE else words.label(model)


def _told(title: str, rows: Sequence[Row]) -> str:
    return f"{title}. " + "; ".join(f"{row.label}: {row.told}" for row in rows)


def _told_shares(title: str, bars: Sequence[Bar]) -> str:
    said = [
        f"{bar.label}: "
        + ", ".join(f"{part.label} {100 * part.share:.0f}%" for part in bar.parts if part.share)
        for bar in bars
    ]
    return f"{title}. {'; '.join(said)}"


def _percent(scores: Sequence[Score]) -> str:
    return f"{100 * scores[0].confidence:g}"
