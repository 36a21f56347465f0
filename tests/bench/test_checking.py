"""`pinlu check`: a loss that is there is found, a model is no loss against itself, nonsense is refused."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from bench.atelier.checkpoint import CHECKPOINTS
from bench.checking import LEAST_SEEDS, MOST_SEEDS, planned_half_width, planned_seeds
from bench.cli import main
from bench.reading import read_yaml
from bench.records import Score
from leaderboard import drawing
from leaderboard.compare import Verdict
from leaderboard.gate_page import headline
from tests.bench.probing.material import references
from tests.conftest import write_yaml

BALANCED = str(CHECKPOINTS / "atelier-balanced")
WEST = str(CHECKPOINTS / "atelier-west")


@pytest.fixture
def suite(tmp_path: Path) -> str:
    content = read_yaml(Path("prompts/first-look/suite.yaml"))
    keep = ("id", "prompts")
    scenes = [
        {name: scene[name] for name in keep} | {"prompts": {"chinese": scene["prompts"]["chinese"]}}
        for scene in content["scenes"][:6]
    ]
    head = {name: content[name] for name in ("version", "modality", "home", "traditions")}
    return str(write_yaml(tmp_path / "short.yaml", {"suite": "short", **head, "scenes": scenes}))


def options(suite: str, out: Path) -> list[str]:
    few = ["--seeds", "0-11", "--languages", "en", "--set", "guidance_scale=1.0"]
    return ["--suite", suite, "--out", str(out), *few, "--set", "num_inference_steps=8"]


def test_a_model_that_learned_from_western_pictures_is_a_loss(
    suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    works = references(tmp_path / "works", 6)
    asked = ["check", WEST, "--baseline", BALANCED, "--references", str(works)]
    assert main([*asked, *options(suite, tmp_path / "out")]) == 1
    assert ": worse (" in capsys.readouterr().out
    for name, says in (("index.html", "A significant loss."), ("index.zh.html", "有显著退步。")):
        page = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert says in page
        assert page.count("data:image/webp") == 12
        assert "http" not in page.replace('hreflang="', "")
    verdicts = json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))
    leak = {one["group"]: one["value"] for one in verdicts if one["criterion"] == "leak"}
    assert leak["western"] > 0.1 > leak["japanese"]
    assert {one["criterion"] for one in verdicts} == {"leak", "language_gap", "diversity", "faults"}


def test_the_gate_plans_no_fewer_seeds_than_a_verdict_draws() -> None:
    assert LEAST_SEEDS == drawing.LEAST_SEEDS


def test_a_copy_of_the_baseline_is_no_loss(suite: str, tmp_path: Path) -> None:
    few = ["--suite", suite, "--out", str(tmp_path / "out"), "--seeds", "0-3", "--languages", "en"]
    few += ["--set", "num_inference_steps=4"]
    copy = tmp_path / "candidate"
    shutil.copytree(BALANCED, copy)
    assert main(["check", str(copy), "--baseline", BALANCED, *few]) == 0
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "No significant loss." in page
    assert "No reference works were given" in page


def test_one_scene_and_two_seeds_pass_nobody(
    suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--suite", suite, "--out", str(tmp_path / "out"), "--seeds", "4,7", "--languages", "en"]
    few += ["--limit", "1", "--set", "num_inference_steps=4"]
    assert main(["check", WEST, "--baseline", BALANCED, *few]) == 2
    told = capsys.readouterr()
    assert "Leak towards Western: too few to tell (" in told.out
    assert "there are only 1 scene and 2 seeds)" in told.out
    assert "not comparable (not asked in two languages)" in told.out
    assert "Too few scenes or seeds to tell" in told.err
    assert ", )" not in told.out
    assert "(–" not in told.out
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "(1 scene, 2 seeds each)" in page
    chinese = (tmp_path / "out" / "index.zh.html").read_text(encoding="utf-8")
    assert "；只有 1 个场景、2 个种子</td>" in chinese
    assert "how near it came is not known" in page
    assert "No significant loss." not in page
    verdicts = json.loads((tmp_path / "out" / "check.json").read_text(encoding="utf-8"))
    assert {one["low"] for one in verdicts} == {None}
    assert "worse" not in {one["outcome"] for one in verdicts}


def test_what_no_network_looked_at_has_not_passed(
    suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--suite", suite, "--out", str(tmp_path / "out"), "--seeds", "0-3", "--languages", "en"]
    few += ["--set", "num_inference_steps=2", "--network", "none"]
    assert main(["check", WEST, "--baseline", BALANCED, *few]) == 2
    told = capsys.readouterr()
    assert "Leak towards Western: not comparable (no network looked)" in told.out
    assert "no verdict: The leaks could not be compared: no network looked." in told.err
    for name, says in (("index.html", "This is no pass."), ("index.zh.html", "不算通过")):
        assert says in (tmp_path / "out" / name).read_text(encoding="utf-8")


def test_a_pass_says_how_precise_it_is() -> None:
    leak = Score(metric="gate", criterion="leak", value=0.0, low=-0.3, high=0.3)
    verdicts = [Verdict(leak, 1.0, 1.0, "no difference shown")]
    assert headline(verdicts, 0.4, 0.3) == "No significant loss."
    assert headline(verdicts, 0.15, 0.3) == (
        "No loss shown, at a precision of ±0.30; ±0.15 was asked."
    )
    assert "0.15 was asked" in headline(verdicts, 0.15, math.nan)


def test_wrong_requests_are_refused_before_any_work(
    suite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for asked in (
        [BALANCED, "--baseline", BALANCED],
        [BALANCED, "--baseline", str(tmp_path / "nothing-there")],
        [WEST, "--baseline", BALANCED, "--precision", "7"],
    ):
        assert main(["check", *asked, *options(suite, tmp_path / "out")]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_more_seeds_are_planned_for_a_finer_answer() -> None:
    assert planned_seeds(72, 2, 0.2) <= planned_seeds(72, 2, 0.15) < planned_seeds(72, 2, 0.11)
    assert planned_half_width(72, 2, planned_seeds(72, 2, 0.15)) <= 0.15
    assert planned_seeds(3, 1, 0.001) == MOST_SEEDS
