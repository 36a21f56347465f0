"""An interval is as wide as the confidence that it names, with few raters too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

from bench.records import Score
from leaderboard.joint import joint
from leaderboard.quality import mean_scores
from leaderboard.ranking import fit_votes, rank
from leaderboard.style import style
from leaderboard.variance import expansion
from leaderboard.vote_draws import draw_votes
from tests.leaderboard.coverage import (
    LABELS,
    Design,
    attributed,
    rated,
    table_of_attributions,
    table_of_ratings,
    table_of_votes,
    voted,
)

FOUR = Design(4, 60, 1.0, taste=1.0, habit=1.5)
"""Of the variance nearly all is between four raters."""
WIDER = 1.6
"""Of 99 % against 95 %: the normal quantiles are 1.31 apart, those of t with three degrees 1.84."""
NARROWER = 0.57
"""Of 80 % against 95 %: the normal .65, t with three degrees .51."""


def of_means(confidence: float) -> list[Score]:
    rng = np.random.default_rng(1)
    table = table_of_ratings(rated(FOUR, rng))
    second = table.assign(criterion="d")
    both = pd.concat([table, second], ignore_index=True)
    return list(mean_scores(both, Score(confidence=confidence), rng, 1000))


def of_votes(confidence: float) -> list[Score]:
    table = table_of_votes(voted(FOUR, np.random.default_rng(2)))
    return rank(table, rng=np.random.default_rng(0), confidence=confidence)


def of_style(confidence: float) -> list[Score]:
    table = table_of_attributions(*attributed(FOUR, np.random.default_rng(3)))
    rng = np.random.default_rng(0)
    return style(table, home=LABELS[0], rng=rng, confidence=confidence)


def of_both(confidence: float) -> list[Score]:
    rng = np.random.default_rng(4)
    small = replace(FOUR, taste=0.6, severity=0.6)
    ratings, votes = table_of_ratings(rated(small, rng)), table_of_votes(voted(small, rng))
    votes = votes.assign(criterion="c")
    return joint(ratings, votes, rng=np.random.default_rng(0), confidence=confidence)


@pytest.mark.parametrize(
    ("measure", "metric"),
    [
        (of_means, "mean_score"),
        (of_means, "score_difference"),
        (of_means, "overall_score"),
        (of_votes, "strength_difference"),
        (of_style, "raw_leak"),
        (of_both, "joint_score"),
    ],
)
def test_few_raters_widen_an_interval_by_the_confidence_it_names(
    measure: Callable[[float], list[Score]], metric: str
) -> None:
    widths = {}
    for confidence in (0.8, 0.95, 0.99):
        found = [s for s in measure(confidence) if s.metric == metric and np.isfinite(s.low)]
        assert {s.confidence for s in found} == {confidence}
        widths[confidence] = np.mean([s.high - s.low for s in found])
    assert widths[0.99] > WIDER * widths[0.95]
    assert widths[0.8] < NARROWER * widths[0.95]


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_resamples_are_as_wide_as_t_over_z_of_the_confidence(confidence: float) -> None:
    rng = np.random.default_rng(5)
    votes = voted(FOUR, rng)
    gaps = fit_votes(votes, draw_votes(votes, rng, 200, confidence)).gaps
    end = (1 + confidence) / 2
    wide = t.ppf(end, gaps.freedom) / norm.ppf(end)
    drawn = np.sqrt(((gaps.draws[:, 1:] - gaps.draws[:, :1]) ** 2).mean(axis=1))
    assert drawn == pytest.approx(gaps.error * wide)
    assert expansion(gaps.freedom, confidence) == pytest.approx(wide)
