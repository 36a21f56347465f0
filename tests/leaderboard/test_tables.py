"""Tables: what is read is what stands there, and every fault names its place."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.errors import FileFormatError, RequestError
from leaderboard.tables import (
    check_attributions,
    check_ratings,
    check_votes,
    read_attributions,
    read_ratings,
    read_votes,
)

RATINGS = "rater,item,criterion,value\n007,01,spirit,3\n007,02,spirit,4.5\n"
VOTES = "rater,prompt,left,right,winner\nr,p,a,b,left\nr,p,a,b,tie\n"
ATTRIBUTIONS = (
    "rater,item,model,prompt,target,attribution\n"
    "r,i,a,heron/chinese,chinese,japanese\n"
    "r,k,reference,,japanese,other\n"
)


def write(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_an_answer_of_not_applicable_has_no_value(tmp_path: Path) -> None:
    text = "rater,item,criterion,value,not_applicable\nr,1,c,3,false\nr,2,c,,true\n"
    frame = read_ratings([write(tmp_path, text)])
    assert list(frame["value"].fillna(-1)) == [3, -1]
    assert list(frame["not_applicable"]) == ["false", "true"]
    frame.to_parquet(tmp_path / "again.parquet")
    again = read_ratings([tmp_path / "again.parquet"])
    pd.testing.assert_series_equal(again["value"], frame["value"])
    with pytest.raises(FileFormatError, match=r"line 3: column 'value' has a value, '4'"):
        read_ratings([write(tmp_path, text.replace("2,c,,", "2,c,4,"))])
    with pytest.raises(FileFormatError, match=r"line 2: column 'value' is empty"):
        read_ratings([write(tmp_path, text.replace("1,c,3,", "1,c,,"))])


def test_ids_of_digits_stay_text_and_defaults_are_filled(tmp_path: Path) -> None:
    frame = read_ratings([write(tmp_path, RATINGS)])
    assert list(frame["rater"]) == ["007", "007"]
    assert list(frame["item"]) == ["01", "02"]
    assert list(frame["value"]) == [3.0, 4.5]
    assert set(frame["study"]) == set(frame["model"]) == set(frame["language"]) == {""}
    assert set(frame["occasion"]) == {0}


def test_csv_jsonl_and_parquet_read_alike(tmp_path: Path) -> None:
    csv = write(tmp_path, RATINGS)
    frame = pd.read_csv(csv, dtype={"rater": str, "item": str})
    frame.to_parquet(tmp_path / "table.parquet")
    lines = "\n".join(json.dumps(row) for row in frame.to_dict("records"))
    jsonl = write(tmp_path, lines, "table.jsonl")
    expected = read_ratings([csv])
    pd.testing.assert_frame_equal(expected, read_ratings([tmp_path / "table.parquet"]))
    pd.testing.assert_frame_equal(expected, read_ratings([jsonl]))


def test_byte_order_mark_chinese_and_unknown_columns_are_carried(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(
        "rater,item,criterion,value,备注\n张三,画一,气韵,4,很好\n", encoding="utf-8-sig"
    )
    frame = read_ratings([path])
    assert frame.loc[0, "rater"] == "张三"
    assert frame.loc[0, "criterion"] == "气韵"
    assert frame.loc[0, "备注"] == "很好"


def test_whole_numbers_as_ids_become_their_digits(tmp_path: Path) -> None:
    path = write(tmp_path, '{"rater": 7, "item": 1, "criterion": "c", "value": 2}\n', "t.jsonl")
    frame = read_ratings([path])
    assert frame.loc[0, "rater"] == "7"
    with_gap = pd.DataFrame(
        {"rater": ["a", "b"], "item": [1, 2], "criterion": "c", "value": 1, "seed": [3, None]}
    )
    assert list(check_ratings(with_gap, "memory")["seed"]) == ["3", ""]


def test_categories_and_flags_of_parquet(tmp_path: Path) -> None:
    frame = pd.read_csv(write(tmp_path, ATTRIBUTIONS))
    frame["prompt"] = frame["prompt"].fillna("")
    frame["target"] = frame["target"].astype("category")
    frame["recognised"] = [True, False]
    frame.to_parquet(tmp_path / "t.parquet")
    assert list(read_attributions([tmp_path / "t.parquet"])["recognised"]) == ["true", "false"]


def test_several_files_are_one_table_and_repeat_across_them_is_found(tmp_path: Path) -> None:
    first = write(tmp_path, RATINGS, "a.csv")
    second = write(
        tmp_path, "rater,item,criterion,value\nx,01,spirit,3\n007,02,spirit,4\n", "b.csv"
    )
    with pytest.raises(FileFormatError, match=r"b\.csv, line 3: repeats .*a\.csv, line 3: rater"):
        read_ratings([first, second])


def test_same_ids_in_two_studies_or_on_two_occasions_are_no_repeat() -> None:
    row = {"rater": "r", "item": "i", "criterion": "c", "value": 1}
    frame = pd.DataFrame([row | {"study": "a"}, row | {"study": "b"}, row | {"occasion": 1}])
    assert len(check_ratings(frame, "memory")) == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("rater,item,value\nr,i,1\n", "column 'criterion' is missing"),
        ("rater,item,criterion,value\nr,i,c,\n", "line 2: column 'value' is empty"),
        (
            "rater,item,criterion,value\nr,i,c,nan\n",
            "line 2: .*'value' is not a finite number: 'nan'",
        ),
        ("rater,item,criterion,value\nr,i,c,NA\n", "not a finite number: 'NA'"),
        ("rater,item,criterion,value\nr,i,c,inf\n", "not a finite number: 'inf'"),
        ("rater,item,criterion,value\nr,i,c,good\n", "not a finite number: 'good'"),
        ("rater,item,criterion,value\n ,i,c,1\n", "line 2: column 'rater' is empty"),
        ("rater,item,criterion,value\nr,,c,1\n", "line 2: column 'item' is empty"),
        ("rater,item,criterion,value\nr,i,c,1\nr,i,c,2\n", "line 3: repeats .*line 2: rater 'r'"),
        ("rater,item,criterion,value\nr,i,c\n", "line 2: has 3 cells, the header has 4"),
        ("rater,item,item,value\nr,i,c,1\n", "column 'item' stands twice"),
        ("rater,item,criterion,value\n", "has no rows"),
        ("", "has no rows"),
        ('rater,item,criterion,value\nr,"i,c,1\n', "is not valid CSV"),
        ("rater,item,criterion,value,occasion\nr,i,c,1,-1\n", "'occasion' is not a whole number"),
        (
            "rater,item,criterion,value,model\nr,i,c,1,a\ns,i,c,1,b\n",
            "line 3: item 'i' has model 'b', but 'a' at",
        ),
    ],
)
def test_faults_of_ratings(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(FileFormatError, match=sentence) as caught:
        read_ratings([write(tmp_path, text)])
    assert "table.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("r,p,a,b,both", "line 2: column 'winner' has the unknown label 'both'"),
        ("r,p,a,a,left", "not compared with itself"),
        ("r,p,,b,left", "column 'left' is empty"),
        ("r,p,a,b,", "column 'winner' is empty"),
    ],
)
def test_faults_of_votes(tmp_path: Path, row: str, sentence: str) -> None:
    with pytest.raises(FileFormatError, match=sentence):
        read_votes([write(tmp_path, f"rater,prompt,left,right,winner\n{row}\n")])


def test_equal_votes_are_two_votes(tmp_path: Path) -> None:
    assert len(read_votes([write(tmp_path, VOTES), write(tmp_path, VOTES, "b.csv")])) == 4


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("r,x,a,heron/chinese,chinese,korean", "unknown label 'korean': give one of chinese, jap"),
        ("r,x,a,,chinese,chinese", "column 'prompt' is empty; a reference alone may have none"),
        ("r,i,a,heron/chinese,chinese,other", "repeats"),
        ("s,i,b,heron/chinese,chinese,other", "item 'i' has model 'b', but 'a'"),
        ("s,i,a,heron/chinese,japanese,other", "item 'i' has target 'japanese', but 'chinese'"),
        ("s,k,reference,,japanese,", "column 'attribution' is empty"),
    ],
)
def test_faults_of_attributions(tmp_path: Path, row: str, sentence: str) -> None:
    with pytest.raises(FileFormatError, match=sentence):
        read_attributions([write(tmp_path, f"{ATTRIBUTIONS}{row}\n")])


def test_declared_labels_and_both_aspects(tmp_path: Path) -> None:
    frame = pd.read_csv(write(tmp_path, ATTRIBUTIONS), keep_default_na=False)
    twice = pd.concat([frame.assign(aspect="manner"), frame.assign(aspect="things")])
    assert len(check_attributions(twice, "memory")) == 4
    twice["attribution"] = "persian"
    assert len(check_attributions(twice, "memory", labels=["persian"])) == 4
    with pytest.raises(FileFormatError, match="memory, row 1: column 'aspect'"):
        check_attributions(frame.assign(aspect="colour"), "memory")
    with pytest.raises(FileFormatError, match="'trace_strength' has the unknown label"):
        check_attributions(frame.assign(trace_strength="huge"), "memory")
    with pytest.raises(FileFormatError, match="'recognised' is neither true nor false: 'maybe'"):
        check_attributions(frame.assign(recognised="maybe"), "memory")


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (['{"rater": "r"}', "[1]"], "line 2: is not a JSON object"),
        (["{"], "line 1: is not JSON"),
        (
            [
                '{"rater": "r", "item": 1, "criterion": "c", "value": 1}',
                '{"rater": "r", "item": "2", "criterion": "c", "value": 1}',
            ],
            "line 2: column 'item' mixes text and numbers: '2' after 1",
        ),
        (
            [
                '{"rater": "r", "item": "1", "criterion": "c", "value": 1}',
                '{"rater": "r", "item": "2", "criterion": "c", "value": "1"}',
            ],
            "line 2: column 'value' mixes text and numbers",
        ),
        (
            ['{"rater": "r", "item": "1", "criterion": "c", "value": true}'],
            "neither text nor number",
        ),
        (['{"rater": "r", "item": "1", "criterion": "c", "value": null}'], "'value' is empty"),
        (['{"rater": "r", "item": 1.5, "criterion": "c", "value": 1}'], "not a fraction: 1.5"),
    ],
)
def test_faults_of_json_lines(tmp_path: Path, lines: list[str], sentence: str) -> None:
    with pytest.raises(FileFormatError, match=sentence):
        read_ratings([write(tmp_path, "\n".join(lines), "t.jsonl")])


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no table was given"):
        read_ratings([])
    with pytest.raises(FileFormatError, match="cannot be read: No such file"):
        read_ratings([tmp_path / "missing.csv"])
    with pytest.raises(FileFormatError, match=r"unknown suffix '\.xlsx'"):
        read_ratings([tmp_path / "table.xlsx"])
    with pytest.raises(FileFormatError, match="not a readable Parquet file"):
        read_ratings([write(tmp_path, "no parquet", "t.parquet")])
    (tmp_path / "latin.csv").write_bytes("rater,é\n".encode("latin-1"))
    with pytest.raises(FileFormatError, match="is not UTF-8"):
        read_ratings([tmp_path / "latin.csv"])


def test_frames_in_memory_keep_their_rows_in_order() -> None:
    frame = pd.DataFrame(
        {"rater": ["r", "r"], "prompt": "p", "left": "a", "right": "b", "winner": ["tie", "x"]},
        index=[5, 9],
    )
    with pytest.raises(FileFormatError, match="the join, row 2: column 'winner'"):
        check_votes(frame, "the join")
    ratings = pd.DataFrame({"rater": "r", "item": ["a", "b"], "criterion": "c", "value": np.nan})
    with pytest.raises(FileFormatError, match="the join, row 1: column 'value'"):
        check_ratings(ratings, "the join")


def test_clean_columns_are_taken_as_they_stand_and_others_mended() -> None:
    cells = ["甲", " 乙 ", "甲"]
    frame = pd.DataFrame({"rater": cells, "item": ["i", "i", "j"], "criterion": "c", "value": 3})
    for kind in ("str", "object", "category"):
        checked = check_ratings(frame.astype({"rater": kind}), "memory")
        assert checked["rater"].tolist() == ["甲", "乙", "甲"]
        assert checked["rater"].dtype == "str"
    for kind in ("str", "object", "category"):
        holes = frame.assign(rater=pd.Series(["甲", "乙", None], dtype=kind))
        with pytest.raises(FileFormatError, match=r"memory, row 3: column 'rater' is empty"):
            check_ratings(holes, "memory")
        groups = frame.assign(rater_group=pd.Series(["a", None, "a"], dtype=kind))
        assert check_ratings(groups, "memory")["rater_group"].tolist() == ["a", "", "a"]


def test_checking_a_table_changes_nothing_of_it() -> None:
    frame = pd.DataFrame({"rater": ["a ", "b"], "item": "i", "criterion": "c", "value": [3, 4]})
    before = frame.copy()
    check_ratings(frame, "memory")
    pd.testing.assert_frame_equal(frame, before)
