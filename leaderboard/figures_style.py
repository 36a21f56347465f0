"""Figures of manner: what pictures were seen as, the triangle, leaks and their differences."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.records import NEUTRAL, REFERENCE, Score
from leaderboard.board import HEADLINE_ASPECT, Board
from leaderboard.drawing import LEAST_RATERS
from leaderboard.figure import (
    Figure,
    colours,
    model_rows,
    name_of,
    panel_of,
    percent_of,
    row_of,
)
from leaderboard.limits import ends_of
from leaderboard.plots import Bar, Share, axis_over, bar_panel
from leaderboard.svg import Panel
from leaderboard.tabulate import capital
from leaderboard.ternary import Corners, Point, corners_of, point_of, ternary_panel
from leaderboard.words import Words

_IN_CORNER = 0.995
"""A share that is told as 100 per cent."""

MOST_PAIRS = 15
"""Pairs of models above which the forest of differences shows those with the first model alone."""


def shares(board: Board, words: Words) -> Figure | None:
    """Draw the shares of attribution as bars, asked for home and for no tradition."""
    found = _headline(board, "attribution_share")
    if not found:
        return None
    colour = colours(board)
    panels = []
    for asked in (board.home, NEUTRAL):
        bars = []
        for model in [*board.models, REFERENCE]:
            own = _shares_of(board, model, asked)
            if own:
                parts = [
                    Share(score.value, colour[label], words.tradition(label))
                    for label, score in own.items()
                    if math.isfinite(score.value)
                ]
                items = next(iter(own.values())).n_items
                bars.append(Bar(name_of(model, words), f"n = {items}", parts))
        if bars:
            title = _asked(asked, words)
            panels.append(bar_panel(title, bars, _told(title, bars)))
    if not panels:
        return None
    caption = words.say("shares_caption", home=words.tradition(board.home))
    legend = [(colour[label], capital(words.tradition(label))) for label in board.labels]
    return Figure("attributions", words.say("shares_title"), caption, panels, found, legend)


def triangle(board: Board, words: Words) -> Figure | None:
    """Draw what was seen as points between three corners, with the references' own points.

    Two other traditions make one triangle with home. With one or many there is a triangle for each
    other tradition, whose third corner is everything else.
    """
    traditions = [board.home, *board.others]
    panels: list[Panel] = []
    works: list[float] = []
    for asked in [*traditions, NEUTRAL]:
        models = [model for model in board.models if _shares_of(board, model, asked)]
        if not models:
            continue
        for corners in corners_of(traditions, board.labels):
            if asked not in {NEUTRAL, *corners.names}:
                continue
            points = [
                point
                for model in models
                if (point := _point(board, model, asked, corners, name_of(model, words)))
            ]
            anchors = [
                point
                for real in corners.names
                if (point := _point(board, REFERENCE, real, corners, words.tradition(real)))
            ]
            works += [max(anchor.shares) for anchor in anchors]
            if points:
                names = [
                    capital(words.tradition(name)) if name else words.say("everything_else")
                    for name in corners.names
                ]
                start = corners.names.index(asked) if asked in corners.names else None
                panels.append(ternary_panel(_asked(asked, words), names, points, anchors, start))
    if not panels:
        return None
    drawn = [*_headline(board, "attribution_share"), *_headline(board, "share_covariance")]
    parts = [words.say("triangle_caption", works=words.label(REFERENCE))]
    if works and max(works) < _IN_CORNER:
        parts.append(words.say("triangle_apart", works=words.label(REFERENCE)))
    if any(score.metric == "share_covariance" for score in drawn):
        parts.append(words.say("triangle_region", confidence=percent_of(drawn)))
    outside = "triangle_three" if len(board.others) == 2 else "triangle_many"
    parts.append(words.say(outside))
    return Figure("triangle", words.say("triangle_title"), words.join(parts), panels, drawn)


def leaks(board: Board, words: Words) -> Figure | None:
    """Draw a forest of the excess leaks; of the raw ones where no excess can be computed."""
    excess = _headline(board, "excess_leak")
    known = any(math.isfinite(score.value) for score in excess)
    found = excess if known else _headline(board, "raw_leak")
    if not found:
        return None
    colour = colours(board)
    bounds = ends_of(found, board)
    axis = axis_over(bounds, include=[0], marks=[0.0] if known else ())
    panels = []
    for other in board.others:
        rows = model_rows((score for score in found if score.group == other), board, words)
        title = words.say("bias" if known else "raw_panel", tradition=words.tradition(other))
        panels.append(panel_of(title, [row._replace(fill=colour[other]) for row in rows], axis))
    home = words.tradition(board.home)
    if known:
        caption = words.say("leak_caption", confidence=percent_of(found), home=home)
        return Figure("excess-leak", words.say("leak_title"), caption, panels, found)
    caption = words.say("raw_caption", confidence=percent_of(found), home=home)
    if excess:
        caption = words.join([caption, words.say("raw_why", reason=words.reason(excess[0].reason))])
        found = [*found, *excess]
    return Figure("raw-leak", words.say("raw_title"), caption, panels, found)


def differences(board: Board, words: Words) -> Figure | None:
    """Draw a forest of the leak differences of two models on the scenes that both were asked."""
    found = _headline(board, "leak_difference")
    pairs = list(dict.fromkeys((score.model, score.against) for score in found))
    if not pairs:
        return None
    parts = [words.say("differences_note")]
    if len(pairs) > MOST_PAIRS:
        first = board.models[0]
        found = [score for score in found if first in {score.model, score.against}]
        parts.append(words.say("differences_first", model=words.label(first)))
    colour = colours(board)
    bounds = ends_of(found, board)
    axis = axis_over(bounds, include=[0], marks=[0.0])
    panels = []
    for other in board.others:
        rows = [
            row_of(score, f"{words.label(score.model)} − {words.label(score.against)}", words)
            for score in found
            if score.group == other
        ]
        title = capital(words.say("bias", tradition=words.tradition(other)))
        panels.append(panel_of(title, [row._replace(fill=colour[other]) for row in rows], axis))
    caption = words.join(parts)
    return Figure("leak-differences", words.say("differences"), caption, panels, found)


def _headline(board: Board, metric: str) -> list[Score]:
    return [score for score in board.all_of(metric) if score.criterion == HEADLINE_ASPECT]


def _shares_of(board: Board, model: str, asked: str) -> dict[str, Score]:
    """Return the shares of a model's outputs for a target, by label."""
    found = {}
    for label in board.labels:
        group = f"{asked}:{label}"
        score = board.find("attribution_share", criterion=HEADLINE_ASPECT, model=model, group=group)
        if score is not None:
            found[label] = score
    return found


def _point(board: Board, model: str, asked: str, corners: Corners, label: str) -> Point | None:
    """Return where a model's outputs lie between the corners, with its region where it is known."""
    own = _shares_of(board, model, asked)
    labels = board.labels
    values = [own[name].value if name in own else 0.0 for name in labels]
    if not own or not all(map(math.isfinite, values)):
        return None
    covariance = [[math.nan] * len(labels) for _ in labels]
    for row, one in enumerate(labels):
        for column, other in enumerate(labels):
            found = board.find(
                "share_covariance",
                criterion=HEADLINE_ASPECT,
                model=model,
                group=":".join([asked, *sorted((one, other), key=labels.index)]),
            )
            if found is not None:
                covariance[row][column] = found.value
    first = next(iter(own.values()))
    units = first.n_raters if first.n_raters >= LEAST_RATERS else first.n_items
    return point_of(label, values, covariance, corners, first.confidence, freedom=units - 1)


def _asked(asked: str, words: Words) -> str:
    if asked == NEUTRAL:
        return words.say("asked_neutral")
    return words.say("asked_for", tradition=words.tradition(asked))


def _told(title: str, bars: Sequence[Bar]) -> str:
    said = [
        f"{bar.label}: "
        + ", ".join(f"{part.label} {100 * part.share:.0f}%" for part in bar.parts if part.share)
        for bar in bars
    ]
    return f"{title}. {'; '.join(said)}"
