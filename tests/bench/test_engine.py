"""What happens when something gives out: memory, the device, a prompt's room, a claim."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from bench import engine, manifest, pipelines
from bench.engine import Engine
from bench.errors import DeviceLostError
from bench.generate import generate
from bench.placing import placement
from bench.records import Job, ModelSpec
from bench.request import Request
from bench.tuning import Tuning
from tests import tiny_families, tiny_video
from tests.conftest import suite_content, write_yaml

SMALL = {"num_inference_steps": 2, "height": 64, "width": 64}


def asked(suite: Path, *models: Path, **more: Any) -> Request:
    fields: dict[str, Any] = {
        "suite": str(suite),
        "models": tuple(map(str, models)),
        "languages": ("zh", "en"),
        "seeds": (0, 1),
        "arguments": SMALL,
        "batch_size": 8,
    }
    return Request(**fields | more)


def loads_with(monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], None]) -> None:
    """Have every pipeline that is loaded changed by a hook on its real parts."""
    load = pipelines.load

    def changed(*arguments: Any) -> Any:
        pipeline = load(*arguments)
        change(pipeline)
        return pipeline

    monkeypatch.setattr(pipelines, "load", changed)


def holding(most: int) -> Callable[[Any], None]:
    """A device that has memory for so many samples at once (guidance doubles them)."""

    def hook(_module: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        if inputs[0].shape[0] > 2 * most:
            raise torch.OutOfMemoryError("out of memory")

    return lambda pipeline: pipeline.unet.register_forward_pre_hook(hook)


def test_a_batch_that_memory_does_not_take_is_split_and_its_rows_say_so(
    suite_path: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked(suite_path, tiny_checkpoint)
    generate(request, tmp_path / "whole")
    loads_with(monkeypatch, holding(2))
    done = generate(request, tmp_path / "run")
    assert (done.made, done.failed) == (16, 0)
    rows = manifest.read_outputs(tmp_path / "run")
    assert {row["batch_size"] for row in rows} == {2}
    assert {row["note"] for row in rows} == {"out of memory with 8 at once: made 2 at once"}
    assert [row["key"] for row in rows] == [
        row["key"] for row in manifest.read_outputs(tmp_path / "whole")
    ]


def test_memory_that_gave_out_once_decides_nothing_about_the_next_batch(
    suite_path: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_out: list[bool] = []

    def once(_module: Any, _inputs: Any) -> None:
        if not given_out:
            given_out.append(True)
            raise torch.OutOfMemoryError("out of memory")

    loads_with(monkeypatch, lambda pipeline: pipeline.unet.register_forward_pre_hook(once))
    generate(asked(suite_path, tiny_checkpoint), tmp_path / "run")
    rows = manifest.read_outputs(tmp_path / "run")
    by_batch = {row["batch"]: (row["batch_size"], row["note"]) for row in rows}
    assert by_batch == {0: (4, "out of memory with 8 at once: made 4 at once"), 1: (8, "")}


def test_a_shape_that_cudnn_does_not_take_goes_by_another_kernel(
    suite_path: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[bool] = []

    @contextmanager
    def attention(*, by_cudnn: bool = True) -> Iterator[None]:
        tried.append(by_cudnn)
        yield

    def refuses(_module: Any, _inputs: Any) -> None:
        if tried == [True]:
            raise RuntimeError("cuDNN Frontend error: no valid execution plans")

    monkeypatch.setattr(engine, "exact_attention", attention)
    loads_with(monkeypatch, lambda pipeline: pipeline.unet.register_forward_pre_hook(refuses))
    done = generate(asked(suite_path, tiny_checkpoint), tmp_path / "run")
    assert (done.made, done.failed) == (16, 0)
    # the second batch is made as a resumed run would make it, whatever the first one met
    assert tried == [True, False, True]


def test_outputs_of_a_model_that_comes_in_pieces_say_so(
    suite_path: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "place", lambda _: "parts in turn")
    done = generate(asked(suite_path, tiny_checkpoint), tmp_path / "run")
    assert done.speed[0]["path"] == "plain"
    rows = manifest.read_outputs(tmp_path / "run")
    assert {row["note"] for row in rows} == {"too large for the device: parts in turn"}
    assert {row["batch_size"] for row in rows} == {8}
    monkeypatch.setattr(pipelines, "ALONE", {"StableDiffusionPipeline"})
    generate(asked(suite_path, tiny_checkpoint), tmp_path / "alone")
    assert {row["batch_size"] for row in manifest.read_outputs(tmp_path / "alone")} == {1}


def test_no_memory_for_a_single_output_is_said(
    suite_path: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads_with(monkeypatch, holding(0))
    done = generate(asked(suite_path, tiny_checkpoint), tmp_path / "run")
    assert (done.made, done.failed) == (0, 16)
    assert "smaller size" in manifest.read_failures(tmp_path / "run")[0]["error"]


def test_a_device_that_is_lost_stops_the_run_and_running_again_goes_on(
    suite_path: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked(suite_path, tiny_checkpoint, batch_size=2)
    generate(request, tmp_path / "whole")
    calls = []

    def lost(_module: Any, _inputs: Any) -> None:
        calls.append(1)
        if len(calls) > 6:
            raise torch.AcceleratorError("CUDA error: unspecified launch failure")

    with monkeypatch.context() as patch:
        loads_with(patch, lambda pipeline: pipeline.unet.register_forward_pre_hook(lost))
        with pytest.raises(DeviceLostError, match="run again") as caught:
            generate(request, tmp_path / "run")
    assert caught.value.exit_status == 1
    assert not any((tmp_path / "run" / ".state" / "tmp").iterdir())
    done = generate(request, tmp_path / "run")
    assert done.there_before + done.made == 16

    def pixels(name: str) -> dict[str, str]:
        rows = manifest.read_outputs(tmp_path / name)
        return {row["key"]: row["pixel_sha256"] for row in rows}

    assert pixels("run") == pixels("whole")


def test_a_prompt_longer_than_the_encoder_takes_is_made_and_said(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = copy.deepcopy(suite_content(1))
    content["scenes"][0]["prompts"]["chinese"]["zh"] = "一叶扁舟" * 40
    suite = write_yaml(tmp_path / "long.yaml", content)
    done = generate(asked(suite, tiny_checkpoint), tmp_path / "run")
    assert (done.made, done.cut) == (8, 2)
    rows = manifest.read_outputs(tmp_path / "run")
    long = [row for row in rows if (row["prompt"], row["language"]) == ("boat-0/chinese", "zh")]
    said = {row["note"] for row in long}
    assert said == {"tokenizer cut the prompt from 482 tokens to 256"}
    assert {row["status"] for row in rows} == {"ok"}
    assert sum(bool(row["note"]) for row in rows) == 2
    assert capsys.readouterr().err.count("cut the prompt") == 1


def test_what_qwen_image_cuts_from_embeddings_is_said_too(tmp_path: Path) -> None:
    folder = tiny_families.save("qwen-image", tmp_path / "qwen")
    spec = ModelSpec("m", str(folder), "r")
    worker = Engine(pipelines.load(spec, {"default": "float32"}), Tuning(1))
    arguments = tiny_families.FAMILIES["qwen-image"][1] | {"max_sequence_length": 256}
    worker.encode(["月下孤松", "一叶扁舟" * 30], arguments)
    # its template counts too: 34 tokens of it are dropped, the rest must fit
    assert list(worker.cut) == ["一叶扁舟" * 30]
    assert worker.cut["一叶扁舟" * 30].endswith("tokens to 290")


LONG = "一叶扁舟，" * 40
TEXTS = ["短，", "也短", LONG, "月下"]


def worker_of(
    family: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *, plain: bool = True
) -> Engine:
    """Load a tiny model; `plain` by the plain path, as where its parts take turns on the device."""
    if plain:
        monkeypatch.setattr(engine, "takes_fast_path", lambda _: False)
    of_clips = family in tiny_video.FAMILIES
    folder = (tiny_video if of_clips else tiny_families).save(family, folder / family)
    spec = ModelSpec("m", str(folder), "r")
    return Engine(pipelines.load(spec, {"default": "float32"}), Tuning(4))


def jobs_of(*texts: str) -> list[Job]:
    return [Job(str(seed), "s/t", "zh", text, "m", seed) for seed, text in enumerate(texts)]


def worked(worker: Engine, jobs: list[Job], arguments: dict[str, Any]) -> dict[str, Any]:
    """Make jobs as a run does; return their pixels in levels of 255."""
    worker.encode(dict.fromkeys(job.text for job in jobs), arguments)
    made = worker.make(jobs, arguments, jobs).pictures
    return {key: np.asarray(one.pixels, dtype=float) for key, one in made.items()}


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize(("family", "kept"), [("flux", 77), ("wan", 64)])
def test_on_the_plain_path_a_cut_prompt_is_said_of_that_prompt(
    family: str, kept: int, alone: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = worker_of(family, tmp_path, monkeypatch)
    if alone:
        monkeypatch.setattr(pipelines, "ALONE", {type(worker.pipeline).__name__})
    arguments = (tiny_families.FAMILIES | tiny_video.FAMILIES)[family][1]
    worked(worker, jobs_of(*TEXTS), arguments | {"num_inference_steps": 1})
    assert list(worker.cut) == [LONG]
    assert f"tokens to {kept}" in worker.cut[LONG]


@pytest.mark.parametrize("plain", [True, False])
def test_a_negative_prompt_that_is_cut_is_said_as_such(
    plain: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = worker_of("stable-diffusion", tmp_path, monkeypatch, plain=plain)
    arguments = SMALL | {"negative_prompt": "模糊" * 60}
    worked(worker, jobs_of("短", LONG), arguments)
    negative = "tokenizer cut the negative prompt from 362 tokens to 256"
    assert worker.cut == {
        "短": negative,
        LONG: f"tokenizer cut the prompt from 602 tokens to 256, {negative}",
    }


@pytest.mark.parametrize("family", ["cogview-4", "flux"])
def test_on_the_plain_path_neighbours_decide_no_pixel(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = worker_of(family, tmp_path, monkeypatch)
    arguments = tiny_families.FAMILIES[family][1] | {"num_inference_steps": 2}
    jobs = jobs_of("短", "一叶扁舟，" * 8, "短", "月下")
    together = worked(worker, jobs, arguments)
    for job in jobs:
        assert np.abs(together[job.key] - worked(worker, [job], arguments)[job.key]).max() < 1 / 254


def test_a_language_that_the_model_does_not_claim_is_warned_of_and_recorded(
    suite_path: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = {"model": "sd", "source": str(tiny_checkpoint), "languages": ["en"]}
    path = write_yaml(tmp_path / "sd.yaml", spec)
    generate(asked(suite_path, path), tmp_path / "run")
    notes = {row["language"]: row["note"] for row in manifest.read_outputs(tmp_path / "run")}
    assert notes == {"zh": "the model does not claim zh", "en": ""}
    assert "sd does not claim zh" in capsys.readouterr().err


def test_how_fast_it_went_is_in_the_run(
    suite_path: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    done = generate(asked(suite_path, tiny_checkpoint), run)
    (row,) = [json.loads(line) for line in (run / "speed.jsonl").read_text().splitlines()]
    assert row == dict(done.speed[0])
    assert (row["model"], row["path"], row["outputs"]) == ("tiny-sd", "fast", 16)
    assert row["teraflop_per_output"] > 0
    assert row["matrix_share"] > 0
    assert row["outputs_per_second"] > 0
    settled = yaml.safe_load((run / "run.yaml").read_text(encoding="utf-8"))["models"][0]
    assert settled["path"] == "fast"
    assert settled["tuning"] == {"batch_size": 8, "compile": False}
    generate(asked(suite_path, tiny_checkpoint), run)
    assert len((run / "speed.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("room", "apart", "how"),
    [
        (40, True, "whole"),
        (30, True, "encoders apart"),
        (30, False, "parts in turn"),
        (19, True, "layers in turn"),
    ],
)
def test_where_memory_is_short_parts_take_turns(room: int, apart: bool, how: str) -> None:
    sizes = {"text_encoder": 9, "text_encoder_2": 3, "transformer": 20, "vae": 1}
    assert placement(sizes, room, apart=apart) == how
