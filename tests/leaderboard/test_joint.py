"""Ratings and votes together: more precise than either, and honest where they disagree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import null_space

from bench.records import REFERENCE, Score
from leaderboard.fusion import Readings, Spread, fuse
from leaderboard.gathering import draw, gather
from leaderboard.joint import joint
from leaderboard.joint_covariance import Rated, covariance_of_both
from leaderboard.quality import means_of
from leaderboard.ranking import fit_votes
from leaderboard.scoring import score
from leaderboard.tables import check_votes
from leaderboard.vote_draws import draw_votes, strength_sums
from leaderboard.votes import votes_of
from tests.leaderboard.coverage import Design, judged, table_of_ratings, table_of_votes, voted
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


def test_both_together_are_no_less_precise_and_agree_where_they_should() -> None:
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


def test_exact_readings_give_the_planted_scale() -> None:
    rng = np.random.default_rng(2)
    true = np.array([1.0, 0.2, -0.4, -0.8])
    noise = rng.normal(0, 0.1, (2, 4, 400))
    noise[:, :, 0] = 0
    rated = 3 + true[:, None] + noise[0]
    strength = 1.7 * true[:, None] + 1.7 * noise[1]
    contrast = np.kron(np.eye(2), null_space(np.ones((1, 4))).T)
    covariance = np.cov(contrast @ np.concatenate([rated, strength])[:, 1:])
    found = fuse(Readings(list("abcd"), rated, strength), Spread(covariance, np.inf), 0.95)
    assert found.kappa == pytest.approx(1.7, rel=1e-3)
    assert found.quality[:, 0] == pytest.approx(3 + true, abs=1e-3)
    assert found.p == pytest.approx(1, abs=1e-3)
    # two equal readings halve the variance of differences
    ours, theirs = found.quality[0] - found.quality[1], rated[0] - rated[1]
    assert ours[1:].std() / theirs[1:].std() == pytest.approx(0.5**0.5, rel=0.15)


def test_ratings_and_votes_of_one_scene_and_rater_are_one_unit() -> None:
    """Both tables give scenes and raters the same names, so that what both share is counted once."""
    rng = np.random.default_rng(0)
    ratings, votes = world().ratings(rng), world().votes(rng)
    for name in ("", "a suite"):
        rated, voted = gather(ratings.assign(suite=name)), votes_of(votes.assign(suite=name))
        assert set(rated.raters) == set(voted.raters)
        shown = {cluster for cluster in rated.clusters if not cluster.startswith(REFERENCE)}
        assert shown == set(voted.scenes)


def test_the_covariance_of_both_is_that_of_its_own_clusters() -> None:
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
    rated = Rated([means], np.ones(1), gathered)
    found = covariance_of_both(list("abc"), rated, votes, fit)
    assert not isinstance(found, str)
    assert means.influences is not None
    of_ratings = means.influences.judgements.toarray().reshape(3, 40, 9)
    of_ratings *= np.sqrt(1 - means.influences.share)[:, None]
    of_votes = np.zeros((3, 40, 9))
    sums = strength_sums(votes, fit.point, prior=False)
    for scene in range(40):
        for rater in range(9):
            one = (votes.scene == scene) & (votes.rater == rater)
            at = [gathered.clusters.index(votes.scenes[scene]), int(votes.raters[rater])]
            of_votes[:, at[0], at[1]] = sums(one.astype(np.int64), 2)[1, :3]
    moved = np.concatenate([of_ratings, of_votes])
    contrast = np.kron(np.eye(2), null_space(np.ones((1, 3))).T)
    flat = contrast @ moved.reshape(6, -1)
    # every rater has a ninth of the votes; leaving one out moves more than theirs add
    of_raters = [of_ratings.sum(axis=1), of_votes.sum(axis=1) * (9 / 8) ** 0.5]
    by_rater = contrast @ np.concatenate(of_raters)
    assert fit.moved is not None
    by_scene = contrast @ np.concatenate([means.influences.scenes[:, 0], fit.moved.scenes[:, :3].T])
    between = by_rater @ by_rater.T - flat @ flat.T
    values, vectors = np.linalg.eigh(between)
    expected = by_scene @ by_scene.T * 40 / 39 + (vectors * np.maximum(values, 0)) @ vectors.T
    assert found.covariance == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert abs(flat[:2] @ flat[2:].T).max() > 0.2 * abs(flat[:2] @ flat[:2].T).max()


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
        (alike(ratings, "ab"), votes, "some models never differ in the ratings, or in the votes"),
    ):
        (fit,) = scores_of(given, cast)
        assert fit.metric == "rating_vote_fit"
        assert math.isnan(fit.value)
        assert fit.reason.startswith(reason)
