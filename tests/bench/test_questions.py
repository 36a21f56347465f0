"""Suites of questions: how they load, and every rule of `pinlu suites check` broken once."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from bench.cli import main
from bench.errors import FileFormatError
from bench.question_checks import LEAST_QUESTIONS
from bench.questions import forced_choice
from bench.reading import read_yaml
from bench.suite_checks import check_suite
from bench.suites import load_suite
from tests.conftest import suite_content, write_yaml

SHIPPED = load_suite("painting-understanding")
TEXTS: list[dict[str, Any]] = read_yaml(SHIPPED.folder / "questions.yaml")["questions"]


def suite_of(folder: Path, questions: list[dict[str, Any]], **header: Any) -> Path:
    content = {
        "suite": "tiny",
        "version": 1,
        "modality": "understanding",
        "home": "chinese",
        "traditions": ["chinese", "japanese", "western"],
        "works": "chinese-aesthetics",
    }
    write_yaml(folder / "suite.yaml", content | header)
    write_yaml(folder / "questions.yaml", {"questions": questions})
    return folder


def changed(question: str, **fields: Any) -> list[dict[str, Any]]:
    questions = deepcopy(TEXTS)
    for one in questions:
        if one["id"] == question:
            one.update(fields)
    return questions


def test_the_shipped_suite_asks_what_it_should() -> None:
    assert len(SHIPPED.questions) >= 12
    assert SHIPPED.languages == ("en", "zh")
    choice = forced_choice(SHIPPED.questions)
    assert choice is not None
    assert set(choice.choices) == {"chinese", "japanese", "western", "other"}
    misread = {question.misreading for question in SHIPPED.questions} - {""}
    assert len(misread) == 4
    assert {fact for question in SHIPPED.questions for fact in question.facts} == {
        "title", "artist", "period", "tradition",
    }  # fmt: skip
    of_genres = [question for question in SHIPPED.questions if question.genres or question.strata]
    assert len(of_genres) >= 5


def test_a_question_is_for_works_of_its_genre_and_stratum() -> None:
    strokes = next(one for one in SHIPPED.questions if one.id == "rock-and-tree-strokes")
    assert strokes.is_for("landscape", "ink")
    assert not strokes.is_for("landscape", "oil-or-colour")
    assert not strokes.is_for("figure", "ink")
    assert SHIPPED.questions[0].is_for("", "")


@pytest.mark.parametrize(
    ("questions", "says"),
    [
        (TEXTS[: LEAST_QUESTIONS - 1], f"there are 11 questions, at least {LEAST_QUESTIONS}"),
        ([q for q in TEXTS if q["id"] != "tradition"], "no question makes a forced choice"),
        ([{**q, "misreading": ""} for q in TEXTS], "no question asks after a known misreading"),
        (changed("depicted", notes={"en": "look"}), "depicted: no notes for raters in 'zh'"),
        (changed("printing", strata=["wood"]), "lists no work of stratum 'wood'"),
        (changed("printing", genres=["dance"]), "lists no work of genre 'dance'"),
        (
            changed(
                "tradition", choices={**TEXTS[9]["choices"], "indian": {"zh": "一", "en": "on"}}
            ),
            "the choice 'indian' is no tradition",
        ),
        (
            changed("tradition", text={"zh": "哪个传统？", "en": "Which?"}),
            "the text in 'zh' does not offer chinese",
        ),
        (
            changed(
                "tradition",
                choices={key: TEXTS[9]["choices"][key] for key in ("chinese", "japanese", "other")},
            ),
            "tradition: western cannot be chosen",
        ),
        (
            changed(
                "depicted", text={"zh": "画了什么？", "en": "What does this Chinese work show?"}
            ),
            "'Chinese' marks a culture",
        ),
        (changed("depicted", text=TEXTS[2]["text"]), "of their text is the same"),
    ],
)
def test_a_broken_rule_is_told(questions: list[dict[str, Any]], says: str, tmp_path: Path) -> None:
    assert any(
        says in fault
        for fault in check_suite(load_suite(str(suite_of(tmp_path, questions)))).faults
    )


def test_a_suite_that_does_not_say_whose_works_is_told(tmp_path: Path) -> None:
    suite = load_suite(str(suite_of(tmp_path, TEXTS, works="")))
    assert "suite.yaml does not say whose works the questions are about (`works`)" in (
        check_suite(suite).faults
    )


def test_content_decides_the_hash_and_a_file_of_its_own_reads_back_alike(tmp_path: Path) -> None:
    suite = load_suite(str(suite_of(tmp_path, TEXTS)))
    one = write_yaml(tmp_path / "one.yaml", dict(suite.content))
    assert load_suite(str(one)).hash == suite.hash
    longer = load_suite(str(suite_of(tmp_path, changed("depicted", longest=301))))
    assert longer.hash != suite.hash


@pytest.mark.parametrize(
    ("questions", "header", "says"),
    [
        ([], {}, "questions: List should have at least 1 item"),
        (TEXTS, {"scenes": suite_content()["scenes"]}, "has questions, and no scenes"),
        (TEXTS, {"modality": "image"}, "questions and works are for suites of understanding only"),
        ([*TEXTS, TEXTS[0]], {}, "scene 'overview' is there twice"),
        (changed("depicted", text={"zh": " ", "en": "x"}), {}, "the text in 'zh' is empty"),
        (changed("tradition", choices={"chinese": {"zh": "中国"}}), {}, "has no name in 'en'"),
        (changed("depicted", facts=["price"]), {}, "facts.0"),
        (changed("depicted", longest=0), {}, "longest"),
    ],
)
def test_a_file_that_is_none_is_refused(
    questions: list[dict[str, Any]], header: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(FileFormatError, match=says):
        load_suite(str(suite_of(tmp_path, questions, **header)))


def test_pictures_cannot_be_generated_from_questions(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["generate", "--suite", "first-look", "--models", str(tiny_checkpoint)]
    arguments += ["--languages", "en", "--out", str(tmp_path / "run"), "--works", str(tmp_path)]
    assert main(arguments) == 2
    assert "are for suites of understanding" in capsys.readouterr().err
