from __future__ import annotations

import json
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import RequestError
from raters.config import Ask
from raters.payloads import Answer, check_payload, flag_kinds, read_answer, refuse_unplayed
from raters.protocol import Protocol, read_protocol

LOOK = {
    "manner": "chinese",
    "things": "other",
    "trace": "japanese",
    "trace_strength": "slight",
    "recognised": False,
}
FLAG = {"kind": "hands", "x": 0.5, "y": 1}
SCALES = {"scales": {"ink": 4, "form": 2}}
SEEN = {"human": "model", "generator_recognised": True}


@pytest.fixture(scope="module")
def plain(template: Path) -> Protocol:
    """A study that asks nothing beside attribution, scales and pairs, and takes remarks."""
    return read_protocol(template)


@pytest.fixture(scope="module")
def full(plain: Protocol) -> Protocol:
    """A study that asks everything and has a label of its own."""
    return plain.model_copy(update={"ask": Ask(), "declared_labels": ["generic_digital"]})


@pytest.mark.parametrize(
    ("phase", "payload", "words"),
    [
        ("attribution", {"manner": "korean", "things": "other"}, "manner must be one of"),
        ("attribution", {"manner": "other"}, "exactly manner, things"),
        ("attribution", {"manner": ["x"], "things": "other"}, "manner must be one of"),
        ("attribution", {**LOOK}, "exactly manner, things"),
        ("attribution", None, "exactly"),
        ("scales", {"scales": {"ink": 6, "form": 1}}, "ink must be a whole number from 1 to 5"),
        ("scales", {"scales": {"ink": True, "form": 1}}, "ink must be a whole number"),
        ("scales", {"scales": {"ink": "3", "form": 1}}, "ink must be a whole number"),
        ("scales", {"scales": {"ink": 3, "odd": 1}}, "the scales are ink, form"),
        ("scales", {"scales": [3]}, "the scales are ink, form"),
        ("scales", {"ink": 3, "form": 1}, "exactly scales"),
        ("scales", {**SCALES, "flags": []}, "exactly scales"),
        ("pair", {"winner": "neither"}, "winner must be one of"),
        ("pair", {"winner": "left", "why": "x"}, "exactly winner"),
        ("pair", {"skip": "bored"}, "skip must be one of"),
        ("pair", {"skip": "other", "winner": "left"}, "exactly skip"),
        ("pair", {"winner": "left", "remark": 5}, "remark must be text"),
        ("pair", {"winner": "left", "remark": "x" * 2001}, "at most 2000"),
        ("pair", {"winner": "left", "remark": "a\x00b"}, "a character that is no text"),
        ("pair", {"winner": "left", "remark": "\ud800"}, "a character that is no text"),
    ],
)
def test_bad_payloads_are_refused_in_one_sentence(
    plain: Protocol, phase: Any, payload: Any, words: str
) -> None:
    with pytest.raises(RequestError, match=words):
        check_payload(phase, payload, plain)


@pytest.mark.parametrize(
    ("phase", "payload", "words"),
    [
        ("attribution", {"manner": "chinese", "things": "other"}, "exactly manner, recognised"),
        ("attribution", {**LOOK, "trace": "chinese"}, "another tradition than the manner"),
        ("attribution", {**LOOK, "trace": "none"}, "both none, or neither"),
        ("attribution", {**LOOK, "trace_strength": "none"}, "both none, or neither"),
        ("attribution", {**LOOK, "trace": "martian"}, "trace must be one of none, chinese"),
        ("attribution", {**LOOK, "trace_strength": 2}, "trace_strength must be one of"),
        ("attribution", {**LOOK, "recognised": "yes"}, "recognised must be true or false"),
        ("scales", {**SCALES, "flags": {}}, "flags must be a list"),
        ("scales", {**SCALES, "flags": [FLAG] * 13}, "at most 12"),
        ("scales", {**SCALES, "flags": [{"kind": "hands", "x": 0.5}]}, "exactly kind, x, y"),
        ("scales", {**SCALES, "flags": [{**FLAG, "kind": "flicker"}]}, "a flag's kind must be"),
        ("scales", {**SCALES, "flags": [{**FLAG, "x": -0.1}]}, "a flag's x must be a number"),
        ("scales", {**SCALES, "flags": [{**FLAG, "x": float("nan")}]}, "a flag's x must be"),
        ("scales", {**SCALES, "flags": [{**FLAG, "y": 10**400}]}, "a flag's y must be"),
        ("scales", {**SCALES, "flags": [{**FLAG, "y": True}]}, "a flag's y must be"),
        ("detection", {"human": "model"}, "exactly generator_recognised, human"),
        ("detection", {**SEEN, "human": "robot"}, "human must be one of"),
        ("detection", {**SEEN, "human": "human"}, "only in a picture made by one"),
        ("detection", {**SEEN, "generator_recognised": 1}, "must be true or false"),
        ("detection", {**SEEN, "generator": "x" * 81}, "at most 80"),
        (
            "detection",
            {"human": "model", "generator_recognised": False, "generator": "a name"},
            "cannot be named",
        ),
    ],
)
def test_what_a_study_asks_beside_is_checked_too(
    full: Protocol, phase: Any, payload: Any, words: str
) -> None:
    with pytest.raises(RequestError, match=words):
        check_payload(phase, payload, full)


def test_what_a_study_asks_is_taken(full: Protocol, plain: Protocol) -> None:
    assert check_payload("attribution", LOOK, full) == LOOK
    own = {**LOOK, "manner": "generic_digital", "trace": "none", "trace_strength": "none"}
    assert check_payload("attribution", own, full) == own
    assert check_payload("scales", SCALES, full) == {**SCALES, "flags": []}
    flagged = check_payload("scales", {**SCALES, "flags": [{**FLAG, "x": 1 / 3}]}, full)
    assert flagged["flags"] == [{"kind": "hands", "x": 0.3333, "y": 1.0}]
    named = {**SEEN, "generator": " a name "}
    assert check_payload("detection", named, full) == {**SEEN, "generator": "a name"}
    for phase in ("attribution", "scales", "pair", "detection"):
        skip = {"skip": "disturbing", "remark": "<b>ugly</b>\r\n"}
        assert check_payload(phase, skip, plain) == {
            "skip": "disturbing",
            "remark": "<b>ugly</b>",
        }
    assert check_payload("pair", {"winner": "tie", "remark": "  "}, plain) == {"winner": "tie"}


def test_remarks_are_refused_where_a_study_takes_none(plain: Protocol) -> None:
    mute = plain.model_copy(update={"ask": Ask(remark=False)})
    with pytest.raises(RequestError, match="exactly winner"):
        check_payload("pair", {"winner": "tie", "remark": "so-so"}, mute)


def test_a_clip_must_have_played_and_its_flags_have_a_time(full: Protocol) -> None:
    def answer(payload: dict[str, Any], **shown: int) -> Answer:
        return Answer("", "", "scales", payload, "zh", "", shown)

    timed = {**FLAG, "t": 1.5}
    refuse_unplayed(answer(SCALES, plays=1), [timed], clip=True)
    refuse_unplayed(answer({"skip": "does_not_load"}), [], clip=True)
    refuse_unplayed(answer(SCALES), [FLAG], clip=False)
    for shown in ({}, {"plays": 0}):
        with pytest.raises(RequestError, match="played once"):
            refuse_unplayed(answer(SCALES, **shown), [], clip=True)
    for flag, clip in ((FLAG, True), (timed, False)):
        with pytest.raises(RequestError, match="a flag has a time t on a clip"):
            refuse_unplayed(answer(SCALES, plays=1), [flag], clip=clip)
    clips = full.model_copy(update={"modality": "video"})
    assert set(flag_kinds(clips)) - set(flag_kinds(full)) == {
        "flicker", "style_drift", "character_change", "broken_motion",
    }  # fmt: skip


def test_not_applicable_is_an_answer_only_where_the_rubric_takes_it(plain: Protocol) -> None:
    payload = {"scales": {"ink": "not_applicable", "form": 2}}
    with pytest.raises(RequestError, match="ink must be a whole number"):
        check_payload("scales", payload, plain)
    rubric = plain.rubric.model_copy(update={"not_applicable": True})
    taking = plain.model_copy(update={"rubric": rubric})
    assert check_payload("scales", payload, taking) == payload
    with pytest.raises(RequestError, match="ink must be a whole number"):
        check_payload("scales", {"scales": {"ink": "n/a", "form": 2}}, taking)


EVENT = {
    "assignment": "ab" * 12,
    "event_id": str(uuid.uuid4()),
    "phase": "pair",
    "payload": {"winner": "left"},
    "language": "zh",
    "client_time": "2026-01-01T00:00:00Z",
}


@pytest.mark.parametrize(
    "change",
    [
        {"assignment": "../../etc"},
        {"assignment": 5},
        {"event_id": "1"},
        {"event_id": None},
        {"phase": "other"},
        {"phase": ["pair"]},
        {"language": "fr"},
        {"client_time": "2026-01-01T00:00:00." + "9" * 40 + "Z"},
        {"client_time": "\ud800"},
        {"client_time": "yesterday"},
        {"client_time": ""},
        {"client_time": "2026-01-01"},
        {"client_time": "2026-99-99T99:99:99Z"},
        {"client_time": "2026-00-01T00:00:00Z"},
        {"client_time": "2026-13-01T00:00:00Z"},
        {"client_time": "2026-01-00T00:00:00Z"},
        {"client_time": "2026-01-32T00:00:00Z"},
        {"client_time": "2026-01-01T24:00:00Z"},
        {"client_time": "2026-01-01T00:60:00Z"},
        {"client_time": "2026-01-01T00:00:61Z"},
        {"client_time": "2026-01-01T00:00:00+24:00"},
        {"client_time": "2026-01-01T00:00:00+08:60"},
        {"extra": 1},
        {"shown": 3},
        {"shown": {"milliseconds": -1}},
        {"shown": {"milliseconds": 1.5}},
        {"shown": {"width": 10**9}},
        {"shown": {"plays": True}},
        {"shown": {"colour": 1}},
    ],
)
def test_bad_answers_are_refused(plain: Protocol, change: dict[str, Any]) -> None:
    assert read_answer(EVENT, plain).payload == {"winner": "left"}
    with pytest.raises(RequestError):
        read_answer({**EVENT, **change}, plain)


@pytest.mark.parametrize(
    "time",
    [
        "0001-01-01T00:00:00.000Z",
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59+08:00",
        "2016-12-31T23:59:60Z",
        "+275760-09-13T00:00:00.000Z",
        "-000001-01-01T00:00:00.000Z",
    ],
)
def test_no_answer_is_refused_for_a_clock_that_is_far_off(plain: Protocol, time: str) -> None:
    assert read_answer({**EVENT, "client_time": time}, plain).client_time == time


def test_what_is_wrong_with_how_it_was_looked_at_is_said_in_a_sentence(plain: Protocol) -> None:
    with pytest.raises(RequestError) as told:
        read_answer({**EVENT, "shown": 3}, plain)
    assert str(told.value) == "shown may give height, milliseconds, plays, width, and nothing else"
    with pytest.raises(RequestError):
        read_answer([EVENT], plain)


def test_a_page_may_say_how_a_step_was_looked_at(plain: Protocol) -> None:
    shown = {"milliseconds": 8123, "width": 360, "height": 700}
    assert read_answer({**EVENT, "shown": shown}, plain).shown == shown


plain_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
json_values = st.recursive(
    plain_values,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["manner", "things", "scales", "flags", "skip", "remark", "ink", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(phase=st.sampled_from(["attribution", "scales", "pair", "detection"]), payload=json_values)
def test_whatever_comes_is_taken_or_refused_and_never_breaks(
    full: Protocol, phase: Any, payload: Any
) -> None:
    with suppress(RequestError):
        json.dumps(check_payload(phase, payload, full), allow_nan=False).encode()
