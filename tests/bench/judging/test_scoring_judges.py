"""From a judge's replies to the report: beside the raters of a study, and never among them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from bench.cli import main
from raters.simulated import simulate
from raters.study import create
from tests.bench.judging.material import tasteful
from tests.bench.serving_model import serving
from tests.raters.material import RUBRIC, look, write_config, write_references, write_run


def test_a_judged_run_and_its_study_in_one_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "judged")
    rubric = tmp_path / "small.yaml"
    rubric.write_text(yaml.safe_dump(RUBRIC, allow_unicode=True), encoding="utf-8")
    with serving() as model:
        model.says = tasteful
        asked = [
            "probe",
            str(run),
            "--judge",
            "owner/judge",
            "--rubric",
            str(rubric),
            "--pairs",
            "4",
        ]
        assert main([*asked, "--engine", "openai", "--base-url", model.url]) == 0
    capsys.readouterr()
    assert main(["score", "--run", str(run), "--json", "--by", "language"]) == 0
    alone = json.loads(capsys.readouterr().out)
    judged = [score for score in alone if score["source"] == "judge"]
    assert {
        "mean_score",
        "judge_preference",
        "order_consistency",
        "order_effect",
        "self_consistency",
        "unread_share",
    } == {score["metric"] for score in judged}
    assert {score["group"] for score in judged} == {"judge"}
    assert main(["score", "--run", str(run), "--by", "rater_group"]) == 2
    assert "cannot slice by 'rater_group': the table has no such column" in capsys.readouterr().err
    assert main(["score", "--run", str(run), "--out", str(tmp_path / "alone")]) == 0
    capsys.readouterr()
    page = (tmp_path / "alone" / "index.zh.html").read_text(encoding="utf-8")
    assert "笔墨" in page  # the scale by its name, and not by its id
    assert {"", "language=zh", "language=en"} == {score["slice"] for score in judged}
    study = tmp_path / "study"
    references = write_references(tmp_path / "references")
    create(write_config(tmp_path, simulated=True), [run], references=references, out=study)
    simulate(study, look=look, rng=np.random.default_rng(2))
    assert main(["score", str(study), "--json"]) == 0
    people = json.loads(capsys.readouterr().out)
    both = ["score", str(study), "--with-probe", str(run), "--run", str(run)]
    assert main([*both, "--json", "--out", str(tmp_path / "report")]) == 0
    together = json.loads(capsys.readouterr().out)
    # the raters' own scores are what they were
    kept = [score for score in together if score["source"] == "raters"]
    assert kept == [score for score in people if score["source"] == "raters"]
    combined = [score for score in together if score["source"] == "combined"]
    assert {"mean_score", "rectifier", "rectifier_p"} == {score["metric"] for score in combined}
    agreed = [score for score in together if score["metric"] == "judge_correlation"]
    assert {score["group"] for score in agreed} == {"judge", "judge:simulated"}
    assert all("simulated raters" in score["method"] for score in [*combined, *agreed])
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "What models say as judges" in page
    assert main(["score", str(study), "--with-probe", str(tmp_path)]) == 2
