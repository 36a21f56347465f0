"""Holm by `statsmodels`, and what is tested with differences: p values and simultaneous bounds."""

from __future__ import annotations

import math
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, t
from statsmodels.stats.multitest import multipletests

from leaderboard.contrasts import Contrast, Contrasts, simultaneous_intervals, stacked
from leaderboard.multiplicity import holm


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_statsmodels_adjusts_the_same(p: list[float]) -> None:
    with patch("gc.collect"):  # which statsmodels calls each time: most of its second
        theirs = multipletests(p, method="holm")[1]
    assert holm(p) == pytest.approx(theirs)


def test_what_is_not_known_does_not_count() -> None:
    assert holm([0.01, math.nan, 0.04]) == pytest.approx([0.02, math.nan, 0.04], nan_ok=True)
    assert holm([]) == []


def _contrasts(values: list[float], freedom: float, resamples: int = 20_000) -> Contrasts:
    rng = np.random.default_rng(0)
    wide = t.ppf(0.975, freedom) / norm.ppf(0.975) if math.isfinite(freedom) else 1.0
    return stacked(
        [
            Contrast(np.append(value, value + wide * rng.normal(0, 1, resamples)), 1.0, freedom)
            for value in values
        ]
    )


@pytest.mark.parametrize("freedom", [3.0, 12.0, math.inf])
def test_p_is_that_of_students_t(freedom: float) -> None:
    bound = float(t.ppf(0.975, freedom)) if math.isfinite(freedom) else float(norm.ppf(0.975))
    p = _contrasts([0.0, bound, -bound, 4 * bound], freedom).p_values()
    assert p[:3] == pytest.approx([1, 0.05, 0.05])
    # with three degrees of freedom a small p takes far more than under the normal
    assert p[3] == pytest.approx(2 * t.sf(4 * bound, freedom))


def test_what_never_varies_or_was_not_resampled_is_not_tested() -> None:
    still = Contrast(np.full(101, 2.0), 0.0, np.inf)
    lacking = Contrast(np.append(2.0, np.full(100, np.nan)), 1.0, 5.0)
    found = stacked([still, lacking])
    assert np.isnan(found.p_values()).all()
    assert np.isnan(simultaneous_intervals(found, 0.95)).all()


@pytest.mark.parametrize("freedom", [3.0, math.inf])
def test_one_difference_has_the_interval_of_its_t_and_several_a_wider_one(freedom: float) -> None:
    bound = float(t.ppf(0.975, freedom)) if math.isfinite(freedom) else float(norm.ppf(0.975))
    low, high = simultaneous_intervals(_contrasts([1.0], freedom), 0.95)
    assert (low[0], high[0]) == (
        pytest.approx(1 - bound, rel=0.05),
        pytest.approx(1 + bound, rel=0.05),
    )
    among = simultaneous_intervals(_contrasts([1.0] * 6, freedom), 0.95)[1]
    # six that do not depend on each other: Šidák's level, by Student's t
    beyond = (1 - 0.95 ** (1 / 6)) / 2
    wanted = t.isf(beyond, freedom) if math.isfinite(freedom) else norm.isf(beyond)
    assert among[0] == pytest.approx(1 + wanted, rel=0.06)
