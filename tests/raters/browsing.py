"""A rater's hands: the steps by which the tests go through a room in a browser."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page

from raters.study import invite
from tests.raters.serving import start_server

PATIENCE = 90_000
"""Milliseconds that a step may take where the machine has other work."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def enter(page: Page, link: str, language: str) -> None:
    page.goto(link)
    page.get_by_role("link", name=language).click()
    page.get_by_role("checkbox").check()
    page.locator("button").click()
    page.wait_for_selector("[role=radio]")
    page.locator("dialog[data-kind=screen] .strong").click()


def view(page: Page) -> str:
    return page.get_attribute("#room", "data-view") or ""


def answer(page: Page) -> None:
    """Answer what is asked, by keyboard, and wait for what comes next."""
    here = view(page)
    before = page.evaluate(
        "[...document.querySelectorAll('.room-frame > *')].map(i => i.src).join()"
    )
    for key in {"attribution": "12", "scales": "43", "pair": "1"}[here]:
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    wait_for_next(page, here, before)


def wait_for_next(page: Page, here: str, before: str) -> None:
    page.wait_for_function(
        """([here, before]) => {
            const view = document.querySelector('#room').dataset.view;
            const now = [...document.querySelectorAll('.room-frame > *')].map(i => i.src).join();
            return view !== 'waiting' && (view !== here || now !== before);
        }""",
        arg=[here, before],
    )


@contextmanager
def room(browser: Browser, study: Path, language: str, **context: Any) -> Iterator[Page]:
    """A room of that study, entered; errors that the browser reports fail the test."""
    port = free_port()
    (link,) = invite(study, 1, base_url=f"http://127.0.0.1:{port}")
    server = start_server(study, port)
    faults: list[str] = []
    try:
        with browser.new_context(**context) as opened:
            opened.set_default_timeout(PATIENCE)
            page = opened.new_page()
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda said: faults.extend(_fault(said)))
            enter(page, link, language)
            yield page
            assert faults == []
    finally:
        server.kill()


def _fault(said: ConsoleMessage) -> list[str]:
    """An error of the page; that the network is gone is none."""
    gone = "ERR_INTERNET_DISCONNECTED" in said.text
    return [said.text] if said.type == "error" and not gone else []


def choose(page: Page, question: str, value: str) -> None:
    page.locator(f"[data-question={question}] [data-value={value}]").click()


def go_on(page: Page) -> None:
    """Go on, and wait until what was answered is safe and something else is shown."""
    before = shown(page)
    page.locator(".room-next").click()
    page.wait_for_function("before => window.shownNow() !== before", arg=before)
    page.wait_for_function("document.querySelector('#room').dataset.view !== 'waiting'")


def shown(page: Page) -> str:
    page.evaluate(
        """() => { window.shownNow = () => {
            const room = document.querySelector('#room');
            const pictures = [...room.querySelectorAll('.room-frame > *')].map(one => one.src);
            return [room.dataset.view, room.className.replace(' sending', ''), ...pictures].join();
        }; }"""
    )
    return str(page.evaluate("window.shownNow()"))


def watch(page: Page) -> None:
    """Let what is shown play from its beginning to its end."""
    page.locator(".room-player input").evaluate(
        "one => { one.value = 0; one.dispatchEvent(new Event('input')); }"
    )
    page.locator(".room-play").click()
    page.wait_for_function(
        "[...document.querySelectorAll('video')].every(one => one.ended)", timeout=PATIENCE
    )


def all_sent(page: Page) -> None:
    """Wait until nothing is on its way: the page goes on before its answers have arrived."""
    page.wait_for_function(
        "!Object.keys(localStorage).some((name) => name.startsWith('pinlu-outbox'))"
    )
