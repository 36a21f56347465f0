"""The room in a real browser: from the link to the receipt, blind all the way."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from raters.export import tables
from raters.study import create, invite, status
from tests.browser import chromium
from tests.raters.browsing import PATIENCE, answer, enter, free_port, view, wait_for_next
from tests.raters.material import MODELS, RUN_NAME, UNSPEAKABLE, write_config
from tests.raters.serving import Server, start_server

FOUND = chromium()

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(FOUND is None, reason="there is no Chromium here: `make test` installs one"),
]

NOT_OURS = ("/rate/assets/", "/rate/static/", "/rate/theme.css")
"""Gradio's own files: the same for every study, so only names that are nobody else's are sought."""


class Record:
    """Everything that a browser asked for and received, as its own network log (HAR) has it."""

    def __init__(self, har: Path) -> None:
        self.entries = json.loads(har.read_text(encoding="utf-8"))["log"]["entries"]

    def foreign(self, server: Server) -> list[str]:
        own = urlsplit(server.address).netloc
        addresses = [entry["request"]["url"] for entry in self.entries]
        return [
            address
            for address in addresses
            if not address.startswith(("blob:", "data:")) and urlsplit(address).netloc != own
        ]

    def received(self) -> Iterator[tuple[str, bytes]]:
        for entry in self.entries:
            content = entry["response"]["content"]
            text = content.get("text", "")
            binary = content.get("encoding") == "base64"
            body = base64.b64decode(text) if binary else text.encode()
            headers = json.dumps(entry["response"]["headers"]).encode()
            yield entry["request"]["url"], headers + b"\n" + body

    def pictures(self) -> list[str]:
        """The pictures' addresses in the order in which they were first asked for."""
        paths = [
            urlsplit(entry["request"]["url"]).path
            for entry in self.entries
            if entry["response"]["status"] == 200
        ]
        return list(dict.fromkeys(path for path in paths if path.startswith("/media/")))


@contextmanager
def recorded(browser: Browser, har: Path, locale: str) -> Iterator[Page]:
    with browser.new_context(
        locale=locale, record_har_path=har, record_har_content="embed"
    ) as context:
        context.set_default_timeout(PATIENCE)
        yield context.new_page()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, run: Path, references: Path) -> Path:
    """Two raters who both see all of 12 single pictures and 9 pairs."""
    folder = tmp_path_factory.mktemp("small")
    config = write_config(
        folder,
        raters=2,
        single={"raters_per_item": 2},
        pairs={"votes_per_pair": 2},
        select={"targets": ["chinese"], "languages": ["zh"], "seeds": [0]},
        references={"per_tradition": 1},
    )
    create(config, [run], references=references, out=folder / "study")
    return folder / "study"


@pytest.fixture
def small_study(tmp_path: Path, small: Path) -> Path:
    return shutil.copytree(small, tmp_path / "study")


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, small: Path
) -> Iterator[tuple[Path, Server, list[str]]]:
    """A study, its server, and links for the two raters planned and one more."""
    study = shutil.copytree(small, tmp_path_factory.mktemp("served") / "study")
    port = free_port()
    links = invite(study, 3, base_url=f"http://127.0.0.1:{port}")
    server = start_server(study, port)
    yield study, server, links
    server.kill()


def finish(page: Page) -> None:
    for _ in range(60):
        if view(page) == "done":
            return
        answer(page)
    raise AssertionError("the study does not end")


def secrets_of(study: Path) -> set[str]:
    """Names, keys and files that only the key knows."""
    lines = (study / "sealed" / "key.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    found = {row[name] for row in rows for name in ("key", "file_name", "run", "prompt")}
    return {text for text in found if text} | set(UNSPEAKABLE)


def test_from_the_link_to_the_receipt_and_blind_all_the_way(
    browser: Browser, served: tuple[Path, Server, list[str]], tmp_path: Path
) -> None:
    study, server, links = served
    with recorded(browser, tmp_path / "one.har", "en-GB") as page:
        first_label = rate_by_keyboard(page, links[0])
        receipt = page.locator(".room-receipt").inner_text()
        provoke_errors(page, server)
    with recorded(browser, tmp_path / "two.har", "zh-CN") as page:
        enter(page, links[1], "中文")
        finish(page)

    raters = status(study)["raters"]
    assert [one["done"] for one in raters[:2]] == [21, 21]
    assert raters[0]["receipt"] == receipt
    first, second = Record(tmp_path / "one.har"), Record(tmp_path / "two.har")
    for record in (first, second):
        check_nothing_leaks(record, server, study)
    assert len(first.pictures()) == 12
    assert set(first.pictures()) == set(second.pictures())
    assert first.pictures() != second.pictures()
    found = tables(study)
    assert {name: len(table) for name, table in found.items() if len(table)} == {
        "ratings": 2 * 10 * 2,
        "votes": 2 * 9,
        "attributions": 2 * 12 * 2,
    }
    mine = found["attributions"].query("rater == 'r001' and aspect == 'manner'")
    assert set(mine["attribution"]) == {first_label}
    # the process that served all this has never looked under the seal
    assert server.opened.read_text() == "watching\n"


def rate_by_keyboard(page: Page, link: str) -> str | None:
    """Choose Chinese, rate, ask for help, change the language, reload, go on, finish.

    Returns the tradition that is offered first, which `answer` picks for the manner.
    """
    enter(page, link, "中文")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert page.get_by_role("radiogroup").count() == 2
    assert page.get_by_role("radio", name="看不出").count() == 2

    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    leave = page.get_by_role("link", name="退出研究")
    assert leave.get_attribute("href") == "/leave?language=zh"
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0

    page.keyboard.press("Enter")
    assert "还有 2 题未答" in page.locator(".room-hint").inner_text()
    page.keyboard.press("2")
    manner = page.get_by_role("radiogroup").first.get_by_role("radio")
    assert manner.nth(1).get_attribute("aria-checked") == "true"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    assert manner.nth(0).get_attribute("aria-checked") == "true"
    offered = manner.nth(0).get_attribute("data-value")
    named = manner.nth(0).inner_text()
    answer(page)

    page.get_by_role("button", name="English").click()
    assert page.evaluate("document.documentElement.lang") == "en"
    page.get_by_role("button", name="中文").click()

    while view(page) != "scales":
        answer(page)
    # an output's text begins 一幅画, a reference's 一幅山水
    assert "一幅" in page.locator("blockquote").inner_text()
    assert named in page.locator(".room-settled").inner_text()
    assert page.locator(".room-settled [role=radio]").count() == 0
    assert page.locator(".room-anchors li").count() == 2 * 3

    page.keyboard.press("4")
    count = page.locator(".room-count").inner_text()
    page.reload()
    page.wait_for_selector("[role=radio]")
    assert page.locator(".room-count").inner_text() == count
    assert view(page) == "scales"
    assert page.get_by_role("radio", name="4").first.get_attribute("aria-checked") == "true"

    while view(page) != "pair":
        answer(page)
    assert page.locator(".room-stage img").count() == 2
    assert page.get_by_role("radio").count() == 4
    finish(page)
    assert "谢谢" in page.locator(".room-questions").inner_text()
    assert "关于这项研究" in page.locator(".room-debriefing").inner_text()
    return offered


def provoke_errors(page: Page, server: Server) -> None:
    for path in (
        "/rate/config", "/rate/gradio_api/info", "/rate/gradio_api/app_id", "/nothing",
        "/media/0000000000000000", "/room/page/nothing.js", "/i/falsefalsefalsefalse",
        "/sealed/key.jsonl",
    ):  # fmt: skip
        page.goto(f"{server.address}{path}")
    page.goto(f"{server.address}/rate/")
    page.evaluate(
        "fetch('/room/respond', {method: 'POST', body: '{', headers: {'X-Room-Token': 'x'}})"
    )
    page.wait_for_selector(".room-receipt")


def check_nothing_leaks(record: Record, server: Server, study: Path) -> None:
    everything = list(record.received())
    secrets = secrets_of(study)
    assert len(everything) > 80
    assert any(b"WEBP" in content for _, content in everything)
    assert any(b"gradio_config" in content for _, content in everything)
    for address, content in everything:
        theirs = urlsplit(address).path.startswith(NOT_OURS)
        sought = {*MODELS, RUN_NAME} if theirs else secrets
        leaked = [secret for secret in sought if secret.encode() in content]
        assert not leaked, f"{address} says {leaked}"
    assert record.foreign(server) == []


def test_a_server_killed_in_the_middle_loses_nothing_and_the_page_says_so(
    browser: Browser, small_study: Path
) -> None:
    port = free_port()
    (link,) = invite(small_study, 1, base_url=f"http://127.0.0.1:{port}")
    server = start_server(small_study, port, slow=60)
    try:
        with browser.new_context(locale="en-GB") as context:
            context.set_default_timeout(PATIENCE)
            page = context.new_page()
            enter(page, link, "English")
            page.wait_for_load_state("networkidle")
            for key in ("1", "2", "Enter"):
                page.keyboard.press(key)
            server.wait_for("stored, not committed")
            server.kill()
            page.get_by_text("1 answer is not saved yet").wait_for()
            # he goes on meanwhile, as far as the pictures have come
            answer(page)
            answer(page)
            page.get_by_text("3 answers are not saved yet").wait_for()
            assert page.locator(".room-saved").inner_text() == "3 not saved"
            assert status(small_study)["responses"] == 0

            server = start_server(small_study, port)
            page.get_by_text("Saved", exact=True).wait_for()
            assert page.locator(".room-notice").inner_text() == ""
            # what was answered is there, once
            assert status(small_study)["responses"] == 3
            server.kill()
            answer(page)
            page.get_by_text("1 answer is not saved yet").wait_for()
            # he closes the page; the next one sends what the first could not
            page.close()
            server = start_server(small_study, port)
            again = context.new_page()
            again.goto(f"{server.address}/rate/")
            again.get_by_text("What could not be saved last time is saved now").wait_for()
            assert status(small_study)["responses"] == 4
    finally:
        server.kill()


def test_on_a_phone_nothing_runs_over_the_edge(
    browser: Browser, served: tuple[Path, Server, list[str]]
) -> None:
    study, _, links = served
    with browser.new_context(
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True, locale="en-GB"
    ) as context:
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        enter(page, links[2], "English")
        seen = set()
        while view(page) != "done":
            if view(page) not in seen:
                seen.add(view(page))
                fits_on_a_phone(page)
            tap_through(page)
        assert seen == {"attribution", "scales", "pair"}
        fits_on_a_phone(page)
    assert status(study)["raters"][2]["finished_at"]


def fits_on_a_phone(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    wide = page.evaluate(
        """[...document.querySelectorAll('.room button, .room p, .room h2, .room img')]
            .filter(e => e.offsetParent && e.getBoundingClientRect().right > 360.5)
            .map(e => e.className || e.tagName)"""
    )
    assert wide == []
    small = page.evaluate(
        """[...document.querySelectorAll('.room-option, .room-next')]
            .filter(e => e.offsetParent && e.getBoundingClientRect().height < 44)
            .map(e => e.textContent)"""
    )
    assert small == []


def tap_through(page: Page) -> None:
    here = view(page)
    before = page.evaluate(
        "[...document.querySelectorAll('.room-frame > *')].map(i => i.src).join()"
    )
    for group in page.get_by_role("radiogroup").all():
        group.get_by_role("radio").last.tap()
    page.locator(".room-next").tap()
    wait_for_next(page, here, before)


def test_a_scale_may_not_apply_and_has_a_worked_example(
    browser: Browser, make_study: Callable[..., Path]
) -> None:
    study = make_study(
        rubric="six-canons",
        raters=1,
        single={"raters_per_item": 1},
        pairs=None,
        select={"targets": ["chinese"], "languages": ["zh"], "seeds": [0]},
    )
    port = free_port()
    (link,) = invite(study, 1, base_url=f"http://127.0.0.1:{port}")
    server = start_server(study, port)
    try:
        with browser.new_context() as context:
            context.set_default_timeout(PATIENCE)
            page = context.new_page()
            enter(page, link, "中文")
            while view(page) != "scales":
                answer(page)
            scales = page.locator(".room-question").count()
            example = page.locator(".room-example").first
            example.locator("summary").focus()
            page.keyboard.press("Enter")
            assert "3分" in example.locator("p").inner_text()
            assert view(page) == "scales"
            page.keyboard.press("6")
            assert page.get_by_role("radio", name="不适用").first.get_attribute("aria-checked") == (
                "true"
            )
            before = page.locator(".room-stage img").get_attribute("src")
            for _ in range(scales - 1):
                page.keyboard.press("2")
            page.keyboard.press("Enter")
            wait_for_next(page, "scales", str(before))
            page.get_by_text("已保存", exact=True).wait_for()
    finally:
        server.kill()
    rated = tables(study)["ratings"]
    assert len(rated) == scales
    assert list(rated["not_applicable"]) == [True] + [False] * (scales - 1)
    assert rated["value"].isna().tolist() == rated["not_applicable"].tolist()
