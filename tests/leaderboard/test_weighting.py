"""Ranks over all weightings, against a dense grid of weightings and by hand."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.scoring import score
from leaderboard.weighting import AHEAD, rank_ranges, weight_scores, weights_among
from tests.leaderboard.simulation import World


def on_a_grid(means: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Ranks on all weightings whose weights are multiples of 1/steps, of three criteria."""
    ranks = []
    for first in range(steps + 1):
        for second in range(steps + 1 - first):
            weights = np.array([first, second, steps - first - second]) / steps
            scores = means @ weights
            ranks.append(1 + (scores[None, :] - scores[:, None] >= AHEAD).sum(axis=1))
    return np.min(ranks, axis=0), np.max(ranks, axis=0)


@given(st.integers(0, 10_000))
def test_the_range_holds_every_rank_on_a_grid(seed: int) -> None:
    means = np.random.default_rng(seed).uniform(1, 5, (6, 3)).round(2)
    found = rank_ranges(means)
    best, worst = on_a_grid(means, 40)
    assert (found.best <= best).all()
    assert (found.worst >= worst).all()


def test_on_well_parted_means_the_grid_finds_the_same() -> None:
    means = np.array([[5, 1, 3], [1, 5, 3], [3, 3, 3], [2, 2, 2], [1, 1, 1.0]])
    found = rank_ranges(means)
    best, worst = on_a_grid(means, 60)
    assert found.best.tolist() == best.tolist() == [1, 1, 1, 3, 4]
    assert found.worst.tolist() == worst.tolist() == [4, 4, 2, 4, 5]


def test_a_model_ahead_on_every_criterion_is_first_whatever_the_weights() -> None:
    found = rank_ranges(np.array([[4.0, 4.2], [3.0, 3.1], [3.1, 3.0]]))
    assert found.best.tolist() == [1, 2, 2]
    assert found.worst.tolist() == [1, 3, 3]


@pytest.mark.parametrize("criteria", [1, 4])
def test_equal_models_share_the_first_rank(criteria: int) -> None:
    found = rank_ranges(np.full((3, criteria), 3.0))
    assert found.best.tolist() == found.worst.tolist() == [1, 1, 1]


def test_one_model_alone() -> None:
    assert rank_ranges(np.array([[3.0, 2.0]])).worst.tolist() == [1]


def test_the_solver_says_nothing_on_standard_output() -> None:
    script = (
        "import numpy as np\nfrom leaderboard.weighting import rank_ranges\n"
        "rng = np.random.default_rng(0)\n"
        "means = rng.normal(3, 0.4, (40, 1)) + rng.normal(0, 0.25, (40, 8))\n"
        "print('before')\nrank_ranges(means)\nprint('after')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "before\nafter\n"


def test_weights_are_of_the_criteria_rated_and_sum_to_1() -> None:
    assert weights_among(["a", "b"]) == {"a": 0.5, "b": 0.5}
    assert weights_among(["a", "b"], {"a": 3, "b": 1, "unrated": 6}) == {"a": 0.75, "b": 0.25}
    assert weights_among(["a", "b"], {"a": 2}) == {"a": 1.0, "b": 0.0}
    assert weights_among(["a", "b"], {"a": 0, "c": 1}) == {"a": 0.5, "b": 0.5}
    assert weights_among([]) == {}


def test_the_overall_score_and_the_weights_told_are_the_same() -> None:
    ratings = World(scenes=4).tables(0)["ratings"]
    for declared in ({"spirit": 2.0}, {"spirit": 0.0}, {"spirit": 2.0, "brush": 1.0}):
        found = score(
            {"ratings": ratings}, weights=declared, rng=np.random.default_rng(0), resamples=20
        )
        told = {s.criterion: s.value for s in weight_scores(found, declared)}
        index = {(s.metric, s.criterion): s.value for s in found if s.model == "balanced"}
        parts = [index["mean_score", name] * weight for name, weight in told.items()]
        assert index["overall_score", ""] == pytest.approx(sum(parts))
