"""The scores of understanding: planted shares, edges, and intervals over works."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.records import Score
from leaderboard.answers import flag_scores, score_answers
from leaderboard.answers_page import answer_sections
from leaderboard.board import boards
from leaderboard.details import tables_of
from leaderboard.site import method, write_site
from leaderboard.words import words_in

COLUMNS = ["model", "work", "question", "language", "seed", "target", "genre", "fact", "verdict",
           "attribution"]  # fmt: skip


def table(model: str, works: dict[str, int], label: dict[str, list[str]]) -> pd.DataFrame:
    """`works` of each tradition; `label` of a tradition are what its works are called in turn."""
    rows = []
    for target, count in works.items():
        for number in range(count):
            for seed in range(2):
                told = label[target][(number * 2 + seed) % len(label[target])]
                verdict = "right" if told == target else "wrong"
                rows.append(
                    (model, f"{target}-{number}", "tradition", ("zh", "en")[seed], 0, target,
                     "landscape", "tradition", verdict, told)
                )  # fmt: skip
    return pd.DataFrame(rows, columns=pd.Index(COLUMNS))


def found(scores: list[Score], metric: str, **columns: str) -> Score:
    wanted = {"slice": "", "criterion": "", "group": ""} | columns
    (one,) = [
        score
        for score in scores
        if score.metric == metric and all(getattr(score, k) == v for k, v in wanted.items())
    ]
    return one


def scored(table: pd.DataFrame, **more: object) -> list[Score]:
    return score_answers(
        table,
        home="chinese",
        traditions=["chinese", "japanese", "western"],
        rng=np.random.default_rng(0),
        **more,  # type: ignore[arg-type]
    )


MISREADER = table(
    "m",
    {"chinese": 20, "japanese": 20, "western": 20},
    {
        "chinese": ["chinese", "chinese", "japanese", "chinese", "japanese"],
        "japanese": ["japanese"],
        "western": ["western", "western", "western", "chinese"],
    },
)


def test_a_planted_misreading_is_found() -> None:
    scores = scored(MISREADER)
    assert found(scores, "home_called_other").value == pytest.approx(0.4)
    assert found(scores, "home_called_other", group="japanese").value == pytest.approx(0.4)
    assert found(scores, "home_called_other", group="western").value == 0
    assert found(scores, "other_called_home").value == pytest.approx(0.125)
    gap = found(scores, "misreading_gap")
    assert gap.value == pytest.approx(0.275)
    assert 0 < gap.low < gap.value < gap.high
    confusion = found(scores, "tradition_confusion", criterion="western", group="chinese")
    assert confusion.value == pytest.approx(0.25)
    assert found(scores, "fact_recall", criterion="tradition").n_items == 60


def test_shares_at_the_edge_have_an_interval() -> None:
    never = found(scored(MISREADER), "home_called_other", group="western")
    assert (never.low, never.value) == (0, 0)
    assert 0.05 < never.high < 0.2  # Beta(½, 20½): 97.5 % at 0.117


def test_an_unclear_answer_stays_in_the_denominator() -> None:
    unclear = table("m", {"chinese": 4}, {"chinese": ["chinese", "cannot_tell"]})
    scores = scored(unclear)
    assert found(scores, "fact_recall", criterion="tradition").value == 0.5
    assert found(scores, "home_called_other").value == 0
    gap = found(scores, "misreading_gap")
    assert math.isnan(gap.value)
    assert "both wanted" in gap.reason


def test_one_work_has_no_interval() -> None:
    alone = found(
        scored(table("m", {"chinese": 1}, {"chinese": ["japanese"]})), "home_called_other"
    )
    assert (alone.value, alone.reason) == (1, "no interval: fewer than two works")


def test_languages_are_compared_on_the_same_works_and_slices_are_scored_apart() -> None:
    better_in_zh = table(
        "m", {"chinese": 12}, {"chinese": ["chinese", "japanese", "chinese", "chinese"]}
    )
    scores = scored(better_in_zh, by=["language"])
    gap = found(scores, "fact_language_gap", criterion="tradition", group="zh-en")
    assert gap.value == pytest.approx(0.5)
    assert gap.low > 0
    zh = found(scores, "home_called_other", slice="language=zh")
    en = found(scores, "home_called_other", slice="language=en")
    assert (zh.value, en.value) == (0, 0.5)


def test_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(60):
        labels = ["japanese" if one else "chinese" for one in rng.random(60) < 0.3]
        share = found(
            scored(table("m", {"chinese": 30}, {"chinese": labels}), resamples=400),
            "home_called_other",
        )
        held += share.low <= 0.3 <= share.high
    assert held >= 52


def test_flags_are_shares_of_answers() -> None:
    rows = pd.DataFrame({"model": ["a", "a", "b"], "flags": [["cut"], [], ["empty", "cut"]]})
    shares = {(one.model, one.group): one.value for one in flag_scores(rows)}
    assert shares == {("a", "cut"): 0.5, ("b", "cut"): 1.0, ("b", "empty"): 1.0}


def test_the_page_shows_misreading_facts_flags_and_painting_beside_reading(tmp_path: Path) -> None:
    rows = pd.DataFrame({"model": ["m"], "flags": [["cut", "wrong language"]]})
    scores = scored(MISREADER, study="run") + flag_scores(rows, study="run")
    scores += [
        Score(
            study="s", metric=metric, criterion="manner", model="m", group="japanese", value=value
        )
        for metric, value in (("raw_leak", 0.5), ("excess_leak", 0.35))
    ]
    for language in ("en", "zh"):
        sections = answer_sections(scores, words_in(language))
        assert [len(section.tables) for section in sections] == [3, 1]
        titles = {table.title for section in sections for table in section.tables}
        assert words_in(language).say("both_title") in titles
    (both,) = answer_sections(scores, words_in("en"))[1].tables
    (line,) = both.rows
    assert line.cells[:2] == ["m", "Japanese"]
    assert line.cells[2].startswith("0.35")
    assert line.cells[3].startswith("0.40")
    write_site(scores, tmp_path)
    for name, head in (
        ("index.html", "What models say of works"),
        ("index.zh.html", "模型怎样说画"),
    ):
        assert head in (tmp_path / name).read_text(encoding="utf-8")
    only_answers = scored(MISREADER, study="run")
    assert len(answer_sections(only_answers, words_in("en"))) == 1
    assert answer_sections([], words_in("en")) == []


def test_a_slice_of_a_study_of_answers_is_one_of_answers() -> None:
    """Marks are counted of the whole alone."""
    mean = Score(study="s", metric="mean_score", criterion="c", model="m", value=3.0)
    marks = Score(study="s", metric="marked_per_1000", criterion="all", model="m", value=1.0)
    other = replace(mean, study="t")
    sliced = [replace(score, slice="language=zh") for score in (mean, other)]
    scores = [mean, marks, other, *sliced]
    for slice_ in ("", "language=zh"):
        assert [board.of_answers for board in boards(scores, slice_=slice_)] == [True, False]


def test_a_study_of_texts_speaks_of_texts_and_plans_no_pictures() -> None:
    of_study = partial(Score, metric="protocol", value=0.0, study="read")
    scores = [
        Score(metric="marked_per_1000", value=1.0, study="read", model="m", group="wrong"),
        of_study(group="singles"),
        of_study(group="withdrawn"),
        replace(of_study(group="pairs"), value=20.0),
    ]
    (board,) = boards(scores)
    (table,) = (one for one in tables_of(board, words_in("en")) if "P.910" in one.title)
    assert [row.cells[0] for row in table.rows] == [
        "raters who withdrew",
        "pairs per rater, at most",
    ]
    assert board.text("details_counts") == "details_counts_of_answers"
    assert not any(said.startswith("Style bias") for said in method([board], words_in("en")))
