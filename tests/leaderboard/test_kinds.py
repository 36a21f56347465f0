"""Tables told apart by their columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import FileFormatError, RequestError
from leaderboard.kinds import read_tables
from tests.leaderboard.simulation import World


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_every_kind_in_every_form_is_told(tmp_path: Path, suffix: str) -> None:
    tables = World(scenes=2).tables(0)
    paths = []
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
