"""Language gaps: planted ones found, pairs kept, and only languages that a model declares."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from leaderboard.languages import leak_gaps, score_gaps
from leaderboard.tables import check_ratings
from tests.leaderboard.simulation import World


def both_languages(gap: float) -> pd.DataFrame:
    world = World(scenes=40, criteria=["brush"])
    rng = np.random.default_rng(0)
    first = world.ratings(rng).assign(language="zh")
    second = first.assign(language="en", item="en-" + first["item"])
    second["value"] = (second["value"] - gap + rng.normal(0, 0.3, len(second))).round(2)
    second = second[second["model"] != "reference"]
    return check_ratings(pd.concat([first, second]), "memory")


def test_a_planted_gap_is_found() -> None:
    scores = score_gaps(both_languages(0.5), rng=np.random.default_rng(0), resamples=200)
    assert {(s.model, s.group) for s in scores} == {
        (m, "zh-en") for m in ("balanced", "japan", "west")
    }
    for s in scores:
        assert s.value == pytest.approx(0.5, abs=0.1)
        assert s.low < s.value < s.high


def test_only_languages_that_a_model_declares() -> None:
    declared = {"balanced": ("zh", "en"), "japan": ("en",)}
    scores = score_gaps(
        both_languages(0.5), rng=np.random.default_rng(0), resamples=50, declared=declared
    )
    assert {s.model for s in scores} == {"balanced"}


def test_gaps_of_leaks() -> None:
    frame = World(scenes=60).attributions(np.random.default_rng(0))
    scores = leak_gaps(frame, rng=np.random.default_rng(0), resamples=200)
    assert {s.group for s in scores} == {"zh-en:japanese", "zh-en:western"}
    assert all(abs(s.value) < 0.15 and s.low < s.value < s.high for s in scores)
    leaky = frame.copy()
    at = (leaky["language"] == "en") & (leaky["model"] == "west") & (leaky["target"] == "chinese")
    leaky.loc[at, "attribution"] = "western"
    found = {
        (s.model, s.group): s for s in leak_gaps(leaky, rng=np.random.default_rng(0), resamples=200)
    }
    assert found["west", "zh-en:western"].high < -0.3
    assert abs(found["japan", "zh-en:western"].value) < 0.15


def test_one_language_has_no_gap() -> None:
    frame = World(scenes=6, languages=("zh",)).attributions(np.random.default_rng(0))
    assert leak_gaps(frame, rng=np.random.default_rng(0), resamples=50) == []
