"""Figures of the panel: agreement, severity, groups of raters, and whether people can still tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.records import Score
from leaderboard.board import HEADLINE_ASPECT, Board
from leaderboard.figure import (
    Figure,
    model_rows,
    panel_of,
    percent_of,
    row_of,
)
from leaderboard.leaks import LEAST_DISCRIMINATION
from leaderboard.limits import ends_of
from leaderboard.plots import Dot, Row, axis_over, strip_panel
from leaderboard.svg import INK
from leaderboard.tabulate import capital
from leaderboard.words import Words

ALPHA_MARKS = (0.667, 0.8)
"""Krippendorff 2004, p. 241: tentative conclusions and reliable ones; marks, not gates."""


def agreement(board: Board, words: Words) -> Figure | None:
    """Draw α, the reliability of the raters' mean, and whether the panel tells manners apart."""
    alphas = board.all_of("alpha")
    panels = []
    captions = []
    if alphas:
        ratings = [s for name in board.criteria for s in alphas if s.criterion == name]
        rows = [
            _alpha_row(score, words)
            for score in [*ratings, *(s for s in alphas if s not in ratings)]
        ]
        axis = axis_over(ends_of(alphas, board), include=[0, 1], marks=ALPHA_MARKS)
        panels.append(panel_of(words.say("agreement_panel"), rows, axis))
        captions.append(words.say("agreement_caption", confidence=percent_of(alphas)))
    found = [board.find("icc_2_k", criterion=criterion) for criterion in board.criteria]
    if means := [score for score in found if score is not None]:
        rows = [row_of(score, capital(words.term(score.criterion)), words) for score in means]
        axis = axis_over(ends_of(means, board), include=[0, 1])
        panels.append(panel_of(words.say("mean_panel"), rows, axis))
    told_apart = [s for s in board.all_of("discrimination") if s.criterion == HEADLINE_ASPECT]
    if told_apart:
        rows = [row_of(score, capital(words.tradition(score.group)), words) for score in told_apart]
        axis = axis_over(ends_of(told_apart, board), include=[0, 1], marks=[LEAST_DISCRIMINATION])
        panels.append(panel_of(words.say("discrimination_panel"), rows, axis))
        captions.append(words.say("discrimination_caption", home=words.tradition(board.home)))
    if not panels:
        return None
    title = words.say("agreement_title")
    return Figure("agreement", title, words.join(captions), panels, [*alphas, *means, *told_apart])


def _alpha_row(score: Score, words: Words) -> Row:
    row = row_of(score, capital(words.term(score.criterion)), words)
    tentative, reliable = ALPHA_MARKS
    fill = "#fff"
    if score.low >= tentative:
        fill = INK if score.low >= reliable else "#9aa3a8"
    return row._replace(fill=fill)


def severity(board: Board, words: Words) -> Figure | None:
    """Draw every rater's bias and inconsistency, a strip of dots per criterion."""
    panels = []
    drawn: list[Score] = []
    odd = {
        (score.criterion, score.group)
        for score in board.all_of("bt500_rejected")
        if score.value == 1
    }
    for metric, marks in (("rater_bias", [0.0]), ("rater_inconsistency", [])):
        found = [score for score in board.all_of(metric) if math.isfinite(score.value)]
        strips = []
        for criterion in board.criteria:
            own = [score for score in found if score.criterion == criterion]
            dots = [
                Dot(score.value, score.group, hollow=(criterion, score.group) in odd)
                for score in own
            ]
            if dots:
                strips.append((capital(words.term(criterion)), dots))
        if strips:
            axis = axis_over([score.value for score in found], include=[0], marks=marks)
            panels.append(strip_panel(words.say(f"{metric}_panel"), strips, axis))
            drawn += found
    if not panels:
        return None
    drawn += board.all_of("bt500_rejected")
    caption = words.say("severity_caption")
    return Figure("raters", words.say("severity_title"), caption, panels, drawn)


def schools(board: Board, words: Words) -> Figure | None:
    """Draw where two groups of raters see models differently."""
    gaps = board.all_of("school_gap")
    if not gaps:
        return None
    caption = words.say("schools_caption", confidence=percent_of(gaps))
    figure = Figure("schools", words.say("schools_title"), caption, [], gaps)
    return _parted(figure, board.all_of("dif"), words.label, board, words)


def room_languages(board: Board, words: Words) -> Figure | None:
    """Draw the same of raters who judged in rooms of two languages."""
    gaps = board.all_of("room_language_gap")
    if not gaps:
        return None
    caption = words.say("room_languages_caption", confidence=percent_of(gaps))
    figure = Figure("room-languages", words.say("room_languages_title"), caption, [], gaps)
    return _parted(figure, board.all_of("room_language_dif"), words.tongue, board, words)


def _parted(
    figure: Figure,
    tests: Sequence[Score],
    called: Callable[[str], str],
    board: Board,
    words: Words,
) -> Figure:
    """Return the figure of gaps between groups of raters with its panels, and those of `tests`.

    `called` says how a group is called.
    """
    panels = []
    gaps = figure.scores
    for criterion, group in dict.fromkeys((score.criterion, score.group) for score in gaps):
        own = [s for s in gaps if (s.criterion, s.group) == (criterion, group)]
        first, _, second = group.partition(":")
        name = capital(words.term(criterion))
        title = words.pair(name, f"{called(first)}\u00a0−\u00a0{called(second)}")
        rows = model_rows(own, board, words)
        panels.append(
            panel_of(title, rows, axis_over(ends_of(own, board), include=[0], marks=[0.0]))
        )
    for group in dict.fromkeys(score.group for score in tests):
        first, _, second = group.partition(":")
        own = [score for score in tests if score.group == group]
        rows = [row_of(score, capital(words.term(score.criterion)), words) for score in own]
        title = words.say("dif_panel", first=called(first), second=called(second))
        panels.append(
            panel_of(title, rows, axis_over(ends_of(own, board), include=[0], marks=[0.0]))
        )
    caption = words.join([figure.caption, *([words.say("dif_caption")] if tests else [])])
    return replace(figure, caption=caption, panels=panels, scores=[*gaps, *tests])


def human_made(board: Board, words: Words) -> Figure | None:
    """Draw how often pictures were called human-made, and the panel's sensitivity d′."""
    called = board.all_of("called_human")
    if not called:
        return None
    rows = model_rows(called, board, words)
    axis = axis_over(ends_of(called, board), include=[0, 1])
    panels = [panel_of(words.say("called_panel"), rows, axis)]
    for metric in ("d_prime", "response_criterion"):
        found = board.all_of(metric)
        rows = model_rows(found, board, words)
        whole = [score for score in found if not score.model]
        rows += [row_of(score, words.say("all_models"), words) for score in whole]
        if rows:
            axis = axis_over(ends_of(found, board), include=[0], marks=[0.0])
            panels.append(panel_of(words.say(f"{metric}_panel"), rows, axis))
    drawn = [*called, *board.all_of("d_prime"), *board.all_of("response_criterion")]
    caption = words.say("human_caption", confidence=percent_of(called))
    return Figure("human-or-model", words.say("human_title"), caption, panels, drawn)
