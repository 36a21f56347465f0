"""Marked passages per 1,000 characters: counted, and by their length."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from leaderboard.contrasts import NOTHING_VARIES
from leaderboard.passages import NONE_MARKED, passages

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


def test_works_without_a_mark_have_the_bound_of_a_count() -> None:
    """0 to 0 would say that no mark can come; 3.69 events are the exact bound of none."""
    rows = [(who, "clean", work, 0, 0, 0, 0, 0, 900) for who in "ab" for work in ("w1", "w2")]
    frame = pd.DataFrame(rows, columns=pd.Index(COLUMNS)).assign(occasion=0)
    scores = passages(frame, rng=np.random.default_rng(0), resamples=200)
    assert {s.value for s in scores} == {0.0}
    counted = [s for s in scores if s.metric == "marked_per_1000"]
    # two raters of one answer read its characters once
    assert [s.high for s in counted] == [pytest.approx(3.688879 / 1.8)] * 3
    assert {s.low for s in counted} == {0.0}
    lengths = [s for s in scores if s.metric != "marked_per_1000"]
    assert np.isnan([s.high for s in lengths]).all()
    assert {s.reason for s in lengths} == {NONE_MARKED}
    assert all("for these raters alone" in s.method for s in counted)


def test_two_works_with_equal_marks_have_no_interval() -> None:
    rows = [("a", "even", work, 1, 0, 9, 0, 9, 900) for work in ("w1", "w2")]
    frame = pd.DataFrame(rows, columns=pd.Index(COLUMNS)).assign(occasion=0)
    scores = passages(frame, rng=np.random.default_rng(0), resamples=200)
    wrong = [s for s in scores if s.criterion == "wrong"]
    assert {s.reason for s in wrong} == {NOTHING_VARIES}
    assert np.isnan([s.low for s in wrong]).all()


def test_works_of_one_name_in_two_suites_are_two() -> None:
    frame = pd.DataFrame(ROWS[:1] * 2, columns=pd.Index(COLUMNS)).assign(occasion=0)
    scores = passages(frame.assign(suite=["s", "t"]), rng=np.random.default_rng(0))
    assert {s.n_items for s in scores} == {2}


def test_empty_answers_have_no_rate() -> None:
    frame = pd.DataFrame(ROWS[:1], columns=pd.Index(COLUMNS)).assign(occasion=0, characters=0)
    scores = passages(frame, rng=np.random.default_rng(0))
    assert {s.reason for s in scores} == {"its answers are empty"}
