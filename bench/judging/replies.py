"""Reading a judge's reply: what it says is taken as it stands, or flagged; nothing is guessed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.judging.questions import WINNERS
from bench.records import NOT_APPLICABLE, Rubric, Scale

EMPTY, CUT = "empty", "cut"
THINKING, NO_JSON, SEVERAL = "unfinished thoughts", "no JSON", "several answers"
MISSING, OFF_SCALE, NO_REASON, NO_WINNER = "missing", "off the scale", "no reason", "no winner"

LONGEST_REASON = 2000
"""Characters of a reason that are kept; the reply is kept whole."""
_THINKING, _END_OF_THINKING = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class Read:
    """What a reply says: by scale the score (None: unread), the reason and what is wrong with it.

    Of a pair `winner` is one of `WINNERS`, or "" where it could not be read. `flags` has each flag
    once, those of single scales too.
    """

    scores: Mapping[str, int | str | None] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    winner: str = ""
    flags: tuple[str, ...] = ()


def read_scales(reply: str, rubric: Rubric, criteria: Sequence[str], *, cut: bool) -> Read:
    """Read a reply on the scales that were asked.

    Args:
        reply: as it came.
        rubric: whose scales they are.
        criteria: ids of those that were asked.
        cut: whether it reached its longest before it ended.
    """
    scales = {scale.id: scale for scale in rubric.scales}
    content, fault = _object_in(reply, set(criteria))
    scores: dict[str, int | str | None] = {}
    reasons, faults = {}, {}
    for name in criteria:
        value, reason, wrong = (
            (None, "", fault) if fault else _score(content.get(name), scales[name], rubric)
        )
        scores[name] = value
        if reason:
            reasons[name] = reason
        if wrong:
            faults[name] = wrong
    flags = ([CUT] if cut else []) + list(faults.values())
    return Read(scores, reasons, faults, "", tuple(dict.fromkeys(flags)))


def read_pair(reply: str, *, cut: bool) -> Read:
    """Read a reply on two pictures."""
    content, fault = _object_in(reply, {"winner"})
    winner = content.get("winner")
    if not fault and winner not in WINNERS:
        winner, fault = "", NO_WINNER
    reason = _reason(content)
    flags = ([CUT] if cut else []) + ([fault] if fault else [])
    if not fault and not reason:
        flags.append(NO_REASON)
    reasons = {"pair": reason} if reason else {}
    return Read({}, reasons, {}, "" if fault else str(winner), tuple(flags))


def _score(given: Any, scale: Scale, rubric: Rubric) -> tuple[int | str | None, str, str]:
    """Return score, reason and fault of one scale."""
    if not isinstance(given, Mapping) or "score" not in given:
        return None, "", MISSING
    reason, score = _reason(given), given["score"]
    lacks = "" if reason else NO_REASON
    if score == NOT_APPLICABLE and rubric.not_applicable:
        return NOT_APPLICABLE, reason, lacks
    if isinstance(score, str):
        digits = score.strip()
        # no more of them than the scale has: the rest is off it, and too long a number is no int
        if len(digits) <= len(str(scale.high)) and digits.isascii() and digits.isdecimal():
            score = int(digits)
    whole = (isinstance(score, int) and not isinstance(score, bool)) or (
        isinstance(score, float) and score.is_integer()
    )
    if not whole or not scale.low <= score <= scale.high:
        return None, reason, OFF_SCALE
    return int(score), reason, lacks


def _reason(given: Mapping[str, Any]) -> str:
    reason = given.get("reason")
    return " ".join(reason.split())[:LONGEST_REASON] if isinstance(reason, str) else ""


def _object_in(reply: str, keys: set[str]) -> tuple[dict[str, Any], str]:
    """Return the one JSON object in a reply that has any of these keys, or what is wrong.

    What stands around it (a fence, a sentence, thoughts before `</think>`) is passed over. Thoughts
    that do not end hold drafts and no answer.
    """
    text = reply.rpartition(_END_OF_THINKING)[2]
    if not text.strip():
        return {}, EMPTY
    if _THINKING in text:
        return {}, THINKING
    decoder = json.JSONDecoder(object_pairs_hook=_unique)
    found: list[dict[str, Any]] = []
    place = text.find("{")
    while place >= 0:
        try:
            content, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            place = text.find("{", place + 1)
            continue
        if isinstance(content, dict) and keys & content.keys() and content not in found:
            found.append(content)
        place = text.find("{", end)
    if not found:
        return {}, NO_JSON
    return (found[0], "") if len(found) == 1 else ({}, SEVERAL)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that is given twice with two values: which one was meant?"""
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content and content[key] != value:
            raise ValueError(key)
        content[key] = value
    return content
