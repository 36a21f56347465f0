"""Marking passages of two analyses in a real browser: by mouse, by finger, by keyboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from raters.export import tables
from raters.study import invite
from tests.browser import chromium
from tests.raters.browsing import PATIENCE, all_sent, free_port
from tests.raters.readings import readings_study
from tests.raters.serving import start_server
from tests.raters.test_browser_analyses import DRAW, come_in, draw

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        chromium() is None, reason="there is no Chromium here: `make test` installs one"
    ),
]

BAR = ".room-marking:not([hidden])"
SELECT = """([sentence, from, to]) => {
    const all = document.querySelectorAll('.room-analysis[data-side=left] .room-passage');
    const text = all[sentence].firstChild;
    getSelection().setBaseAndExtent(text, from, text, to);
}"""


def become(page: Page, kind: str) -> None:
    page.wait_for_selector(BAR)
    page.locator(f".room-marking [data-kind={kind}]").click()
    page.wait_for_selector(BAR, state="detached")


def marked(page: Page, kind: str) -> list[str]:
    return page.locator(f".room-marked[data-mark={kind}]").all_text_contents()


def finish(page: Page, head: str) -> None:
    page.locator("[role=radio]").first.click()
    for key in "4" * 8:
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.wait_for_selector(f"h1:has-text('{head}')")
    all_sent(page)


def stored(study: Path, marks: list[dict[str, Any]]) -> list[str]:
    """What the marks cover, by the text that was shown."""
    covered = []
    for mark in marks:
        sections = json.loads((study / "stimuli" / f"{mark['item']}.json").read_text("utf-8"))
        covered.append(sections[mark["section"]]["text"][mark["start"] : mark["end"]])
    return covered


def by_mouse_and_keys(page: Page) -> tuple[list[str], str]:
    """Mark, change and take back; return what stays: of a sentence, and within it."""
    # dragged over a part of one sentence and of the next
    first = page.locator(".room-analysis[data-side=left] .room-passage").nth(0)
    box = first.bounding_box()
    assert box
    page.mouse.move(box["x"] + 60, box["y"] + 12)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 20, box["y"] + box["height"] - 10, steps=6)
    page.mouse.up()
    chosen = page.evaluate("getSelection().toString()").strip()
    become(page, "wrong")
    assert "".join(marked(page, "wrong")) == chosen
    # the sentence says so to who does not see it, and has the focus
    told = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert told.startswith("wrong")
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    # a press on the mark changes it, a further one takes it back
    page.locator(".room-marked").first.click()
    become(page, "invented")
    assert ("".join(marked(page, "invented")), marked(page, "wrong")) == (chosen, [])
    page.locator(".room-marked").first.click()
    become(page, "none")
    assert page.locator(".room-marked").count() == 0
    # a press on a sentence marks nothing by itself, and Escape leaves it so
    second = page.locator(".room-analysis[data-side=left] .room-passage").nth(1)
    second.click()
    page.wait_for_selector(BAR)
    page.keyboard.press("Escape")
    assert page.locator(BAR).count() == 0
    assert page.locator(".room-marked").count() == 0
    # by keyboard: wrong, invented, nothing, wrong
    second.focus()
    for _ in range(4):
        page.keyboard.press("Enter")
    sentence = (second.text_content() or "").strip()
    assert marked(page, "wrong") == [sentence]
    # a mark within a mark: what lay there gives way
    page.evaluate("""() => {
        const text = document.querySelector('.room-marked').firstChild;
        getSelection().setBaseAndExtent(text, 4, text, 8);
    }""")
    become(page, "invented")
    assert marked(page, "invented") == [sentence[4:8].strip()]
    return marked(page, "wrong"), sentence[4:8].strip()


def by_hand(page: Page) -> list[str]:
    # what a long press and its handles leave behind
    page.evaluate(SELECT, [0, 0, 2])
    page.wait_for_selector(BAR)
    bar = page.locator(BAR).bounding_box()
    assert bar
    assert bar["x"] >= 0
    assert bar["x"] + bar["width"] <= 360
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.locator(".room-marking [data-kind=invented]").tap()
    page.wait_for_selector(".room-marked")
    assert marked(page, "invented") == ["As"]
    # a tap on a sentence offers the same
    page.locator(".room-analysis[data-side=left] .room-passage").nth(2).tap()
    page.wait_for_selector(BAR)
    page.locator(".room-marking [data-kind=wrong]").tap()
    page.wait_for_selector(".room-marked[data-mark=wrong]")
    return marked(page, "wrong")


def test_any_passage_is_marked_changed_and_taken_back(browser: Browser, tmp_path: Path) -> None:
    study = readings_study(tmp_path)
    port = free_port()
    links = invite(study, 2, base_url=f"http://127.0.0.1:{port}")
    server = start_server(study, port)
    try:
        with browser.new_context(
            locale="en-GB", viewport={"width": 1280, "height": 800}
        ) as context:
            page = context.new_page()
            come_in(page, links[0], "English")
            draw(page, DRAW["en-GB"])
            page.locator("dialog[data-kind=screen] .strong").click()
            left, inner = by_mouse_and_keys(page)
            finish(page, DRAW["en-GB"])
        with browser.new_context(
            locale="zh-CN", viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
        ) as context:
            context.set_default_timeout(PATIENCE)
            page = context.new_page()
            come_in(page, links[1], "中文")
            draw(page, DRAW["zh-CN"])
            page.locator("dialog[data-kind=screen] .strong").tap()
            by_finger = by_hand(page)
            finish(page, DRAW["zh-CN"])
    finally:
        server.kill()
    found = tables(study)
    rows = found["marks"].to_dict("records")
    one, two = sorted({row["rater"] for row in rows})
    by_rater = {
        (rater, kind): stored(
            study, [row for row in rows if (row["rater"], row["kind"]) == (rater, kind)]
        )
        for rater in (one, two)
        for kind in ("wrong", "invented")
    }
    assert by_rater[one, "wrong"] == left
    assert by_rater[one, "invented"] == [inner]
    assert by_rater[two, "invented"] == ["As"]
    assert by_rater[two, "wrong"] == by_finger
    counts = found["passages"].groupby("rater")["marked_characters"].sum()
    assert counts[one] == sum(map(len, [*by_rater[one, "wrong"], *by_rater[one, "invented"]]))


def test_marks_are_counted_in_characters_also_beyond_the_first_plane(
    browser: Browser, tmp_path: Path
) -> None:
    study = readings_study(tmp_path)
    port = free_port()
    (link,) = invite(study, 1, base_url=f"http://127.0.0.1:{port}")
    server = start_server(study, port)
    try:
        with browser.new_context(locale="en-GB") as context:
            page = context.new_page()
            come_in(page, link, "English")
            page.wait_for_selector("h1")
            cut = page.evaluate(
                "text => import('/room/page/marking.js').then((m) => m.sentences(text))",
                "𠮷野有雪。𡿨山无人！A lone boat. ",
            )
            marks = page.evaluate(
                """([marks, place, kind, most]) => import('/room/page/marking.js').then(
                    (m) => m.withMark(marks, place, kind, most))""",
                [
                    [
                        {"side": "left", "section": 0, "start": 0, "end": 9, "kind": "wrong"},
                        {"side": "right", "section": 0, "start": 2, "end": 5, "kind": "wrong"},
                    ],
                    {"side": "left", "section": 0, "start": 2, "end": 5, "more": "left out"},
                    "invented",
                    4,
                ],
            )
            full = page.evaluate(
                """() => import('/room/page/marking.js').then((m) => m.withMark(
                    [], { side: "left", section: 0, start: 0, end: 2 }, "wrong", 0))"""
            )
            languages = page.evaluate(
                """texts => import('/room/page/analyses.js').then(
                    (m) => texts.map(([text, page]) => m.textLanguage(text, page)))""",
                [
                    ["The seal reads 印, and the mist is left blank.", "en"],
                    ["The seal reads 印, and the mist is left blank.", "zh"],
                    ["近景有松，题款似 Ma Yuan。远山留白，雾气未散。", "en"],
                    ["𠮷野有雪。", "en"],
                    ["42", "en"],
                ],
            )
    finally:
        server.kill()
    assert languages == [None, "en", "zh", "zh", None]
    assert cut == [[0, 5], [5, 10], [10, 23]]
    about = {"side": "left", "section": 0}
    assert marks == [
        {**about, "start": 0, "end": 2, "kind": "wrong"},
        {**about, "start": 5, "end": 9, "kind": "wrong"},
        {"side": "right", "section": 0, "start": 2, "end": 5, "kind": "wrong"},
        {**about, "start": 2, "end": 5, "kind": "invented"},
    ]
    assert full == []


def test_a_list_of_marks_that_is_full_says_so(browser: Browser, tmp_path: Path) -> None:
    study = readings_study(tmp_path)
    port = free_port()
    (link,) = invite(study, 1, base_url=f"http://127.0.0.1:{port}")
    server = start_server(study, port)

    def one_mark_at_most(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "marks_most": 1})

    try:
        with browser.new_context(locale="en-GB") as context:
            page = context.new_page()
            page.route("**/room/setup", one_mark_at_most)
            come_in(page, link, "English")
            draw(page, DRAW["en-GB"])
            page.locator("dialog[data-kind=screen] .strong").click()
            first, second = (page.locator(".room-passage").nth(number) for number in (0, 1))
            first.focus()
            page.keyboard.press("Enter")
            notice = page.locator(".room-notice")
            assert notice.inner_text() == ""
            second.focus()
            page.keyboard.press("Enter")
            page.get_by_text("That is as many as can be marked; take one back").wait_for()
            page.get_by_role("button", name="中文").click()
            page.get_by_text("已经标满了，取消一处才能再标。").wait_for()
            assert page.locator(".room-marked").count() == 1
            # by the bar too; and what can be done says no more
            page.locator(".room-notice button").click()
            second.click()
            page.locator(".room-marking [data-kind=wrong]").click()
            page.get_by_text("已经标满了，取消一处才能再标。").wait_for()
            first.focus()
            page.keyboard.press("Enter")
            assert page.locator(".room-marked[data-mark=invented]").count() == 1
            assert notice.inner_text() == ""
    finally:
        server.kill()


MARKING = (
    Path(__file__).parents[2].joinpath("raters", "room", "page", "marking.js").read_text("utf-8")
)
STEPS = """async ([source, steps]) => {
    const m = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
    const place = (start, end) => ({ side: "left", section: 0, start, end });
    const done = (marks, [act, start, end, kind]) => act === "press"
        ? m.pressed(marks, place(start, end), ["wrong", "invented"], 200)
        : m.withMark(marks, place(start, end), kind, 200);
    return steps.reduce(done, []).map(({ start, end, kind }) => [start, end, kind]).sort((a, b) => a[0] - b[0]);
}"""


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        # a mark that is extended stays one
        ([("mark", 0, 5, "wrong"), ("mark", 3, 9, "wrong")], [[0, 9, "wrong"]]),
        ([("mark", 3, 9, "wrong"), ("mark", 0, 5, "wrong")], [[0, 9, "wrong"]]),
        ([("mark", 0, 5, "wrong"), ("mark", 5, 9, "wrong")], [[0, 9, "wrong"]]),
        ([("mark", 0, 60, "wrong"), ("mark", 10, 20, "wrong")], [[0, 60, "wrong"]]),
        (
            [("mark", 0, 5, "wrong"), ("mark", 8, 9, "wrong"), ("mark", 4, 8, "wrong")],
            [[0, 9, "wrong"]],
        ),
        # what does not touch, and what is of another kind, is another fault
        (
            [("mark", 0, 5, "wrong"), ("mark", 6, 9, "wrong")],
            [[0, 5, "wrong"], [6, 9, "wrong"]],
        ),
        (
            [("mark", 0, 5, "wrong"), ("mark", 3, 9, "invented")],
            [[0, 3, "wrong"], [3, 9, "invented"]],
        ),
        # the keyboard on a sentence within a mark goes on from the kind it has
        (
            [("mark", 0, 60, "wrong"), ("press", 10, 20)],
            [[0, 10, "wrong"], [10, 20, "invented"], [20, 60, "wrong"]],
        ),
        (
            [("mark", 0, 60, "wrong"), ("press", 10, 20), ("press", 10, 20)],
            [[0, 10, "wrong"], [20, 60, "wrong"]],
        ),
        (
            [("mark", 0, 60, "wrong"), ("press", 10, 20), ("press", 10, 20), ("press", 10, 20)],
            [[0, 60, "wrong"]],
        ),
        ([("press", 0, 9), ("press", 0, 9), ("press", 0, 9)], []),
    ],
)
def test_one_fault_is_one_passage(browser: Browser, steps: list[Any], left: list[Any]) -> None:
    with browser.new_page() as page:
        assert page.evaluate(STEPS, [MARKING, steps]) == left
