"""A rater's hands: the steps by which the tests go through a room in a browser."""

from __future__ import annotations

import socket

from playwright.sync_api import Page

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
        "[...document.querySelectorAll('.room-stage img')].map(i => i.src).join()"
    )
    for key in {"attribution": "12", "scales": "43", "pair": "1"}[here]:
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    wait_for_next(page, here, before)


def wait_for_next(page: Page, here: str, before: str) -> None:
    page.wait_for_function(
        """([here, before]) => {
            const view = document.querySelector('#room').dataset.view;
            const now = [...document.querySelectorAll('.room-stage img')].map(i => i.src).join();
            return view !== 'waiting' && (view !== here || now !== before);
        }""",
        arg=[here, before],
    )
