"""Tables told apart by their columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.cli import main
from bench.errors import FileFormatError, RequestError
from leaderboard.kinds import read_tables
from leaderboard.tables import check_ratings, read_ratings
from tests.leaderboard.simulation import World


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_every_kind_in_every_form_is_told(tmp_path: Path, suffix: str) -> None:
    tables = World(scenes=2).tables(0)
    paths: list[Path] = []
    for name, frame in tables.items():
        path = tmp_path / f"table-{len(paths)}.{suffix}"
        if suffix == "csv":
            frame.to_csv(path, index=False)
        elif suffix == "parquet":
            frame.to_parquet(path, index=False)
        else:
            frame.to_json(path, orient="records", lines=True, force_ascii=False)
        paths.append(path)
        assert list(read_tables([path])) == [name]
    found = read_tables(paths)
    assert {name: len(frame) for name, frame in found.items()} == {
        name: len(frame) for name, frame in tables.items()
    }


def test_detections_are_a_kind(tmp_path: Path) -> None:
    path = tmp_path / "seen.csv"
    path.write_text("rater,item,model,seen_as\na,b,m,human\n", encoding="utf-8")
    assert list(read_tables([path])) == ["detections"]


def test_a_table_of_no_kind_is_refused_with_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("rater,item\na,b\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match=r"cannot tell what it holds.*rater, item"):
        read_tables([path])
    path.write_text("rater,value,winner\na,1,left\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match="cannot tell"):
        read_tables([path])
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_tables([tmp_path / "missing.csv"])
    (tmp_path / "bad.parquet").write_bytes(b"no")
    with pytest.raises(FileFormatError, match=r"bad\.parquet"):
        read_tables([tmp_path / "bad.parquet"])
    with pytest.raises(RequestError):
        read_tables([])


def test_lines_of_jsonl_may_begin_without_the_telling_column(tmp_path: Path) -> None:
    path = tmp_path / "ratings.jsonl"
    path.write_text(
        '{"rater": "a", "item": "i", "criterion": "c", "not_applicable": true}\n'
        '{"rater": "b", "item": "i", "criterion": "c", "value": 3}\n',
        encoding="utf-8",
    )
    assert len(read_tables([path])["ratings"]) == 2
    path.write_text("[1]\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match="line 1: is not a JSON object"):
        read_tables([path])


@pytest.mark.parametrize("reader", [read_tables, read_ratings])
def test_what_a_spreadsheet_saves_is_told_in_one_wording(
    tmp_path: Path, reader: Callable[[list[Path]], object]
) -> None:
    path = tmp_path / "表.csv"
    path.write_bytes("rater,item,criterion,value\n张三,画一,气韵,4\n".encode("gbk"))
    with pytest.raises(FileFormatError, match=r"表\.csv: is not UTF-8: save it as CSV UTF-8$"):
        reader([path])
    path.write_text("rater;item;criterion;value\na;i;c;4\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match="is separated by ';': save it with commas"):
        reader([path])
    path.write_text("rater\titem\tcriterion\tvalue\na\ti\tc\t4\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match="is separated by tabs: save it with commas"):
        reader([path])


@pytest.mark.parametrize("as_category", [False, True])
def test_space_around_an_id_makes_no_second_rater(tmp_path: Path, as_category: bool) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text("rater, item, criterion, value\nr0, i, c, 4\n r0, k, c, 3\n", encoding="utf-8")
    frame = read_ratings([path])
    if as_category:
        frame = check_ratings(
            pd.DataFrame(
                {"rater": [" r0", "r0"], "item": ["i", "k"], "criterion": "c", "value": 3}
            ).astype({"rater": "category"}),
            "memory",
        )
    assert set(frame["rater"]) == {"r0"}
    assert list(frame["item"]) == ["i", "k"]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_an_empty_table_of_an_export_is_named_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    votes, empty = tmp_path / "votes.csv", tmp_path / f"detections.{suffix}"
    World(scenes=4).votes(np.random.default_rng(0)).to_csv(votes, index=False)
    nothing = pd.DataFrame(columns=["rater", "item", "model", "seen_as"])
    if suffix == "csv":
        nothing.to_csv(empty, index=False)
    elif suffix == "parquet":
        nothing.to_parquet(empty, index=False)
    else:
        empty.write_text("\n", encoding="utf-8")
    assert main(["score", str(votes), str(empty), "--json"]) == 0
    assert f"{empty} has no rows" in capsys.readouterr().err
    # alone it is what it always was: an error
    assert main(["score", str(empty)]) == 2
