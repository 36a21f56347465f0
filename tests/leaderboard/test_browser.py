"""Pages in a real browser: nothing foreign, nothing wider than a phone, and filters that filter."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from leaderboard.files import write_scores
from leaderboard.site import write_site
from tests.browser import ARGUMENTS, chromium
from tests.leaderboard.rich import rich_scores

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="no Chromium: see tests/browser.py"),
]


@pytest.fixture(params=[1280, 360])
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser.new_page(viewport={"width": request.param, "height": 900})
        browser.close()


@pytest.mark.parametrize("name", ["index.html", "index.zh.html"])
def test_the_page_opens_from_disk_at_any_width(tmp_path: Path, page: Page, name: str) -> None:
    long = [f"a-model-with-a-rather-long-name-{number}" for number in range(4)]
    criteria = [f"criterion-{number}" for number in range(8)]
    write_site(rich_scores(models=long, criteria=criteria), tmp_path)
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: faults.append(message.text))
    page.goto((tmp_path / name).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]
    assert not faults


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    part = [replace(s, value=4.25) for s in rich_scores(models=("a",), slice_="language=zh")]
    write_scores([*rich_scores(), *part], tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "bench", "leaderboard", str(tmp_path), "--serve"]
    with subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.DEVNULL) as server:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/"
        server.terminate()


def test_the_app_filters_and_asks_nobody_else(address: str, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    headline = page.locator(".pinlu table.headline")
    expect(headline).to_contain_text("4.00", timeout=30_000)
    page.get_by_label("Show").click()
    page.get_by_role("option", name="language: Chinese").click()
    expect(headline).to_contain_text("4.25", timeout=30_000)
    page.get_by_label("中文").click()
    expect(page.locator(".pinlu")).to_contain_text("题目语言：中文", timeout=30_000)
    box = page.locator(".pinlu").bounding_box()
    assert box is not None
    width = page.evaluate("window.innerWidth")
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert box["width"] > 0.8 * min(width, 1200)
    assert not [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    browser = page.context.browser
    assert browser is not None
    with browser.new_context(locale="zh-CN") as chinese:
        other = chinese.new_page()
        other.goto(address)
        expect(other.locator(".pinlu")).to_contain_text("各模型概览", timeout=30_000)
        expect(other.get_by_label("Show")).to_have_value("全部", timeout=30_000)
