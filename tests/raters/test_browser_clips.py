"""Clips from a real run: generated, made into a study, played by a rater, and blind all the way."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest
import yaml
from playwright.sync_api import Browser, Page

from bench.cli import main
from raters.config import Ask
from raters.export import tables
from raters.study import invite, status
from tests import tiny_video
from tests.browser import chromium
from tests.conftest import suite_content, write_yaml
from tests.raters.browsing import PATIENCE, answer, enter, free_port, view, watch
from tests.raters.material import write_config
from tests.raters.serving import Server, start_server
from tests.raters.test_browser import NOT_OURS, Record, provoke_errors, recorded

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        chromium() is None, reason="there is no Chromium here: `make test` installs one"
    ),
]

MODELS = ("quasar-motion", "nebula-motion")
ARGUMENTS = {"num_inference_steps": 1}


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tiny checkpoints of a real video pipeline, asked for two scenes."""
    folder = tmp_path_factory.mktemp("moving")
    suite = write_yaml(folder / "moving.yaml", suite_content() | {"modality": "video"})
    specs = []
    for seed, model in enumerate(MODELS):
        arguments: dict[str, Any] = {**tiny_video.FAMILIES["wan"][1], **ARGUMENTS}
        size = {name: arguments.pop(name) for name in ("width", "height")}
        content = {
            "model": model,
            "source": str(tiny_video.save("wan", folder / f"checkpoint-{seed}", seed)),
            "modality": "video",
            "frames": arguments.pop("num_frames"),
            "fps": 8,
            "arguments": arguments,
            **size,
        }
        specs.append(folder / f"{model}.yaml")
        specs[-1].write_text(yaml.safe_dump(content), encoding="utf-8")
    command = ["generate", "--suite", suite, "--models", ",".join(map(str, specs))]
    command += ["--languages", "zh", "--seeds", "0", "--out", folder / "meteor-run"]
    assert main([str(one) for one in command]) == 0
    return folder / "meteor-run"


def test_clips_of_a_run_play_and_nothing_tells_who_made_them(
    browser: Browser, moving: Path, tmp_path: Path
) -> None:
    skip_without_h264(browser)
    study = tmp_path / "study"
    config = write_config(
        tmp_path / "config",
        raters=1,
        single={"raters_per_item": 1},
        pairs={"votes_per_pair": 1},
        select={"targets": ["chinese"]},
        ask=dict.fromkeys(Ask.model_fields, False),
    )
    assert main(["study", "new", str(config), "--run", str(moving), "--out", str(study)]) == 0
    port = free_port()
    (link,) = invite(study, 1, base_url=f"http://127.0.0.1:{port}")
    server = start_server(study, port)
    try:
        with recorded(browser, tmp_path / "clips.har", "en-GB") as page:
            asked: set[str] = set()
            page.on("request", lambda request: asked.add(request.url))
            enter(page, link, "中文")
            while view(page) != "done":
                watch(page)
                answer(page)
            provoke_errors(page, server)
            # a browser's log leaves out what clips hold: the rater has them once more
            clips = {
                address: page.request.get(address).body()
                for address in sorted(asked)
                if "/media/" in address and not address.endswith("0" * 16)
            }
    finally:
        server.kill()
    assert status(study)["raters"][0]["finished_at"]
    assert len(tables(study)["votes"]) == 2
    record = Record(tmp_path / "clips.har")
    assert len(clips) == 4
    check_nothing_leaks(record, clips, server, study)
    check_clips_are_alike(clips)


def skip_without_h264(browser: Browser) -> None:
    with browser.new_page() as page:
        plays = page.evaluate(
            """document.createElement('video').canPlayType('video/mp4; codecs="avc1.42E01E"')"""
        )
    if not plays:
        pytest.skip("this Chromium has no H.264: that of the distribution has")


def check_nothing_leaks(
    record: Record, clips: dict[str, bytes], server: Server, study: Path
) -> None:
    lines = (study / "sealed" / "key.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    secrets = {row[name] for row in rows for name in ("key", "file_name", "run", "prompt")}
    secrets |= {*MODELS, "meteor-run", "checkpoint-", "WanPipeline", "x264", "Lavf"}
    assert {row["model"] for row in rows} == set(MODELS)
    everything = [*record.received(), *clips.items()]
    for address, content in everything:
        theirs = any(part in address for part in NOT_OURS)
        sought = {*MODELS, "meteor-run"} if theirs else secrets - {""}
        leaked = [secret for secret in sought if secret.encode() in content]
        assert not leaked, f"{address} says {leaked}"
    assert record.foreign(server) == []
    assert server.opened.read_text() == "watching\n"


def check_clips_are_alike(clips: dict[str, bytes]) -> None:
    """Size, rate, length, codec and everything that a container notes are the same of all."""
    told = set()
    for body in clips.values():
        with av.open(io.BytesIO(body)) as clip:
            (stream,) = clip.streams
            told.add(
                (
                    stream.codec_context.name, stream.codec_context.width,
                    stream.codec_context.height, stream.average_rate, stream.frames, clip.duration,
                    str(sorted(clip.metadata.items())), str(sorted(stream.metadata.items())),
                )
            )  # fmt: skip
    assert len(told) == 1, told


def test_a_rater_has_nothing_of_anothers_nor_gradios_by_a_borrowed_session(
    browser: Browser, make_study: Callable[..., Path]
) -> None:
    """What Gradio would take from whoever names a session's hash is open to nobody."""
    study = make_study(raters=2, single={"raters_per_item": 1}, pairs=None)
    port = free_port()
    links = invite(study, 2, base_url=f"http://127.0.0.1:{port}")
    server = start_server(study, port)
    try:
        with browser.new_context() as one, browser.new_context() as two:
            pages = []
            for context, link in zip((one, two), links, strict=True):
                context.set_default_timeout(PATIENCE)
                pages.append(context.new_page())
                enter(pages[-1], link, "English")
            mine, theirs = [own(page) for page in pages]
            borrowed = pages[0].evaluate("window.__gradio_session_hash__ || 'borrowed'")
            for path in (
                f"/media/{next(iter(theirs['stimuli'] - mine['stimuli']))}",
                f"/room/state?at={theirs['assignment']}",
                f"/rate/gradio_api/queue/data?session_hash={borrowed}",
                f"/rate/config?session_hash={borrowed}",
                f"/rate/gradio_api/heartbeat/{borrowed}",
            ):
                told = pages[0].request.get(f"{server.address}{path}")
                assert told.status in {400, 404}, path
            for path in ("queue/join", "run/predict", "component_server", "call/load"):
                told = pages[0].request.post(
                    f"{server.address}/rate/gradio_api/{path}", data={"session_hash": borrowed}
                )
                assert told.status in {404, 405}, path
            answered = pages[0].evaluate(
                """async ({assignment, token}) => (await fetch('/room/respond', {
                    method: 'POST', headers: {'X-Room-Token': token},
                    body: JSON.stringify({
                        assignment, event_id: crypto.randomUUID(), phase: 'attribution',
                        payload: {manner: 'chinese', things: 'other'}, language: 'en',
                        client_time: '1970-01-01T00:00:00Z',
                    }),
                })).status""",
                {"assignment": theirs["assignment"], "token": mine["token"]},
            )
            assert answered == 400
    finally:
        server.kill()
    assert status(study)["responses"] == 0


def own(page: Page) -> dict[str, Any]:
    """What this rater's page may know."""
    told = page.evaluate(
        """async () => {
            const ask = async (path) => (await fetch(path)).json();
            return {setup: await ask('/room/setup'), state: await ask('/room/state?ahead=20')};
        }"""
    )
    state = told["state"]
    return {
        "token": told["setup"]["token"],
        "assignment": state["assignment"],
        "stimuli": {one["id"] for step in [state, *state["ahead"]] for one in step["stimuli"]},
    }
