"""The embedded readers: small, standard, and misreading as they were told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.atelier.reader.answers import NAMES, QUESTIONS, answer, called
from bench.atelier.reader.training import ReaderRecipe, train_readers
from bench.cli import main
from bench.demo_understanding import MISTAKEN, compare_with_planted, demo_understanding
from bench.models import load_model
from bench.reading import ROOT
from bench.records import Score
from bench.suites import load_suite
from bench.understanding.facts import chosen
from bench.understanding.reader import architecture
from leaderboard.files import read_scores

CHECKPOINTS = ROOT / "bench" / "atelier" / "checkpoints"
SUITE = load_suite("painting-understanding")
TEXTS = {question.id: question.text for question in SUITE.questions}


def test_two_readers_take_ten_megabytes_at_most_and_are_safetensors() -> None:
    files = [file for name in MISTAKEN for file in (CHECKPOINTS / name).iterdir()]
    assert sum(file.stat().st_size for file in files) <= 10e6
    assert sum(file.suffix == ".safetensors" for file in files) == 2
    for name in MISTAKEN:
        assert architecture(load_model(name)) == "LlavaForConditionalGeneration"


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_what_readers_are_taught_answers_the_suites_questions(question: str, language: str) -> None:
    assert question in TEXTS
    for tradition in NAMES[language]:
        assert answer(question, language, tradition, ["boat", "moon"])
    choice = next(one for one in SUITE.questions if one.id == "tradition")
    for tradition in NAMES[language]:
        assert chosen(answer("tradition", language, tradition, ["boat"]), choice) == tradition


def test_the_misreading_has_its_share_and_is_of_chinese_pictures_alone() -> None:
    rng = np.random.default_rng(0)
    told = [called("chinese", 0.4, rng) for _ in range(2000)]
    assert abs(told.count("japanese") / 2000 - 0.4) < 0.035
    assert {called("western", 0.4, rng) for _ in range(50)} == {"western"}
    assert {called("chinese", 0.0, rng) for _ in range(50)} == {"chinese"}


def test_training_writes_checkpoints_that_the_code_loads(tmp_path: Path) -> None:
    recipe = ReaderRecipe(pictures=6, looking_steps=2, steps=2, own_steps=1, batch=2)
    texts = {name: TEXTS[name] for name in QUESTIONS}
    train_readers(texts, {"one": 0.0, "two": 0.5}, tmp_path, recipe)
    for name in ("one", "two"):
        assert architecture(load_model(str(tmp_path / name))) == "LlavaForConditionalGeneration"
        assert (tmp_path / name / "training.json").is_file()


def test_the_comparison_says_who_misreads() -> None:
    def of(model: str, metric: str, value: float, group: str = "") -> Score:
        return Score(metric=metric, model=model, group=group, value=value, low=0.0, high=1.0)

    true, mistaken = MISTAKEN
    scores = [
        of(true, "home_called_other", 0.05, "japanese"),
        of(mistaken, "home_called_other", 0.4, "japanese"),
        of(true, "misreading_gap", 0.3),
        of(mistaken, "misreading_gap", 0.1),
    ]
    assert f"{true} misreads the home tradition most, but {mistaken} was told" in (
        compare_with_planted(scores)
    )


def test_the_demo_finds_the_planted_misreading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.demo_understanding.WORKS_PER_TRADITION", 8)
    assert main(["demo", "--understanding", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "atelier-reader-mistaken misreads the home tradition most, as it should" in said
    # the simulated raters, who read both answers beside the picture, find it too
    assert "atelier-reader-mistaken is marked most, as it should" in said
    assert "told in training; by the reader's own odds" in said
    page = (tmp_path / "understanding" / "index.html").read_text(encoding="utf-8")
    assert "Whose work is it?" in page
    chinese = (tmp_path / "understanding" / "index.zh.html").read_text("utf-8")
    assert "这是谁家的画？" in chinese
    assert "说成日本" in chinese
    assert "模拟评者" in chinese
    judged = [
        score for score in read_scores(tmp_path / "understanding") if score.source == "raters"
    ]
    assert judged
    assert all("simulated raters" in score.method for score in judged)
    assert demo_understanding(tmp_path) == 0  # again: nothing is asked twice
