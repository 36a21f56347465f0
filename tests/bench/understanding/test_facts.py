"""Answers held against what is known, and what is wrong with a text as a text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.suites import load_suite
from bench.understanding.facts import chosen, graded, read_periods
from bench.understanding.flags import flags_of, runs_on
from bench.understanding.works import Work

SUITE = load_suite("painting-understanding")
PERIODS = read_periods(SUITE.folder)
CHOICE = next(question for question in SUITE.questions if question.id == "tradition")
WORK = Work(
    "early-spring", "early-spring.png", "", "pixels", 10, 10, "chinese",
    period="Northern Song", title={"en": "Early Spring", "zh": "早春图"},
    artist={"en": "Guo Xi", "zh": "郭熙"},
)  # fmt: skip


def verdicts(question: str, answer: str, language: str = "en", work: Work = WORK) -> dict[str, Any]:
    row = {
        "model": "m", "work": work.id, "question": question, "language": language, "seed": 0,
        "target": work.tradition, "genre": "landscape", "answer": answer, "pixel_sha256": "pixels",
    }  # fmt: skip
    return {one.fact: one.verdict for one in graded([row], SUITE, [work], PERIODS)}


@pytest.mark.parametrize(
    ("language", "answer", "label"),
    [
        ("en", "中国\nThe washes and the empty parts…", "chinese"),
        ("en", "**Japanese**\nA Chinese work would have…", "japanese"),
        ("en", "The tradition is Western.", "western"),
        ("en", "Other", "other"),
        ("en", "On the other hand it is a scroll, and so it is Chinese.", "chinese"),
        ("en", "Chinese or Japanese", "cannot_tell"),
        ("en", "I cannot say.", "cannot_tell"),
        ("en", "", "cannot_tell"),
        ("en", "Chineseness is hard to tell", "cannot_tell"),
        ("zh", "中国\n画中留白……", "chinese"),
        ("zh", "这件作品属于日本传统。", "japanese"),
        ("zh", "其他", "other"),
        ("zh", "其他几处都像西方绘画。", "western"),
    ],
)
def test_a_choice_is_read_from_the_first_line_or_from_the_only_one_named(
    language: str, answer: str, label: str
) -> None:
    del language  # of the question: a choice may be named in any
    assert chosen(answer, CHOICE) == label


def test_title_artist_and_period_are_held_against_the_list() -> None:
    right = verdicts(
        "identify", "Title: Early Spring\nArtist: Guo Xi\nPeriod: Northern Song (1072)"
    )
    assert right == {"title": "right", "artist": "right", "period": "right"}
    zh = verdicts("identify", "早春圖\n郭熙\n北宋", "zh")
    assert zh == {"title": "right", "artist": "right", "period": "right"}
    wrong = verdicts("identify", "Travellers among Mountains\nFan Kuan\nMing")
    assert wrong == {"title": "wrong", "artist": "wrong", "period": "wrong"}
    honest = verdicts("identify", "not known\nnot known\nnot known")
    assert honest == {"title": "not_said", "artist": "not_said", "period": "not_said"}
    nearly = verdicts("identify", "Early Springs\nnot known\nnot known")
    assert nearly["title"] == "right"


def test_the_first_period_named_counts_and_longer_names_go_before_shorter() -> None:
    assert verdicts("identify", "x\ny\nSouthern Song, not Northern Song")["period"] == "wrong"
    assert verdicts("school-period-and-hand", "Northern Song, perhaps Ming")["period"] == "right"
    later = replace(WORK, period="Eastern Han")
    assert verdicts("identify", "x\ny\n东汉", "zh", later)["period"] == "right"


def test_what_is_not_known_of_a_work_is_not_asked_of_an_answer() -> None:
    nameless = replace(WORK, title=None, artist={}, period="Dutch, 17th century")
    assert verdicts("identify", "Early Spring\nGuo Xi\nMing", work=nameless) == {}
    assert verdicts("depicted", "mountains") == {}


@pytest.mark.parametrize(
    ("answer", "language", "cut", "flags"),
    [
        ("", "en", False, ["empty"]),
        (" \n", "zh", True, ["empty"]),
        ("A mountain stands behind the mist and a stream falls.", "en", False, []),
        ("A mountain stands behind the mist and a", "en", True, ["cut"]),
        ("远山在雾后，一条溪水落下，岸边有人家。", "en", False, ["wrong language"]),
        ("これはとても美しい浮世絵で、海の波が描かれています。", "zh", False, ["wrong language"]),
        ("これはとてもうつくしいえです。", "en", False, ["wrong language"]),
        ("葛饰北斋《神奈川沖浪裏》，日文作“なみうら”，富士山在浪后，极小。", "zh", False, []),
        ("A mountain stands behind the mist and a stream falls.", "zh", False, ["wrong language"]),
        ("远处的山（distant mountains）隐在雾里，用披麻皴画成。", "zh", False, []),
        (
            "遠くの山が霧の中に見えます。川が流れています。とても静かです。",
            "zh",
            False,
            ["wrong language"],
        ),
        ("ok", "zh", False, []),
        ("The picture shows " + "a mountain and " * 30, "en", True, ["cut", "runs on"]),
        ("山" * 60, "zh", True, ["cut", "runs on"]),
    ],
)
def test_what_is_wrong_with_a_text_is_told(
    answer: str, language: str, cut: bool, flags: list[str]
) -> None:
    assert flags_of(answer, language, cut=cut) == flags


def test_a_refrain_is_no_running_on() -> None:
    assert not runs_on("Mist, mist, and mist again: the hills, the hills go on.")
    assert not runs_on("一山、二山、三山，山山相连。")
    assert runs_on("so it is. " * 12)
