"""What page and server say to each other: set-up, states, steps ahead, several events, media."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from raters.config import Ask
from raters.create import create
from raters.export import tables
from raters.invitations import revoke
from raters.room import create_app
from raters.room.writer import Writer
from raters.study import invite, status
from tests.raters.material import UNSPEAKABLE, write_config
from tests.raters.test_room import OURS, Visitor

PAYLOADS: dict[str, dict[str, Any]] = {
    "attribution": {
        "manner": "chinese", "things": "other", "trace": "none", "trace_strength": "none",
        "recognised": True,
    },
    "scales": {"scales": {"ink": 4, "form": 2}, "flags": [{"kind": "hands", "x": 0, "y": 1}]},
    "pair": {"winner": "tie"},
    "detection": {"human": "cannot_tell", "generator_recognised": False},
}  # fmt: skip

STEP = {
    "assignment", "phase", "training", "session", "stimuli", "caption", "scales", "earlier",
    "answer", "explanation", "instruction", "analyses",
}  # fmt: skip


def event(step: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "assignment": step["assignment"],
        "event_id": str(uuid.uuid4()),
        "phase": step["phase"],
        "payload": PAYLOADS[step["phase"]],
        "language": "zh",
        "client_time": "2026-01-01T00:00:00Z",
        "shown": {"milliseconds": 4000, "width": 360, "height": 640},
        **changes,
    }


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory, run: Path, references: Path) -> Path:
    folder = tmp_path_factory.mktemp("contract")
    config = write_config(
        folder,
        ask=Ask().model_dump(),
        labels=["korean", "generic_digital", "east_asian_unsure"],
        attention=1,
        detections=2,
        sessions=2,
        debriefing={"zh": "谢谢。", "en": "Thanks."},
    )
    create(config, [run], references=references, out=folder / "study")
    return folder / "study"


@pytest.fixture
def study(asking: Path, tmp_path: Path) -> Path:
    return shutil.copytree(asking, tmp_path / "study")


@pytest.fixture
def visitor(study: Path) -> Iterator[Visitor]:
    (link,) = invite(study, 1, base_url="")
    with TestClient(create_app(study)) as client:
        visitor = Visitor(client, link)
        visitor.enter()
        yield visitor


def post(visitor: Visitor, content: Any, query: str = "") -> Any:
    headers = {**OURS, "x-room-token": visitor.token}
    return visitor.client.post(f"/room/respond{query}", json=content, headers=headers)


def test_setup_says_what_is_asked_and_how_it_is_called(visitor: Visitor) -> None:
    found = visitor.client.get("/room/setup").json()
    assert found["modality"] == "image"
    assert found["ask"] == dict.fromkeys(("traces", "recognised", "human", "flags", "remark"), True)
    ids = [one["id"] for one in found["labels"]]
    assert ids[-2:] == ["other", "cannot_tell"]
    assert sorted(ids[:-2]) == sorted(
        ["chinese", "japanese", "western", "korean", "generic_digital", "east_asian_unsure"]
    )
    for language in ("zh", "en"):
        answers = found["texts"][language]["answers"]
        for name in ("strengths", "humans", "flags", "skips"):
            assert set(found[name]) <= set(answers[name])
        assert all(one["name"][language] for one in found["labels"])
    own = {"zh": "谢谢。", "en": "Thanks."}  # stand-ins are told of behind it
    told = {language: text.split("\n\n")[0] for language, text in found["debriefing"].items()}
    assert told == own
    assert found["labels"] == visitor.client.get("/room/setup").json()["labels"]
    assert not any(name in json.dumps(found) for name in UNSPEAKABLE)
    assert not any(word in json.dumps(found) for word in ("bias", "偏"))


def test_a_state_is_a_step_with_what_is_around_it(visitor: Visitor) -> None:
    state = visitor.state()
    around = {"done", "total", "sessions", "known", "ahead", "back", "at", "receipt"}
    assert set(state) == STEP | around
    assert len(state["ahead"]) == 8
    assert all(set(step) == STEP for step in state["ahead"])
    assert state["stimuli"][0]["kind"] == "image"
    assert state["analyses"] == []
    assert not state["stimuli"][0]["play_once"]
    assert state["sessions"]["number"] == 1
    assert state["sessions"]["of"] == 2
    assert state["known"] == []
    for query, count in (("?ahead=0", 0), ("?ahead=3", 3), ("?ahead=999", 20)):
        assert len(visitor.client.get(f"/room/state{query}").json()["ahead"]) == count
    for query in ("?ahead=-1", "?ahead=x", "?ahead=1e9", "?ahead=²", "?at=", "?at=../.."):
        response = visitor.client.get(f"/room/state{query}")
        assert (response.status_code, set(response.json())) == (400, {"error"})


def test_nothing_in_a_step_tells_what_kind_it_is(visitor: Visitor) -> None:
    states = [visitor.state()]
    while states[-1]["assignment"]:
        states.append(post(visitor, event(states[-1])).json()["state"])
    told = json.dumps([{k: v for k, v in state.items() if k != "phase"} for state in states])
    for word in ("repeat", "reference", "warm_up", "anchor", "single", "occasion", "maker"):
        assert word not in told
    assert not any(name in told for name in UNSPEAKABLE)
    instructed = [state["instruction"] for state in states if state["instruction"]]
    assert len({one["zh"] for one in instructed}) >= 1
    assert all("“" in one["zh"] and "{" not in one["zh"] for one in instructed)
    assert states[-1]["receipt"]
    assert states[-1]["stimuli"] == []
    assert states[-2]["phase"] == "detection"
    assert states[-2]["caption"] is None


def test_several_events_are_stored_each_for_itself(visitor: Visitor, study: Path) -> None:
    state = visitor.state()
    steps = [state, *state["ahead"]]
    events = [event(step) for step in steps]
    wrong = event(steps[0], payload={"manner": "x"})
    late = event(steps[0], assignment="ab" * 12)
    response = post(visitor, {"events": [events[0], wrong, *events[1:], late, 5]})
    assert response.status_code == 200
    found = response.json()
    assert [one["event_id"] for one in found["acknowledged"]] == [one["event_id"] for one in events]
    assert [one["event_id"] for one in found["refused"]] == [
        wrong["event_id"], late["event_id"], None,
    ]  # fmt: skip
    assert {one["status"] for one in found["refused"]} == {400}
    again = post(visitor, {"events": events}).json()
    assert again["acknowledged"] == found["acknowledged"]
    assert again["state"] == found["state"]
    looks = sum(step["phase"] == "attribution" for step in steps)
    attributions = tables(study)["attributions"]
    assert len(attributions) <= 2 * looks
    assert attributions["recognised"].all()


def name_of(step: dict[str, Any]) -> str:
    return f"{step['assignment']}/{step['phase']}"


def test_steps_that_the_page_knows_are_named_and_the_others_told_whole(visitor: Visitor) -> None:
    state = visitor.state()
    known = state["ahead"][4]
    told = post(visitor, event(state), f"?known={name_of(known)}").json()["state"]
    whole = visitor.state()
    # where the rater is, is told whole always: what was answered before may belong to it
    assert {name: told[name] for name in STEP} == {name: whole[name] for name in STEP}
    assert told["known"] == [name_of(step) for step in state["ahead"][1:5]]
    assert told["ahead"] == whole["ahead"][4:]
    assert [*told["known"], *map(name_of, told["ahead"])] == [
        name_of(step) for step in whole["ahead"]
    ]
    for query in ("?known=", "?known=x", f"?known={name_of(state)}", f"?known={name_of(whole)}"):
        all_of_it = post(visitor, {"events": [event(state)]}, query).json()["state"]
        assert all_of_it["known"] == []
        assert len(all_of_it["ahead"]) == 8


def test_a_step_that_comes_back_is_told_or_named_in_its_place(visitor: Visitor) -> None:
    state = visitor.state()
    while state["training"] or not any(step["phase"] == "scales" for step in state["ahead"][:1]):
        state = post(visitor, event(state)).json()["state"]
    skipped = post(visitor, event(state, payload={"skip": "other"})).json()["state"]
    last = name_of(skipped["ahead"][3])
    # answered after all: its scales come now, and what the page knew comes after them
    told = post(visitor, event(state), f"?known={last}").json()["state"]
    assert (told["assignment"], told["phase"]) == (state["assignment"], "scales")
    assert told["earlier"] == PAYLOADS["attribution"]
    assert told["known"] == [name_of(step) for step in [skipped, *skipped["ahead"][:4]]]


@pytest.mark.parametrize("events", [[], None, "x", [{}] * 51, {"a": 1}])
def test_what_is_no_list_of_events_is_refused(visitor: Visitor, events: Any) -> None:
    response = post(visitor, {"events": events})
    assert (response.status_code, set(response.json())) == (400, {"error"})


def test_going_back_and_changing_over_http(visitor: Visitor) -> None:
    state = visitor.state()
    while not state["back"]:
        state = post(visitor, event(state)).json()["state"]
    name = state["back"][-1]
    back = visitor.client.get(f"/room/state?at={name}").json()
    assert (back["assignment"], back["at"]) == (name, True)
    assert back["answer"] == PAYLOADS[back["phase"]]
    changed = post(visitor, event(back, payload={"skip": "disturbing"})).json()
    assert changed["state"]["assignment"] == state["assignment"]
    assert visitor.client.get(f"/room/state?at={name}").json()["answer"] == {"skip": "disturbing"}


def test_media_come_whole_or_in_the_range_that_is_asked_for(visitor: Visitor) -> None:
    (one,) = visitor.state()["stimuli"]
    path = f"/media/{one['id']}"
    whole = visitor.client.get(path)
    size = len(whole.content)
    assert (whole.status_code, whole.headers["accept-ranges"]) == (200, "bytes")
    for asked, begin, end in (
        ("bytes=0-9", 0, 10),
        ("bytes=10-", 10, size),
        ("bytes=-5", size - 5, size),
        (f"bytes=5-{size + 99}", 5, size),
        (f"bytes=-{size + 99}", 0, size),
    ):
        part = visitor.client.get(path, headers={"range": asked})
        assert part.status_code == 206
        assert part.content == whole.content[begin:end]
        assert part.headers["content-range"] == f"bytes {begin}-{end - 1}/{size}"
        assert not {"etag", "last-modified"} & set(part.headers)
    for asked in (f"bytes={size}-", "bytes=9-2", "bytes=-0"):
        part = visitor.client.get(path, headers={"range": asked})
        assert (part.status_code, part.content) == (416, b"")
        assert part.headers["content-range"] == f"bytes */{size}"
    for asked in ("bytes=-", "bytes=a-b", "items=0-1", "bytes=0-1,4-5", "bytes=" + "9" * 40 + "-"):
        part = visitor.client.get(path, headers={"range": asked})
        assert (part.status_code, part.content) == (200, whole.content)


def test_a_raters_language_is_that_of_the_last_new_answer(visitor: Visitor) -> None:
    def language() -> str:
        return str(visitor.client.get("/room/setup").json()["language"])

    state = visitor.state()
    # the first step of another assignment: what comes first there wants nothing answered before
    later = next(step for step in state["ahead"] if step["assignment"] != state["assignment"])
    one, two = (event(step) for step in (state, later))
    for parcel in (
        [{**one, "language": "en"}, {**two, "language": "zh"}],
        # the first comes again, since its acknowledgement was lost
        [{**one, "language": "en"}],
    ):
        told = post(visitor, {"events": parcel}).json()
        assert told["refused"] == []
        assert language() == "zh"
    post(visitor, {**event(visitor.state()), "language": "en"})
    assert language() == "en"
    post(visitor, {**two, "language": "zh"})
    assert language() == "en"


def test_who_is_revoked_before_the_answer_is_written_has_it_refused_as_whole(
    visitor: Visitor, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = visitor.state()
    looked = Writer.__call__

    def revoked_first(self: Writer, work: Any) -> Any:
        revoke(study, "r001", "at that moment")
        return looked(self, work)

    monkeypatch.setattr(Writer, "__call__", revoked_first)
    assert post(visitor, {"events": [event(state)]}).status_code == 401
    monkeypatch.undo()
    assert status(study)["responses"] == 0
