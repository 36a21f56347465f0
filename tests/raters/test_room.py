from __future__ import annotations

import io
import time
import uuid
from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from bench.errors import ConflictError, RequestError
from bench.reading import read_yaml
from raters import tables as t
from raters.export import tables
from raters.folder import load_study
from raters.position import Step
from raters.room import create_app, serve
from raters.room.api import _explanation
from raters.room.session import FALSE_LINKS, WINDOW, Room, too_many_false
from raters.room.texts import HERE, catalogue, label, preferred
from raters.room.writer import Writer
from raters.study import invite, lock, open_study, status, withdraw
from tests.conftest import write_yaml
from tests.raters.material import UNSPEAKABLE

OURS = {"sec-fetch-site": "same-origin"}
PAYLOADS: dict[str, dict[str, Any]] = {
    "attribution": {"manner": "chinese", "things": "other"},
    "scales": {"scales": {"ink": 4, "form": 2}},
    "pair": {"winner": "tie"},
}


class Visitor:
    """A browser of its own with a link of its own."""

    def __init__(self, client: TestClient, link: str) -> None:
        self.client, self.link = client, link
        self.token = ""

    def enter(self, language: str = "zh") -> None:
        response = self.client.post(
            f"{self.link}?language={language}", data={"consent": "yes"}, headers=OURS
        )
        assert response.status_code == 200, response.text
        self.token = self.client.get("/room/setup").json()["token"]

    def state(self) -> dict[str, Any]:
        return self.client.get("/room/state").json()

    def send(self, state: dict[str, Any], **changes: Any) -> Any:
        content = {
            "assignment": state["assignment"],
            "event_id": str(uuid.uuid4()),
            "phase": state["phase"],
            "payload": PAYLOADS[state["phase"]],
            "language": "zh",
            "client_time": "2026-01-01T00:00:00Z",
            **changes,
        }
        return self.client.post(
            "/room/respond", json=content, headers={**OURS, "x-room-token": self.token}
        )


@pytest.fixture
def visitors(study: Path) -> Iterator[list[Visitor]]:
    links = invite(study, 3, base_url="")
    app = create_app(study)
    with TestClient(app) as one, TestClient(app) as two, TestClient(app) as three:
        yield [Visitor(client, link) for client, link in zip((one, two, three), links, strict=True)]


def test_looking_at_a_link_does_not_use_it_up(visitors: list[Visitor]) -> None:
    visitor = visitors[0]
    for _ in range(3):
        page = visitor.client.get(visitor.link)
        assert page.status_code == 200
        assert not page.cookies
    visitor.enter()
    assert visitor.state()["done"] == 0


def test_the_door_speaks_the_readers_language(visitors: list[Visitor]) -> None:
    visitor = visitors[0]
    chinese = visitor.client.get(visitor.link, headers={"accept-language": "zh-CN,zh;q=0.9"})
    assert "人画的画与程序画的画" in chinese.text
    assert '<html lang="zh-CN">' in chinese.text
    english = visitor.client.get(visitor.link, headers={"accept-language": "de,en;q=0.5"})
    assert "How pictures by people and by programs are seen" in english.text
    assert "stand-ins drawn by a program" in english.text
    switched = visitor.client.get(f"{visitor.link}?language=zh", headers={"accept-language": "en"})
    assert "人画的画" in switched.text


def test_the_debriefing_speaks_of_stand_ins(visitors: list[Visitor]) -> None:
    visitor = visitors[0]
    visitor.enter()
    told = visitor.client.get("/room/setup").json()["debriefing"]
    assert told["en"].endswith("stand-ins drawn by a program.")
    assert told["zh"].endswith("由程序绘制的画代替。")


def test_a_training_item_is_explained_once_after_its_last_phase() -> None:
    expects = {"manner": "chinese", "things": None, "scales": {"spirit": 4}, "text": {"en": "why"}}
    of: Any = partial(Step, cast("Any", None), stimuli=())
    assert _explanation(of(phase="attribution", expects=expects)) is None
    assert _explanation(of(phase="scales", expects=expects)) == expects
    alone = {**expects, "scales": None}
    assert _explanation(of(phase="attribution", expects=alone)) == alone
    assert _explanation(of(phase="attribution", expects=None)) is None


def test_without_consent_nobody_comes_in(visitors: list[Visitor]) -> None:
    visitor = visitors[0]
    page = visitor.client.post(visitor.link, data={}, headers={**OURS, "accept-language": "en"})
    assert page.status_code == 422
    assert "Please tick the box" in page.text
    assert visitor.client.get("/room/state").status_code == 401


def test_the_cookie_is_out_of_scripts_reach(visitors: list[Visitor]) -> None:
    visitor = visitors[0]
    response = visitor.client.post(
        visitor.link, data={"consent": "yes"}, headers=OURS, follow_redirects=False
    )
    cookie = response.headers["set-cookie"].lower()
    assert response.status_code == 303
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_two_raters_see_different_orders(visitors: list[Visitor]) -> None:
    for visitor in visitors[:2]:
        visitor.enter()
    one, two = (visitor.state()["ahead"] for visitor in visitors[:2])
    assert [step["stimuli"] for step in one] != [step["stimuli"] for step in two]


def test_a_rater_goes_through_the_whole_study(visitors: list[Visitor], study: Path) -> None:
    visitor = visitors[0]
    visitor.enter()
    state = visitor.state()
    seen = []
    while state["assignment"]:
        seen.append(state["phase"])
        if state["phase"] == "attribution":
            assert state["caption"] is None
        state = visitor.send(state).json()["state"]
    assert state["done"] == state["total"] == 39 + 12
    assert len(state["receipt"]) == 9
    first_pair = seen.index("pair")
    assert set(seen[first_pair:]) == {"pair"}
    found = tables(study)
    assert len(found["votes"]) == 12
    assert len(found["attributions"]) == 78
    assert set(found["ratings"]["room_language"]) == {"zh"}
    assert set(found["ratings"]["rater_group"]) == {""}


def test_a_repeated_answer_is_acknowledged_again(visitors: list[Visitor]) -> None:
    visitor = visitors[0]
    visitor.enter()
    state = visitor.state()
    event = str(uuid.uuid4())
    one = visitor.send(state, event_id=event).json()
    two = visitor.send(state, event_id=event).json()
    assert one == two


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"payload": {"manner": "korean", "things": "other"}}, 400),
        ({"payload": None}, 400),
        ({"assignment": "0" * 24}, 400),
        ({"assignment": 7}, 400),
        ({"event_id": "x"}, 400),
        ({"phase": "pair"}, 400),
        ({"language": "fr"}, 400),
        ({"phase": "scales", "payload": {"scales": {"ink": 1, "form": 1}}}, 409),
    ],
)
def test_bad_answers_get_one_sentence(
    visitors: list[Visitor], changes: dict[str, Any], status: int
) -> None:
    visitor = visitors[0]
    visitor.enter()
    state = visitor.state()
    response = visitor.send(state, **changes)
    # an attribution without scales has no phase of scales at all
    assert response.status_code in {status, 400}
    assert set(response.json()) == {"error"}
    assert "Traceback" not in response.text
    assert visitor.state() == state


@pytest.mark.parametrize(
    "origin", ["http://elsewhere.example", "null", "http://[", "", "http://[::"]
)
def test_a_form_from_another_origin_is_refused(visitors: list[Visitor], origin: str) -> None:
    sent = visitors[0].client.post("/resume", data={"code": "x"}, headers={"origin": origin})
    assert sent.status_code == 403
    assert "<h1>" in sent.text


def test_answers_from_another_page_are_refused(visitors: list[Visitor]) -> None:
    visitor = visitors[0]
    visitor.enter()
    state = visitor.state()
    for headers in (
        {"x-room-token": visitor.token, "sec-fetch-site": "cross-site"},
        {"x-room-token": visitor.token, "origin": "https://elsewhere.example"},
        {"x-room-token": "wrong", "sec-fetch-site": "same-origin"},
        {},
    ):
        response = visitor.client.post("/room/respond", json={}, headers=headers)
        assert response.status_code == 403
    refused = visitor.client.post(
        visitor.link, data={"consent": "yes"}, headers={"sec-fetch-site": "cross-site"}
    )
    assert refused.status_code == 403
    assert visitor.state() == state


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 60_000, b"\xff\xfe", b"null", b"x" * 70_000])
def test_malformed_bodies_are_refused(visitors: list[Visitor], body: bytes) -> None:
    visitor = visitors[0]
    visitor.enter()
    headers = {**OURS, "x-room-token": visitor.token}
    response = visitor.client.post("/room/respond", content=body, headers=headers)
    assert response.status_code in {400, 413}
    assert set(response.json()) == {"error"}


def test_pictures_are_shown_to_their_own_rater_alone(visitors: list[Visitor], study: Path) -> None:
    for visitor in visitors[:2]:
        visitor.enter()
    (one,) = visitors[0].state()["stimuli"]
    response = visitors[0].client.get(f"/media/{one['id']}")
    assert response.headers["content-type"] == "image/webp"
    assert response.headers["cache-control"] == "private, no-store"
    assert response.headers["content-disposition"] == 'inline; filename="picture.webp"'
    assert not {"etag", "last-modified"} & set(response.headers)
    with Image.open(io.BytesIO(response.content)) as image:
        assert image.size == (one["width"], one["height"])
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        shown = connection.execute(t.assignment.select()).all()
    own = [
        {one for row in shown if row.block == block for one in (row.first, row.second) if one}
        for block in (0, 1)
    ]
    foreign = min(own[1] - own[0])
    assert visitors[0].client.get(f"/media/{foreign}").status_code == 404
    assert visitors[1].client.get(f"/media/{foreign}").status_code == 200
    assert visitors[2].client.get(f"/media/{foreign}").status_code == 401
    for name in ("0" * 16, "..%2f..%2fstudy.yaml", "x'--"):
        assert visitors[0].client.get(f"/media/{name}").status_code == 404


def test_false_links_get_a_friendly_page_and_are_counted(visitors: list[Visitor]) -> None:
    client = visitors[0].client
    page = client.get("/i/falsefalsefalsefalse", headers={"accept-language": "zh"})
    assert page.status_code == 404
    assert "链接无效" in page.text
    assert client.get("/i/%00%ff").status_code == 404
    for _ in range(20):
        last = client.get(f"/i/{uuid.uuid4().hex}")
    assert last.status_code == 429
    # a true link opens all the same: a guesser at one address locks nobody out
    assert client.get(visitors[0].link).status_code == 200


def test_counting_false_links_takes_nothing_from_those_who_count_at_once(study: Path) -> None:
    protocol, engine = load_study(study)
    room = Room(study, protocol, engine, Writer(engine), minutes=1)
    now = time.monotonic()
    tried = room.false_links["one"] = deque([now - WINDOW - 1] * (FALSE_LINKS - 1) + [now])
    assert not too_many_false(room, "one")
    assert len(tried) == FALSE_LINKS
    room.false_links["two"] = deque([now] * FALSE_LINKS)
    assert too_many_false(room, "two")
    assert not too_many_false(room, "nobody")
    assert set(room.false_links) == {"one", "two"}
    engine.dispose()


@pytest.mark.parametrize(
    "path",
    [
        "/rate/config", "/rate/gradio_api/info", "/rate/gradio_api/openapi.json",
        "/rate/gradio_api/startup-events", "/rate/gradio_api/app_id", "/rate/gradio_api/runs",
        "/rate/gradio_api/file=/etc/passwd", "/rate/gradio_api/queue/join", "/rate/login",
        "/rate/gradio_api/heartbeat/x", "/rate/openapi.json", "/rate/docs", "/openapi.json",
        "/docs", "/room/page/door.html", "/room/page/../app.py", "/room/page/room.html",
        "/room/nothing", "/media/", "/nothing", "/sealed/key.jsonl", "/study.yaml",
    ],
)  # fmt: skip
def test_nothing_else_is_open(visitors: list[Visitor], path: str) -> None:
    visitor = visitors[0]
    visitor.enter()
    for response in (visitor.client.get(path), visitor.client.post(path, headers=OURS)):
        assert response.status_code in {404, 405}
        assert "Traceback" not in response.text
        assert not any(name in response.text for name in UNSPEAKABLE)


def test_every_answer_carries_the_guards_headers(visitors: list[Visitor]) -> None:
    visitor = visitors[0]
    visitor.enter()
    for path in ("/", visitor.link, "/rate/", "/room/state", "/nothing", "/room/page/room.js"):
        headers = visitor.client.get(path, headers={"origin": "https://elsewhere.example"}).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert not any(name.startswith("access-control-") for name in headers)
        assert "server" not in headers
    policy = visitors[1].client.get(visitors[1].link).headers["content-security-policy"]
    assert "unsafe" not in policy


def test_without_a_cookie_the_room_sends_to_the_door(visitors: list[Visitor]) -> None:
    client = visitors[0].client
    response = client.get("/rate/", follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    assert "Please use your link" in client.get("/", headers={"accept-language": "en"}).text
    for path in ("/room/setup", "/room/state", "/media/00"):
        assert client.get(path).status_code == 401


def test_the_language_may_change_at_any_time(visitors: list[Visitor], study: Path) -> None:
    visitor = visitors[0]
    visitor.enter("zh")
    headers = {**OURS, "x-room-token": visitor.token}
    assert visitor.client.get("/room/setup").json()["language"] == "zh"
    changed = visitor.client.post("/room/language", json={"language": "en"}, headers=headers)
    assert changed.status_code == 200
    assert visitor.client.get("/room/setup").json()["language"] == "en"
    for wrong in ({"language": "fr"}, {"language": 3}, [], {}):
        response = visitor.client.post("/room/language", json=wrong, headers=headers)
        assert response.status_code == 400
    visitor.send(visitor.state(), language="en")
    assert set(tables(study)["attributions"]["room_language"]) == {"en"}


def test_a_closed_study_says_so(visitors: list[Visitor], study: Path) -> None:
    visitor = visitors[0]
    visitor.enter()
    state = visitor.state()
    lock(study, "enough")
    response = visitor.send(state)
    assert (response.status_code, response.json()) == (409, {"error": "this study is closed"})
    late = visitors[1]
    page = late.client.post(late.link, data={"consent": "yes"}, headers=OURS)
    assert page.status_code == 409


def test_who_has_withdrawn_is_outside(visitors: list[Visitor], study: Path) -> None:
    visitor = visitors[0]
    visitor.enter()
    withdraw(study, "r001")
    assert visitor.client.get("/room/state").status_code == 401
    assert visitor.client.get(visitor.link).status_code == 404


def test_a_changed_protocol_is_not_served(visitors: list[Visitor], study: Path) -> None:
    visitors[0].enter()
    path = study / "study.yaml"
    path.write_text(path.read_text().replace("version: 1", "version: 2", 1))
    with pytest.raises(ConflictError, match="changed after"):
        create_app(study)


def test_what_is_no_study_or_no_port_is_refused(study: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="not a study folder"):
        create_app(tmp_path)
    with pytest.raises(RequestError, match="choose another with --port"):
        serve(study, host="127.0.0.1", port=99_999)


def test_a_fault_of_the_server_is_told_in_a_sentence(
    visitors: list[Visitor], study: Path, caplog: pytest.LogCaptureFixture
) -> None:
    visitor = visitors[0]
    visitor.enter()
    (one,) = visitor.state()["stimuli"]
    (study / "stimuli" / f"{one['id']}.webp").unlink()
    response = visitor.client.get(f"/media/{one['id']}")
    assert response.status_code == 500
    assert set(response.json()) == {"error"}
    assert str(study) not in response.text
    assert "content-security-policy" in response.headers
    assert "failed" in caplog.text


@pytest.mark.parametrize("modality", ["image", "video", "understanding"])
def test_both_languages_say_the_same_things(modality: str) -> None:
    def shape(content: Any) -> Any:
        if isinstance(content, dict):
            return {name: shape(value) for name, value in content.items()}
        if isinstance(content, list):
            return [shape(value) for value in content]
        return sorted({word for word in str(content).split("{")[1:] if "}" in word}) != []

    texts = catalogue(modality)
    assert shape(texts["zh"]) == shape(texts["en"])


def test_of_clips_the_room_speaks_as_of_clips() -> None:
    def known(other: Any, text: Any) -> bool:
        if isinstance(other, dict):
            return all(name in text and known(other[name], text[name]) for name in other)
        return type(other) is type(text)

    clips = read_yaml(HERE / "clips.yaml")
    assert known(clips, catalogue())
    assert known(read_yaml(HERE / "analyses.yaml"), catalogue())
    texts = catalogue("video")["zh"]
    assert "短片" in texts["door"]["title"]
    assert len(texts["door"]["sections"]) == 4
    assert texts["door"]["consent"] == catalogue()["zh"]["door"]["consent"]
    for part in (texts["door"]["sections"][0], texts["room"]["pair"], texts["room"]["manner"]):
        assert "幅" not in str(part)


@pytest.mark.parametrize(
    ("minutes", "language", "told"),
    [
        (0, "en", "About 1 minute in all"),
        (1, "en", "About 1 minute in all"),
        (2, "en", "About 2 minutes in all"),
        (1, "zh", "全部做完约 1 分钟，"),
        (40, "zh", "全部做完约 40 分钟，"),
    ],
)
def test_the_consent_page_counts_minutes_as_people_do(
    study: Path, minutes: int, language: str, told: str
) -> None:
    content = read_yaml(study / "study.yaml")
    content["plan"]["minutes"] = minutes
    write_yaml(study / "study.yaml", content)
    (link,) = invite(study, 1, base_url="", language=language)
    with TestClient(create_app(study), base_url="https://testserver") as client:
        assert told in client.get(link).text


def test_unknown_traditions_are_called_by_their_id() -> None:
    assert label("western", "zh") == "西方"
    assert label("cannot_tell", "en") == "Cannot tell"
    assert label("south-asian", "en") == "South asian"


def test_the_browsers_language_is_followed_where_the_study_has_it() -> None:
    assert preferred("fr-FR,zh-TW;q=0.8,en;q=0.5", ["en", "zh"]) == "zh"
    assert preferred("", ["en", "zh"]) == "en"


def test_coming_in_again_from_another_tab_leaves_the_first_tabs_answer_valid(
    visitors: list[Visitor],
) -> None:
    first_tab = visitors[0]
    first_tab.enter()
    state = first_tab.state()
    second_tab = Visitor(first_tab.client, first_tab.link)
    second_tab.enter()
    assert second_tab.token == first_tab.token
    assert first_tab.send(state).status_code == 200


def test_a_withdrawal_takes_whatever_the_rater_has(study: Path) -> None:
    links = invite(study, 2, base_url="https://room.example")
    raters = [row for row in status(study)["raters"] if not row["withdrawn_at"]]
    assert withdraw(study, links[0])["rater"] == raters[0]["rater"]
    assert withdraw(study, raters[1]["receipt"])["rater"] == raters[1]["rater"]
    with pytest.raises(RequestError, match="no rater 'nobody'"):
        withdraw(study, "nobody")
