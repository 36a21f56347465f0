"""What a response may say: the one place where what comes from a browser is checked."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from bench.errors import RequestError
from bench.records import NOT_APPLICABLE, Winner
from raters.protocol import Protocol

Phase = Literal["attribution", "scales", "pair"]

ATTRIBUTION: Phase = "attribution"
SCALES: Phase = "scales"
PAIR: Phase = "pair"

ASPECTS = ("manner", "things")
WINNERS: tuple[str, ...] = get_args(Winner)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OPAQUE = re.compile(r"[0-9a-f]{8,32}")


@dataclass(frozen=True, slots=True)
class Answer:
    """One event as a rater's page sends it, checked."""

    assignment: str
    event_id: str
    phase: Phase
    payload: Mapping[str, Any]
    language: str
    client_time: str


def read_answer(content: Any, protocol: Protocol) -> Answer:
    """Turn the JSON of one event into an `Answer`.

    Raises:
        RequestError: one sentence that names what is wrong.
    """
    keys = {"assignment", "event_id", "phase", "payload", "language", "client_time"}
    fields = _object(content, keys, "an answer")
    for name in keys - {"payload"}:
        if not isinstance(fields[name], str):
            raise RequestError(f"an answer's {name} must be text")
    if not _OPAQUE.fullmatch(fields["assignment"]):
        raise RequestError("there is no such assignment")
    if not _UUID.fullmatch(fields["event_id"]):
        raise RequestError("an answer's event_id must be a UUID in lower case")
    if fields["phase"] not in get_args(Phase):
        raise RequestError(f"an answer's phase must be one of {', '.join(get_args(Phase))}")
    if fields["language"] not in protocol.languages:
        raise RequestError(f"this study's languages are {', '.join(protocol.languages)}")
    if len(fields["client_time"]) > 40:
        raise RequestError("an answer's client_time must be a time in ISO 8601")
    return Answer(
        **{**fields, "payload": check_payload(fields["phase"], fields["payload"], protocol)}
    )


def check_payload(phase: Phase, payload: Any, protocol: Protocol) -> dict[str, Any]:
    """Return the payload of one phase, checked against the study's labels and scales.

    Attribution: `{"manner": label, "things": label}`. Scales: `{scale: whole number}`, or
    `"not_applicable"` where the rubric takes that; whether they are those asked of the item,
    `refuse_incomplete` says. Pair: `{"winner": "left" | "right" | "tie" | "both_bad"}`.

    Raises:
        RequestError: something is missing, unknown or off its scale.
    """
    if phase == ATTRIBUTION:
        chosen = _object(payload, set(ASPECTS), "an attribution")
        for aspect in ASPECTS:
            if chosen[aspect] not in protocol.labels:
                raise RequestError(f"{aspect} must be one of {', '.join(protocol.labels)}")
        return chosen
    if phase == PAIR:
        vote = _object(payload, {"winner"}, "a vote")
        if vote["winner"] not in WINNERS:
            raise RequestError(f"winner must be one of {', '.join(WINNERS)}")
        return vote
    scales = {scale.id: scale for scale in protocol.rubric.scales}
    wanted = set(payload) & set(scales) if isinstance(payload, dict) else set(scales)
    given = _object(payload, wanted, "the scales")
    for name, value in given.items():
        scale = scales[name]
        whole = isinstance(value, int) and not isinstance(value, bool)
        on_scale = whole and scale.low <= value <= scale.high
        if not on_scale and not (protocol.rubric.not_applicable and value == NOT_APPLICABLE):
            raise RequestError(f"{name} must be a whole number from {scale.low} to {scale.high}")
    return given


def refuse_incomplete(payload: Mapping[str, Any], asked: Collection[str]) -> None:
    """Refuse scales that are not exactly those asked of an item."""
    if set(payload) != set(asked):
        raise RequestError(f"the scales asked here are {', '.join(asked)}")


def _object(content: Any, keys: set[str], what: str) -> dict[str, Any]:
    if not isinstance(content, dict) or set(content) != keys:
        raise RequestError(f"{what} must give exactly {', '.join(sorted(keys))}")
    if not all(isinstance(value, str | int | dict) for value in content.values()):
        raise RequestError(f"{what} must give plain values")
    return dict(content)
