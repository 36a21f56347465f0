"""Every page and state as a screen reader hears it, and its contrast computed from its colours."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import update

from raters import tables as t
from raters.config import Ask
from raters.organiser.app import USER
from raters.organiser.view import words
from raters.simulated import simulate
from raters.study import invite, open_study, status
from tests.browser import chromium
from tests.raters.browsing import PATIENCE, choose, free_port, go_on, view
from tests.raters.material import look as look_at
from tests.raters.material import picture, save
from tests.raters.serving import ROOT, Server, start_server
from tests.raters.test_invitations import SCHOOL, YEARS

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        chromium() is None, reason="there is no Chromium here: `make test` installs one"
    ),
]

CONTROLS = {
    "button", "radio", "link", "checkbox", "textbox", "slider", "image", "radiogroup", "dialog",
    "combobox", "progressbar", "heading", "group", "spinbutton", "searchbox", "option",
}  # fmt: skip
"""Roles that are nothing without a name."""

CJK = re.compile(r"[㐀-鿿]")
LETTERS = re.compile(r"[A-Za-z]{2,}")
CODE = re.compile(r"[0-9A-Z]{4}(-[0-9A-Z]{4})+")
EITHER = {
    "中文",
    "English",
    "Enter",
    "Shift",
    "Esc",
    "Chrome",
    "Edge",
    "Safari",
    "Firefox",
    "Pinlu",
}
"""What stands in both languages."""

NAMELESS = {"group", "option"}
"""Roles that lists and cells of a browser's own widgets have without a name."""

CONTRAST = """() => {
    const parse = (text) => {
        const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
        return {r, g, b, a};
    };
    const over = (top, below) => ({
        r: top.r * top.a + below.r * (1 - top.a), g: top.g * top.a + below.g * (1 - top.a),
        b: top.b * top.a + below.b * (1 - top.a), a: 1,
    });
    const light = ({r, g, b}) => {
        const [x, y, z] = [r, g, b].map((one) => one / 255).map(
            (one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const ratio = (one, other) => {
        const [low, high] = [light(one), light(other)].sort((x, y) => x - y);
        return (high + 0.05) / (low + 0.05);
    };
    const ground = (node) => {
        const layers = [];
        for (let at = node; at; at = at.parentElement) {
            const own = parse(getComputedStyle(at).backgroundColor);
            layers.push(own);
            if (own.a === 1) break;
            if (at.matches('dialog')) break;
        }
        return layers.reverse().reduce((below, top) => over(top, below), {r: 255, g: 255, b: 255, a: 1});
    };
    const seen = (node) => {
        const box = node.getBoundingClientRect();
        return box.width > 1 && box.height > 1 && node.checkVisibility({checkVisibilityCSS: true, checkOpacity: true});
    };
    const found = [];
    const look = (node, style, what) => {
        const below = ground(node);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        const value = ratio(over(parse(style.color), below), below);
        found.push({what, value, least: large ? 3 : 4.5, hue: Math.max(...['r', 'g', 'b'].map((c) =>
            Math.abs(parse(style.color)[c] - parse(style.color).r)))});
    };
    const open = document.querySelector('dialog[open]');
    for (const node of (open ?? document.body).querySelectorAll('*')) {
        if (!seen(node) || node.closest('svg, select option')) continue;
        const own = [...node.childNodes].some((one) => one.nodeType === 3 && one.textContent.trim());
        const filled = node.matches('input:not([type=checkbox], [type=range], [type=radio], [type=hidden]), textarea, select');
        if (own || filled) look(node, getComputedStyle(node), node.textContent.trim().slice(0, 40) || node.outerHTML.slice(0, 60));
        for (const pseudo of ['::before', '::after']) {
            const style = getComputedStyle(node, pseudo);
            if (!['none', 'normal', '""'].includes(style.content)) look(node, style, pseudo + style.content);
        }
        // what one must see to use it: the edge of a field or button that has one
        if (node.matches('button, select, input[type=text], textarea')) {
            const style = getComputedStyle(node);
            if (parseFloat(style.borderTopWidth) > 0 && style.borderTopStyle !== 'none') {
                const below = ground(node.parentElement);
                found.push({what: 'edge of ' + node.className, least: 3, hue: 0,
                    value: ratio(over(parse(style.borderTopColor), below), below)});
            }
        }
    }
    return found;
}"""


def heard(page: Page) -> list[dict[str, Any]]:
    """What a screen reader is given: role, name and properties of every node that is not ignored."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    return [
        {
            "role": node.get("role", {}).get("value", ""),
            "name": node.get("name", {}).get("value", "").strip(),
            **{one["name"]: one["value"].get("value") for one in node.get("properties", [])},
        }
        for node in nodes
        if not node["ignored"]
    ]


OUT_OF_SIGHT = """() => {
    const box = (node) => node.getBoundingClientRect();
    const found = [];
    if (document.documentElement.scrollWidth > innerWidth) found.push('wider than the window');
    const panes = document.querySelector('.room-panes');
    for (const frame of panes ? document.querySelectorAll('.room-frame') : []) {
        const [inner, outer] = [box(frame), box(panes)];
        if (inner.left < outer.left - 1 || inner.right > outer.right + 1 || inner.top < outer.top - 1
            || inner.bottom > outer.bottom + 1) found.push('the picture lies under something');
    }
    const parts = '.room-under button, .room-under input, .room-under span, .room-onward > *, .room-bar > *';
    const shown = [...document.querySelectorAll(parts)].filter((one) => one.checkVisibility() && box(one).width);
    shown.forEach((one, index) => {
        const [a, edges] = [box(one), box(document.documentElement)];
        if (a.right > edges.right + 1) found.push(`${one.textContent} runs over the edge`);
        for (const other of shown.slice(index + 1)) {
            const b = box(other);
            if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
                found.push(`${one.textContent} lies on ${other.textContent}`);
        }
    });
    return found;
}"""


def legible(page: Page) -> list[dict[str, Any]]:
    """Hold what is shown to names, contrast and being whole in sight; return what is heard."""
    nodes = heard(page)
    nameless = [
        node for node in nodes
        if node["role"] in CONTROLS - NAMELESS and not node["name"]
    ]  # fmt: skip
    assert nameless == []
    faint = [one for one in page.evaluate(CONTRAST) if one["value"] < one["least"] - 0.01]
    assert faint == []
    assert page.evaluate(OUT_OF_SIGHT) == []
    return nodes


def check(page: Page, language: str) -> list[dict[str, Any]]:
    """Hold what is shown to that and to one language; return what is heard."""
    nodes = legible(page)
    tag = page.evaluate("document.documentElement.lang")
    assert tag.split("-")[0] == language
    for node in nodes:
        if node["role"] in {"RootWebArea", "InlineTextBox", "none", "generic"}:
            continue
        words = node["name"]
        for allowed in EITHER:
            words = words.replace(allowed, "")
        words = CODE.sub("", words)
        foreign = CJK if language == "en" else LETTERS
        assert not foreign.search(words), f"{node['role']} {node['name']!r} in {language}"
    return nodes


def both(page: Page) -> None:
    """The same in both languages of the room, which may be changed at any time."""
    for name, language in (("English", "en"), ("中文", "zh")):
        page.locator(".room-languages").get_by_text(name, exact=True).click()
        page.wait_for_function(
            "language => document.documentElement.lang.startsWith(language)", arg=language
        )
        check(page, language)


@pytest.fixture
def study(tmp_path: Path, make_study: Callable[..., Path]) -> Path:
    """Everything that may be asked, in two sessions, with a practice item and a background."""
    save(picture(7, (60, 40), 0.8), tmp_path / "practice.png", "a practice picture")
    explain = {"zh": "墨分五色，留白作水。", "en": "Ink has its tones, and blank silk is water."}
    example = {
        "picture": str(tmp_path / "practice.png"),
        "manner": "chinese", "things": "japanese", "explain": explain,
    }  # fmt: skip
    return make_study(
        raters=1,
        rubric="six-canons",
        labels=["korean", "other_asian", "generic_digital", "east_asian_unsure"],
        single={"raters_per_item": 1},
        pairs={"votes_per_pair": 1},
        select={"targets": ["chinese"], "languages": ["zh"], "seeds": [0]},
        references={"per_tradition": 1},
        ask=Ask().model_dump(),
        detections=3,
        sessions=2,
        attention=1,
        training=[example],
        background=[YEARS, SCHOOL],
    )


@pytest.fixture
def served(study: Path) -> Iterator[tuple[Path, Server, list[str]]]:
    port = free_port()
    links = invite(study, 1, base_url=f"http://127.0.0.1:{port}")
    server = start_server(study, port)
    yield study, server, links
    server.kill()


WIDE: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
NARROW: dict[str, Any] = {
    "viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True,
}  # fmt: skip


@pytest.mark.parametrize("screen", [WIDE, NARROW], ids=["wide", "phone"])
def test_every_page_is_named_in_its_language_and_easy_to_read(
    browser: Browser, served: tuple[Path, Server, list[str]], screen: dict[str, Any]
) -> None:
    study, server, (link,) = served
    with browser.new_context(**screen) as context:
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        doors(page, server, link)
        page.get_by_label("从业几年").select_option("many")
        page.get_by_role("checkbox").check()
        page.locator("button").click()
        page.wait_for_selector("dialog[data-kind=screen]")
        nodes = check(page, "zh")
        assert {"role": "dialog", "name": "开始之前，请调好屏幕"}.items() <= nodes_of(
            nodes, "dialog"
        )
        page.locator("dialog .strong").click()
        windows(page)
        seen = walk(page)
        assert seen == {
            "explained", "attribution", "scales", "break", "pair", "detection", "done", "flags",
        }  # fmt: skip
        for language in ("en", "zh"):
            page.goto(f"{server.address}/leave?language={language}")
            check(page, language)
        page.get_by_role("button").click(force=True)
    assert status(study)["raters"][0]["finished_at"]


def nodes_of(nodes: list[dict[str, Any]], role: str) -> Any:
    (one,) = [node for node in nodes if node["role"] == role]
    return one.items()


def doors(page: Page, server: Server, link: str) -> None:
    """The pages outside the room: what lies behind links of all kinds."""
    for language in ("en", "zh"):
        ask = f"?language={language}"
        for path in ("/", "/resume", "/nothing", "/i/falsefalsefalsefalse", "/leave"):
            page.goto(f"{server.address}{path}{ask}")
            check(page, language)
        page.goto(f"{server.address}/resume{ask}")
        page.locator("#code").fill("AAAA-BBBB-CCCC")
        page.locator("button").click()
        page.wait_for_url("**/resume*")
        check(page, language)
        page.goto(f"{link}{ask}")
        nodes = check(page, language)
        roles = [node["role"] for node in nodes]
        assert {"navigation", "main", "checkbox", "combobox", "textbox", "button"} <= set(roles)
        page.locator("button").click()
        # no bubble in the browser's language: the page says in its own what is wanted, and goes there
        page.wait_for_selector("[role=alert]")
        assert page.locator("[role=alert]").count() == 2
        page.locator("#about-years:focus").wait_for()
        assert page.locator("[role=alert]").first.evaluate(
            "one => one.getBoundingClientRect().top >= 0"
        )
        check(page, language)


def windows(page: Page) -> None:
    """Help with a code, and skipping."""
    for name, language, button in (
        ("English", "en", "Continue on another device"),
        ("中文", "zh", "换一台设备继续"),
    ):
        page.locator(".room-languages").get_by_text(name, exact=True).click()
        page.locator(".room-help-open").click()
        page.get_by_role("button", name=button).click()
        page.locator(".room-elsewhere .room-receipt").wait_for()
        check(page, language)
        page.keyboard.press("Escape")
        page.locator(".room-skip").click()
        check(page, language)
        page.keyboard.press("Escape")


def walk(page: Page) -> set[str]:
    """Go through the study; each kind of page is checked in both languages, empty and answered."""
    seen: set[str] = set()
    while view(page) != "done":
        explained = page.locator("#room.explained").count() > 0
        here = "explained" if explained else view(page)
        fresh = here not in seen
        seen.add(here)
        if fresh:
            both(page)
        if here == "attribution":
            look(page)
        while here != "explained" and page.locator(".room-question:not(.answered)").count():
            left = page.locator(".room-question:not(.answered)").first
            left.get_by_role("radio").last.click()
        if fresh and here == "scales":
            seen.add("flags")
            place_flag(page)
            page.locator(".room-remark summary").click()
            page.locator(".room-example summary").first.click()
        if fresh and here not in {"explained", "break"}:
            both(page)
            hear_answers(page)
        go_on(page)
    seen.add("done")
    both(page)
    return seen


def look(page: Page) -> None:
    wanted = "chinese"
    told = page.locator(".room-instruction")
    if told.count():
        (name,) = re.findall(r"“(.+?)”", told.inner_text())
        wanted = page.locator("[data-question=manner] [role=radio]", has_text=name).get_attribute(
            "data-value"
        )
    choose(page, "manner", str(wanted))
    choose(page, "things", str(wanted))
    other = "japanese" if wanted == "chinese" else "chinese"
    choose(page, "trace", other)
    choose(page, "trace_strength", "clear")


def place_flag(page: Page) -> None:
    page.locator(".room-kind").first.click()
    assert page.locator(".room-placing").inner_text()
    both(page)
    page.locator(".room-frame").click(position={"x": 20, "y": 20})
    assert page.locator(".room-placed li").count() == 1


def hear_answers(page: Page) -> None:
    """What was chosen is heard, and seen without colour: by its weight; news are told by themselves."""
    nodes = heard(page)
    radios = [node for node in nodes if node["role"] == "radio"]
    groups = [node for node in nodes if node["role"] == "radiogroup"]
    chosen = [node for node in radios if node["checked"] == "true"]
    assert len(chosen) == len(groups) > 0
    weights = page.evaluate(
        """() => ['true', 'false'].map((is) => getComputedStyle(
            document.querySelector(`[role=radio][aria-checked=${is}]`)).fontWeight)"""
    )
    assert weights[0] != weights[1]
    # no colour at all beside the pictures, so that none can carry a meaning alone
    hues = [one for one in page.evaluate(CONTRAST) if one["hue"] > 0]
    assert hues == []
    live = [node for node in nodes if node.get("live") == "polite"]
    assert len(live) >= 3
    (line,) = [node for node in nodes if node["role"] == "progressbar"]
    assert line["name"] in {"进度", "Progress"}
    mains = [node["role"] for node in nodes if node["role"] in {"main", "banner"}]
    assert "main" in mains


@contextmanager
def organising(study: Path, tmp_path: Path) -> Iterator[str]:
    """The address of the organiser's view, in a process of its own."""
    (tmp_path / "password").write_text("let me see")
    port = str(free_port())
    command = [sys.executable, "-m", "bench", "organise", str(study), "--port", port]
    process = subprocess.Popen(
        [*command, "--password-file", str(tmp_path / "password")],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout
    try:
        assert "is open" in process.stdout.readline()
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@pytest.fixture
def organised(study: Path, tmp_path: Path) -> Iterator[str]:
    """The view of a study that nobody has begun."""
    invite(study, 1, base_url="")
    with organising(study, tmp_path) as address:
        yield address


@pytest.fixture
def judged(study: Path, tmp_path: Path) -> Iterator[str]:
    """The view of a study with timed answers of two raters of a school with a long name."""
    invite(study, 2, base_url="", group="a-school-of-painting-with-a-long-name")
    simulate(study, look=look_at, rng=np.random.default_rng(0), count=2)
    with open_study(study) as (_, engine), t.writing(engine) as connection:
        connection.execute(update(t.response_event).values(shown={"milliseconds": 12_345}))
    with organising(study, tmp_path) as address:
        yield address


def test_the_organisers_view_is_named_and_easy_to_read(browser: Browser, organised: str) -> None:
    secret = base64.b64encode(f"{USER}:let me see".encode()).decode()
    with browser.new_context(
        extra_http_headers={"authorization": f"Basic {secret}"},
        viewport={"width": 1280, "height": 800},
    ) as context:
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(organised)
        page.wait_for_selector("article")
        faint = [one for one in page.evaluate(CONTRAST) if one["value"] < one["least"] - 0.01]
        assert faint == []
        nodes = heard(page)
        assert not [
            node for node in nodes
            if node["role"] in CONTROLS - NAMELESS and not node["name"]
        ]  # fmt: skip
        headers = [node["name"] for node in nodes if node["role"] == "columnheader"]
        assert len(headers) >= 9
        assert all(headers[:9])


@pytest.mark.parametrize("locale", ["zh-CN", "en-GB"])
def test_the_organisers_view_opens_in_the_browsers_language_and_fits_a_phone(
    browser: Browser, judged: str, locale: str
) -> None:
    first, second = ("zh", "en") if locale == "zh-CN" else ("en", "zh")
    with browser.new_context(
        http_credentials={"username": USER, "password": "let me see"},
        locale=locale,
        viewport={"width": 360, "height": 740},
    ) as context:
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(judged)
        page.locator("h2", has_text=words()[first]["times"]).wait_for()
        assert page.locator("tbody tr").count() >= 8  # raters, seconds, agreement, cells
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        page.get_by_label(words()[second]["name"]).check()
        page.locator("h2", has_text=words()[second]["times"]).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") == 360
