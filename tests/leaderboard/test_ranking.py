"""Votes: closed forms, an independent package, symmetries, and what has no finite answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations

import choix
import evalica
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.records import SIMULATED, Score
from benchmarks.votes import from_lists
from leaderboard.contrasts import Contrasts
from leaderboard.drawing import Array
from leaderboard.ranking import rank, ranked
from leaderboard.ranks import Ranks, simultaneous_ranks
from leaderboard.tables import check_votes
from leaderboard.votes import votes_of
from tests.leaderboard.simulation import World


def votes(*rows: tuple[str, str, str, int]) -> pd.DataFrame:
    """Rows of (left, right, winner, times), over as many prompts and two raters."""
    cells = [
        {"rater": f"r{n % 2}", "prompt": f"p{n}", "left": left, "right": right, "winner": winner}
        for left, right, winner, times in rows
        for n in range(times)
    ]
    return check_votes(pd.DataFrame(cells), "memory")


def scores_of(frame: pd.DataFrame, seed: int = 0) -> list[Score]:
    return rank(frame, rng=np.random.default_rng(seed), resamples=200)


def values(scores: Sequence[Score], metric: str) -> Mapping[str, float]:
    return {score.model: score.value for score in scores if score.metric == metric}


def test_two_models_have_a_closed_form() -> None:
    scores = scores_of(votes(("a", "b", "left", 6), ("b", "a", "left", 2), ("a", "b", "tie", 4)))
    strength = values(scores, "strength")
    assert strength["a"] - strength["b"] == pytest.approx(math.log(6 / 2))
    assert strength["a"] + strength["b"] == pytest.approx(0)
    assert values(scores, "tie_parameter")[""] == pytest.approx(4 / math.sqrt(6 * 2))
    assert values(scores, "rank") == {"a": 1, "b": 2}


def test_without_ties_it_is_bradley_and_terry() -> None:
    scores = scores_of(votes(("a", "b", "left", 3), ("a", "b", "right", 1)))
    strength = values(scores, "strength")
    assert strength["a"] - strength["b"] == pytest.approx(math.log(3))
    assert values(scores, "tie_parameter")[""] == 0


def test_evalica_finds_the_same() -> None:
    world = World(
        scenes=60,
        models={model: {} for model in "abcde"},
        quality=dict(zip("abcde", range(5), strict=True)),
    )
    frame = world.votes(np.random.default_rng(4))
    frame = frame[frame["winner"] != "both_bad"]
    words = {"left": evalica.Winner.X, "right": evalica.Winner.Y, "tie": evalica.Winner.Draw}
    result = evalica.newman(
        list(frame["left"]),
        list(frame["right"]),
        [words[winner] for winner in frame["winner"]],
        tolerance=1e-12,
        limit=10_000,
    )
    theirs = np.log(result.scores)
    theirs -= theirs.mean()
    scores = scores_of(frame)
    for model, strength in values(scores, "strength").items():
        assert strength == pytest.approx(theirs[model], abs=1e-4)
    assert values(scores, "tie_parameter")[""] == pytest.approx(2 * result.v, abs=1e-4)


@given(seed=st.integers(0, 1000))
def test_swapping_left_and_right_changes_nothing(seed: int) -> None:
    frame = World(scenes=8).votes(np.random.default_rng(seed))
    swapped = frame.rename(columns={"left": "right", "right": "left"})
    swapped["winner"] = swapped["winner"].replace({"left": "right", "right": "left"})
    for old, new in zip(scores_of(frame), scores_of(swapped), strict=True):
        assert list(asdict(new).values()) == [
            pytest.approx(cell, nan_ok=True) if isinstance(cell, float) else cell
            for cell in asdict(old).values()
        ]


def test_planted_strengths_are_found() -> None:
    world = World(scenes=150, raters=10)
    scores = scores_of(world.votes(np.random.default_rng(2)))
    qualities = np.array([world.quality[model] for model in world.models])
    for score in scores:
        if score.metric == "strength":
            planted = world.quality[score.model] - qualities.mean()
            assert score.value == pytest.approx(planted, abs=0.15)
            assert score.low < score.value < score.high
        if score.metric == "tie_parameter":
            assert score.low < world.tie < score.high
    assert values(scores, "rank") == {"balanced": 1, "japan": 2, "west": 3}
    assert values(scores, "p_first")["balanced"] > 0.95


def test_both_bad_is_kept_apart_and_reported() -> None:
    plain = votes(("a", "b", "left", 3), ("a", "b", "right", 1))
    frame = pd.concat([plain, votes(("a", "b", "both_bad", 4))])
    assert values(scores_of(frame), "strength") == values(scores_of(plain), "strength")
    (share,) = [score for score in scores_of(frame) if score.metric == "both_bad_share"]
    assert share.value == 0.5
    assert share.n_values == 8


def test_undefeated_and_winless_models_get_a_declared_prior() -> None:
    frame = votes(("a", "b", "left", 5), ("b", "c", "left", 3), ("c", "b", "left", 1))
    scores = scores_of(frame)
    strength = values(scores, "strength")
    assert strength["a"] > strength["b"] > strength["c"]
    assert all(abs(value) < 20 for value in strength.values())
    methods = {score.method for score in scores if score.metric == "strength"}
    assert all("normal prior of SD 10: undefeated: a" in method for method in methods)


def test_an_undefeated_model_has_no_interval() -> None:
    """80 of 80 wins bound the strength from below alone; a prior's width is no finding."""
    scores = scores_of(votes(("a", "b", "left", 80)))
    for score in scores:
        if score.metric in {"strength", "strength_difference", "p_first"}:
            assert math.isnan(score.low)
            assert math.isnan(score.high)
            assert score.reason == "no interval: undefeated: a; winless: b"
    assert all(math.isnan(value) for value in values(scores, "p_first").values())
    assert values(scores, "rank") == {"a": 1, "b": 2}
    ranks = [(s.low, s.high) for s in scores if s.metric == "rank"]
    assert ranks == [(1, 2), (1, 2)]


def test_a_tie_parameter_that_hardly_a_tie_bounds_has_no_interval() -> None:
    frame = votes(("a", "b", "left", 4), ("a", "b", "right", 3), ("a", "b", "tie", 1))
    (tie,) = [score for score in scores_of(frame) if score.metric == "tie_parameter"]
    assert tie.value > 0
    assert tie.reason == "no interval: too few ties"
    assert math.isnan(tie.high)


def test_ties_can_bound_an_undefeated_model() -> None:
    """No ties between b and c hold ν down, so the ties of a and b hold a near b."""
    frame = votes(
        ("a", "b", "left", 5), ("a", "b", "tie", 2), ("b", "c", "left", 3), ("c", "b", "left", 1)
    )
    (method,) = {score.method for score in scores_of(frame) if score.metric == "strength"}
    assert method.startswith("Davidson; ")
    one_pair = scores_of(votes(("a", "b", "left", 5), ("a", "b", "tie", 2)))
    assert "undefeated: a; winless: b" in one_pair[1].method


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (
            [("a", "b", "left", 2), ("c", "d", "left", 2)],
            "not connected by votes: {a, b} and {c, d}",
        ),
        ([("a", "b", "tie", 3)], "ties only"),
        ([("a", "b", "both_bad", 3)], "every vote says both bad"),
        (
            [("a", "b", "left", 2), ("a", "c", "both_bad", 1)],
            "not connected by votes: {a, b} and {c}",
        ),
    ],
)
def test_what_has_no_answer_says_why(rows: list[tuple[str, str, str, int]], reason: str) -> None:
    for score in scores_of(votes(*rows)):
        if score.metric != "both_bad_share":
            assert math.isnan(score.value)
            assert score.reason == reason


def test_repeats_are_set_aside_and_simulated_raters_are_said() -> None:
    frame = votes(("a", "b", "left", 3), ("a", "b", "right", 1))
    repeats = frame.assign(occasion=1, winner="right")
    assert repr(scores_of(pd.concat([frame, repeats]))) == repr(scores_of(frame))
    said = scores_of(frame.assign(rater_group=SIMULATED))
    assert all(score.method.endswith("simulated raters") for score in said)


def test_choix_finds_the_same_without_ties() -> None:
    world = World(scenes=40, models={model: {} for model in "abcd"}, tie=0.0)
    world.quality = dict(zip("abcd", (1.0, 1.6, 2.0, 2.2), strict=True))
    frame = world.votes(np.random.default_rng(4))
    frame = frame[frame["winner"].isin(["left", "right"])]
    pairs = [
        (row.left, row.right) if row.winner == "left" else (row.right, row.left)
        for row in frame.itertuples()
    ]
    theirs = choix.ilsr_pairwise(4, [("abcd".index(a), "abcd".index(b)) for a, b in pairs])
    found = values(scores_of(frame), "strength")
    assert [found[m] for m in "abcd"] == pytest.approx(list(theirs - theirs.mean()), abs=1e-6)


@pytest.mark.parametrize(
    "rows", [[("a", "b", "left", 1)], [("a", "b", "tie", 1), ("a", "b", "right", 0)]]
)
def test_one_vote_has_no_interval(rows: list[tuple[str, str, str, int]]) -> None:
    for score in scores_of(votes(*rows)):
        if score.metric == "rank" and math.isfinite(score.value):
            assert (score.low, score.high) == (1, 2)
        else:
            assert math.isnan(score.low)
            assert math.isnan(score.high)
            assert score.reason


def test_a_share_of_none_has_an_upper_bound() -> None:
    (share,) = [s for s in scores_of(votes(("a", "b", "left", 40))) if s.metric == "both_bad_share"]
    assert share.value == share.low == 0
    assert 0.02 < share.high < 0.1


def test_the_benchmarks_lists_and_tables_give_the_same() -> None:
    frame = World(scenes=20).votes(np.random.default_rng(0))
    columns = ("left", "right", "winner", "prompt", "rater")
    lists = from_lists(*(frame[name].tolist() for name in columns))
    same = list(ranked(lists, Score(), np.random.default_rng(0), 50))
    tables = list(ranked(votes_of(frame), Score(), np.random.default_rng(0), 50))
    ours = {(s.metric, s.model, s.against): s.value for s in same}
    theirs = {(s.metric, s.model, s.against): s.value for s in tables}
    assert ours == pytest.approx(theirs)


def test_without_scenes_or_raters_that_differ_the_interval_is_that_of_independent_votes() -> None:
    world = World(scenes=300, raters=20, models={"a": {}, "b": {}}, quality={"a": 0.3, "b": 0.0})
    found = scores_of(world.votes(np.random.default_rng(1)))
    (score,) = [s for s in found if s.metric == "strength_difference"]
    (tie,) = [s for s in found if s.metric == "tie_parameter"]
    # the information of one vote on θ_a − θ_b, at the estimate
    ahead = math.exp(score.value / 2)
    total = ahead + 1 / ahead + tie.value
    win, draw = ahead / total, tie.value / total
    error = (score.n_values / 2 * (win + draw / 4 - (win + draw / 2) ** 2)) ** -0.5
    assert score.high - score.low == pytest.approx(2 * 1.96 * error, rel=0.35)


def test_differences_of_strengths() -> None:
    scores = scores_of(World(scenes=60).votes(np.random.default_rng(0)))
    strength = values(scores, "strength")
    pairs = [s for s in scores if s.metric == "strength_difference"]
    assert [(s.model, s.against) for s in pairs] == [
        ("balanced", "japan"), ("balanced", "west"), ("japan", "west"),
    ]  # fmt: skip
    for s in pairs:
        assert s.value == pytest.approx(strength[s.model] - strength[s.against])
        assert s.low < s.value < s.high


def _ranks(values_: Array, drawn: Array) -> Ranks:
    """Rank models from their values and resamples of these, (resamples, models)."""
    pairs = list(combinations(range(len(values_)), 2))
    first, second = np.array(pairs).T
    every = np.concatenate([values_[None], drawn]).T
    gaps = every[first] - every[second]
    error = np.sqrt(((gaps[:, 1:] - gaps[:, :1]) ** 2).mean(axis=1))
    return simultaneous_ranks(
        len(values_), pairs, Contrasts(gaps, error, np.full(len(pairs), np.inf)), 0.95
    )


def test_step_down_finds_no_less_than_one_step() -> None:
    """With one clear leader, what is left is tested against a lower bar."""
    rng = np.random.default_rng(3)
    centre = np.array([9.0, 1.0, 0.0, -1.0])
    drawn = centre + rng.normal(0, [3.0, 0.25, 0.25, 0.25], (4000, 4))
    ranks = _ranks(centre, drawn)
    assert (ranks.best <= ranks.rank).all()
    assert (ranks.rank <= ranks.worst).all()
    gap = centre[:, None] - centre[None, :]
    moved = drawn[:, :, None] - drawn[:, None, :] - gap
    error = moved.std(axis=0) + np.eye(4)
    bar = np.quantile(np.abs(moved / error).max(axis=(1, 2)), 0.95)
    single = gap > bar * error
    assert (1 + single.sum(axis=0) <= ranks.best).all()
    assert (4 - single.sum(axis=1) >= ranks.worst).all()


def test_a_model_that_resamples_lack_is_put_above_nobody() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([2.0, 1.0, 0.0]) + rng.normal(0, 0.01, (200, 3))
    drawn[:, 1] = np.nan
    ranks = _ranks(np.array([2.0, 1.0, 0.0]), drawn)
    assert list(ranks.best) == [1, 1, 2]
    assert list(ranks.worst) == [2, 3, 3]
    assert np.isnan(ranks.p_first).all()


def test_ranks_that_cannot_be_told_apart_span_each_other() -> None:
    rng = np.random.default_rng(0)
    values_ = np.array([2.0, 1.0, 0.95, -1.0])
    ranks = _ranks(values_, values_ + rng.normal(0, 0.1, (2000, 4)))
    assert list(ranks.rank) == [1, 2, 3, 4]
    assert list(ranks.best) == [1, 2, 2, 4]
    assert list(ranks.worst) == [1, 3, 3, 4]
    assert ranks.p_first[0] == 1


def test_an_empty_cell_is_no_slice() -> None:
    frame = World(scenes=10).votes(np.random.default_rng(0))
    frame["language"] = np.where(np.arange(len(frame)) % 2, "zh", "")
    scores = rank(frame, rng=np.random.default_rng(0), resamples=20, by=["language"])
    assert {score.slice for score in scores} == {"", "language=zh"}


def test_equal_values_share_a_rank() -> None:
    ranks = _ranks(np.zeros(3), np.zeros((10, 3)))
    assert list(ranks.rank) == [1, 1, 1]
    assert list(ranks.worst) == [3, 3, 3]
    assert ranks.p_first == pytest.approx([1 / 3] * 3)
