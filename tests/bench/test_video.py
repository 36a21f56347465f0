"""Clips end to end on tiny real checkpoints: made, kept, resumed, verified, loaded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from bench import clips, manifest, pipelines
from bench.errors import ConflictError, FileFormatError, RequestError, WorkError
from bench.generate import generate
from bench.records import Batch, Job, ModelSpec
from bench.request import Request
from bench.run import planned_run
from tests import tiny_video
from tests.conftest import suite_content, write_yaml


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    for family in tiny_video.FAMILIES:
        tiny_video.save(family, folder / family)
    return folder


# Mochi asks for autocast to fp32
@pytest.mark.filterwarnings("ignore:In CPU autocast:UserWarning")
@pytest.mark.parametrize("family", tiny_video.FAMILIES)
def test_the_plain_call_makes_clips_and_a_batch_equals_single_draws(
    checkpoints: Path, family: str
) -> None:
    arguments = {**tiny_video.FAMILIES[family][1], "num_inference_steps": 2}
    spec = ModelSpec(family, str(checkpoints / family), "r", "video")
    pipeline = pipelines.load(spec, {"default": "float32"})
    jobs = tuple(
        Job(str(seed), "s/t", "zh", text, family, seed)
        for seed, text in enumerate(["秋江孤舟", "a lone boat"])
    )
    together = pipelines.draw(pipeline, Batch(family, 0, 3, jobs), arguments)
    assert together.shape == (
        2,
        arguments["num_frames"],
        arguments["height"],
        arguments["width"],
        3,
    )
    for number, job in enumerate(jobs):
        alone = pipelines.draw(pipeline, Batch(family, 0, 1, (job,)), arguments)
        assert np.abs(together[number] - alone[0]).max() < 1e-4
    assert np.abs(together[0] - together[1]).max() > 0.01


@pytest.mark.parametrize(
    ("family", "frames", "sentence"),
    [
        # 5 frames are two latent ones, and CogVideoX decodes these to 8
        ("cogvideox", 5, "cannot do num_frames 5: it gave 8"),
        ("wan", 6, "WanPipeline cannot do 6 frames: ask for 5 or 9, a multiple of 4 and one more"),
        ("ltx", 8, "cannot do 8 frames: ask for 5 or 9"),
    ],
)
def test_frames_that_a_pipeline_would_round_silently_are_refused(
    checkpoints: Path, family: str, frames: int, sentence: str
) -> None:
    spec = ModelSpec(family, str(checkpoints / family), "r", "video")
    pipeline = pipelines.load(spec, {"default": "float32"})
    arguments = {**tiny_video.FAMILIES[family][1], "num_inference_steps": 1, "num_frames": frames}
    batch = Batch(family, 0, 1, (Job("k", "s/t", "zh", "舟", family, 0),))
    with pytest.raises(WorkError, match=sentence):
        pipelines.draw(pipeline, batch, arguments)


def spec_file(folder: Path, family: str, checkpoint: Path, **more: Any) -> Path:
    arguments = dict(tiny_video.FAMILIES[family][1])
    size = {name: arguments.pop(name) for name in ("width", "height")}
    content = {
        "model": f"tiny-{family}",
        "source": str(checkpoint),
        "modality": "video",
        "frames": arguments.pop("num_frames"),
        "fps": 8,
        "arguments": {**arguments, "num_inference_steps": 2},
        **size,
        **more,
    }
    path = folder / f"{family}.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def asked(folder: Path, checkpoints: Path, **more: Any) -> Request:
    suite = write_yaml(folder / "moving.yaml", suite_content() | {"modality": "video"})
    model = spec_file(folder, "wan", checkpoints / "wan")
    fields: dict[str, Any] = {
        "suite": str(suite),
        "models": (str(model),),
        "languages": ("zh", "en"),
        "seeds": (0,),
        "batch_size": 3,
    }
    return Request(**fields | more)


@pytest.fixture(scope="module")
def finished(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Request]:
    folder = tmp_path_factory.mktemp("clips")
    request = asked(folder, checkpoints)
    done = generate(request, folder / "run")
    assert (done.made, done.failed, done.suspect) == (8, 0, 0)
    return folder / "run", request


def pixels_of(run: Path) -> dict[str, str]:
    return {row["key"]: row["pixel_sha256"] for row in manifest.read_outputs(run)}


def test_a_run_of_clips_is_whole(finished: tuple[Path, Request]) -> None:
    run, _ = finished
    assert manifest.verify(run) == []
    row = manifest.read_outputs(run)[0]
    assert (row["frames"], row["fps"], row["duration"]) == (5, 8, 0.625)
    assert (row["width"], row["height"]) == (32, 32)
    assert row["file_name"] == f"outputs/{row['key']}.mp4"
    assert len(list(clips.read_frames(run / row["file_name"]))) == 5


def test_killed_in_the_middle_and_resumed_gives_the_same_frames(
    finished: tuple[Path, Request], tmp_path: Path
) -> None:
    whole, request = finished
    command = [sys.executable, "-m", "bench", "generate", "--suite", request.suite]
    command += ["--models", request.models[0], "--languages", "zh,en", "--batch-size", "3"]
    command += ["--video-master", "ffv1", "--out"]
    for attempt in range(8):  # on a busy machine it may be done before we look
        run = tmp_path / f"killed-{attempt}"
        process = subprocess.Popen(
            [*command, str(run)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        rows = run / "metadata.jsonl"
        while process.poll() is None and not (rows.exists() and rows.stat().st_size):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if len(pixels_of(run)) < 8:
            break
    assert len(pixels_of(run)) < 8
    generate(replace(request, video_master="ffv1"), run)
    assert pixels_of(run) == pixels_of(whole)
    assert manifest.verify(run) == []


def test_clips_lost_and_made_again_have_the_same_pixels(
    finished: tuple[Path, Request], tmp_path: Path
) -> None:
    whole, request = finished
    generate(request, tmp_path / "again")
    rows = (tmp_path / "again" / "metadata.jsonl").read_bytes().splitlines(keepends=True)
    # as a kill leaves it: a batch's files written, its rows not
    (tmp_path / "again" / "metadata.jsonl").write_bytes(b"".join(rows[:3]))
    done = generate(request, tmp_path / "again")
    assert (done.made, done.there_before) == (5, 3)
    assert pixels_of(tmp_path / "again") == pixels_of(whole)
    assert manifest.verify(tmp_path / "again") == []


def test_a_run_of_clips_loads_as_a_hugging_face_dataset(finished: tuple[Path, Request]) -> None:
    run, _ = finished
    script = (
        "import sys, datasets; d = datasets.load_dataset(sys.argv[1], split='train');"
        "d = d.cast_column('video', datasets.Video(decode=False));"
        "print(len(d), d[0]['video']['path'].endswith('.mp4'), d[0]['frames'])"
    )
    environment = os.environ | {"HF_DATASETS_CACHE": str(run.parent / "cache")}
    command = [sys.executable, "-c", script, str(run)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["8", "True", "5"]


def test_masters_hold_the_exact_frames_and_are_made_again_where_lost(
    finished: tuple[Path, Request], tmp_path: Path
) -> None:
    whole, request = finished
    run = tmp_path / "run"
    request = replace(request, video_master="ffv1", languages=("zh",))
    assert generate(request, run).made == 4
    rows = manifest.read_outputs(run)
    assert rows[0]["master"] == f"masters/{rows[0]['key']}.mkv"
    assert manifest.verify(run) == []
    assert pixels_of(run).items() <= pixels_of(whole).items()
    (run / rows[1]["master"]).unlink()
    assert manifest.verify(run) == [f"missing: {rows[1]['master']}"]
    assert generate(replace(request, video_master=None), run).made == 1
    assert manifest.verify(run) == []
    with pytest.raises(ConflictError, match="begun without masters"):
        planned_run(replace(request, languages=("zh", "en")), whole)


def test_a_scene_may_ask_for_a_number_of_frames(checkpoints: Path, tmp_path: Path) -> None:
    request = asked(tmp_path, checkpoints)
    content = suite_content(scenes=3) | {"modality": "video"}
    content["scenes"][1]["frames"] = 9
    write_yaml(tmp_path / "moving.yaml", content)
    run = planned_run(request, tmp_path / "run")
    assert [(len(batch.jobs), batch.frames) for batch in run.batches] == [
        (3, None),
        (3, None),
        (2, None),
        (3, 9),
        (1, 9),
    ]
    generate(request, tmp_path / "run")
    frames = {row["prompt"]: row["frames"] for row in manifest.read_outputs(tmp_path / "run")}
    assert (frames["boat-0/none"], frames["boat-1/none"]) == (5, 9)
    assert manifest.verify(tmp_path / "run") == []
    write_yaml(tmp_path / "moving.yaml", content | {"modality": "image"})
    with pytest.raises(FileFormatError, match="'boat-1': frames are for suites of video only"):
        planned_run(request, tmp_path / "run")


def test_a_torn_clip_is_found(finished: tuple[Path, Request], tmp_path: Path) -> None:
    run, request = finished
    generate(request, tmp_path / "run")
    name = manifest.read_outputs(run)[0]["file_name"]
    torn = tmp_path / "run" / name
    torn.write_bytes(torn.read_bytes()[:-200])
    assert manifest.verify(tmp_path / "run") == [f"changed or torn: {name} does not have its hash"]


def test_a_suite_of_clips_wants_a_model_of_clips_and_frames_per_second(
    checkpoints: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    request = asked(tmp_path, checkpoints, models=(str(tiny_checkpoint),))
    with pytest.raises(RequestError, match="tiny-sd makes images, suite tiny asks for videos"):
        planned_run(request, tmp_path / "run")
    request = asked(tmp_path, checkpoints, models=(str(checkpoints / "ltx"),))
    with pytest.raises(RequestError, match="ltx says no frames per second"):
        planned_run(request, tmp_path / "run")
    request = asked(tmp_path, checkpoints, arguments={"width": 33})
    with pytest.raises(RequestError, match="tiny-wan: 33×32 has an odd side"):
        planned_run(request, tmp_path / "run")
    assert not (tmp_path / "run").exists()
