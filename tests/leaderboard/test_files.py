"""Scores on disk."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from bench.errors import FileFormatError, RequestError
from bench.records import Score
from leaderboard.files import COLUMNS, read_scores, to_json, write_scores

SCORES = [
    Score(metric="alpha", criterion="气韵", value=0.1 + 0.2, low=0.1, high=0.5, n_items=3),
    Score(metric="alpha", criterion="007", reason="no variation", method="a, b"),
]


def same(left: Score, right: Score) -> bool:
    return repr(left) == repr(right)


@pytest.mark.parametrize("name", ["", "scores.csv", "scores.parquet"])
def test_scores_come_back_as_they_were(tmp_path: Path, name: str) -> None:
    assert write_scores(SCORES, tmp_path / "report").name == "scores.csv"
    back = read_scores(tmp_path / "report" / name)
    assert all(same(*pair) for pair in zip(SCORES, back, strict=True))
    assert sorted(p.name for p in (tmp_path / "report").iterdir()) == [
        "scores.csv",
        "scores.parquet",
    ]


def test_columns_are_those_of_the_design(tmp_path: Path) -> None:
    header = write_scores(SCORES, tmp_path).read_text().splitlines()[0]
    assert header == (
        "study,source,slice,metric,criterion,model,against,group,value,low,high,confidence,"
        "level,n_items,n_raters,n_values,method,reason"
    )
    assert header.split(",") == list(COLUMNS)


def test_json_has_null_for_what_is_missing() -> None:
    first, second = json.loads(to_json(SCORES))
    assert first["criterion"] == "气韵"
    assert second["value"] is None
    assert list(first) == list(COLUMNS)


def test_two_scores_of_one_key_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="metric=alpha, criterion=007"):
        write_scores([*SCORES, Score(metric="alpha", criterion="007", value=1.0)], tmp_path)


def test_no_scores_make_an_empty_table(tmp_path: Path) -> None:
    path = write_scores([], tmp_path)
    with pytest.raises(FileFormatError, match="has no rows"):
        read_scores(path)


def test_faults_of_files(tmp_path: Path) -> None:
    path = write_scores(SCORES, tmp_path)
    path.write_text(path.read_text().replace("0.1,0.5", "low,0.5"))
    with pytest.raises(FileFormatError, match=r"scores\.csv, line 2: column 'low' is not a number"):
        read_scores(path)
    path.write_text("metric,value\nalpha,1\n")
    with pytest.raises(FileFormatError, match="column 'study' of a score is missing"):
        read_scores(path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="cannot write"):
        write_scores(SCORES, tmp_path / "file")


def test_a_value_that_is_missing_stays_missing(tmp_path: Path) -> None:
    write_scores(SCORES, tmp_path)
    assert math.isnan(read_scores(tmp_path)[1].value)
