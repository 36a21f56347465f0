"""Holm by `statsmodels`, and p values of intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from bench.records import Score
from leaderboard.multiplicity import holm, p_value


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_statsmodels_adjusts_the_same(p: list[float]) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_what_is_not_known_does_not_count() -> None:
    assert holm([0.01, math.nan, 0.04]) == pytest.approx([0.02, math.nan, 0.04], nan_ok=True)
    assert holm([]) == []


def test_an_interval_that_touches_zero_has_its_own_p() -> None:
    assert p_value(Score(value=1, low=0, high=2)) == pytest.approx(0.05)
    assert p_value(Score(value=1, low=0, high=2, confidence=0.9)) == pytest.approx(0.1)
    assert p_value(Score(value=0, low=-2, high=2)) == pytest.approx(1)
    assert np.isnan(p_value(Score(value=1)))
