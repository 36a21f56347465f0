"""A link opens the room once; a code or a new link leads back, and nothing else does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select, update

from bench.errors import ConflictError, RequestError
from raters import tables as t
from raters.invitations import check_receipt, invite_again, revoke
from raters.room import create_app
from raters.study import invite, lock, open_study, status, withdraw

OURS = {"sec-fetch-site": "same-origin", "accept-language": "en"}
CONSENT = {"consent": "yes"}


@pytest.fixture
def browsers(study: Path) -> Iterator[Callable[[], TestClient]]:
    """A function that gives another browser, each with cookies of its own."""
    app = create_app(study)
    with ExitStack() as opened:
        yield lambda: opened.enter_context(TestClient(app, headers=OURS, follow_redirects=False))


def form_of(page: Any) -> str:
    return re.search(r'name="form" value="([^"]+)"', page.text)[1]


def code_from(browser: TestClient) -> str:
    token = browser.get("/room/setup").json()["token"]
    answer = browser.post("/room/code", json={}, headers={"x-room-token": token})
    assert answer.status_code == 200
    return str(answer.json()["code"])


def test_a_used_link_opens_nothing_elsewhere_and_says_what_to_do(
    study: Path, browsers: Callable[[], TestClient]
) -> None:
    (link,) = invite(study, 1, base_url="")
    laptop, finder = browsers(), browsers()
    assert laptop.post(link, data=CONSENT).status_code == 303
    for page in (finder.get(link), finder.post(link, data=CONSENT)):
        assert page.status_code == 410
        assert "This link has been used" in page.text
        assert 'name="code"' in page.text
        assert "set-cookie" not in page.headers
    assert finder.get("/room/state").status_code == 401
    chinese = finder.get(link, headers={"accept-language": "zh"})
    assert "这个链接已经用过了" in chinese.text
    # where it was used it leads on
    for answer in (laptop.get(link), laptop.post(link, data=CONSENT)):
        assert (answer.status_code, answer.headers["location"]) == (303, "/rate/")
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(t.session)) == 1


def test_a_form_sent_twice_opens_the_room_both_times(
    study: Path, browsers: Callable[[], TestClient]
) -> None:
    """A double click, or an answer lost on its way: the browser has no cookie yet."""
    (link,) = invite(study, 1, base_url="")
    browser, finder = browsers(), browsers()
    sent = {**CONSENT, "form": form_of(browser.get(link))}
    assert browser.post(link, data=sent).status_code == 303
    browser.cookies.clear()
    assert browser.post(link, data=sent).status_code == 303
    assert browser.get("/room/state").status_code == 200
    other = {**CONSENT, "form": form_of(finder.get("/"))}
    assert finder.post(link, data=other).status_code == 410
    with open_study(study) as (_, engine), t.writing(engine) as connection:
        connection.execute(update(t.way_back).values(expires_at="2020-01-01T00:00:00+00:00"))
    browser.cookies.clear()
    assert browser.post(link, data=sent).status_code == 410


def test_a_code_leads_on_in_another_browser_once(
    study: Path, browsers: Callable[[], TestClient]
) -> None:
    (link,) = invite(study, 1, base_url="")
    laptop, phone, thief = browsers(), browsers(), browsers()
    laptop.post(link, data=CONSENT)
    void = code_from(laptop)
    code = code_from(laptop)
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){2}[0-9A-HJKMNP-TV-Z]{4}", code)
    assert phone.post("/resume", data={"code": void}).status_code == 404
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert phone.post("/resume", data={"code": typed}).status_code == 303
    assert phone.get("/room/state").json() == laptop.get("/room/state").json()
    refused = thief.post("/resume", data={"code": code})
    assert refused.status_code == 404
    assert "This code does not work" in refused.text
    for file in study.glob("ratings.db*"):
        assert code.replace("-", "").encode() not in file.read_bytes()


def test_codes_expire_are_not_guessed_and_come_from_our_pages_alone(
    study: Path, browsers: Callable[[], TestClient]
) -> None:
    (link,) = invite(study, 1, base_url="")
    laptop, phone = browsers(), browsers()
    laptop.post(link, data=CONSENT)
    code = code_from(laptop)
    foreign = {"sec-fetch-site": "cross-site"}
    assert phone.post("/resume", data={"code": code}, headers=foreign).status_code == 403
    assert laptop.post("/room/code", json={}).status_code == 403
    assert phone.post("/room/code", json={}).status_code == 401
    assert phone.post("/resume", data={"code": "x" * 70_000}).status_code == 413
    with open_study(study) as (_, engine), t.writing(engine) as connection:
        connection.execute(update(t.way_back).values(expires_at="2020-01-01T00:00:00+00:00"))
    assert phone.post("/resume", data={"code": code}).status_code == 404
    for empty in ({}, {"code": ""}, {"code": " "}) * 10:
        asked = phone.post("/resume?language=en", data=empty)
    # who typed nothing has guessed nothing, and is told so
    assert asked.status_code == 422
    assert "type in your code first" in asked.text
    for wrong in ("\x00", "0000-0000-0000", "ＡＢＣＤ", *("guess" * 2 for _ in range(19))):
        last = phone.post("/resume", data={"code": wrong})
    assert last.status_code == 429


def test_a_new_link_opens_in_the_raters_language(
    study: Path, browsers: Callable[[], TestClient]
) -> None:
    for language in ("zh", "en"):
        invite(study, 1, base_url="", language=language)
    (open_one,) = invite(study, 1, base_url="")
    assert invite_again(study, "r001", base_url="").endswith("?language=zh")
    assert invite_again(study, "r002", base_url="").endswith("?language=en")
    assert invite_again(study, "r002", base_url="", language="zh").endswith("?language=zh")
    # one whose language is not known yet has the browser's, and then what was chosen
    assert "?" not in invite_again(study, "r003", base_url="")
    again = invite_again(study, "r003", base_url="")
    browsers().post(f"{again}?language=en", data=CONSENT)
    assert invite_again(study, "r003", base_url="").endswith("?language=en")
    assert browsers().get(open_one).status_code == 410


def test_a_new_link_leads_back_and_earlier_ones_are_void(
    study: Path, browsers: Callable[[], TestClient]
) -> None:
    first, other = invite(study, 2, base_url="")
    laptop = browsers()
    laptop.post(first, data=CONSENT)
    before = status(study)["raters"][0]["receipt"]
    setup = laptop.get("/room/setup").json()
    lost = invite_again(study, "r001", base_url="https://rooms.example", language="en")
    second = invite_again(study, first, base_url="")
    assert re.fullmatch(r"https://rooms.example/i/[\w-]{22}\?language=en", lost)
    phone = browsers()
    assert phone.get(lost.removeprefix("https://rooms.example")).status_code == 410
    assert "Welcome back" in phone.get(second).text
    assert phone.post(second, data=CONSENT).status_code == 303
    assert phone.get("/room/state").json() == laptop.get("/room/state").json()
    # what tells the rater's kept answers and receipt stays what it was
    assert phone.get("/room/setup").json()["box"] == setup["box"]
    assert check_receipt(study, before)["rater"] == "r001"
    assert browsers().get(second).status_code == 410
    # one who has not begun: the first link is void, the new one asks for consent
    new = invite_again(study, other, base_url="")
    assert browsers().get(other).status_code == 410
    page = browsers().get(new)
    assert "I have read this" in page.text
    assert browsers().post(new, data={}).status_code == 422
    assert browsers().post(new, data=CONSENT).status_code == 303
    assert status(study)["started"] == 2
    assert withdraw(study, new)["rater"] == "r002"


def test_a_new_link_expires_and_only_for_who_takes_part(
    study: Path, browsers: Callable[[], TestClient]
) -> None:
    links = invite(study, 4, base_url="")
    late = invite_again(study, "r001", base_url="", days=1)
    with open_study(study) as (_, engine), t.writing(engine) as connection:
        connection.execute(update(t.way_back).values(expires_at="2020-01-01T00:00:00+00:00"))
    page = browsers().post(late, data=CONSENT)
    assert page.status_code == 410
    assert "expired" in page.text
    revoke(study, "r002", "declined")
    with pytest.raises(ConflictError, match="invite a new rater"):
        invite_again(study, "r002", base_url="")
    browsers().post(links[2], data=CONSENT)
    revoke(study, "r003", "the link was passed on")
    assert (
        browsers().post(invite_again(study, "r003", base_url=""), data=CONSENT).status_code == 303
    )
    assert status(study)["revoked"] == 1
    withdraw(study, "r004")
    with pytest.raises(ConflictError, match="has withdrawn"):
        invite_again(study, "r004", base_url="")
    for wrong, told in (("r009", "no rater"), ("", "no rater")):
        with pytest.raises(RequestError, match=told):
            invite_again(study, wrong, base_url="")
    with pytest.raises(RequestError, match="languages"):
        invite_again(study, "r001", base_url="", language="fr")
    with pytest.raises(RequestError, match="days"):
        invite_again(study, "r001", base_url="", days=0)
    lock(study, "enough")
    with pytest.raises(ConflictError, match="closed"):
        invite_again(study, "r001", base_url="")


def test_revoking_and_withdrawing_close_every_way_back(
    study: Path, browsers: Callable[[], TestClient]
) -> None:
    links = invite(study, 2, base_url="")
    for number, link in enumerate(links):
        browser = browsers()
        browser.post(link, data=CONSENT)
        code = code_from(browser)
        new = invite_again(study, link, base_url="")
        if number:
            withdraw(study, "r002")
        else:
            revoke(study, "r001", "lost")
        assert browser.get("/room/state").status_code == 401
        assert browsers().get(link).status_code == 404
        assert browsers().post(new, data=CONSENT).status_code == 404
        assert browsers().post("/resume", data={"code": code}).status_code == 404
