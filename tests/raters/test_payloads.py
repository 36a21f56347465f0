from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from bench.errors import RequestError
from raters.payloads import check_payload, read_answer
from raters.protocol import read_protocol


@pytest.mark.parametrize(
    ("phase", "payload", "words"),
    [
        ("attribution", {"manner": "korean", "things": "other"}, "manner must be one of"),
        ("attribution", {"manner": "other"}, "exactly manner, things"),
        ("attribution", {"manner": ["x"], "things": "other"}, "plain values"),
        ("attribution", None, "exactly"),
        ("scales", {"ink": 6, "form": 1}, "ink must be a whole number from 1 to 5"),
        ("scales", {"ink": True, "form": 1}, "ink must be a whole number"),
        ("scales", {"ink": "3", "form": 1}, "ink must be a whole number"),
        ("scales", {"ink": 3, "odd": 1}, "exactly ink"),
        ("scales", [3], "exactly form, ink"),
        ("pair", {"winner": "neither"}, "winner must be one of"),
        ("pair", {"winner": "left", "why": "x"}, "exactly winner"),
    ],
)
def test_bad_payloads_are_refused_in_one_sentence(
    study: Path, phase: Any, payload: Any, words: str
) -> None:
    with pytest.raises(RequestError, match=words):
        check_payload(phase, payload, read_protocol(study))


def test_not_applicable_is_an_answer_only_where_the_rubric_takes_it(study: Path) -> None:
    protocol = read_protocol(study)
    payload = {"ink": "not_applicable", "form": 2}
    with pytest.raises(RequestError, match="ink must be a whole number"):
        check_payload("scales", payload, protocol)
    rubric = protocol.rubric.model_copy(update={"not_applicable": True})
    taking = protocol.model_copy(update={"rubric": rubric})
    assert check_payload("scales", payload, taking) == payload
    with pytest.raises(RequestError, match="ink must be a whole number"):
        check_payload("scales", {"ink": "n/a", "form": 2}, taking)


@pytest.mark.parametrize(
    "change",
    [
        {"assignment": "../../etc"},
        {"assignment": 5},
        {"event_id": "1"},
        {"event_id": None},
        {"phase": "other"},
        {"language": "fr"},
        {"client_time": "x" * 41},
        {"extra": 1},
    ],
)
def test_bad_answers_are_refused(study: Path, change: dict[str, Any]) -> None:
    content = {
        "assignment": "ab" * 12,
        "event_id": str(uuid.uuid4()),
        "phase": "pair",
        "payload": {"winner": "left"},
        "language": "zh",
        "client_time": "",
    }
    protocol = read_protocol(study)
    assert read_answer(content, protocol).payload == {"winner": "left"}
    with pytest.raises(RequestError):
        read_answer({**content, **change}, protocol)
    with pytest.raises(RequestError):
        read_answer([content], protocol)
