from __future__ import annotations

import numpy as np
import pytest

from bench.precision import Components, detectable_difference


@pytest.mark.parametrize(
    ("prompts", "raters", "each", "expected"),
    [
        # crossed: every rater judges every item
        (50, 5, 5, 0.53),
        (100, 10, 10, 0.36),
        (200, 24, 24, 0.23),
        # incomplete blocks
        (48, 30, 5, 0.39),
        (24, 30, 5, 0.52),
    ],
)
def test_known_plans(prompts: int, raters: int, each: int, expected: float) -> None:
    assert round(detectable_difference(prompts, raters, each), 2) == expected


def test_the_difference_is_detected_as_often_as_is_said() -> None:
    # an oracle: simulate the crossed design and test each difference at the known variance
    rng = np.random.default_rng(0)
    found = Components(prompt=0.25, rater=0.05, rest=0.64)
    prompts, raters, times = 40, 8, 4000
    gap = detectable_difference(prompts, raters, raters, found)
    spread = np.sqrt([found.prompt / prompts, found.rater / raters, found.rest / prompts / raters])
    means = (rng.normal(size=(times, 2, 3)) * spread).sum(axis=2)
    error = np.sqrt(2 * (spread**2).sum())
    detected = abs(means[:, 0] - means[:, 1] + gap) > 1.959964 * error
    assert detected.mean() == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("counts", [(0, 5, 5), (5, 0, 1), (5, 5, 0), (5, 4, 5)])
def test_impossible_counts_are_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        detectable_difference(*counts)
