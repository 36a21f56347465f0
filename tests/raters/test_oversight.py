"""What an organiser sees: progress, warnings and a report, and nothing that names a model."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from bench.cli import main
from bench.overview import oversee, readable
from bench.records import AssignmentKind
from raters import report as report_of
from raters import tables as t
from raters.export import neutralised
from raters.organiser.app import create_view
from raters.organiser.view import page, words
from raters.oversight import overview
from raters.report import facts_of, report
from raters.simulated import simulate
from raters.study import lock, open_study, unblind, withdraw
from tests.raters.material import MODELS, UNSPEAKABLE, look

REMARK = "<script>alert(1)</script> =1+1"


@pytest.fixture
def judged(study: Path) -> Path:
    """A study that three have done: one of them too fast, one with a remark and straight lines."""
    simulate(study, look=look, rng=np.random.default_rng(0), count=3)
    e = t.response_event.c
    with open_study(study) as (_, engine), t.writing(engine) as connection:
        for row in connection.execute(select(t.response_event)).all():
            changes: dict[str, Any] = {"shown": {"milliseconds": 9000, "width": 360, "plays": 0}}
            if row.rater == "r001":
                changes["shown"] = {"milliseconds": 500}
            if row.rater == "r002" and row.phase == "attribution":
                changes["payload"] = {"manner": "chinese", "things": "other"}
            connection.execute(
                update(t.response_event).where(e.number == row.number).values(changes)
            )
        first = select(e.number, e.payload).where(e.rater == "r003").limit(1)
        number, payload = connection.execute(first).one()
        connection.execute(
            update(t.response_event)
            .where(e.number == number)
            .values(payload={**payload, "remark": REMARK})
        )
    return study


def test_what_is_too_fast_or_in_a_straight_line_is_named(judged: Path) -> None:
    found = overview(judged)
    assert {(one["kind"], one["rater"]) for one in found["warnings"]} == {
        ("too_fast", "r001"),
        ("run", "r002"),
    }
    rows = {row["rater"]: row for row in found["raters"]}
    assert rows["r001"]["too_fast"] == rows["r001"]["timed"] == rows["r001"]["answers"]
    assert rows["r003"]["median_seconds"] == 9.0
    assert found["remarks"] == [
        {"rater": "r003", "phase": found["remarks"][0]["phase"], "remark": REMARK}
    ]
    withdraw(judged, "r003")
    after = overview(judged)
    assert after["remarks"] == []
    assert next(row for row in after["raters"] if row["rater"] == "r003")["answers"] == 0


def test_cells_count_what_was_asked_and_judged(judged: Path) -> None:
    cells = overview(judged)["cells"]
    assert len({cell["maker"] for cell in cells}) == 4  # three models, and the references
    assert sum(cell["planned"] for cell in cells) == 6 * 39
    assert sum(cell["done"] for cell in cells) == 3 * 39


def test_models_are_masked_until_the_study_is_closed_and_unblinded(judged: Path) -> None:
    before = json.dumps(oversee(judged)) + page(oversee(judged), "zh") + str(report(judged))
    assert not any(name in before for name in UNSPEAKABLE)
    unblind(judged, "too early")
    assert not oversee(judged)["named"]
    lock(judged, "enough")
    assert {cell["maker"] for cell in oversee(judged)["cells"]} >= {"zebra-diffusion", "reference"}
    assert any("before the study was closed" in one for one in report(judged)["en"].splitlines())


def test_agreement_comes_with_an_interval_or_a_reason(judged: Path) -> None:
    found = oversee(judged)["alpha"]
    assert {one["criterion"] for one in found} == {"ink", "form"}
    for one in found:
        assert one["value"] is not None or one["reason"]
        assert one["low"] is not None or one["reason"]


def test_remarks_are_shown_as_text(judged: Path) -> None:
    for language in words():
        shown = page(overview(judged), language)
        assert "<script>" not in shown
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown


def test_an_empty_study_can_be_looked_at_and_reported(study: Path) -> None:
    assert "not started" in readable(oversee(study))
    assert page(oversee(study), "en")
    assert "nobody has started" in report(study)["en"]
    assert "尚无人开始" in report(study)["zh"]


def test_the_report_says_how_the_study_was_run(judged: Path) -> None:
    facts = facts_of(judged)
    assert facts["use"]["small"] == facts["use"]["windows"] > 0
    english, chinese = report(judged)["en"], report(judged)["zh"]
    assert "6 planned, 3 invited, 3 started, 3 finished" in english
    assert "another size or shape than most (9)" in english
    assert "pictures are lossless WebP" in english
    assert "图片一律写成无损 WebP" in chinese
    assert "narrower than 600 CSS pixels" in english
    assert "secondary sources" in english
    # each in its readers' words, and no codes of ours
    assert "受测传统：中国；其他：日本、西方。" in chinese
    assert "Home tradition: Chinese; others: Japanese, Western." in english
    assert "尺寸或形状与多数不同（9）" in chinese
    assert re.search(r"分给已开始的评者：.*单件 \d+", chinese)
    assert not re.search(r"warm_up|cannot_tell", english + chinese)
    assert facts["found"]["audit"]["last_hash"] in english
    for text in (english, chinese):
        assert "r001" not in text
        assert REMARK not in text


def test_the_chinese_report_has_a_name_for_every_kind_of_item() -> None:
    template = (Path(report_of.__file__).parent / "reports" / "report.zh.md").read_text("utf-8")
    assert [kind for kind in get_args(AssignmentKind) if f'"{kind}": "' not in template] == []


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", "＝1"])
def test_formulas_are_neutralised_in_csv(cell: str) -> None:
    table = neutralised(pd.DataFrame({"remark": [cell, "plain"], "x": [-1.5, 2.0]}))
    assert list(table["remark"]) == [f"'{cell}", "plain"]
    assert list(table["x"]) == [-1.5, 2.0]


def test_export_writes_tables_and_the_report_and_is_logged(
    judged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = ["study", "export", str(judged), "--out"]
    assert main([*export, str(tmp_path / "early"), "--named"]) == 2
    assert "not closed yet" in capsys.readouterr().err
    assert not (tmp_path / "early").exists()
    assert main([*export, str(tmp_path / "m"), "--masked", "--named", "--reason", "x"]) == 2
    why = ["--named", "--reason", "the pilot's check"]
    assert main([*export, str(tmp_path / "named"), *why]) == 0
    capsys.readouterr()
    assert main([*export, str(tmp_path / "m")]) == 0
    assert "models are masked" in capsys.readouterr().err
    named = pd.read_csv(tmp_path / "named" / "remarks.csv")
    assert named["remark"].tolist() == [REMARK]
    assert "model" in named.columns
    assert "model" not in pd.read_parquet(tmp_path / "m" / "ratings.parquet").columns
    assert (tmp_path / "m" / "report.md").read_text().startswith("# How the study")
    assert (tmp_path / "m" / "report.zh.md").is_file()
    # the price of working offline is told in both languages
    assert "rests on the page, not on the server" in (tmp_path / "m" / "report.md").read_text()
    assert "靠的是页面，不是服务器" in (tmp_path / "m" / "report.zh.md").read_text()
    with open_study(judged) as (_, engine), t.reading(engine) as connection:
        log = [tuple(row) for row in connection.execute(select(t.audit.c.action, t.audit.c.detail))]
    assert log[-2:] == [
        ("unblinded", "export: the pilot's check, before the study was closed"),
        ("exported", "masked: analysis"),
    ]
    assert main(["study", "lock", str(judged)]) == 0
    assert main([*export, str(tmp_path / "after")]) == 0
    assert main([*export, str(tmp_path / "still"), "--masked"]) == 0
    assert "rows" in capsys.readouterr().out
    assert "model" in pd.read_csv(tmp_path / "after" / "ratings.csv").columns
    assert "model" not in pd.read_csv(tmp_path / "still" / "ratings.csv").columns


def test_status_is_read_by_people_and_by_programs(
    judged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", "status", str(judged)]) == 0
    told = capsys.readouterr().out
    assert "planned 6  invited 3  started 3" in told
    # each kind of figure under a heading that says what it is
    for heading in (
        "seconds per answer: median (quartiles):",
        "agreement: Krippendorff's alpha [95 % interval]:",
        "judgements made / planned, by source and target (by code until unblind):",
        "raters: steps done / planned, how they stand, group, answers too fast:",
        "to look at:\n  r001: ",
    ):
        assert f"\n{heading}" in told
    assert main(["study", "status", str(judged), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["finished"] == 3
    # models have codes until the study is closed and unblinded, then their names
    assert re.search(r"^  M1: T\d \d+/\d+", told, flags=re.MULTILINE)
    assert not any(model in told for model in MODELS)
    assert main(["study", "lock", str(judged)]) == 0
    assert main(["study", "unblind", str(judged), "--reason", "the analysis"]) == 0
    assert main(["study", "status", str(judged)]) == 0
    told = capsys.readouterr().out
    assert all(f"{model}: chinese " in told for model in MODELS)


def test_invitations_and_receipts_go_through_the_command_line(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "raters.csv"
    listed.write_text("label,group\nWang,painters\nSmith,critics\n")
    study_name = str(study)
    assert main(["study", "invite", study_name, "--list", str(listed), "--expires", "30d"]) == 0
    told = capsys.readouterr()
    assert "http://127.0.0.1:7860: with another host or port" in told.err
    lines = told.out.splitlines()
    assert lines[0] == "label,link"
    assert lines[1].startswith("Wang,http://127.0.0.1:7860/i/")
    assert main(["study", "invite", study_name, "--list", str(listed), "--count", "2"]) == 2
    elsewhere = ["--base-url", "https://room.example"]
    assert main(["study", "invite", study_name, *elsewhere]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("https://room.example/i/")
    assert "lead to" not in told.err
    assert main(["study", "revoke", study_name, "r001", "--reason", "declined"]) == 0
    assert main(["study", "receipt", study_name, "AAAA-BBBB"]) == 2
    assert main(["study", "unblind", study_name, "--reason", "early"]) == 2
    assert main(["study", "migrate", study_name]) == 0
    assert main(["study", "backup", study_name, "--out", str(tmp_path / "copy.db")]) == 0
    assert main(["study", "backup", study_name, "--out", str(tmp_path / "copy.db")]) == 2


@pytest.fixture
def view(judged: Path) -> Iterator[TestClient]:
    password = "let me see"  # noqa: S105
    with TestClient(create_view(lambda: oversee(judged), password=password)) as client:
        yield client


def test_the_view_opens_to_its_password_alone(view: TestClient) -> None:
    wrong = base64.b64encode(b"organiser:something else").decode()
    right = base64.b64encode(b"organiser:let me see").decode()
    for path in ("/", "/config", "/gradio_api/info", "/theme.css", "/nothing"):
        for headers in ({}, {"authorization": f"Basic {wrong}"}, {"authorization": "Basic"}):
            assert view.get(path, headers=headers).status_code == 401
    page_there = view.get("/", headers={"authorization": f"Basic {right}"})
    assert page_there.status_code == 200


def test_both_languages_of_the_view_say_the_same_things() -> None:
    def shape(content: Any) -> Any:
        if isinstance(content, dict):
            return {name: shape(value) for name, value in content.items()}
        return "text"

    assert shape(words()["zh"]) == shape(words()["en"])
