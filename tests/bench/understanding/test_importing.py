"""Answers made elsewhere: a table is taken whole or not at all."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bench import manifest
from bench.cli import main
from bench.errors import ConflictError, FileFormatError, RequestError
from bench.records import ModelSpec
from bench.understanding.importing import COLUMNS, ImportedAnswers, import_answers
from tests.bench.understanding.material import suite_of_questions, works_folder

CLOSED = ModelSpec("closed", "", "2026-11", origin="Somebody", licence="terms")
GOOD = [
    ("early-spring", "tradition", "en", "0", "Chinese\nThe mist is left blank."),
    ("a-print", "tradition", "zh", "0", "日本\n线条匀净。"),
    ("a-print", "printing", "zh", "1", '木版，"套色"，分五版。'),
]


def table(path: Path, rows: list[tuple[str, ...]], columns: tuple[str, ...] = COLUMNS) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


@pytest.fixture
def suite(tmp_path: Path) -> str:
    return str(suite_of_questions(tmp_path / "suite.yaml"))


@pytest.fixture
def works(tmp_path: Path) -> Path:
    return works_folder(tmp_path / "works")


def take(works: Path, run: Path, path: Path, suite: str | None = None) -> ImportedAnswers:
    return import_answers(works, CLOSED, run, suite=suite, table=path)


def test_a_table_becomes_rows_like_any_others(suite: str, works: Path, tmp_path: Path) -> None:
    run, path = tmp_path / "run", table(tmp_path / "answers.csv", GOOD)
    done = take(works, run, path, suite)
    assert (len(done.entered), done.there_before, done.refused) == (3, 0, ())
    assert manifest.verify(run) == []
    assert [row["answer"] for row in manifest.read_outputs(run)] == [row[4] for row in GOOD]
    again = take(works, run, path)
    assert (len(again.entered), again.there_before) == (0, 3)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (("nowhere", "tradition", "en", "0", "x"), "the work 'nowhere', which the folder"),
        (("a-print", "smell", "en", "0", "x"), "answers 'smell', which suite tiny-questions"),
        (("a-print", "tradition", "fr", "0", "x"), "in the language 'fr'"),
        (("a-print", "tradition", "en", "-1", "x"), "the seed '-1', which is no whole number"),
        (GOOD[0], "answers what an earlier line answers already"),
    ],
)
def test_whatever_is_wrong_is_listed_and_nothing_is_entered(
    suite: str, works: Path, tmp_path: Path, row: tuple[str, ...], says: str
) -> None:
    done = take(works, tmp_path / "run", table(tmp_path / "a.csv", [*GOOD, row]), suite)
    (sentence,) = done.refused
    assert says in sentence
    assert not (tmp_path / "run").exists()


def test_an_answer_in_a_run_does_not_change(suite: str, works: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    take(works, run, table(tmp_path / "a.csv", GOOD), suite)
    other = take(works, run, table(tmp_path / "b.csv", [(*GOOD[0][:4], "Japanese")]))
    assert "is not the answer that the run holds" in other.refused[0]


def test_an_empty_and_a_wrong_language_answer_are_kept_and_flagged(
    suite: str, works: Path, tmp_path: Path
) -> None:
    rows = [
        ("a-print", "tradition", "en", "0", ""),
        ("a-print", "depicted", "en", "0", "画面上有一座山，山下有一条河，河上有船。"),
    ]
    done = take(works, tmp_path / "run", table(tmp_path / "a.csv", rows), suite)
    assert [answer.flags for answer in done.entered] == [("empty",), ("wrong language",)]


def test_tables_and_runs_that_do_not_fit(suite: str, works: Path, tmp_path: Path) -> None:
    run, path = tmp_path / "run", tmp_path / "a.csv"
    with pytest.raises(RequestError, match="answers come in a table: give --csv"):
        import_answers(works, CLOSED, run, suite=suite, table=None)
    with pytest.raises(FileFormatError, match="no column 'answer'"):
        take(works, run, table(path, [], COLUMNS[:4]), suite)
    with pytest.raises(RequestError, match="nothing to import"):
        take(works, run, table(path, []), suite)
    with pytest.raises(RequestError, match="say with --suite"):
        take(works, run, table(path, GOOD))
    path.write_bytes("名称".encode("gbk"))
    with pytest.raises(FileFormatError, match="not UTF-8"):
        take(works, run, path, suite)
    take(works, run, table(path, GOOD), suite)
    later = ModelSpec("closed", "", "2026-12")
    with pytest.raises(ConflictError, match="with revision '2026-11'"):
        import_answers(works, later, run, suite=None, table=path)


def test_the_command_line_takes_a_table(
    suite: str, works: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, path = str(tmp_path / "run"), str(table(tmp_path / "a.csv", GOOD))
    arguments = ["import", str(works), "--csv", path, "--model", "closed", "--run", run]
    assert main([*arguments, "--suite", suite]) == 0
    assert "3 entered, 0 there before, 0 flagged" in capsys.readouterr().out
    table(tmp_path / "a.csv", [("nowhere", "tradition", "en", "0", "x")])
    assert main(arguments) == 2
    assert "1 refused, nothing was entered" in capsys.readouterr().err
    assert main(["score", run]) == 0
