"""What is taken from the variance of a difference is its own, not what both models share."""

from __future__ import annotations

import numpy as np
import pytest

from leaderboard.drawing import Array, Weights, draw_raters, draw_weights
from leaderboard.resampling import CellMeans, Judgements, cell_means
from leaderboard.variance import Between, two_way

RATERS, SCENES = 8, 12


def _means(value: Array, weight: Array | None = None, confidence: float = 0.95) -> CellMeans:
    """Return the means of two models, value being (2, scenes, raters)."""
    model, scene, rater = (part.ravel() for part in np.indices(value.shape))
    kept = np.ones(len(model), dtype=bool) if weight is None else weight.ravel() > 0
    item = model * SCENES + scene
    judgements = Judgements(
        item=item[kept],
        rater=rater[kept],
        channel=np.zeros(kept.sum(), dtype=np.int64),
        value=value.ravel()[kept],
        weight=np.ones(kept.sum()),
        n_channels=1,
        prompt_of_item=np.arange(2 * SCENES),
        cluster_of_prompt=np.tile(np.arange(SCENES), 2),
        cells=[np.arange(SCENES), SCENES + np.arange(SCENES)],
        seed=np.full(2 * SCENES, -1),
    )
    rng = np.random.default_rng(0)
    one = np.zeros(SCENES, dtype=np.int64)
    drawn = Weights(
        draw_raters(rng, RATERS, 50),
        draw_weights(rng, one, 50),
        np.ones((2 * SCENES, 51)),
        confidence,
    )
    return cell_means(judgements, drawn)


def test_what_a_rater_finds_in_a_scene_in_both_models_leaves_a_difference_as_it_was() -> None:
    rng = np.random.default_rng(1)
    taste = rng.normal(0, 0.5, (2, 1, RATERS))
    value = rng.normal(0, 0.5, (2, SCENES, RATERS)) + taste
    shared = rng.normal(0, 2.0, (1, SCENES, RATERS))
    ((before,),) = _means(value).differences([(0, 1)])
    ((after,),) = _means(value + shared).differences([(0, 1)])
    assert after.error == pytest.approx(before.error, rel=1e-9)
    assert after.freedom == pytest.approx(before.freedom, rel=1e-9)


def test_it_is_taken_from_the_mean_of_one_model() -> None:
    """There it is noise of single judgements, which scenes and raters each bring."""
    rng = np.random.default_rng(2)
    found = _means(rng.normal(0, 1.0, (2, SCENES, RATERS))).influences
    assert found is not None
    between = found.between()
    assert (between.judgements > 0.5 * between.scenes).all()


def test_the_variance_of_a_difference_is_that_of_its_own_clusters() -> None:
    """Against the sums of Cameron, Gelbach and Miller, written out; some judgements are missing."""
    rng = np.random.default_rng(3)
    given = rng.random((2, SCENES, RATERS)) < 0.7
    given[:, :, 0] = True
    means = _means(rng.normal(0, 1.0, given.shape), given.astype(np.float64))
    found = means.influences
    assert found is not None
    table = found.judgements.toarray().reshape(2, SCENES, RATERS)
    kept = 1 - found.share.mean(axis=0)
    between = found.between_pairs([(0, 1)])
    own = table[0] - table[1]
    assert between.judgements[0, 0] == pytest.approx(float((kept * own**2).sum()))
    assert between.raters[0, 0] == pytest.approx(float((kept * own.sum(axis=0) ** 2).sum()))


def test_seeds_that_show_nothing_of_their_own_cost_no_degrees_of_freedom() -> None:
    none, twelve, sixteen = np.zeros(1), np.full(1, 12.0), np.full(1, 16.0)
    plain = Between(np.ones(1), none, none, twelve, np.ones(1), none, none, none)
    drawn = plain._replace(seeds=np.full(1, 0.8), items=np.full(1, 0.9), n_seeds=sixteen)
    assert two_way(drawn) == two_way(plain)
    variance, freedom = two_way(drawn._replace(items=np.full(1, 0.8)))
    assert variance > two_way(plain)[0]
    assert freedom < two_way(plain)[1]
