"""What is drawn of each criterion, and several criteria together as one quantity."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.records import Score
from leaderboard.languages import score_gaps
from leaderboard.quality import mean_scores
from tests.leaderboard.coverage import Design, rated, table_of_ratings


def scores_of(table: pd.DataFrame, confidence: float = 0.95) -> list[Score]:
    return list(mean_scores(table, Score(confidence=confidence), np.random.default_rng(0), 2000))


def two_criteria() -> pd.DataFrame:
    """On c tastes differ much and four raters are few; on d scenes differ, of which there are many."""
    rng = np.random.default_rng(8)
    quality = (3.35, 3.1, 3.1)
    c = Design(4, 60, 0.3, taste=0.35, model_scene=0.2, quality=quality)
    d = Design(4, 60, 0.3, taste=0.0, model_scene=0.9, quality=quality)
    tables = [table_of_ratings(rated(c, rng), "c"), table_of_ratings(rated(d, rng), "d")]
    return pd.concat(tables, ignore_index=True)


def test_p_and_order_by_all_criteria_do_not_hang_on_the_confidence_asked_for() -> None:
    found: dict[tuple[str, str, str], set[float]] = {}
    for confidence in (0.5, 0.8, 0.95, 0.99):
        for s in scores_of(two_criteria(), confidence):
            if s.metric == "score_difference_p":
                key = (s.criterion, s.model, s.against)
                found.setdefault(key, set()).add(round(s.value, 12))
    assert len(found) == 9
    assert {len(values) for values in found.values()} == {1}


def test_one_criterion_counted_twice_is_that_criterion() -> None:
    """Criteria share raters and scenes: two of the same are no better known than one."""
    rng = np.random.default_rng(2)
    one = table_of_ratings(rated(Design(5, 40, 0.3), rng), "c")
    scores = scores_of(pd.concat([one, one.assign(criterion="d")], ignore_index=True))
    for metric in ("score_difference", "score_difference_p"):
        of = {
            s.criterion: s for s in scores if (s.metric, s.model, s.against) == (metric, "a", "b")
        }
        assert of[""].value == pytest.approx(of["c"].value, rel=1e-9)
        if metric == "score_difference":
            assert (of[""].low, of[""].high) == pytest.approx((of["c"].low, of["c"].high), rel=1e-6)


def test_criteria_of_independent_errors_together_are_better_known() -> None:
    scores = scores_of(two_criteria())
    width = {
        s.criterion: s.high - s.low
        for s in scores
        if (s.metric, s.model, s.against) == ("score_difference", "a", "b")
    }
    halves = (width["c"] ** 2 + width["d"] ** 2) ** 0.5 / 2
    assert width[""] == pytest.approx(halves, rel=0.25)


@pytest.mark.parametrize("raters", [1, 2])
def test_a_criterion_of_few_raters_is_for_these_alone_as_in_a_table_of_its_own(
    raters: int,
) -> None:
    rng = np.random.default_rng(3)
    whole = table_of_ratings(rated(Design(8, 40, 0.4), rng))
    few = whole[whole["rater"].astype(int) < raters].assign(criterion="d")
    both = scores_of(pd.concat([whole, few], ignore_index=True))
    alone = {(s.metric, s.model, s.against, s.group): s for s in scores_of(few)}
    seen = 0
    for s in both:
        if s.criterion == "c":
            assert "over scenes, raters;" in s.method
        elif s.criterion == "d":
            own = alone[s.metric, s.model, s.against, s.group]
            assert s.method == own.method
            assert "for these raters alone" in s.method
            assert s.value == pytest.approx(own.value, rel=1e-9)
            if np.isfinite(own.low) and s.metric != "rank":
                # other resamples of the same scenes
                size = own.high - own.low
                assert (s.low, s.high) == pytest.approx((own.low, own.high), abs=0.08 * size)
                seen += 1
        else:
            assert "raters" in s.method.split("over ")[1]
            assert "; for these raters alone on d" in s.method
    assert seen == 6


def test_a_language_gap_of_few_raters_is_for_these_alone() -> None:
    rng = np.random.default_rng(4)
    tables = [
        table_of_ratings(rated(Design(6, 20, 0.4), rng)).assign(language=language)
        for language in ("en", "zh")
    ]
    whole = pd.concat(tables, ignore_index=True)
    whole["item"] += whole["language"]
    few = whole[whole["rater"].isin(["0", "1"])].assign(criterion="d")
    both = pd.concat([whole, few], ignore_index=True)
    for s in score_gaps(both, rng=np.random.default_rng(0), resamples=200):
        assert ("for these raters alone" in s.method) == (s.criterion == "d")
