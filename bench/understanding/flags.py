"""What is wrong with an answer as a text: empty, cut, in another language, or running on."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bench.suite_texts import HAN

EMPTY, CUT, LANGUAGE, REPEATS = "empty", "cut", "wrong language", "runs on"

_LATIN_WORD = re.compile(r"[A-Za-z]{2,}")
_KANA = re.compile(r"[\u3040-\u30ff]")
_LEAST_WORDS = 8
"""Units below which a text is too short to say its language."""
_TAIL = 400
_REPETITIONS = 4
"""A stretch of at least 6 signs that ends a text, so many times in a row, is no answer any more."""


def flags_of(answer: str, language: str, *, cut: bool) -> list[str]:
    """Return what is wrong with an answer, in the order in which it is told.

    Args:
        answer: the text as the model gave it.
        language: that of the question; of other languages than zh and en nothing is said.
        cut: whether it reached its longest before it ended.
    """
    if not answer.strip():
        return [EMPTY]
    found = [CUT] if cut else []
    if not _is_in(answer, language):
        found.append(LANGUAGE)
    if runs_on(answer):
        found.append(REPEATS)
    return found


def runs_on(answer: str) -> bool:
    """Say whether a text ends in one stretch again and again."""
    tail = answer.rstrip()[-_TAIL:]
    for length in range(6, len(tail) // _REPETITIONS + 1):
        unit = tail[-length:]
        if len(set(unit)) > 1 and tail.endswith(unit * _REPETITIONS):
            return True
    # one sign, or a short group of signs, over and over
    return bool(re.search(r"(.{1,5}?)\1{19,}$", tail, re.DOTALL))


def _is_in(answer: str, language: str) -> bool:
    """A Chinese answer is mostly Han, an English one mostly Latin; terms of the other may occur."""
    han, latin = len(HAN.findall(answer)), len(_LATIN_WORD.findall(answer))
    kana = len(_KANA.findall(answer))
    if han + latin + kana < _LEAST_WORDS or language not in {"zh", "en"}:
        return True
    if language == "zh":
        return han > latin and kana <= han // 4
    return latin > han + kana


def told(flags: Sequence[str]) -> str:
    """Return flags as a row's note."""
    return ", ".join(flags)
