"""What raters' hands do: keys, two fingers, two tabs, impatient clicks, and another device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, CDPSession, Page

from raters.export import tables
from raters.invitations import revoke
from raters.study import invite, lock, status
from tests.browser import chromium
from tests.raters.browsing import (
    PATIENCE,
    answer,
    choose,
    enter,
    free_port,
    go_on,
    room,
    shown,
    view,
)
from tests.raters.serving import start_server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        chromium() is None, reason="there is no Chromium here: `make test` installs one"
    ),
]

LABELS = ["korean", "indian", "persian", "other_asian", "generic_digital", "east_asian_unsure"]
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def study(make_study: Callable[..., Path]) -> Path:
    """One rater; looks with eleven answers and scales, then pairs."""
    return make_study(
        raters=1,
        labels=LABELS,
        single={"raters_per_item": 1},
        pairs={"votes_per_pair": 1},
        select={"targets": ["chinese"], "languages": ["zh"], "seeds": [0]},
        references={"per_tradition": 1},
    )


def test_answers_beyond_the_ninth_have_keys_that_are_shown(browser: Browser, study: Path) -> None:
    with room(browser, study, "中文") as page:
        options = page.get_by_role("radiogroup").first.get_by_role("radio")
        assert options.count() == 11
        keys = [option.get_attribute("aria-keyshortcuts") for option in options.all()]
        assert keys == [*"123456789AB"]
        shown_as = options.nth(10).evaluate("one => getComputedStyle(one, '::before').content")
        assert shown_as == '"B"'
        page.keyboard.press("?")
        assert "1 – 9, A – B" in page.get_by_role("dialog").inner_text()
        page.keyboard.press("Escape")
        page.keyboard.press("b")
        assert options.nth(10).get_attribute("aria-checked") == "true"
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Shift+A")
        assert options.nth(9).get_attribute("aria-checked") == "true"
        # as a Chinese input method gives them
        page.keyboard.press("ArrowUp")
        page.evaluate(
            "document.activeElement.dispatchEvent("
            "new KeyboardEvent('keydown', {key: '３', bubbles: true}))"
        )
        assert options.nth(2).get_attribute("aria-checked") == "true"


def test_one_can_go_back_while_the_server_is_away(browser: Browser, study: Path) -> None:
    """What was answered may be changed; a look whose text was shown since stays closed."""
    with room(browser, study, "English") as page:
        while view(page) != "scales":
            answer(page)
        page.wait_for_load_state("networkidle")
        page.context.set_offline(True)
        page.keyboard.press("4")
        page.keyboard.press("3")
        page.keyboard.press("Enter")
        page.get_by_text("1 answer is not saved yet").wait_for()
        after = shown(page)
        page.keyboard.press("u")
        page.get_by_text("You have answered this one").wait_for()
        assert view(page) == "scales"
        assert page.locator("[aria-checked=true]").all_inner_texts() == ["4", "3"]
        assert page.locator(".room-frame img").count() == 1
        page.keyboard.press("5")
        page.keyboard.press("Enter")
        page.wait_for_function("after => window.shownNow() === after", arg=after)
        assert "2 not saved" in page.locator(".room-saved").inner_text()
        page.keyboard.press("u")
        page.get_by_text("You have answered this one").wait_for()
        assert page.locator("[aria-checked=true]").all_inner_texts() == ["5", "3"]
        # before it lie looks whose scene may have been told since
        page.keyboard.press("u")
        page.get_by_text("The server is out of reach").wait_for()
        page.context.set_offline(False)
        page.get_by_text("Saved", exact=True).wait_for()
    rated = tables(study)["ratings"]
    assert list(rated["value"]) == [5, 3]


def test_two_fingers_zoom_and_move_the_picture(browser: Browser, study: Path) -> None:
    with room(browser, study, "中文", locale="zh-CN", **PHONE) as page:
        touch = page.context.new_cdp_session(page)
        pane = page.locator(".room-pane").bounding_box()
        assert pane
        x, y = pane["x"] + pane["width"] / 2, pane["y"] + pane["height"] / 2
        whole = page.locator(".room-frame").bounding_box()
        assert whole
        pinch(touch, x, y, 30, 90)
        near = page.locator(".room-frame").bounding_box()
        assert near
        assert near["width"] / whole["width"] == pytest.approx(3, rel=0.1)
        # the middle stays where it was, and the page itself is not zoomed
        assert near["x"] + near["width"] / 2 == pytest.approx(x, abs=3)
        assert page.evaluate("visualViewport.scale") == 1
        for kind, dx in (("touchStart", 0), ("touchMove", 20), ("touchMove", 40), ("touchEnd", 0)):
            points = [] if kind == "touchEnd" else [{"x": x + dx, "y": y, "id": 1}]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        moved = page.locator(".room-frame").bounding_box()
        assert moved
        assert moved["x"] - near["x"] == pytest.approx(40, abs=3)
        pinch(touch, x, y, 90, 15)
        assert page.locator(".room-frame").bounding_box() == whole


def pinch(touch: CDPSession, x: float, y: float, begin: float, end: float) -> None:
    """Put two fingers on the screen, that far from the point, and draw them together or apart."""
    for step in range(7):
        far = begin + (end - begin) * step / 6
        points = [{"x": x - far, "y": y, "id": 1}, {"x": x + far, "y": y, "id": 2}]
        kind = "touchMove" if step else "touchStart"
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_two_tabs_at_once_lose_nothing_and_double_nothing(browser: Browser, study: Path) -> None:
    with room(browser, study, "English") as page:
        other = page.context.new_page()
        other.goto(page.url)
        other.wait_for_selector("[role=radio]")
        assert count_of(other) == count_of(page)
        # the same look, answered in both
        for tab in (page, other):
            tab.keyboard.press("1")
            tab.keyboard.press("2")
        for tab in (page, other):
            tab.keyboard.press("Enter")
        for tab in (page, other):
            tab.get_by_text("Saved", exact=True).wait_for()
            tab.wait_for_selector("[role=radio]")
        # the second is stored too, or told that its look is closed: its scene's text was shown
        assert status(study)["responses"] in {1, 2}
        assert len(tables(study)["attributions"]) == 2
        # one goes ahead; the other finds its place when it answers what was answered
        for _ in range(3):
            answer(page)
        page.get_by_text("Saved", exact=True).wait_for()
        assert count_of(other) != count_of(page)
        answer_here(other)
        other.wait_for_function(
            "count => document.querySelector('.room-count').textContent === count",
            arg=count_of(page),
        )
        other.wait_for_function(
            "view => document.querySelector('#room').dataset.view === view", arg=view(page)
        )
        other.wait_for_function("!Object.keys(localStorage).some(name => name.includes('outbox'))")
    found = tables(study)
    assert not found["attributions"].duplicated(["item", "aspect"]).any()


def count_of(page: Page) -> str:
    return page.locator(".room-count").inner_text()


def answer_here(page: Page) -> None:
    """Answer what this tab shows, and do not wait for what comes."""
    shown(page)
    for key in {"attribution": "12", "scales": "43"}[view(page)]:
        page.keyboard.press(key)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("milliseconds", [0, 20, 60])
def test_an_impatient_click_answers_once(browser: Browser, study: Path, milliseconds: int) -> None:
    with room(browser, study, "中文") as page:
        choose(page, "manner", "chinese")
        choose(page, "things", "other")
        box = page.locator(".room-next").bounding_box()
        assert box
        mouse = page.context.new_cdp_session(page)
        where = {"x": box["x"] + 10, "y": box["y"] + 10, "button": "left"}
        for count in (1, 2):
            for kind in ("mousePressed", "mouseReleased"):
                mouse.send("Input.dispatchMouseEvent", {"type": kind, "clickCount": count, **where})
            page.wait_for_timeout(milliseconds)
        page.keyboard.press("Enter")  # and once more: nothing is chosen on the next one yet
        page.get_by_text("已保存", exact=True).wait_for()
        page.wait_for_load_state("networkidle")
    assert status(study)["responses"] == 1


def test_a_code_from_the_help_leads_on_on_a_phone(browser: Browser, study: Path) -> None:
    with room(browser, study, "中文", locale="zh-CN") as page:
        answer(page)
        page.get_by_text("已保存", exact=True).wait_for()
        page.keyboard.press("?")
        page.get_by_role("button", name="换一台设备继续").click()
        code = page.locator(".room-elsewhere .room-receipt").inner_text()
        link = page.evaluate("performance.getEntriesByType('navigation')[0].name")
        count = count_of(page)
        with browser.new_context(locale="zh-CN", **PHONE) as context:
            context.set_default_timeout(PATIENCE)
            phone = context.new_page()
            phone.goto(link.replace("/rate/", "/"))
            assert phone.get_by_role("heading", name="请用邀请链接进入").is_visible()
            phone.get_by_label("续做码").fill("AAAA-AAAA-AAAA")
            phone.get_by_role("button", name="继续").tap()
            phone.get_by_role("heading", name="续做码不对").wait_for()
            phone.get_by_label("续做码").fill(code.lower())
            phone.get_by_role("button", name="继续").tap()
            phone.wait_for_selector("[role=radio]")
            assert count_of(phone) == count
            assert phone.evaluate("document.documentElement.scrollWidth") <= 360
        page.keyboard.press("Escape")
        go_on_after(page)


def go_on_after(page: Page) -> None:
    """The first device is still in the room."""
    page.keyboard.press("1")
    page.keyboard.press("2")
    go_on(page)


def test_who_withdraws_leaves_nothing_in_the_browser(browser: Browser, study: Path) -> None:
    port = free_port()
    (link,) = invite(study, 1, base_url=f"http://127.0.0.1:{port}")
    server = start_server(study, port)
    try:
        with browser.new_context(locale="en-GB") as context:
            page = context.new_page()
            page.set_default_timeout(PATIENCE)
            enter(page, link, "English")
            # an answer that does not arrive, and a draft after it
            page.route("**/room/respond*", lambda route: route.abort())
            answer(page)
            page.get_by_text("1 answer is not saved yet").wait_for()
            page.keyboard.press("1")
            kept = "Object.keys(localStorage).map(one => one.split('-')[1]).sort()"
            assert page.evaluate(kept) == ["drafts", "outbox", "screen"]
            page.evaluate("localStorage.setItem('pinlu-outbox-another', '[]')")
            page.goto(f"{server.address}/leave?language=en")
            # who only looks at the way out loses nothing
            assert page.evaluate(kept) == ["drafts", "outbox", "outbox", "screen"]
            page.get_by_role("checkbox").check()
            page.get_by_role("button").click()
            page.get_by_role("heading", name="You have withdrawn").wait_for()
            assert page.evaluate("Object.keys(localStorage)") == ["pinlu-outbox-another"]
    finally:
        server.kill()
    assert status(study)["responses"] == 0


def test_who_is_too_late_or_outside_is_told_what_is_not_saved(
    browser: Browser, study: Path
) -> None:
    port = free_port()
    links = invite(study, 2, base_url=f"http://127.0.0.1:{port}")
    server = start_server(study, port)
    try:
        with browser.new_context() as context, browser.new_context() as other:
            late, outside = context.new_page(), other.new_page()
            for page, link in zip((late, outside), links, strict=True):
                page.set_default_timeout(PATIENCE)
                enter(page, link, "English")
                assert not page.locator(".room-back").is_visible(), "nothing to go back to"
                answer(page)
                page.get_by_text("Saved", exact=True).wait_for()
            revoke(study, "r002", "a test")
            answer(outside)
            outside.get_by_text("You have been signed out.").wait_for()
            outside.get_by_text("1 not saved", exact=True).wait_for()
            assert not outside.locator(".room-back").is_visible()
            lock(study, "a test")
            answer(late)
            late.get_by_role("heading", name="This study is closed").wait_for()
            assert "after it had closed was not taken" in late.locator(".room-panel").inner_text()
            assert late.locator(".room-saved").inner_text() == ""
            assert late.locator(".room-notice").inner_text() == ""
    finally:
        server.kill()
    assert status(study)["responses"] == 2
