"""How far an axis follows an interval: to the ends of what can be, and no farther.

With two raters an interval can reach far beyond the scale. Tables and words keep it whole; an axis
that kept it would press all that can be read into a point, so there an arrow says that it goes on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from bench.records import Score
from leaderboard.board import Board
from leaderboard.quality import MEAN_SCORE
from leaderboard.weighting import OVERALL

SHARE, GAP_OF_SHARES = (0.0, 1.0), (-1.0, 1.0)
ODDS = math.log(1000)
"""Log odds of a thousand to one: more is told by no figure."""
FARTHEST = 5.0
"""Of d′ and its criterion, in standard deviations."""

_LIMITS = {
    **dict.fromkeys(("raw_leak", "called_human", "failure_share"), SHARE),
    **dict.fromkeys(
        ("excess_leak", "leak_difference", "discrimination", "alpha", "icc_2_k"), GAP_OF_SHARES
    ),
    **dict.fromkeys(("strength", "dif", "room_language_dif"), (-ODDS, ODDS)),
    **dict.fromkeys(("d_prime", "response_criterion"), (-FARTHEST, FARTHEST)),
}
_ON_THE_SCALE = {MEAN_SCORE, OVERALL, "joint_score"}
_DIFFERENCES = {"rating_vote_gap", "school_gap", "room_language_gap", "language_gap"}


def limits_of(score: Score, board: Board) -> tuple[float, float]:
    """Return the least and the most that a score can be; of ratings, by those that were given."""
    if score.metric == "language_gap" and ":" in score.group:
        return GAP_OF_SHARES
    if score.metric in _ON_THE_SCALE | _DIFFERENCES:
        own = [
            m
            for m in board.all_of("marginal")
            if not score.criterion or m.criterion == score.criterion
        ]
        given = [float(m.group) for m in own if m.group]
        if not given:
            return -math.inf, math.inf
        span = max(given) - min(given)
        return (min(given), max(given)) if score.metric in _ON_THE_SCALE else (-span, span)
    return _LIMITS.get(score.metric, (-math.inf, math.inf))


def ends_of(scores: Iterable[Score], board: Board) -> list[float]:
    """Return values and ends of intervals, for an axis over them: no end beyond its limits."""
    found = []
    for score in scores:
        least, most = limits_of(score, board)
        found += [score.value, max(score.low, least), min(score.high, most)]
    return found
