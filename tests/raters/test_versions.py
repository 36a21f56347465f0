from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient
from sqlalchemy import select

from bench.cli import main
from bench.errors import ConflictError, FileFormatError, RequestError
from raters import tables as t
from raters.people import start
from raters.protocol import FILE
from raters.room import create_app
from raters.study import invite, lock, open_study
from raters.versions import amend


@pytest.fixture
def begun(study: Path) -> Path:
    invite(study, 1, base_url="")
    with open_study(study) as (protocol, engine), t.writing(engine) as connection:
        start(connection, "r001", protocol)
    return study


@pytest.fixture
def change(begun: Path) -> Callable[..., Path]:
    def make(**changes: Any) -> Path:
        content = yaml.safe_load((begun / FILE).read_text())
        content.update(changes)
        (begun / FILE).write_text(yaml.safe_dump(content, allow_unicode=True))
        return begun

    return make


def versions(study: Path) -> list[tuple[int, str]]:
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        rows = connection.execute(select(t.protocol_version)).all()
    return [(row.version, row.reason) for row in rows]


def test_the_first_start_freezes_the_protocol_as_it_is(begun: Path) -> None:
    assert versions(begun) == [(1, "the first rater started")]


def test_a_later_change_is_a_new_version_and_recorded(change: Callable[..., Path]) -> None:
    study = change(version=2, declared_labels=["korean"])
    with pytest.raises(ConflictError, match="pinlu study amend"):
        versions(study)
    assert amend(study, "raters asked for it")["version"] == 2
    assert versions(study) == [
        (1, "the first rater started"),
        (2, "raters asked for it"),
    ]
    invite(study, 1, base_url="")
    with open_study(study) as (protocol, engine), t.writing(engine) as connection:
        start(connection, "r002", protocol)
        actions = connection.scalars(select(t.audit.c.action)).all()
    assert actions.count("amended") == 1


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"declared_labels": ["korean"]}, RequestError, "raise the version"),
        ({"version": 2, "home": "japanese"}, ConflictError, "home cannot change"),
        ({"version": 2, "traditions": ["chinese"]}, ConflictError, "traditions cannot change"),
        ({"version": 2, "languages": ["en"]}, ConflictError, "language 'zh' cannot go"),
        ({"version": 2, "study": "other"}, ConflictError, "study cannot change"),
        ({"version": 2, "colour": 1}, FileFormatError, "unknown key"),
    ],
)
def test_what_would_be_another_study_is_refused(
    change: Callable[..., Path], changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    study = change(**changes)
    with pytest.raises(error, match=words):
        amend(study, "why not")


def test_nothing_is_recorded_without_a_reason_a_start_or_after_the_end(
    study: Path, change: Callable[..., Path]
) -> None:
    with pytest.raises(RequestError, match="say why"):
        amend(study, " ")
    lock(study, "done")
    change(version=2)
    with pytest.raises(ConflictError, match="closed"):
        amend(study, "too late")


def test_before_the_first_start_there_is_nothing_to_amend(study: Path) -> None:
    with pytest.raises(RequestError, match="may simply be changed"):
        amend(study, "early")


def test_the_command_records_it(
    change: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    study = change(version=3)
    assert main(["study", "amend", str(study), "--reason", "a label was missing"]) == 0
    assert "version 3" in capsys.readouterr().out
    assert versions(study)[-1] == (3, "a label was missing")


def enter(client: TestClient, link: str) -> dict[str, Any]:
    client.post(link, data={"consent": "yes"}, headers={"sec-fetch-site": "same-origin"})
    found: dict[str, Any] = client.get("/room/setup").json()
    return found


def labels(setup: dict[str, Any]) -> set[str]:
    return {one["id"] for one in setup["labels"]}


def test_a_running_server_takes_over_what_was_amended(study_on_both: Path) -> None:
    study = study_on_both
    links = invite(study, 2, base_url="")
    app = create_app(study)
    with TestClient(app) as one, TestClient(app) as two:
        before = enter(one, links[0])
        assert "korean" not in labels(before)
        path = study / FILE
        content = yaml.safe_load(path.read_text())
        content |= {"version": 2, "declared_labels": ["korean"]}
        path.write_text(yaml.safe_dump(content, allow_unicode=True))
        # what lies there and is not recorded counts for nobody
        assert "korean" not in labels(one.get("/room/setup").json())
        amend(study, "raters asked for it")
        state = one.get("/room/state").json()
        sent = one.post(
            "/room/respond",
            json={
                "assignment": state["assignment"],
                "event_id": str(uuid.uuid4()),
                "phase": state["phase"],
                "payload": {"manner": "korean", "things": "other"},
                "language": "zh",
                "client_time": "2026-01-01T00:00:00Z",
            },
            headers={"sec-fetch-site": "same-origin", "x-room-token": before["token"]},
        )
        assert sent.status_code == 200, sent.text
        # who comes now comes in, and is asked by the new version
        assert "korean" in labels(enter(two, links[1]))
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        assert connection.scalar(select(t.response_event.c.protocol_version)) == 2


def test_a_study_that_is_closed_says_so_at_the_door(study: Path) -> None:
    (link,) = invite(study, 1, base_url="")
    with TestClient(create_app(study)) as client:
        lock(study, "done")
        refused = client.post(
            f"{link}?language=en",
            data={"consent": "yes"},
            headers={"sec-fetch-site": "same-origin"},
        )
    assert (refused.status_code, "no more answers" in refused.text) == (409, True)
