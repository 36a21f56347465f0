"""What a response may say: the one place where what comes from a browser is checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from bench.errors import RequestError
from bench.records import NOT_APPLICABLE, Winner
from raters.protocol import Protocol

Phase = Literal["attribution", "scales", "pair", "detection"]
Payload = dict[str, Any]

ATTRIBUTION: Phase = "attribution"
SCALES: Phase = "scales"
PAIR: Phase = "pair"
DETECTION: Phase = "detection"

ASPECTS = ("manner", "things")
WINNERS: tuple[str, ...] = get_args(Winner)
HUMANS = ("human", "model", "cannot_tell")
NO_TRACE = "none"
STRENGTHS = (NO_TRACE, "slight", "clear", "equal")
SKIPS = ("does_not_load", "cannot_judge", "disturbing", "other")
PICTURE_FLAGS = (
    "hands", "anatomy", "text", "perspective", "brushwork", "period_mixture", "craftsman_like",
    "sweet_vulgar", "over_smooth", "over_lit",
)  # fmt: skip
CLIP_FLAGS = (*PICTURE_FLAGS, "flicker", "style_drift", "character_change", "broken_motion")

SIDES = ("left", "right")
MARKS = ("wrong", "invented")
"""What may be said of a passage: it is wrong, or what it speaks of is not there."""

MARKS_MOST = 200
LONGEST_ANSWER = 200_000
"""Characters."""

REMARK_LONGEST = 2000
GENERATOR_LONGEST = 80
FLAGS_MOST = 12
EVENTS_MOST = 50
LONGEST_LOOK = 86_400_000
"""Milliseconds: a day."""

LONGEST_CLIP = 3600.0
"""Seconds: a flag's place in time lies within."""

SHOWN = ("milliseconds", "width", "height", "plays")
"""What a page may say of how a step was looked at."""

EVENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
OPAQUE = re.compile(r"[0-9a-f]{8,32}")
"""An assignment's or a stimulus's id."""

# any at all, up to the six figures that a browser gives a year: no answer is refused for its clock
_TIME = re.compile(
    r"(\d{4}|[+-]\d{6})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
# what a database may not take, or a table would show as something else
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Answer:
    """One event as a rater's page sends it, checked.

    `shown` says how the step was looked at: milliseconds by the page's own clock, the window's
    width and height in CSS pixels, and how often the least played clip was played through.
    """

    assignment: str
    event_id: str
    phase: Phase
    payload: Mapping[str, Any]
    language: str
    client_time: str
    shown: Mapping[str, int] = field(default_factory=dict)

    @property
    def skip(self) -> str | None:
        """The reason for which the assignment was skipped, None where it was answered."""
        reason: str | None = self.payload.get("skip")
        return reason


def read_answer(content: Any, protocol: Protocol) -> Answer:
    """Turn the JSON of one event into an `Answer`.

    Raises:
        RequestError: one sentence that names what is wrong.
    """
    keys = {"assignment", "event_id", "phase", "payload", "language", "client_time"}
    fields = _object(content, keys, "an answer", optional={"shown"})
    for name in keys - {"payload"}:
        if not isinstance(fields[name], str):
            raise RequestError(f"an answer's {name} must be text")
    if not OPAQUE.fullmatch(fields["assignment"]):
        raise RequestError("there is no such assignment")
    if not EVENT_ID.fullmatch(fields["event_id"]):
        raise RequestError("an answer's event_id must be a UUID in lower case")
    if fields["phase"] not in get_args(Phase):
        raise RequestError(f"an answer's phase must be one of {', '.join(get_args(Phase))}")
    if fields["language"] not in protocol.languages:
        raise RequestError(f"this study's languages are {', '.join(protocol.languages)}")
    if not _TIME.fullmatch(fields["client_time"]):
        raise RequestError("an answer's client_time must be a time in ISO 8601")
    checked = {
        "payload": check_payload(fields["phase"], fields["payload"], protocol),
        "shown": _check_shown(fields.get("shown", {})),
    }
    return Answer(**{**fields, **checked})


def check_payload(phase: Phase, payload: Any, protocol: Protocol) -> Payload:
    """Return the payload of one phase, checked against the study's questions, labels and scales.

    Every phase may be skipped: `{"skip": reason}`. Where the study takes remarks, every payload may
    have one. Whether the scales are those asked of the item, `refuse_incomplete` says.

    Raises:
        RequestError: something is missing, unknown or off its scale.
    """
    content = dict(payload) if isinstance(payload, dict) else payload
    remark = {}
    if isinstance(content, dict) and protocol.ask.remark and "remark" in content:
        text = _text(content.pop("remark"), "remark", REMARK_LONGEST)
        remark = {"remark": text} if text else {}
    if isinstance(content, dict) and "skip" in content:
        skip = _object(content, {"skip"}, "a skip")
        _choice(skip["skip"], SKIPS, "skip")
        return {**skip, **remark}
    check: dict[Phase, Callable[[Any, Protocol], Payload]] = {
        ATTRIBUTION: _check_attribution,
        SCALES: _check_scales,
        PAIR: _check_pair,
        DETECTION: _check_detection,
    }
    return {**check[phase](content, protocol), **remark}


def refuse_incomplete(payload: Mapping[str, Any], asked: Collection[str]) -> None:
    """Refuse scales that are not exactly those asked of an item."""
    if set(payload["scales"]) != set(asked):
        raise RequestError(f"the scales asked here are {', '.join(asked)}")


def refuse_unplayed(answer: Answer, flags: Collection[Mapping[str, Any]], *, clip: bool) -> None:
    """Refuse an answer on a clip that has not played once, and flags in time on a picture."""
    if clip and not answer.skip and not answer.shown.get("plays"):
        raise RequestError("each clip must have played once before it is judged")
    if any(("t" in flag) != clip for flag in flags):
        raise RequestError("a flag has a time t on a clip, and none on a picture")


def flag_kinds(protocol: Protocol) -> tuple[str, ...]:
    """Return the faults that may be flagged in a study."""
    if not protocol.ask.flags:
        return ()
    return CLIP_FLAGS if protocol.modality == "video" else PICTURE_FLAGS


def _check_attribution(content: Any, protocol: Protocol) -> Payload:
    """`{"manner": label, "things": label}`, with trace, trace_strength, recognised where asked."""
    keys = set(ASPECTS)
    if protocol.ask.traces:
        keys |= {"trace", "trace_strength"}
    if protocol.ask.recognised:
        keys |= {"recognised"}
    chosen = _object(content, keys, "an attribution")
    for aspect in ASPECTS:
        _choice(chosen[aspect], protocol.labels, aspect)
    if protocol.ask.traces:
        _choice(chosen["trace"], (NO_TRACE, *protocol.labels), "trace")
        _choice(chosen["trace_strength"], STRENGTHS, "trace_strength")
        if (chosen["trace"] == NO_TRACE) != (chosen["trace_strength"] == NO_TRACE):
            raise RequestError("trace and trace_strength are both none, or neither is")
        if chosen["trace"] == chosen["manner"]:
            raise RequestError("a trace is of another tradition than the manner")
    if protocol.ask.recognised:
        _truth(chosen["recognised"], "recognised")
    return chosen


def _check_scales(content: Any, protocol: Protocol) -> Payload:
    """`{"scales": {scale: whole number | "not_applicable"}, "flags": [{kind, x, y, t}]}`."""
    optional = {"flags"} if protocol.ask.flags else set()
    given = _object(content, {"scales"}, "an answer on the scales", optional=optional)
    checked: Payload = {"scales": _scale_values(given["scales"], protocol)}
    if protocol.ask.flags:
        checked["flags"] = _check_flags(given.get("flags", []), flag_kinds(protocol))
    return checked


def _scale_values(values: Any, protocol: Protocol) -> Payload:
    known = {scale.id: scale for scale in protocol.rubric.scales}
    if not isinstance(values, dict) or not set(values) <= set(known):
        raise RequestError(f"the scales are {', '.join(known)}")
    for name, value in values.items():
        scale = known[name]
        whole = isinstance(value, int) and not isinstance(value, bool)
        on_scale = whole and scale.low <= value <= scale.high
        if not on_scale and not (protocol.rubric.not_applicable and value == NOT_APPLICABLE):
            raise RequestError(f"{name} must be a whole number from {scale.low} to {scale.high}")
    return dict(values)


def _check_flags(flags: Any, kinds: Collection[str]) -> list[Payload]:
    if not isinstance(flags, list) or len(flags) > FLAGS_MOST:
        raise RequestError(f"flags must be a list of at most {FLAGS_MOST}")
    checked = []
    for one in flags:
        flag = _object(one, {"kind", "x", "y"}, "a flag", optional={"t"})
        _choice(flag["kind"], kinds, "a flag's kind")
        for name, most in (("x", 1.0), ("y", 1.0), ("t", LONGEST_CLIP)):
            if name in flag:
                flag[name] = round(_number(flag[name], f"a flag's {name}", most), 4)
        checked.append(flag)
    return checked


def _check_pair(content: Any, protocol: Protocol) -> Payload:
    """`{"winner": …}`; of answers also `scales` by side, and `marks` on passages."""
    of_answers = protocol.modality == "understanding"
    more = {"scales", "marks"} if of_answers else set()
    vote = _object(content, {"winner"} | more, "a vote")
    _choice(vote["winner"], WINNERS, "winner")
    if of_answers:
        scales = _object(vote["scales"], set(SIDES), "scales by side")
        vote["scales"] = {side: _scale_values(scales[side], protocol) for side in SIDES}
        for side in SIDES:
            refuse_incomplete(
                {"scales": vote["scales"][side]}, [scale.id for scale in protocol.rubric.scales]
            )
        vote["marks"] = _check_marks(vote["marks"])
    return vote


def _check_marks(marks: Any) -> list[Payload]:
    """`[{side, section, start, end, kind}]`: places in characters of an answer, the end left out."""
    if not isinstance(marks, list) or len(marks) > MARKS_MOST:
        raise RequestError(f"marks must be a list of at most {MARKS_MOST}")
    checked = []
    for one in marks:
        mark = _object(one, {"side", "section", "start", "end", "kind"}, "a mark")
        _choice(mark["side"], SIDES, "a mark's side")
        _choice(mark["kind"], MARKS, "a mark's kind")
        for name in ("section", "start", "end"):
            if not isinstance(mark[name], int) or isinstance(mark[name], bool) or mark[name] < 0:
                raise RequestError(f"a mark's {name} must be a whole number from 0")
        if not mark["start"] < mark["end"] <= LONGEST_ANSWER:
            raise RequestError("a mark's end must come after its start")
        if mark in checked:
            raise RequestError("a passage is marked once as what it is")
        checked.append(mark)
    return checked


def _check_detection(content: Any, _protocol: Protocol) -> Payload:
    """`{"human": …, "generator_recognised": bool, "generator": text}`, the last may be left out."""
    keys = {"human", "generator_recognised"}
    told = _object(content, keys, "an answer on the maker", optional={"generator"})
    _choice(told["human"], HUMANS, "human")
    _truth(told["generator_recognised"], "generator_recognised")
    if told["generator_recognised"] and told["human"] != "model":
        raise RequestError("a program is recognised only in a picture made by one")
    if "generator" in told:
        told["generator"] = _text(told["generator"], "generator", GENERATOR_LONGEST)
        if told["generator"] and not told["generator_recognised"]:
            raise RequestError("a program that was not recognised cannot be named")
    return told


def _check_shown(content: Any) -> dict[str, int]:
    shown = _object(content, set(), "shown", optional=set(SHOWN))
    for name, value in shown.items():
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not 0 <= value <= LONGEST_LOOK:
            raise RequestError(f"shown's {name} must be a whole number from 0 to {LONGEST_LOOK}")
    return shown


def _object(content: Any, keys: set[str], what: str, *, optional: Collection[str] = ()) -> Payload:
    if not isinstance(content, dict) or not keys <= set(content) <= keys | set(optional):
        told = [f"must give exactly {', '.join(sorted(keys))}"] if keys else []
        told += [f"may give {', '.join(sorted(optional))}, and nothing else"] if optional else []
        raise RequestError(f"{what} {', and '.join(told)}")
    return dict(content)


def _choice(value: Any, among: Collection[str], name: str) -> None:
    if not isinstance(value, str) or value not in among:
        raise RequestError(f"{name} must be one of {', '.join(among)}")


def _truth(value: Any, name: str) -> None:
    if not isinstance(value, bool):
        raise RequestError(f"{name} must be true or false")


def _number(value: Any, name: str, most: float) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= most:  # which no NaN is
        raise RequestError(f"{name} must be a number from 0 to {most:g}")
    return float(value)


def _text(value: Any, name: str, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise RequestError(f"{name} must be text of at most {longest} characters")
    if _UNPRINTABLE.search(value.replace("\r\n", "\n")):
        raise RequestError(f"{name} holds a character that is no text")
    return value.replace("\r\n", "\n").strip()
