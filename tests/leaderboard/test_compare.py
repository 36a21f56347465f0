"""Two releases: verdicts by hand, Holm's correction, and requests that cannot be met."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from scipy.stats import norm

from bench.cli import main
from bench.errors import RequestError
from bench.records import Score
from leaderboard.compare import compare, is_loss, is_undecided, sentence, to_record
from leaderboard.files import write_scores
from leaderboard.words import words_in

BLANK = Score(metric="score_difference", model="v1", against="v2")


def difference(criterion: str, value: float, half: float, **columns: str) -> Score:
    made = replace(BLANK, criterion=criterion, value=value, low=value - half, high=value + half)
    return replace(made, **columns)


def with_p(*scores: Score) -> list[Score]:
    """Return the scores, each with its p behind it, as the scorer writes them."""
    rows: list[Score] = []
    for score in scores:
        error = (score.high - score.low) / 2 / float(norm.ppf(0.975))
        p = 2 * float(norm.sf(abs(score.value) / error))
        rows += [score, replace(score, metric=f"{score.metric}_p", value=p)]
    return rows


def test_signs_are_those_of_after_less_before_whichever_stands_first() -> None:
    rows = with_p(
        difference("brush", 0.5, 0.1),
        replace(difference("form", 0.5, 0.1), model="v2", against="v1"),
    )
    verdicts = compare(rows, "v1", "v2")
    assert [verdict.outcome for verdict in verdicts] == ["worse", "better"]
    assert verdicts[0].difference.value == -0.5
    assert (verdicts[0].difference.low, verdicts[0].difference.high) == (-0.6, -0.4)
    assert is_loss(verdicts)
    assert not is_loss(compare(rows[2:], "v1", "v2"))


def test_more_leak_is_a_loss() -> None:
    more = difference("manner", -0.2, 0.05, metric="leak_difference", group="western")
    p = replace(more, metric="leak_difference_p", value=0.001)
    (verdict,) = compare([more, p], "v1", "v2")
    assert verdict.difference.value == 0.2
    assert verdict.p == 0.001
    assert verdict.outcome == "worse"
    assert "bias towards Western: v2 is worse than v1: 0.20" in sentence(verdict, words_in("en"))


def test_many_criteria_are_corrected_for() -> None:
    alone = difference("a", 0.2, 0.19)
    assert compare(with_p(alone), "v1", "v2")[0].outcome == "worse"
    others = [difference(name, 0.0, 0.3) for name in "bcdef"]
    verdicts = compare(with_p(alone, *others), "v1", "v2")
    assert {verdict.outcome for verdict in verdicts} == {"no difference shown"}
    assert verdicts[0].p_holm == pytest.approx(6 * verdicts[0].p)


def test_what_is_not_tested() -> None:
    rows = [
        difference("brush", 0.0, 0.1),
        difference("", -2.0, 0.1),
        replace(difference("brush", -2.0, 0.1), slice="language=zh"),
        difference("things", -2.0, 0.1, metric="leak_difference", group="western"),
        replace(difference("brush", -2.0, 0.1), against="v3"),
    ]
    assert len(compare(rows, "v1", "v2")) == 1


def test_a_value_that_is_missing_has_its_reason_and_counts_as_no_test() -> None:
    missing = replace(BLANK, criterion="brush", reason="no common scenes")
    known = difference("form", 0.2, 0.19)
    verdicts = compare([missing, *with_p(known)], "v1", "v2")
    assert [verdict.outcome for verdict in verdicts] == ["not comparable", "worse"]
    assert "cannot be compared: no common scenes" in sentence(verdicts[0], words_in("en"))
    assert to_record(verdicts[0])["p"] is None
    assert to_record(verdicts[1])["outcome"] == "worse"


def test_a_difference_without_its_p_is_not_tested() -> None:
    """As in a table of another tool, or of a version that wrote none."""
    (verdict,) = compare([difference("form", 0.2, 0.1)], "v1", "v2")
    assert verdict.outcome == "not comparable"
    assert "cannot be compared: no p value" in sentence(verdict, words_in("en"))


def test_without_any_verdict_the_comparison_is_undecided(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = replace(BLANK, criterion="brush", reason="no common scenes")
    known = difference("form", 0.2, 0.19)
    assert is_undecided(compare([missing], "v1", "v2"))
    assert not is_undecided(compare([missing, *with_p(known)], "v1", "v2"))
    write_scores([missing], tmp_path)
    assert main(["leaderboard", str(tmp_path), "--compare", "v1", "v2"]) == 2
    told = capsys.readouterr()
    assert "cannot be compared: no common scenes" in told.out
    assert "no verdict" in told.err


def test_wrong_requests_say_what_there_is() -> None:
    with pytest.raises(RequestError, match="no scores of 'v9': there are v1, v2"):
        compare([difference("brush", 0.0, 0.1)], "v1", "v9")
    with pytest.raises(RequestError, match="pinlu score"):
        compare([replace(BLANK, metric="mean_score"), replace(BLANK, model="v2")], "v1", "v2")
