"""All figures of a page, in its order."""

from __future__ import annotations

from dataclasses import replace

from leaderboard import figures_raters, figures_scores, figures_style
from leaderboard.board import Board
from leaderboard.figure import Figure, Maker
from leaderboard.words import Words

MAKERS: tuple[Maker, ...] = (
    figures_scores.scores,
    figures_scores.weightings,
    figures_scores.strengths,
    figures_scores.joint,
    figures_style.shares,
    figures_style.triangle,
    figures_style.leaks,
    figures_style.differences,
    figures_scores.language_gap,
    figures_raters.agreement,
    figures_raters.severity,
    figures_raters.schools,
    figures_raters.room_languages,
    figures_raters.human_made,
    figures_scores.costs,
)


def figures_of(board: Board, words: Words) -> list[Figure]:
    """Return the figures for which the board has scores, in the order of the page."""
    found = [figure for make in MAKERS if (figure := make(board, words)) is not None]
    return [
        replace(figure, caption=words.join([figure.caption, words.say("runs_out")]))
        if any(panel.runs_out for panel in figure.panels)
        else figure
        for figure in found
    ]
