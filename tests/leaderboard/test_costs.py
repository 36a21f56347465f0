"""Costs from manifests and tables: means, shares, and tables that break the format."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import FileFormatError
from bench.records import Score
from leaderboard.costs import costs, costs_of_studies, read_costs

TABLE = "model,seconds,status\na,1.0,ok\na,3.0,suspect\na,,failed\nb,,ok\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_seconds_are_of_outputs_and_failures_of_all_jobs(table: Path) -> None:
    found = {(score.model, score.metric): score for score in costs(read_costs(table))}
    assert found["a", "device_seconds"].value == 2.0
    share = found["a", "failure_share"]
    assert share.value == pytest.approx(1 / 3)
    # Wilson 1927, by hand: centre (1/3 + z²/6)/(1 + z²/3), z = 1.96
    assert (share.low, share.high) == pytest.approx((0.0615, 0.7923), abs=1e-4)
    assert found["b", "device_seconds"].reason == "no time was recorded"
    assert found["b", "failure_share"].value == 0
    assert all(score.source == "run" for score in found.values())


def test_each_study_gets_the_costs_of_its_own_models(table: Path) -> None:
    scores = [
        Score(study="one", model="a"),
        Score(study="two", model="a"),
        Score(study="two", model="b"),
    ]
    found = costs_of_studies(read_costs(table), scores)
    assert {(score.study, score.model) for score in found} == {
        ("one", "a"),
        ("two", "a"),
        ("two", "b"),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model,seconds\na,1\n", "'status' is missing"),
        ("model,seconds,status\na,soon,ok\n", "line 2: column 'seconds' is no number.*'soon'"),
        ("model,seconds,status\na,-1,ok\n", "line 2: column 'seconds'"),
        (
            "model,seconds,status\na,1,fine\n",
            "line 2: column 'status' has the unknown label 'fine'",
        ),
        ("model,seconds,status\n,1,ok\n", "line 2: column 'model' is empty"),
    ],
)
def test_a_table_that_breaks_the_format_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "jobs.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FileFormatError, match=said):
        read_costs(path)
