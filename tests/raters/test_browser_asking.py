"""The room in a real browser with everything that a study may ask, and with clips."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from playwright.sync_api import Browser, Page

from bench.clips import write_h264
from bench.reading import read_yaml
from raters.config import Ask
from raters.create import create
from raters.export import tables
from raters.study import status
from tests.browser import chromium
from tests.raters.browsing import answer, choose, go_on, room, shown, view, watch
from tests.raters.material import picture, save, write_config, write_rows
from tests.raters.test_browser_reading import OUT_OF_SIGHT, legible
from tests.raters.test_create import rows_of

FOUND = chromium()

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(FOUND is None, reason="there is no Chromium here: `make test` installs one"),
]

EXPLAINED = {"zh": "墨分五色，留白作水。", "en": "Ink has its five tones, and blank silk is water."}


@pytest.fixture
def study(tmp_path: Path, make_study: Callable[..., Path]) -> Path:
    """Everything is asked, of one rater in two sessions, after one practice item."""
    save(picture(7, (60, 40), 0.8), tmp_path / "practice.png", "a practice picture")
    return make_study(
        raters=1,
        single={"raters_per_item": 1},
        pairs={"votes_per_pair": 1},
        select={"targets": ["chinese"], "languages": ["zh"], "seeds": [0]},
        references={"per_tradition": 1},
        ask=Ask().model_dump(),
        detections=3,
        sessions=2,
        training=[
            {
                "picture": str(tmp_path / "practice.png"),
                "manner": "chinese",
                "things": "japanese",
                "explain": EXPLAINED,
            }
        ],
    )


def look(page: Page, *, trace: str = "none") -> None:
    """Answer phase one with everything asked."""
    choose(page, "manner", "chinese")
    choose(page, "things", "other")
    choose(page, "trace", trace)
    if trace != "none":
        choose(page, "trace_strength", "clear")
    choose(page, "recognised", "no")


def pass_by(page: Page) -> None:
    """Answer whatever is asked, and go on."""
    explained = page.locator("#room.explained").count() > 0
    if view(page) == "attribution" and not explained:
        look(page)
    while not explained and page.locator(".room-question:not(.answered)").count():
        page.locator(".room-question:not(.answered)").first.get_by_role("radio").last.click()
    go_on(page)


def go_to(page: Page, wanted: str) -> None:
    while view(page) != wanted:
        pass_by(page)


def test_everything_that_may_be_asked_is_asked_and_kept(browser: Browser, study: Path) -> None:
    with room(browser, study, "English", viewport={"width": 1280, "height": 800}) as page:
        practise(page)
        trace_and_scales(page)
        change_ones_mind(page)
        skip(page)
        go_to(page, "break")
        assert "Part 1 of 2 is done" in page.locator("h1").inner_text()
        # the bar is of the part that the page speaks of, also where that page was loaded
        bar = page.locator(".room-part")
        assert bar.inner_text() == "Part 1 of 2"
        page.reload()
        page.locator("h1", has_text="Part 1 of 2 is done").wait_for()
        assert bar.inner_text() == "Part 1 of 2"
        go_on(page)
        assert "Part 2 of 2 · about" in bar.inner_text()
        go_to(page, "detection")
        assert page.locator(".room-question").count() == 1
        choose(page, "human", "model")
        choose(page, "generator_recognised", "yes")
        page.get_by_label("Which one?").fill("=the <b>one</b>")
        page.get_by_label("Which one?").press("Escape")
        go_on(page)
        go_to(page, "done")
        assert "About this study" in page.locator(".room-debriefing").inner_text()
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as a file").click()
        receipt = page.locator(".room-receipt").inner_text()
        assert receipt in download.value.path().read_text(encoding="utf-8")
        assert page.evaluate("Object.keys(localStorage).filter(k => /outbox|drafts/.test(k))") == []

    found = tables(study)
    flags = found["flags"].sort_values("x")
    assert list(flags["kind"]) == ["over_smooth", "hands"]
    assert flags["x"].tolist() == pytest.approx([0.25, 0.54], abs=0.01)
    assert flags["y"].tolist() == pytest.approx([0.5, 0.5], abs=0.01)
    assert list(found["skips"]["reason"]) == ["disturbing"]
    assert "no ink at all" in found["remarks"].to_string()
    traces = found["attributions"].query("aspect == 'manner'")
    assert set(traces["trace"]) == {"none", "japanese"}
    assert set(traces["trace_strength"]) == {"none", "clear"}
    assert len(found["detections"]) == 3


def practise(page: Page) -> None:
    """The answer is explained after it is given, and no sooner."""
    assert page.get_by_text("Practice, not counted").is_visible()
    assert page.get_by_text(EXPLAINED["en"]).count() == 0
    look(page)
    page.keyboard.press("Enter")
    told = page.locator(".room-explanation")
    assert EXPLAINED["en"] in told.inner_text()
    assert "Japanese" in told.inner_text()
    page.get_by_role("button", name="中文").click()
    assert EXPLAINED["zh"] in told.inner_text()
    page.get_by_role("button", name="English").click()
    go_on(page)
    assert page.get_by_text("Practice, not counted").count() == 0


def trace_and_scales(page: Page) -> None:
    """A trace has a strength, none has none; faults are placed by pointer and by keys."""
    look(page)
    assert page.locator("[data-question=trace] [data-value=chinese]").count() == 0
    assert page.locator("[data-question=trace_strength]").count() == 0
    choose(page, "trace", "japanese")
    assert page.get_by_role("radiogroup").count() == 5
    choose(page, "trace_strength", "slight")
    choose(page, "manner", "japanese")  # which a trace can then no longer be
    assert page.locator("[data-question=trace] [aria-checked=true]").count() == 0
    look(page, trace="japanese")
    go_on(page)
    go_to(page, "scales")

    frame = page.locator(".room-frame").bounding_box()
    assert frame
    page.get_by_role("button", name="Too smooth").click()
    page.mouse.click(frame["x"] + frame["width"] / 4, frame["y"] + frame["height"] / 2)
    page.locator(".room-kind", has_text="Hands").press("Enter")
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert page.locator(".room-mark").all_inner_texts() == ["1", "2"]
    page.keyboard.press("f")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert page.locator(".room-placed li").count() == 2
    page.keyboard.press("r")
    page.keyboard.type("no ink at all 12")
    page.keyboard.press("Escape")
    page.keyboard.press("4")
    page.keyboard.press("3")
    assert page.locator("[aria-checked=true]").all_inner_texts() == ["4", "3"]
    # nothing is lost by a reload, and the scene's text stays in sight
    page.reload()
    page.wait_for_selector(".room-mark")
    assert page.locator("textarea").input_value() == "no ink at all 12"
    page.locator(".room-questions").evaluate("one => one.scrollTo(0, 9999)")
    quote = page.locator("blockquote").bounding_box()
    assert quote
    assert 0 < quote["y"] < 400
    go_on(page)


def change_ones_mind(page: Page) -> None:
    here = shown(page)
    page.keyboard.press("u")
    page.get_by_text("You have answered this one").wait_for()
    assert view(page) == "scales"
    assert page.locator("[aria-checked=true]").all_inner_texts() == ["4", "3"]
    assert page.locator(".room-mark").count() == 2
    page.keyboard.press("5")
    go_on(page)
    assert shown(page) == here
    page.keyboard.press("u")
    page.get_by_text("You have answered this one").wait_for()
    assert page.locator("[aria-checked=true]").all_inner_texts() == ["5", "3"]
    go_on(page)


def skip(page: Page) -> None:
    go_to(page, "attribution")
    before = shown(page)
    page.keyboard.press("s")
    assert page.get_by_role("dialog").get_by_text("Why skip this one?").is_visible()
    page.keyboard.press("3")
    page.wait_for_function("before => window.shownNow() !== before", arg=before)


def test_two_pictures_are_zoomed_and_moved_as_one(browser: Browser, study: Path) -> None:
    # from one picture to two, on a phone held on its side: both lie in sight
    with room(browser, study, "中文", viewport={"width": 844, "height": 390}) as page:
        go_to(page, "pair")
        page.wait_for_function(f"({OUT_OF_SIGHT})().length === 0")
        page.set_viewport_size({"width": 1280, "height": 800})
        page.wait_for_function(f"({OUT_OF_SIGHT})().length === 0")
        assert page.locator(".room-text").inner_text().startswith("两幅共同的题意")
        places = """() => [...document.querySelectorAll('.room-frame')].map(one => {
            const pane = one.parentNode.getBoundingClientRect(), box = one.getBoundingClientRect();
            return [box.width, box.left - pane.left, box.top - pane.top].map(Math.round).join();
        })"""
        whole = page.evaluate(places)
        assert whole[0] == whole[1]
        pane = page.locator(".room-pane").first.bounding_box()
        assert pane
        middle = (pane["x"] + pane["width"] / 2, pane["y"] + pane["height"] / 2)
        page.mouse.move(*middle)
        page.mouse.wheel(0, -400)
        page.wait_for_function(f"before => ({places})()[0] !== before", arg=whole[0])
        near = page.evaluate(places)
        assert near[0] == near[1]
        page.mouse.down()
        page.mouse.move(middle[0] - 60, middle[1] - 30, steps=4)
        page.mouse.up()
        moved = page.evaluate(places)
        assert moved[0] == moved[1] != near[0]
        page.keyboard.press("Shift+ArrowLeft")
        assert page.evaluate(places)[0] != moved[0]
        page.keyboard.press("0")
        assert page.evaluate(places) == whole
        page.mouse.dblclick(*middle)
        assert page.evaluate(places)[1] != whole[1]
        page.keyboard.press("-")
        page.keyboard.press("0")
        page.keyboard.press("+")
        assert page.evaluate(places)[0] != whole[0]
        page.keyboard.press("z")
        assert not page.locator(".room-panel").is_visible()
        page.keyboard.press("Escape")
        assert page.locator(".room-panel").is_visible()


def test_a_double_click_answers_once(browser: Browser, study: Path) -> None:
    with room(browser, study, "中文") as page:
        look(page)
        page.locator(".room-next").dblclick(delay=5)
        page.get_by_text("已保存", exact=True).wait_for()
        assert page.locator(".room-explanation").is_visible()
    assert status(study)["responses"] == 1


def film(run: Path, target: Path) -> Path:
    """Turn a run of pictures into one of clips: twelve frames, each brighter than the last."""
    shutil.copytree(run, target)
    header = read_yaml(target / "run.yaml")
    (target / "run.yaml").write_text(yaml.safe_dump({**header, "modality": "video"}))
    rows = rows_of(target)
    for number, row in enumerate(rows):
        (target / row["file_name"]).unlink()
        frames = [np.full((48, 64, 3), 40 + 16 * index, np.uint8) for index in range(12)]
        for frame in frames:  # no two of one hash
            frame[0, : number + 1] += 1
        row["file_name"] = row["file_name"].replace(".png", ".mp4")
        file = target / row["file_name"]
        write_h264(file, np.stack(frames), 8)
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        row |= {"sha256": sha256, "width": 64, "height": 48, "frames": 12, "fps": 8}
    write_rows(target, rows)
    return target


SHADES = """() => [...document.querySelectorAll('video')].map(video => {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 8;
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0, 8, 8);
    return context.getImageData(4, 4, 1, 1).data[0];
})"""


def test_clips_run_as_one_and_are_judged_once_they_were_seen(
    browser: Browser, tmp_path: Path, run: Path
) -> None:
    with browser.new_page() as page:
        plays = page.evaluate(
            """document.createElement('video').canPlayType('video/mp4; codecs="avc1.42E01E"')"""
        )
    if not plays:
        pytest.skip("this Chromium has no H.264: that of the distribution has")
    config = write_config(
        tmp_path,
        raters=1,
        single={"raters_per_item": 1},
        pairs={"votes_per_pair": 1},
        select={"targets": ["chinese"], "languages": ["zh"], "seeds": [0]},
        ask={**Ask().model_dump(), "human": False},
        detections=0,
    )
    create(config, [film(run, tmp_path / "run")], references=None, out=tmp_path / "study")
    with room(browser, tmp_path / "study", "English") as page:
        page.keyboard.press("p")
        look(page)
        page.keyboard.press("Enter")
        assert "watch it through once" in page.locator(".room-hint").inner_text()
        watch(page)
        go_on(page)
        while view(page) != "pair":
            watch(page)
            pass_by(page)
        assert page.locator("video").count() == 2
        watch(page)
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 720})
            legible(page)
        page.keyboard.press("h")
        page.keyboard.press("p")
        page.wait_for_timeout(300)
        page.keyboard.press("p")
        for key in ("", ".", ".", ","):
            if key:
                page.keyboard.press(key)
            page.wait_for_function(
                "[...document.querySelectorAll('video')].every(one => one.paused && !one.seeking)"
            )
            left, right = page.evaluate(SHADES)
            assert left == pytest.approx(right, abs=3)
        assert page.locator("button", has_text="Half speed").get_attribute("aria-pressed") == "true"
        pass_by(page)
        page.get_by_text("Saved", exact=True).wait_for()
    assert len(tables(tmp_path / "study")["votes"]) == 1


def test_what_is_not_asked_does_not_appear(
    browser: Browser, make_study: Callable[..., Path]
) -> None:
    study = make_study(
        raters=1,
        single={"raters_per_item": 1},
        pairs=None,
        select={"targets": ["chinese"], "languages": ["zh"], "seeds": [0]},
        ask=dict.fromkeys(Ask.model_fields, False),
    )
    with room(browser, study, "中文") as page:
        assert page.get_by_role("radiogroup").count() == 2
        assert page.locator(".room-remark, .room-flags, .room-part:not(:empty)").count() == 0
        answer(page)
        while view(page) != "scales":
            answer(page)
        assert page.locator(".room-remark, .room-flags").count() == 0
        page.keyboard.press("?")
        assert "毛病" not in page.get_by_role("dialog").inner_text()
        assert "半速" not in page.get_by_role("dialog").inner_text()
