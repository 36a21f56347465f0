"""What the room's page tells its server, seen from outside: as the benchmark's page does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Route
from sqlalchemy import select

from raters import tables as t
from raters.study import open_study, status
from tests.browser import chromium
from tests.raters.browsing import all_sent, answer, room
from tests.raters.test_rooms_benchmark import go_through

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        chromium() is None, reason="there is no Chromium here: `make test` installs one"
    ),
]


@pytest.fixture
def study(make_study: Callable[..., Path]) -> Path:
    return make_study(pairs=None)


def test_a_step_that_is_named_and_not_known_is_asked_for_and_none_twice(
    browser: Browser, study: Path
) -> None:
    with room(browser, study, "English") as page:
        answer(page)
        all_sent(page)

        def name_one(route: Route) -> None:
            assert "&known=" in route.request.url
            told = route.fetch()
            content = told.json()
            assert len(content["state"]["known"]) >= 18
            content["state"]["known"][3] = f"{'0' * 24}/scales"
            route.fulfill(response=told, json=content)

        held: list[Route] = []
        slow = [True]

        def hold(route: Route) -> None:
            if slow:
                held.append(route)
            else:
                route.continue_()

        page.route(re.compile("/room/(respond|state)"), hold)
        page.route(re.compile("/room/respond"), name_one, times=1)
        with page.expect_request(re.compile("/room/state")):
            answer(page)
        # while nothing more comes, what is known goes on, and what is done stays done
        for _ in range(2):
            answer(page)
        slow.clear()
        for route in held:
            route.continue_()
        all_sent(page)
        answer(page)
        all_sent(page)
    assert status(study)["responses"] == len(answered(study)) > 3


def answered(study: Path) -> set[tuple[str, str]]:
    e = t.response_event.c
    with open_study(study) as (_, engine), t.reading(engine) as connection:
        return {tuple(row) for row in connection.execute(select(e.assignment, e.phase))}


def test_the_benchmarks_page_says_what_the_rooms_own_says(browser: Browser, study: Path) -> None:
    by_browser: set[tuple[Any, ...]] = set()
    with room(browser, study, "English") as page:
        page.on("request", lambda one: by_browser.add(shape(one.method, one.url, one.post_data)))
        page.reload()
        page.wait_for_selector("[role=radio]")
        for _ in range(3):
            answer(page)
        all_sent(page)
    with ThreadPoolExecutor(1) as apart:  # from the loop that drives the browser
        _, asked = apart.submit(go_through, study).result()
    by_benchmark = {
        shape(one.method, str(one.url), one.content.decode() or None)
        for one in asked
        if one.url.path.startswith(("/room/", "/media/"))
    }
    assert by_benchmark == {one for one in by_browser if one[1] in {"room", "media"}}


def shape(method: str, url: str, body: str | None) -> tuple[Any, ...]:
    """What kind of request it is: its path without names of pictures, and what it tells."""
    parts = urlsplit(url)
    first, *rest = parts.path.strip("/").split("/")
    if rest[:1] == ["page"]:
        return method, "page"
    content = json.loads(body) if body and first == "room" else {}
    told = {key for event in content.get("events", []) for key in event}
    queries = tuple(parse_qs(parts.query, keep_blank_values=True))
    return method, first, *(rest if first == "room" else ()), queries, *content, *sorted(told)
