"""The demo as a visitor runs it, whole: what is found must order the models as the truth does."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cli import main
from bench.files import read_rows
from bench.manifest import verify
from leaderboard.files import read_scores


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo")
    assert main(["demo", "--out", str(out)]) == 0
    return out


def test_the_known_bias_is_found(demo: Path) -> None:
    leak = {
        (score.model, score.group): score
        for score in read_scores(demo / "report")
        if score.metric == "excess_leak" and score.criterion == "manner"
    }
    for model, other in (("atelier-west", "western"), ("atelier-japan", "japanese")):
        biased = leak[model, other]
        assert biased.low > 0, biased
        assert biased.value == max(score.value for (_, to), score in leak.items() if to == other)
        assert biased.value > leak["atelier-balanced", other].value


def test_what_it_leaves_is_whole_and_says_that_raters_are_simulated(demo: Path) -> None:
    assert verify(demo / "run") == []
    rows = list(read_rows(demo / "run" / "metadata.jsonl"))
    assert len(rows) == 3 * 512
    assert {row["status"] for row in rows} == {"ok"}
    for name, says in (("index.html", "imulated"), ("index.zh.html", "模拟")):
        page = (demo / "report" / name).read_text(encoding="utf-8")
        assert says in page
        assert "http://" not in page.replace("http://www.w3.org", "")
        assert "https://" not in page
    judged = [score for score in read_scores(demo / "report") if score.source == "raters"]
    assert all("simulated" in score.method for score in judged)


def test_running_it_again_goes_on_from_what_is_there(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (demo / "report" / "scores.csv").read_bytes()
    assert main(["demo", "--out", str(demo)]) == 0
    told = capsys.readouterr().out
    assert (demo / "report" / "scores.csv").read_bytes() == before
    assert "atelier-west leaks most, as it should" in told
    assert "Leaderboard: " in told
