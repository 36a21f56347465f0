"""How fast outputs were made, and the mark of models whose pictures a speed-up changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.errors import FileFormatError
from bench.scoring import costs_of
from leaderboard.files import read_scores
from leaderboard.marks import MARK, for_studies, speedup_scores
from leaderboard.site import write_site
from leaderboard.speed import speed_scores
from leaderboard.tabulate import headline
from tests.conftest import write_yaml
from tests.leaderboard.rich import rich_scores

WORDS = "cache first_block (threshold 0.1), weights fp8"


def call(**more: Any) -> dict[str, Any]:
    return {
        "model": "a",
        "device": "cpu x86_64",
        "batch_size": 8,
        "outputs": 10,
        "seconds": 20.0,
        "load_seconds": 3.0,
        "compile_seconds": 0.0,
        "matrix_share": 0.5,
        "reason": "",
        "peak_memory_bytes": 2**30,
    } | more


def test_calls_are_pooled_by_their_time() -> None:
    later = call(outputs=30, seconds=5.0, matrix_share=0.25, batch_size=4, peak_memory_bytes=2**31)
    found = {score.metric: score for score in speed_scores([call(), later, call(model="b")], "x")}
    pooled = {s.metric: s for s in speed_scores([call(), later], "x")}
    assert pooled["outputs_per_second"].value == 40 / 25
    assert pooled["matrix_share"].value == pytest.approx((0.5 * 20 + 0.25 * 5) / 25)
    assert (pooled["peak_gibibytes"].value, pooled["batch_size"].value) == (2, 4)
    assert pooled["load_seconds"].value == 3
    assert pooled["outputs_per_second"].method.endswith("on cpu x86_64")
    assert found["outputs_per_second"].model == "b"


def test_a_share_that_is_not_known_has_its_reason() -> None:
    told = "a step cache cuts passes short"
    row = call(matrix_share=None, reason=told)
    share = next(s for s in speed_scores([row], "x") if s.metric == "matrix_share")
    assert (share.value != share.value, share.reason) == (True, told)


def test_a_row_that_says_nothing_is_refused_by_name() -> None:
    with pytest.raises(FileFormatError, match=r"speed\.jsonl: a row of 'a' cannot be read"):
        speed_scores([{"model": "a"}], "speed.jsonl")


def test_marks_and_speed_reach_every_table_in_both_languages(tmp_path: Path) -> None:
    scores = rich_scores(study="one")
    found = [*speed_scores([call(), call(model="b")], "x"), *speedup_scores({"a": WORDS, "b": ""})]
    scores += for_studies(found, scores)
    assert not for_studies(found, scores)  # what is there already is not told twice
    write_site(scores, tmp_path)
    for file, note in (
        ("index.html", "Made faster at the cost"),
        ("index.zh.html", "改变画面的加速"),
    ):
        page = (tmp_path / file).read_text(encoding="utf-8")
        assert f'<th scope="row">a {MARK}</th>' in page
        assert '<th scope="row">b</th>' in page
        assert note in page
        assert WORDS in page
        assert ("How fast outputs were made" if file == "index.html" else "生成速度") in page
    for file in ("leaderboard.md", "leaderboard.tex", "leaderboard.zh.md"):
        text = (tmp_path / file).read_text(encoding="utf-8")
        assert f"a {MARK}" in text
        assert "first" in text.split(MARK)[-1]
    assert f"a {MARK}" in (tmp_path / "figures" / "1-scores.en.svg").read_text(encoding="utf-8")
    terminal = headline(scores)
    assert f"a {MARK}" in terminal
    assert WORDS in terminal
    again = tmp_path / "again"
    write_site(read_scores(tmp_path), again)
    assert (again / "index.html").read_bytes() == (tmp_path / "index.html").read_bytes()


def test_a_run_gives_costs_speed_and_marks(tmp_path: Path) -> None:
    models = [{"id": "a", "speedups": {"weights": "fp8"}}, {"id": "b"}]
    content = {"schema": 1, "run": "r", "modality": "image", "suite": {}, "models": models}
    write_yaml(tmp_path / "run.yaml", content)
    (tmp_path / "speed.jsonl").write_text(json.dumps(call()) + "\n", encoding="utf-8")
    (tmp_path / "metadata.jsonl").write_text("", encoding="utf-8")
    (tmp_path / "failures.jsonl").write_text(
        json.dumps({"model": "a", "error": "x"}) + "\n", encoding="utf-8"
    )
    found = costs_of(tmp_path, rich_scores(study="one"))
    told = {(score.model, score.metric): score for score in found}
    assert told["a", "speedup"].group == "weights fp8"
    assert ("b", "speedup") not in told
    assert told["a", "outputs_per_second"].value == 0.5
    assert told["a", "failure_share"].value == 1
    assert {score.study for score in found} == {"one"}
