"""Ratings and votes together: more precise than either, and honest where they disagree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from bench.records import REFERENCE, Score
from leaderboard.contrasts import NOTHING_VARIES
from leaderboard.drawing import Array
from leaderboard.fusion import Readings, fuse
from leaderboard.gathering import draw, gather
from leaderboard.joint import joint
from leaderboard.joint_influences import Moves, Rated, moves_of_both
from leaderboard.quality import means_of
from leaderboard.ranking import fit_votes
from leaderboard.scoring import score
from leaderboard.tables import check_ratings, check_votes
from leaderboard.vote_draws import draw_votes, strength_sums
from leaderboard.votes import votes_of
from tests.leaderboard.coverage import (
    Design,
    draw_outputs,
    judged,
    table_of_ratings,
    table_of_votes,
    voted,
)
from tests.leaderboard.simulation import World


def world() -> World:
    quality = {"a": 3.8, "b": 3.4, "c": 3.0, "d": 2.9}
    return World(
        scenes=60, models={m: {} for m in quality}, quality=quality, criteria=["c"], right=0.9
    )


def scores_of(ratings: pd.DataFrame, votes: pd.DataFrame) -> list[Score]:
    return joint(ratings, votes, rng=np.random.default_rng(0), resamples=300)


def by_model(scores: list[Score], metric: str) -> dict[str, Score]:
    return {s.model: s for s in scores if s.metric == metric}


def test_both_together_agree_where_they_should() -> None:
    rng = np.random.default_rng(0)
    ratings, votes = world().ratings(rng), world().votes(rng)
    scores = scores_of(ratings, votes)
    fused = by_model(scores, "joint_score")
    alone = score({"ratings": ratings}, rng=np.random.default_rng(0), resamples=300)
    means = by_model([s for s in alone if s.metric == "mean_score"], "mean_score")
    assert set(fused) == set("abcd")
    for model, found in fused.items():
        assert found.low < found.value < found.high
        assert found.value == pytest.approx(means[model].value, abs=0.15)
    (fit,) = [s for s in scores if s.metric == "rating_vote_fit"]
    assert fit.value > 0.05
    gaps = by_model(scores, "rating_vote_gap")
    assert all(s.low < 0 < s.high for s in gaps.values())
    assert sum(s.value for s in gaps.values()) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("models", "times", "most"), [(3, 120, 1.02), (12, 40, 0.95)])
def test_both_together_are_no_less_precise_than_the_ratings_and_know_it(
    models: int, times: int, most: float
) -> None:
    """A covariance of 22 contrasts told by 30 scenes, inverted, made them worse and said better."""
    quality = tuple(np.linspace(3.6, 2.6, models))
    design = Design(8, 30, 0.3, quality=quality, votes=max(models // 2, 1))
    errors: dict[str, list[float]] = {"joint": [], "ratings": []}
    held, stated, p = [], [], []
    for rng in np.random.default_rng(5).spawn(times):
        outputs = draw_outputs(design, rng)
        # raters' biases move all models alike and would hide the rest
        ratings = table_of_ratings(judged(replace(design, severity=0.0), outputs, rng))
        votes = table_of_votes(voted(design, rng, outputs)).assign(criterion="c")
        found = joint(ratings, votes, rng=rng, resamples=200)
        fused = by_model(found, "joint_score")
        p.append(next(s.value for s in found if s.metric == "rating_vote_fit"))
        if not np.isfinite(fused["a"].value):
            continue
        gathered = gather(ratings)
        (means,) = means_of(ratings, gathered, draw(gathered, rng, 2, 0.95))
        truth = dict(zip(fused, quality, strict=True))
        errors["joint"] += [s.value - truth[m] for m, s in fused.items()]
        errors["ratings"] += list(means.of_model[:, 0] - np.array(quality))
        held += [s.low <= truth[m] <= s.high for m, s in fused.items()]
        stated += [(s.high - s.low) / 3.92 for s in fused.values()]
    size = {name: float(np.sqrt(np.mean(np.square(error)))) for name, error in errors.items()}
    assert size["joint"] < most * size["ratings"]
    assert 0.9 < np.mean(held) <= 0.99
    assert 0.85 < np.mean(stated) / size["joint"] < 1.25
    assert np.mean(np.array(p) < 0.05) < 0.13
    assert 0.3 < np.mean(np.array(p) < 0.5) < 0.7


def test_a_model_that_votes_love_and_ratings_do_not_is_found() -> None:
    rng = np.random.default_rng(1)
    ratings = world().ratings(rng)
    other = world()
    other.quality = {**other.quality, "d": 4.4}
    scores = scores_of(ratings, other.votes(rng))
    (fit,) = [s for s in scores if s.metric == "rating_vote_fit"]
    assert fit.value < 1e-3
    gaps = by_model(scores, "rating_vote_gap")
    assert gaps["d"].low > 0
    fused = by_model(scores, "joint_score")
    assert set(fused) == {"a", "b", "c", "d"}
    for s in fused.values():
        assert math.isnan(s.value)
        assert s.reason == "ratings and votes disagree"


def made(scenes: Array) -> Moves:
    """Return what scenes alone move, (2 models, scenes)."""
    n = scenes.shape[1]
    none = np.zeros((len(scenes), 1))
    return Moves(scenes, none, none, np.full((2, n), 1 / n), np.zeros((2, 1)))


def test_exact_readings_give_the_planted_scale() -> None:
    rng = np.random.default_rng(2)
    true = np.array([1.0, 0.2, -0.4, -0.8])
    noise = rng.normal(0, 1.0, (2, 4, 400))
    noise -= noise.mean(axis=2, keepdims=True)
    noise /= noise.std(axis=2, keepdims=True)
    moves = made(np.concatenate([noise[0], 1.7 * noise[1]]) * 0.0005)
    drawn = moves.draw(rng.poisson(1, (400, 2000)).astype(np.float64), np.ones((1, 2000)))
    found = fuse(Readings(list("abcd"), 3 + true, 1.7 * true), moves, drawn, 0.95)
    assert found.kappa == pytest.approx(1.7, rel=1e-3)
    assert found.quality.draws[:, 0] == pytest.approx(3 + true, abs=1e-3)
    assert found.p == pytest.approx(1, abs=1e-3)
    assert found.voted == pytest.approx(0.5, abs=0.1)
    # two equal readings halve the variance, but for the level and the scale, which are the ratings'
    alone = np.sqrt((moves.scenes[:4] ** 2).sum(axis=1) * 400 / 399)
    share = (1 + 1 / 4 + true**2 / (true @ true)) / 2
    assert found.quality.error / alone == pytest.approx(np.sqrt(share), rel=0.06)


def test_models_that_lie_too_close_for_a_scale_move_by_no_more_than_noise() -> None:
    """Of a spread that noise explains some is always taken for theirs, so that κ stays bounded."""
    rng = np.random.default_rng(3)
    moves = made(rng.normal(0, 0.1, (8, 40)))
    close = np.array([0.1, -0.1, 0.2, -0.2])
    found = fuse(Readings(list("abcd"), 3 + close, -3 * close), moves, np.zeros((8, 5)), 0.95)
    assert 1.5 <= found.kappa <= 6
    assert abs(found.quality.draws[:, 0] - 3).max() < 0.25
    assert found.p > 0.2


def test_ratings_and_votes_of_one_scene_and_rater_are_one_unit() -> None:
    """Both tables give scenes and raters the same names, so that what both share is counted once."""
    rng = np.random.default_rng(0)
    ratings, votes = world().ratings(rng), world().votes(rng)
    for name in ("", "a suite"):
        rated, voted = gather(ratings.assign(suite=name)), votes_of(votes.assign(suite=name))
        assert set(rated.raters) == set(voted.raters)
        shown = {cluster for cluster in rated.clusters if not cluster.startswith(REFERENCE)}
        assert shown == set(voted.scenes)


def test_the_variance_of_both_is_that_of_its_own_clusters() -> None:
    """Against V = B_scenes + B_raters − B_judgements, written out, the crossed parts too."""
    rng = np.random.default_rng(3)
    design = Design(9, 40, 0.4, rater_output=1.0, taste=0.6)
    outputs = np.zeros((3, 40, 1)) + np.array([0.6, 0.0, -0.6])[:, None, None]
    own = rng.normal(0, 1.0, (3, 40, 1, 9))
    ratings = table_of_ratings(judged(design, outputs, rng, own))
    votes = votes_of(table_of_votes(voted(design, rng, outputs, own)))
    gathered = gather(ratings)
    (means,) = means_of(ratings, gathered, draw(gathered, rng, 20, 0.95))
    fit = fit_votes(votes, draw_votes(votes, rng, 20, 0.95))
    moves = moves_of_both(list("abc"), Rated([means], np.ones(1), gathered), votes, fit)
    found = means.of_cell.influences
    assert found is not None
    assert moves is not None
    assert fit.moved is not None
    of_ratings = found.judgements.toarray().reshape(3, 40, 9)
    of_ratings *= np.sqrt(1 - found.share)[:, None]
    of_votes = np.zeros((3, 40, 9))
    sums = strength_sums(votes, fit.point, prior=False)
    for scene in range(40):
        for rater in range(9):
            one = (votes.scene == scene) & (votes.rater == rater)
            at = [gathered.clusters.index(votes.scenes[scene]), int(votes.raters[rater])]
            of_votes[:, at[0], at[1]] = sums(one.astype(np.int64), 2)[1, :3]
    flat = np.concatenate([of_ratings, of_votes]).reshape(6, -1)
    # every rater has a ninth of the votes; leaving one out moves more than theirs add
    level = means.severity.bias / (9 * 8) ** 0.5
    by_rater = [of_ratings.sum(axis=1) + level, of_votes.sum(axis=1) * (9 / 8) ** 0.5]
    by_scene = np.concatenate([found.scenes[:, 0], fit.moved.scenes[:, :3].T])
    of = rng.normal(0, 1, (5, 6))
    between = moves.between(of, 0.3)
    assert between.scenes == pytest.approx(((of @ by_scene) ** 2).sum(axis=1))
    assert between.raters == pytest.approx(((of @ np.concatenate(by_rater)) ** 2).sum(axis=1))
    assert between.judgements == pytest.approx(((of @ flat) ** 2).sum(axis=1))
    assert between.n_scenes == pytest.approx(np.full(5, 40))
    # the ratings' weights differ by raters' consistency
    assert (between.n_raters > 7).all()
    assert (between.n_raters < 9).all()
    assert abs(flat[:3] @ flat[3:].T).max() > 0.2 * abs(flat[:3] @ flat[:3].T).max()


def cut(table: pd.DataFrame, raters: int, name: str = "") -> pd.DataFrame:
    kept = table[table["rater"].astype(int) < raters]
    return kept.assign(rater=name + kept["rater"])


@pytest.mark.parametrize(
    ("rating", "voting", "name", "said"),
    [
        (3, 3, "", "scenes, raters; deviations"),
        (2, 2, "", "scenes; for these raters alone; deviations"),
        (2, 2, "v", "scenes; for these raters alone; deviations"),
        (2, 4, "", "scenes, raters; for these raters alone in the ratings; deviations"),
        (4, 2, "v", "scenes, raters; for these raters alone in the votes; deviations"),
    ],
)
def test_the_method_says_whose_raters_are_drawn(
    rating: int, voting: int, name: str, said: str
) -> None:
    rng = np.random.default_rng(4)
    design = Design(4, 60, 0.3)
    outputs = draw_outputs(design, rng)
    ratings = cut(table_of_ratings(judged(design, outputs, rng)), rating)
    votes = cut(table_of_votes(voted(design, rng, outputs)), voting, name)
    scores = scores_of(ratings, votes.assign(criterion="c"))
    assert {s.metric for s in scores} == {"joint_score", "rating_vote_gap", "rating_vote_fit"}
    assert all(f"over {said}" in s.method for s in scores)


def test_two_raters_widen_no_joint_score_whoever_votes() -> None:
    """Four names are no four raters where each table has two."""
    rng = np.random.default_rng(4)
    design = Design(2, 60, 0.3)
    outputs = draw_outputs(design, rng)
    ratings = table_of_ratings(judged(design, outputs, rng))
    votes = table_of_votes(voted(design, rng, outputs)).assign(criterion="c")
    errors = []
    for name in ("", "v"):
        own = by_model(scores_of(ratings, votes.assign(rater=name + votes["rater"])), "joint_score")
        errors.append(own["a"].high - own["a"].low)
    assert errors[0] == pytest.approx(errors[1], rel=0.1)


def test_votes_on_a_criterion_meet_its_ratings_only() -> None:
    rng = np.random.default_rng(0)
    ratings, votes = world().ratings(rng), world().votes(rng)
    named = scores_of(ratings, votes.assign(criterion="c"))
    assert {s.criterion for s in named} == {"c"}
    (nothing,) = scores_of(ratings, votes.assign(criterion="other"))
    assert nothing.metric == "rating_vote_fit"
    assert math.isnan(nothing.value)
    assert nothing.reason == "no ratings on other"
    assert all("seeds not drawn" in s.method for s in named)
    assert scores_of(ratings.assign(study="x"), votes) == []


def test_two_models_cannot_disagree() -> None:
    rng = np.random.default_rng(0)
    small = World(scenes=10, models={"a": {}, "b": {}}, quality={"a": 3, "b": 2}, criteria=["c"])
    (only,) = scores_of(small.ratings(rng), small.votes(rng))
    assert only.metric == "rating_vote_fit"
    assert math.isnan(only.value)
    assert only.reason.startswith("needs three models")


def test_an_undefeated_model_is_refused() -> None:
    data = world()
    rng = np.random.default_rng(0)
    ratings, votes = data.ratings(rng), data.votes(rng)
    first = min(data.models)
    votes = votes[votes["winner"].isin(["left", "right"])].copy()
    votes.loc[votes["left"] == first, "winner"] = "left"
    votes.loc[votes["right"] == first, "winner"] = "right"
    (fit,) = scores_of(ratings, votes)
    assert fit.metric == "rating_vote_fit"
    assert math.isnan(fit.value)
    assert fit.reason == f"the votes bound no strengths: undefeated: {first}"


def even_votes() -> pd.DataFrame:
    """Every two models win, lose and tie against each other equally often."""
    rows = [
        {
            "rater": f"r{scene % 8}",
            "prompt": f"s{scene}/chinese",
            "left": left,
            "right": right,
            "winner": ("left", "right", "tie")[scene % 3],
        }
        for scene in range(60)
        for left, right in combinations("abcd", 2)
    ]
    return check_votes(pd.DataFrame(rows), "memory")


def alike(ratings: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """Give some models the same ratings on each scene."""
    scene = ratings["prompt"].str.extract(r"s(\d+)", expand=False).astype(int)
    return ratings.assign(
        value=ratings["value"].where(~ratings["model"].isin(list(models)), scene % 5 + 1.0)
    )


def test_models_that_are_all_alike_have_no_scale_to_join() -> None:
    rng = np.random.default_rng(0)
    ratings, votes = world().ratings(rng), world().votes(rng)
    for given, cast, reason in (
        (ratings.assign(value=4.0), votes, "the ratings put all models alike"),
        (alike(ratings, "abcd"), votes, "the ratings put all models alike"),
        (ratings, even_votes(), "the votes put all models alike"),
    ):
        (fit,) = scores_of(given, cast)
        assert fit.metric == "rating_vote_fit"
        assert math.isnan(fit.value)
        assert fit.reason.startswith(reason)


def test_where_nothing_varies_there_is_a_value_and_no_interval() -> None:
    """Every scene has the same ratings and the same votes, and all raters agree."""
    rows, cast = [], []
    for scene, rater in ((scene, rater) for scene in range(6) for rater in "xyz"):
        where = {"rater": rater, "prompt": f"s{scene}/chinese"}
        for model, value in zip("abc", (4.0, 3.5, 2.0), strict=True):
            item = f"{model}{scene}"
            rows.append({**where, "item": item, "criterion": "c", "model": model, "value": value})
        for left, right in combinations("abc", 2):
            pair = {**where, "left": left, "right": right}
            cast.append({**pair, "winner": "left"})
            cast.append({**pair, "left": right, "right": left, "winner": "left"})
        cast.append({**where, "left": "a", "right": "d", "winner": "left"})
        cast.append({**where, "left": "d", "right": "a", "winner": "left"})
        cast.append({**where, "left": "b", "right": "d", "winner": "left"})
        cast.append({**where, "left": "d", "right": "c", "winner": "left"})
        cast.append({**where, "left": "c", "right": "d", "winner": "tie"})
    ratings = check_ratings(pd.DataFrame(rows), "memory")
    scores = scores_of(ratings, check_votes(pd.DataFrame(cast), "memory"))
    assert {s.metric for s in scores} == {"joint_score", "rating_vote_gap", "rating_vote_fit"}
    for s in scores:
        assert s.reason == NOTHING_VARIES
        assert math.isnan(s.low)
    assert all(np.isfinite(s.value) for s in scores if s.metric == "joint_score")
