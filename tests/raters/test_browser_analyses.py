"""Reading two analyses beside a work, in a real browser: by keyboard, on a phone, blind."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from raters.export import tables
from raters.study import invite
from tests.browser import chromium
from tests.raters.browsing import PATIENCE, all_sent, free_port
from tests.raters.readings import MODELS, readings_study
from tests.raters.serving import start_server
from tests.raters.test_browser import Record, recorded
from tests.raters.test_browser_reading import legible

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        chromium() is None, reason="there is no Chromium here: `make test` installs one"
    ),
]

DRAW = {"en-GB": "Draw a painting", "zh-CN": "请抽一幅画"}


def come_in(page: Page, link: str, language: str) -> None:
    page.set_default_timeout(PATIENCE)
    page.goto(link)
    page.get_by_role("link", name=language).click()
    page.get_by_role("checkbox").check()
    page.locator("button").first.click()


def draw(page: Page, head: str, *, back: bool = False) -> None:
    page.wait_for_selector(f"h1:has-text('{head}')")
    assert page.locator(".room-back").is_visible() == back
    legible(page)
    page.keyboard.press("Enter")
    page.wait_for_selector(".room-analysis")


def mark(page: Page) -> None:
    """Mark one sentence as invented, by keyboard, and another as wrong for a while."""
    passage = page.locator(".room-passage").nth(1)
    passage.focus()
    page.keyboard.press("Enter")
    page.locator(".room-passage[data-mark=wrong]").wait_for()
    page.keyboard.press("Enter")
    page.locator(".room-passage[data-mark=invented]").wait_for()
    other = page.locator(".room-passage").first
    other.focus()
    page.keyboard.press("Enter")
    page.locator(".room-passage[data-mark=wrong]").wait_for()
    legible(page)
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    other.click()
    page.locator(".room-marking").wait_for()
    legible(page)
    page.keyboard.press("Escape")
    page.reload()
    draw(page, DRAW["en-GB"])
    assert page.locator(".room-passage[data-mark=invented]").count() == 1, "a draft is kept"


def read_on_a_phone(page: Page) -> None:
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 360
    boxes = [box.bounding_box() for box in page.locator(".room-analysis").all()]
    # one above the other
    assert len({box["x"] for box in boxes if box}) == 1
    page.locator("dialog[data-kind=screen] .strong").click()
    page.locator(".room-passage").nth(1).click()
    page.locator(".room-next").click(force=True)
    legible(page)
    page.get_by_role("button", name="English", exact=True).click()
    legible(page)


def test_a_rater_draws_reads_marks_and_judges_and_learns_no_name(
    browser: Browser, tmp_path: Path
) -> None:
    study = readings_study(tmp_path)
    port = free_port()
    links = invite(study, 2, base_url=f"http://127.0.0.1:{port}")
    server = start_server(study, port)
    try:
        with recorded(browser, tmp_path / "one.har", "en-GB") as page:
            come_in(page, links[0], "English")
            draw(page, DRAW["en-GB"])
            page.locator("dialog[data-kind=screen] .strong").click()
            # what a model wrote is text: nothing of it became an element
            assert page.locator(".room-analysis script, .room-analysis b").count() == 0
            assert (
                "<script>alert('x')</script>" in page.locator(".room-analysis").first.inner_text()
            )
            page.keyboard.press("?")
            told = page.locator("dialog[data-kind=help]").inner_text()
            assert "Select words with the mouse or a finger" in told
            assert "fault in the picture" not in told
            page.keyboard.press("Escape")
            # the keyboard goes back to the questions once the window is gone
            page.wait_for_function("document.activeElement.closest('.room-question') !== null")
            mark(page)
            for key in "1" + "4" * 8:
                page.keyboard.press(key)
            page.keyboard.press("Enter")
            page.wait_for_selector(f"h1:has-text('{DRAW['en-GB']}')")
            assert page.locator(".room-back").is_visible()
            all_sent(page)
        with recorded(browser, tmp_path / "two.har", "zh-CN") as page:
            page.set_viewport_size({"width": 360, "height": 740})
            come_in(page, links[1], "中文")
            draw(page, DRAW["zh-CN"])
            read_on_a_phone(page)
    finally:
        server.kill()
    found = tables(study)
    (vote,) = found["votes"].to_dict("records")
    assert vote["winner"] == "left"
    assert sorted(found["passages"]["invented"]) == [0, 1]
    assert set(found["ratings"]["value"]) == {4}
    for har in ("one.har", "two.har"):
        record = Record(tmp_path / har)
        assert record.foreign(server) == []
        for address, body in record.received():
            if "/rate/" in address:
                continue  # Gradio's own files, the same for every study
            for name in (*MODELS, "Qwen", "early-spring", "tiny-questions", "sealed"):
                if name == "early-spring" and "/room/" in address:
                    continue  # the answer itself speaks of the work
                assert name.encode() not in body, (address, name)
