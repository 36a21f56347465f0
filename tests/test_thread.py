"""The main job from end to end by the command line: two tiny checkpoints to a leaderboard."""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.cli import main
from bench.files import append_rows, file_hash
from raters.export import captions
from raters.simulated import Look, simulate
from tests import tiny
from tests.conftest import suite_content, write_yaml


def pinlu(*arguments: str | Path) -> None:
    assert main([str(argument) for argument in arguments]) == 0


NAMED = ("--named", "--reason", "a test")


def references(folder: Path) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for number in range(8):
        name = f"work-{number}.png"
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(folder / name)
        rows.append(
            {
                "file_name": name,
                "id": f"work-{number}",
                "tradition": ("chinese", "japanese")[number % 2],
                "genre": "landscape",
                "medium": "ink",
                "period": "",
                "stratum": "",
                "sha256": file_hash(folder / name),
                "synthetic": True,
            }
        )
    append_rows(folder / "metadata.jsonl", rows)
    return folder


def look(image: Image.Image) -> Look:
    """Random weights paint noise: call what is redder than blue chinese."""
    red, _, blue = np.asarray(image, float).mean(axis=(0, 1)) / 255
    chinese = float(1 / (1 + np.exp(-20 * (red - blue))))
    return Look({"chinese": chinese, "japanese": 1 - chinese}, quality=float(red))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that two simulated raters have done, made by the README's commands."""
    folder = tmp_path_factory.mktemp("thread")
    models = [tiny.save("stable-diffusion", folder / f"sd-{n}", seed=n) for n in (1, 2)]
    suite = write_yaml(folder / "tiny.yaml", suite_content())
    asked = ["--models", ",".join(map(str, models)), "--languages", "zh,en", "--seeds", "0-1"]
    small = [f"--set={name}={value}" for name, value in TINY_CALL.items()]
    pinlu("generate", "--suite", suite, *asked, *small, "--out", folder / "run")
    pinlu("verify", folder / "run")
    config = {
        "study": "thread",
        "version": 1,
        "rubric": "core",
        "languages": ["zh", "en"],
        "seed": 1,
        "raters": 3,
        "single": {"raters_per_item": 2},
        "pairs": {"votes_per_pair": 1},
        "simulated": True,
    }
    path = write_yaml(folder / "config.yaml", config)
    works = references(folder / "works")
    out = folder / "study"
    pinlu("study", "new", path, "--run", folder / "run", "--references", works, "--out", out)
    assert simulate(out, look=look, rng=np.random.default_rng(0), count=3) > 0
    return out


TINY_CALL = {"num_inference_steps": 2, "height": 64, "width": 64}


def scores_of(captured: str) -> list[dict[str, Any]]:
    scores: list[dict[str, Any]] = json.loads(captured)
    return scores


def test_a_study_becomes_scores_and_a_page(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pinlu("score", study, "--json", "--out", tmp_path / "report")
    scores = scores_of(capsys.readouterr().out)
    metrics = {score["metric"] for score in scores}
    assert metrics >= {"alpha", "mean_score", "strength", "rank", "raw_leak", "excess_leak"}
    assert {score["model"] for score in scores if score["metric"] == "strength"} == {"sd-1", "sd-2"}
    said = [score["method"] for score in scores if score["source"] == "raters"]
    assert all("simulated" in method for method in said if method)
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "sd-1" in page
    assert "simulated" in page.lower()
    pinlu("leaderboard", tmp_path / "report" / "scores.csv", "--out", tmp_path / "site")
    site = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "Spirit and conception" in page
    assert "Spirit and conception" in site
    shown = [line for line in page.splitlines() if "<img" in line]
    assert shown
    assert [line for line in site.splitlines() if "<img" in line] == shown
    assert all((tmp_path / "site" / name).is_file() for name in re.findall(r'src="([^"]+)"', site))


def test_the_report_shows_costs_and_the_lowest_scenes_by_their_text(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pinlu("score", study, "--run", study.parent / "run", "--json", "--out", tmp_path)
    scores = scores_of(capsys.readouterr().out)
    seconds = [score for score in scores if score["metric"] == "device_seconds"]
    assert {score["model"] for score in seconds} == {"sd-1", "sd-2"}
    assert all(score["value"] > 0 for score in seconds)
    assert {score["value"] for score in scores if score["metric"] == "failure_share"} == {0.0}
    lowest = (tmp_path / "figures" / "1-lowest.csv").read_text(encoding="utf-8").splitlines()
    assert len(lowest) > 2
    assert all((tmp_path / line.rsplit(",", 1)[1]).is_file() for line in lowest[1:])
    for name, language in (("index.html", "en"), ("index.zh.html", "zh")):
        page = (tmp_path / name).read_text(encoding="utf-8")
        shown = [text[language] for text in captions(study).values()]
        assert any(text in html.unescape(page) for text in shown)


def test_two_releases_are_compared_and_a_loss_is_exit_1(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pinlu("score", study, "--out", tmp_path)
    capsys.readouterr()
    ways = [
        main(["leaderboard", str(tmp_path / "scores.csv"), "--json", "--compare", *pair])
        for pair in (("sd-1", "sd-2"), ("sd-2", "sd-1"))
    ]
    told = capsys.readouterr().out
    decoder = json.JSONDecoder()
    first, end = decoder.raw_decode(told)
    second, _ = decoder.raw_decode(told[end:].lstrip())
    losses = [any(verdict["outcome"] == "worse" for verdict in each) for each in (first, second)]
    assert ways == [int(lost) for lost in losses]
    assert len(first) == len(second) >= 4
    assert [one["p"] for one in first] == [other["p"] for other in second]
    assert main(["leaderboard", str(tmp_path), "--compare", "sd-1", "sd-3"]) == 2
    assert "no scores of 'sd-3'" in capsys.readouterr().err


def test_tables_of_any_kind_score_in_one_command(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pinlu("study", "export", study, "--out", tmp_path / "tables", *NAMED)
    capsys.readouterr()
    pinlu("score", study, "--json")
    whole = scores_of(capsys.readouterr().out)
    names = ("attributions", "ratings", "votes")
    tables = [tmp_path / "tables" / f"{name}.csv" for name in names]
    pinlu("score", *tables, "--home", "chinese", "--json", "--out", tmp_path / "report")
    alone = scores_of(capsys.readouterr().out)
    assert (tmp_path / "report" / "index.html").is_file()

    def values(scores: list[dict[str, Any]]) -> list[float]:
        wanted = {"mean_score", "strength", "excess_leak", "alpha"}
        return [score["value"] for score in scores if score["metric"] in wanted]

    assert values(alone) == values(whole)


def test_exported_tables_score_like_the_study(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pinlu("study", "export", study, "--out", tmp_path, *NAMED)
    capsys.readouterr()
    pinlu("score", study, "--json")
    whole = scores_of(capsys.readouterr().out)
    pinlu("agreement", tmp_path / "ratings.csv", "--json")
    alone = scores_of(capsys.readouterr().out)
    alphas = [
        {score["criterion"]: score["value"] for score in scores if score["metric"] == "alpha"}
        for scores in (alone, whole)
    ]
    assert alphas[0].items() <= alphas[1].items()
    pinlu("rank", tmp_path / "votes.parquet", "--json")
    strengths = [
        {score["model"]: score["value"] for score in scores if score["metric"] == "strength"}
        for scores in (scores_of(capsys.readouterr().out), whole)
    ]
    assert strengths[0] == pytest.approx(strengths[1])
    pinlu("style", tmp_path / "attributions.csv", "--json")
    assert "excess_leak" in {score["metric"] for score in scores_of(capsys.readouterr().out)}


def test_masked_tables_and_status_name_no_model(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pinlu("study", "export", study, "--out", tmp_path, "--masked")
    pinlu("study", "status", study, "--json")
    told = capsys.readouterr().out + "".join(
        path.read_text(encoding="utf-8") for path in tmp_path.glob("*.csv")
    )
    assert "sd-1" not in told
    assert "sd-2" not in told


def test_invite_prints_links_and_nothing_else(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pinlu("study", "invite", study, "--count", "3", "--base-url", "https://room.example")
    links = capsys.readouterr().out.splitlines()
    assert len(links) == len(set(links)) == 3
    assert all(link.startswith("https://room.example/i/") for link in links)


def test_withdrawal_erases_and_lock_ends(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(study, tmp_path / "study"))
    pinlu("study", "export", copy, "--out", tmp_path / "before")
    before = (tmp_path / "before" / "ratings.csv").read_text(encoding="utf-8")
    rater = before.splitlines()[1].split(",")[1]
    pinlu("study", "withdraw", copy, rater)
    pinlu("study", "export", copy, "--out", tmp_path / "after")
    after = (tmp_path / "after" / "ratings.csv").read_text(encoding="utf-8")
    assert rater in before
    assert rater not in after
    pinlu("study", "lock", copy, "--reason", "a test")
    capsys.readouterr()
    assert main(["study", "invite", str(copy)]) == 2
    assert "closed" in capsys.readouterr().err
