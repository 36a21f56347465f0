"""Answers held against what is known of the works: no expert is needed, and no judgement is made."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field

from bench.questions import OTHER, Fact, QuestionFile
from bench.reading import FileModel, check, read_yaml
from bench.suites import Suite
from bench.understanding.works import Work

Verdict = Literal["right", "wrong", "not_said"]

CANNOT_TELL = "cannot_tell"
"""What an answer is taken for that makes no choice, or several."""

ALIKE = 0.8
"""Titles as alike as this (Ratcliff and Obershelp's measure) are the same: spellings differ."""

_NOT_KNOWN = re.compile(
    r"not known|unknown|don.t know|不知|不详|未知|佚名|无法(?:确定|判断|辨认)", re.IGNORECASE
)
_LABEL = re.compile(
    r"^\W*(?:title|maker|artist|author|period|date|名称|题名|标题|作者|画家|时代|年代|朝代)\W*[:：]",
    re.IGNORECASE,
)
_SIGN = re.compile(r"[\W_]+")
_SAME_SIGN = str.maketrans("谿圖畫臺", "溪图画台")


class PeriodsFile(FileModel):
    """A suite's `periods.yaml`: a period as `references.yaml` names it, and its other names."""

    periods: dict[str, tuple[str, ...]] = Field(min_length=1)


class Graded(NamedTuple):
    """One answer held against one fact; of the tradition `attribution` is what was chosen."""

    model: str
    work: str
    question: str
    language: str
    seed: int
    target: str
    genre: str
    fact: Fact
    verdict: Verdict
    attribution: str = ""


def read_periods(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the names of periods that lie beside a suite, none where no file does."""
    path = folder / "periods.yaml"
    return dict(check(read_yaml(path), PeriodsFile, path).periods) if path.is_file() else {}


def graded(
    rows: Sequence[Mapping[str, Any]],
    suite: Suite,
    works: Sequence[Work],
    periods: Mapping[str, Sequence[str]],
) -> list[Graded]:
    """Hold the rows of a run against the facts that its questions ask for and that are known.

    Args:
        rows: of `metadata.jsonl`.
        suite: the run's.
        works: the run's, with what is known of them.
        periods: as `read_periods` returns them.
    """
    questions = {question.id: question for question in suite.questions}
    known = {(work.id, work.pixel_sha256): work for work in works}
    found = []
    for row in rows:
        question = questions[row["question"]]
        work = known[row["work"], row["pixel_sha256"]]
        for fact in question.facts:
            said = _held_against(fact, row, question, work, periods)
            if said is not None:
                verdict, label = said
                found.append(
                    Graded(
                        model=row["model"],
                        work=row["work"],
                        question=row["question"],
                        language=row["language"],
                        seed=row["seed"],
                        target=row["target"],
                        genre=row["genre"],
                        fact=fact,
                        verdict=verdict,
                        attribution=label,
                    )
                )
    return found


def _held_against(
    fact: Fact,
    row: Mapping[str, Any],
    question: QuestionFile,
    work: Work,
    periods: Mapping[str, Sequence[str]],
) -> tuple[Verdict, str] | None:
    """Return verdict and label, None where nothing is known to hold the answer against."""
    answer = str(row["answer"])
    if fact == "tradition":
        label = chosen(answer, question)
        if label == CANNOT_TELL:
            return "not_said", label
        return ("right" if label == work.tradition else "wrong"), label
    if fact == "period":
        return None if work.period not in periods else (_period(answer, work.period, periods), "")
    names = list(((work.title if fact == "title" else work.artist) or {}).values())
    if not names:
        return None
    lines = [line for line in answer.splitlines() if line.strip()]
    place = ("title", "artist").index(fact)
    line = lines[place] if question.facts[:2] == ("title", "artist") and len(lines) > place else ""
    return _named(answer, line, names), ""


def chosen(answer: str, question: QuestionFile) -> str:
    """Return the choice that an answer makes, `cannot_tell` where it makes none or several.

    Its first line decides where it names one choice; else the whole text, `other` left out, since
    that word stands in any text. A choice may be named in any language: answering in another one
    than that of the question is flagged, and is no misreading.
    """
    lines = [line for line in answer.splitlines() if line.strip()]
    first = lines[0] if lines else ""
    for text, without in ((first, ""), (answer, OTHER)):
        named = {
            choice
            for choice, names in question.choices.items()
            if choice != without and any(_stands_in(text, *one) for one in names.items())
        }
        if len(named) == 1:
            return named.pop()
    return CANNOT_TELL


def _stands_in(text: str, language: str, name: str) -> bool:
    if language == "zh":
        return name in text
    return re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE) is not None


def _period(answer: str, period: str, periods: Mapping[str, Sequence[str]]) -> Verdict:
    """The period that an answer names first counts: a list of all would name the true one too."""
    every = {name: one for one, names in periods.items() for name in (one, *names)}
    either = "|".join(
        rf"\b{re.escape(name)}\b" if name.isascii() else re.escape(name)
        for name in sorted(every, key=len, reverse=True)
    )
    first = re.search(either, answer)
    if first is None:
        return "not_said"
    return "right" if every[first[0]] == period else "wrong"


def _named(answer: str, line: str, names: Sequence[str]) -> Verdict:
    """A name counts where it stands in the answer, or where the line for it reads nearly so."""
    plain = _plain(answer)
    wanted = [_plain(name) for name in names]
    if any(name in plain for name in wanted):
        return "right"
    given = _plain(_LABEL.sub("", line))
    if not given or _NOT_KNOWN.search(line):
        return "not_said"
    alike = any(difflib.SequenceMatcher(None, given, name).ratio() >= ALIKE for name in wanted)
    return "right" if alike else "wrong"


def _plain(text: str) -> str:
    return _SIGN.sub("", text).translate(_SAME_SIGN).lower()
