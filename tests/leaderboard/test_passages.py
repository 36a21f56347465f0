"""Marked passages per 1,000 characters: counted, and by their length."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from leaderboard.contrasts import NOTHING_VARIES
from leaderboard.passages import passages

ROWS = [
    # rater, model, prompt, wrong, invented, wrong characters, invented characters, union, read
    ("a", "one", "w1", 2, 1, 30, 20, 40, 1000),
    ("b", "one", "w1", 0, 0, 0, 0, 0, 1000),
    ("a", "one", "w2", 1, 0, 60, 0, 60, 500),
    ("a", "two", "w1", 0, 0, 0, 0, 0, 800),
]
COLUMNS = [
    "rater", "model", "prompt", "wrong", "invented", "wrong_characters", "invented_characters",
    "marked_characters", "characters",
]  # fmt: skip


def test_marks_and_their_characters_per_thousand_read() -> None:
    frame = pd.DataFrame(ROWS, columns=pd.Index(COLUMNS)).assign(occasion=0)
    again = frame.assign(occasion=1, wrong=99, wrong_characters=900)
    scores = passages(pd.concat([frame, again]), rng=np.random.default_rng(0), resamples=200)
    found = {(s.metric, s.model, s.criterion): s for s in scores}
    assert found["marked_per_1000", "one", "wrong"].value == pytest.approx(3 / 2.5)
    assert found["marked_per_1000", "one", "all"].value == pytest.approx(4 / 2.5)
    assert found["marked_characters_per_1000", "one", "wrong"].value == pytest.approx(90 / 2.5)
    # what both kinds cover counts once
    union = found["marked_characters_per_1000", "one", "all"]
    assert union.value == pytest.approx(100 / 2.5)
    assert union.low < union.value < union.high
    assert (union.n_items, union.n_raters, union.n_values) == (2, 2, 3)
    lone = found["marked_characters_per_1000", "two", "all"]
    assert lone.value == 0
    assert lone.reason.startswith("no interval")


def test_two_works_without_a_mark_have_no_interval() -> None:
    """0 to 0 would say that no mark can come."""
    rows = [("a", "clean", work, 0, 0, 0, 0, 0, 900) for work in ("w1", "w2")]
    frame = pd.DataFrame(rows, columns=pd.Index(COLUMNS)).assign(occasion=0)
    scores = passages(frame, rng=np.random.default_rng(0), resamples=200)
    assert {s.value for s in scores} == {0.0}
    assert np.isnan([[s.low, s.high] for s in scores]).all()
    assert {s.reason for s in scores} == {NOTHING_VARIES}
    assert all("for these raters alone" in s.method for s in scores)


def test_empty_answers_have_no_rate() -> None:
    frame = pd.DataFrame(ROWS[:1], columns=pd.Index(COLUMNS)).assign(occasion=0, characters=0)
    scores = passages(frame, rng=np.random.default_rng(0))
    assert {s.reason for s in scores} == {"its answers are empty"}
