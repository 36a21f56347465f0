"""Generation end to end on a tiny real checkpoint: resume, kills, failures."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from diffusers import DiffusionPipeline
from PIL import Image

from bench import manifest, pipelines
from bench.cli import main
from bench.crew.driving import drive
from bench.crew.local import LocalCrew
from bench.crew.pictures import Pictures
from bench.errors import ConflictError, RequestError, WorkError
from bench.generate import generate
from bench.importing import import_outputs
from bench.media import read_pixels
from bench.probing.embeddings import ATELIER
from bench.probing.run import USUAL_NETWORK, usual_network
from bench.records import Batch, Job, ModelSpec
from bench.request import Request
from bench.run import planned_run, run_on_disk
from bench.suites import load_suite
from tests import tiny
from tests.conftest import suite_content, write_yaml

SMALL = {"num_inference_steps": 2, "height": 64, "width": 64}


def asked(suite: Path, *models: Path, **more: Any) -> Request:
    fields: dict[str, Any] = {
        "suite": str(suite),
        "models": tuple(map(str, models)),
        "languages": ("zh", "en"),
        "seeds": (0, 1),
        "arguments": SMALL,
        "batch_size": 5,
    }
    return Request(**fields | more)


def pixels_of(run: Path) -> dict[str, str]:
    rows = manifest.read_outputs(run)
    assert len({row["key"] for row in rows}) == len(rows)
    return {row["key"]: row["pixel_sha256"] for row in rows}


@pytest.fixture(scope="module")
def finished(
    tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Request]:
    folder = tmp_path_factory.mktemp("finished")
    request = asked(write_yaml(folder / "tiny.yaml", suite_content()), tiny_checkpoint)
    done = generate(request, folder / "run")
    assert (done.made, done.failed, done.suspect) == (16, 0, 0)
    return folder / "run", request


def test_a_run_is_whole_and_its_rows_say_what_they_should(finished: tuple[Path, Request]) -> None:
    run, _ = finished
    assert manifest.verify(run) == []
    row = manifest.read_outputs(run)[0]
    columns = (
        "file_name, key, model, prompt, language, text, seed, width, height, frames, fps, sha256, "
        "pixel_sha256, status, suite, suite_hash"
    )
    assert ", ".join(list(row)[:16]) == columns
    assert row["file_name"] == f"outputs/{row['key']}.png"
    assert row["text"] == "一幅中国画：秋江孤舟"
    assert "tiny-sd" not in row["file_name"]
    assert not any((run / manifest.STATE / "tmp").iterdir())


def test_three_lines_of_diffusers_make_the_same_picture(
    finished: tuple[Path, Request], tiny_checkpoint: Path
) -> None:
    run, _ = finished
    row = manifest.read_outputs(run)[3]
    pipe = DiffusionPipeline.from_pretrained(tiny_checkpoint, safety_checker=None)
    generator = torch.Generator("cpu").manual_seed(row["seed"])
    image = pipe(row["text"], generator=generator, **SMALL).images[0]
    difference = np.abs(np.asarray(image).astype(int) - read_pixels(run / row["file_name"]))
    assert difference.max() <= 1  # fp32 batches differ from singles by 2e-6 before rounding


def test_running_again_makes_nothing_and_changes_nothing(finished: tuple[Path, Request]) -> None:
    run, request = finished
    before = {file.name: file.stat().st_mtime_ns for file in (run / "outputs").iterdir()}
    done = generate(request, run)
    assert (done.made, done.there_before) == (0, 16)
    after = {file.name: file.stat().st_mtime_ns for file in (run / "outputs").iterdir()}
    assert after == before


def test_a_run_loads_as_a_hugging_face_dataset(finished: tuple[Path, Request]) -> None:
    import datasets  # noqa: PLC0415 - slow to import

    run, _ = finished
    script = (
        "import sys, datasets; d = datasets.load_dataset(sys.argv[1], split='train');"
        "print(len(d), d[0]['image'].size, d[0]['prompt'])"
    )
    environment = os.environ | {"HF_DATASETS_CACHE": str(run.parent / "cache")}
    command = [sys.executable, "-c", script, str(run)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["16", "(64,", "64)", "boat-0/chinese"], datasets.__version__


def start(request: Request, run: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench", "generate", "--suite", request.suite]
    command += ["--models", ",".join(request.models), "--languages", ",".join(request.languages)]
    command += ["--seeds", "0-1", "--batch-size", str(request.batch_size), "--out", str(run)]
    for name, value in SMALL.items():
        command += ["--set", f"{name}={value}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_killed_in_the_middle_of_a_batch_and_resumed_gives_the_same_pixels(
    finished: tuple[Path, Request], tmp_path: Path
) -> None:
    whole, request = finished
    run = tmp_path / "killed"
    process = start(request, run)
    rows = run / "metadata.jsonl"
    while not (rows.exists() and rows.read_bytes().count(b"\n") >= 5):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(pixels_of(run)) < 16
    with rows.open("ab") as file:
        file.write(b'{"file_name": "outputs/torn')
    (run / "outputs" / f"{planned_run(request, run).batches[-1].jobs[-1].key}.png").touch()
    generate(request, run)
    assert pixels_of(run) == pixels_of(whole)
    assert manifest.verify(run) == []


def test_a_batch_whose_rows_are_half_there_is_made_again_but_entered_once(
    finished: tuple[Path, Request], tmp_path: Path
) -> None:
    whole, request = finished
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    lines = (run / "metadata.jsonl").read_bytes().splitlines(keepends=True)
    (run / "metadata.jsonl").write_bytes(b"".join(lines[:7]))
    assert generate(request, run).made == 9
    assert pixels_of(run) == pixels_of(whole)


def test_more_seeds_and_models_become_a_new_part(
    finished: tuple[Path, Request], tmp_path: Path
) -> None:
    whole, request = finished
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    other = tiny.save("stable-diffusion", tmp_path / "other-sd", seed=1)
    more = replace(request, seeds=(0, 1, 2), models=(*request.models, str(other)), batch_size=None)
    done = generate(more, run)
    assert (done.made, done.there_before) == (32, 16)
    assert pixels_of(whole).items() <= pixels_of(run).items()
    assert len(manifest.read_run(run)["parts"]) == 2
    assert generate(request, run).made == 0


def test_whatever_else_changes_is_refused(
    finished: tuple[Path, Request], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, request = finished
    with pytest.raises(ConflictError, match="never cut anew"):
        generate(replace(request, batch_size=4), run)
    with pytest.raises(ConflictError, match="arguments"):
        generate(replace(request, arguments=SMALL | {"num_inference_steps": 3}), run)
    content = deepcopy(suite_content(3))
    content["scenes"][1]["prompts"]["chinese"]["zh"] += "。"
    changed = write_yaml(tmp_path / "changed.yaml", content)
    with pytest.raises(ConflictError, match="another text of suite"):
        generate(replace(request, suite=str(changed)), run)
    monkeypatch.setattr(pipelines, "device_kind", lambda: "another chip")
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    with pytest.raises(ConflictError, match=r"cpu .* → another chip.*--allow-mixed"):
        generate(request, copy)
    generate(request, copy, allow_mixed=True)
    assert manifest.read_run(copy)["mixed"][0]["device"] == "another chip"


def test_a_corrupt_model_fails_and_the_others_go_on(
    suite_path: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(tiny_checkpoint, tmp_path / "broken-sd"))
    weights = broken / "unet" / "diffusion_pytorch_model.safetensors"
    good = weights.read_bytes()
    weights.write_bytes(good[:1000])
    request = asked(suite_path, broken, tiny_checkpoint)
    done = generate(request, tmp_path / "run")
    assert (done.made, done.failed) == (16, 16)
    failures = manifest.read_failures(tmp_path / "run")
    assert {row["model"] for row in failures} == {"broken-sd"}
    assert "does not load" in failures[0]["error"]
    assert {row["model"] for row in manifest.read_outputs(tmp_path / "run")} == {"tiny-sd"}
    command = [sys.executable, "-m", "bench", "generate", "--suite", str(suite_path), "--models"]
    command += [f"{broken},{tiny_checkpoint}", "--languages", "zh,en", "--seeds", "0-1"]
    command += ["--set", "num_inference_steps=2", "--set", "height=64", "--set", "width=64"]
    again = subprocess.run(
        [*command, "--out", str(tmp_path / "run")], capture_output=True, text=True, check=False
    )
    assert again.returncode == 1
    assert "16 jobs failed" in again.stderr
    assert len(manifest.read_failures(tmp_path / "run")) == 16


def test_a_disk_that_takes_no_more_stops_the_run_and_loses_nothing(
    finished: tuple[Path, Request], tmp_path: Path
) -> None:
    whole, request = finished
    run = tmp_path / "run"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, limits[1]))
    try:
        with pytest.raises(WorkError, match="what was finished is kept, run again"):
            generate(request, run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert pixels_of(run) == {}
    assert list((run / "outputs").iterdir()) == []
    generate(request, run)
    assert pixels_of(run) == pixels_of(whole)


def test_a_folder_that_cannot_be_written_is_said(suite_path: Path, tiny_checkpoint: Path) -> None:
    with pytest.raises(RequestError, match="cannot write into"):
        generate(asked(suite_path, tiny_checkpoint), suite_path / "run")


def test_two_processes_do_not_work_on_one_run(finished: tuple[Path, Request]) -> None:
    run, request = finished
    with manifest.opened(run), pytest.raises(ConflictError, match="another process"):
        generate(request, run)


def test_arguments_are_checked_before_anything_is_written(
    suite_path: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    for arguments, says in [
        ({"colour": "red"}, "takes no argument 'colour'"),
        ({"generator": 3}, "'generator' belongs to the plan"),
        ({"prompt_embeds": [1.0]}, "'prompt_embeds' belongs to the plan"),
        ({"guidance_scale": "abc"}, "takes a number for guidance_scale, not 'abc'"),
        ({"clip_skip": [1]}, r"takes a number for clip_skip, not \[1\]"),
    ]:
        with pytest.raises(RequestError, match=says):
            generate(asked(suite_path, tiny_checkpoint, arguments=arguments), tmp_path / "run")
    with pytest.raises(RequestError, match="no text in 'fr'"):
        generate(asked(suite_path, tiny_checkpoint, languages=("fr",)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_pictures_of_one_colour_are_kept_and_flagged(suite_path: Path, tmp_path: Path) -> None:
    folder = tiny.save("stable-diffusion", tmp_path / "grey-sd")
    pipe = DiffusionPipeline.from_pretrained(folder, safety_checker=None)
    torch.nn.init.zeros_(pipe.vae.decoder.conv_out.weight)
    torch.nn.init.zeros_(pipe.vae.decoder.conv_out.bias)
    pipe.save_pretrained(folder)
    done = generate(asked(suite_path, folder), tmp_path / "run")
    assert (done.made, done.suspect) == (16, 16)
    assert manifest.read_outputs(tmp_path / "run")[0]["note"] == "one colour everywhere"


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_batch_equals_singles(family: str, tmp_path: Path) -> None:
    folder = tiny.save(family, tmp_path / family)
    arguments = tiny.FAMILIES[family][1] | {"num_inference_steps": 2}
    pipeline = pipelines.load(
        spec_of(folder, arguments), pipelines.settle_dtype(spec_of(folder, arguments))
    )
    texts = ["秋江孤舟，远山如黛", "a lone boat", "月下孤松", "a bird above the river at dusk"]
    jobs = tuple(Job(f"k{n}", f"p{n}", "zh", text, "m", n) for n, text in enumerate(texts))
    together = pipelines.draw(pipeline, Batch("m", 0, 6, jobs), arguments)
    assert together.shape[0] == len(jobs)
    singles = [pipelines.draw(pipeline, Batch("m", 0, 1, (job,)), arguments)[0] for job in jobs]
    assert np.abs(together - np.stack(singles)).max() < 1e-5
    assert np.abs(together[0] - together[1]).max() > 1e-3


def spec_of(folder: Path, arguments: dict[str, Any]) -> ModelSpec:
    return ModelSpec("m", str(folder), "r", arguments=arguments)


def test_rows_are_json_lines_that_any_tool_reads(finished: tuple[Path, Request]) -> None:
    run, _ = finished
    lines = (run / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    assert all(next(iter(json.loads(line))) == "file_name" for line in lines)


def test_a_model_that_is_not_asked_for_waits_and_its_folder_may_be_gone(
    finished: tuple[Path, Request], tmp_path: Path
) -> None:
    whole, request = finished
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    other = tiny.save("stable-diffusion", tmp_path / "other-sd", seed=1)
    both = replace(request, models=(*request.models, str(other)))
    generate(both, run)
    rows = (run / "metadata.jsonl").read_bytes().splitlines(keepends=True)
    (run / "metadata.jsonl").write_bytes(b"".join(rows[:-4]))
    shutil.rmtree(other)
    done = generate(request, run)
    assert (done.made, done.failed) == (0, 0)
    tiny.save("stable-diffusion", other, seed=2)
    with pytest.raises(ConflictError, match="other-sd with revision"):
        generate(both, run)


def test_a_licence_may_be_corrected_while_a_run_goes_on(
    finished: tuple[Path, Request], tmp_path: Path, tiny_checkpoint: Path
) -> None:
    whole, request = finished
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    spec = {"model": "tiny-sd", "source": str(tiny_checkpoint), "licence": "Apache-2.0"}
    path = write_yaml(tmp_path / "tiny-sd.yaml", spec)
    assert generate(replace(request, models=(str(path),)), run).made == 0


def test_a_file_that_is_gone_is_made_again_and_keeps_its_one_row(
    finished: tuple[Path, Request], tmp_path: Path
) -> None:
    whole, request = finished
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    gone = manifest.read_outputs(run)[4]["file_name"]
    (run / gone).unlink()
    assert manifest.verify(run) == [f"missing: {gone}"]
    assert generate(request, run).made == 1
    assert manifest.verify(run) == []
    assert pixels_of(run) == pixels_of(whole)


def test_a_file_made_again_with_other_pixels_has_a_row_of_its_own(
    finished: tuple[Path, Request], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, request = finished
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    gone = manifest.read_outputs(run)[4]
    (run / gone["file_name"]).unlink()
    load = pipelines.load

    def another(*arguments: Any) -> Any:  # as other versions or another device would
        pipeline = load(*arguments)
        pipeline.vae.decoder.conv_out.bias.data += 0.1
        return pipeline

    monkeypatch.setattr(pipelines, "load", another)
    assert generate(request, run).made == 1
    rows = {row["key"]: row for row in manifest.read_outputs(run)}
    assert len(rows) == 16
    assert rows[gone["key"]]["pixel_sha256"] != gone["pixel_sha256"]
    assert manifest.verify(run) == []


def test_a_suite_that_grew_adds_scenes_and_cuts_no_batch_anew(
    finished: tuple[Path, Request], tmp_path: Path
) -> None:
    whole, request = finished
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    content = suite_content(2)
    scenes = content["scenes"]
    new = [{**scenes[0], "id": name} for name in ("a-first", "b-middle", "c-last")]
    content["scenes"] = [new[0], scenes[0], new[1], scenes[1], new[2]]
    grown = replace(request, suite=str(write_yaml(tmp_path / "grown.yaml", content)))
    before = [(batch.index, batch.jobs) for batch in planned_run(request, run).batches]
    planned = planned_run(grown, run)
    assert [(one.index, one.jobs) for one in planned.batches[: len(before)]] == before
    done = generate(grown, run)
    assert (done.made, done.there_before) == (24, 16)
    assert pixels_of(whole).items() <= pixels_of(run).items()
    assert len({row["suite_hash"] for row in manifest.read_outputs(run)}) == 2
    assert load_suite(str(run / "suite.yaml")).scenes[0] == "a-first"
    assert (generate(grown, run).made, manifest.verify(run)) == (0, [])
    # and once more
    content["scenes"].append({**scenes[0], "id": "d-later"})
    write_yaml(tmp_path / "grown.yaml", content)
    assert generate(grown, run).made == 8
    parts = manifest.read_run(run)["parts"]
    assert [len(part.get("scenes", ())) for part in parts] == [2, 5, 0]
    with pytest.raises(ConflictError, match="more than scenes were added"):
        generate(request, run)


def test_what_is_published_of_a_run_does_not_say_where_a_checkpoint_lies(
    finished: tuple[Path, Request], tiny_checkpoint: Path, tmp_path: Path
) -> None:
    whole, request = finished
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    published = [path for path in run.rglob("*") if path.is_file() and ".state" not in path.parts]
    assert run / "run.yaml" in published
    for path in published:
        assert str(tiny_checkpoint.parent).encode() not in path.read_bytes(), path
    # whoever works on it here finds it; without what is told of this machine, who asks says it anew
    assert run_on_disk(run, frozenset()).models["tiny-sd"].source == str(tiny_checkpoint)
    shutil.rmtree(run / ".state")
    assert run_on_disk(run, frozenset()).models["tiny-sd"].source == "tiny-sd"
    assert generate(request, run).made == 0
    assert run_on_disk(run, frozenset()).models["tiny-sd"].source == str(tiny_checkpoint)


def test_that_a_model_is_the_ateliers_is_known_where_its_checkpoint_does_not_lie(
    suite_path: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    ours = Path(shutil.copytree(tiny_checkpoint, tmp_path / "ours"))
    (ours / "training.json").write_text("{}", encoding="utf-8")
    for models, network in (((ours,), ATELIER), ((ours, tiny_checkpoint), USUAL_NETWORK)):
        run = tmp_path / f"run-{len(models)}"
        request = asked(suite_path, *models, languages=("zh",), seeds=(0,), limit=1)
        generate(request, run)
        assert generate(request, run).made == 0  # and what is noted of it is read again
        shutil.rmtree(run / ".state")
        assert usual_network(manifest.read_run(run)) == network


@pytest.mark.parametrize("workers", [None, partial(drive, crew_of=partial(LocalCrew, ["cpu"]))])
def test_why_a_checkpoint_does_not_load_is_published_without_its_place(
    workers: Any, suite_path: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(tiny_checkpoint, tmp_path / "secret" / "broken-sd"))
    next((broken / "unet").glob("*.safetensors")).unlink()
    request = asked(suite_path, broken, languages=("zh",), seeds=(0,))
    if workers:
        workers(Pictures(request), tmp_path / "run")
    else:
        generate(request, tmp_path / "run")
    errors = {row["error"] for row in manifest.read_failures(tmp_path / "run")}
    assert any("broken-sd" in error for error in errors)
    assert not any("secret" in error for error in errors)


def test_a_closed_model_joins_a_run_by_a_suite_that_has_grown_since(
    finished: tuple[Path, Request], tmp_path: Path
) -> None:
    whole, request = finished
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    before = [batch.jobs for batch in planned_run(request, run).batches]
    grown = str(write_yaml(tmp_path / "grown.yaml", suite_content(3)))
    files = tmp_path / "files"
    files.mkdir()
    for number, prompt in enumerate(load_suite(grown).prompts.values()):
        noise = np.random.default_rng(number).integers(0, 255, (64, 64, 3), np.uint8)
        name = prompt.id.replace("/", "--")
        Image.fromarray(noise).save(files / f"{name}--zh--0.png")
    closed = ModelSpec("closed", "", "2026-11")
    assert "does not have" in " ".join(import_outputs(files, closed, run).refused)
    done = import_outputs(files, closed, run, suite=grown)
    assert (len(done.entered), done.refused) == (6, ())
    assert load_suite(str(run / "suite.yaml")).hash == load_suite(grown).hash
    assert manifest.verify(run) == []
    # what was planned stays as it was, and a run goes on with the scenes that came
    later = replace(request, suite=grown)
    planned = [batch.jobs for batch in planned_run(later, run).batches]
    assert planned[: len(before)] == before
    assert generate(later, run).made == 8
    # again, it is in already
    assert import_outputs(files, closed, run, suite=grown).there_before == 6


def test_scenes_can_be_asked_with_seeds_of_their_own(
    finished: tuple[Path, Request], tmp_path: Path
) -> None:
    whole, request = finished
    first, second = load_suite(request.suite).scenes
    for scene, seeds in ((first, (0,)), (second, (1,))):
        assert generate(replace(request, scenes=(scene,), seeds=seeds), tmp_path / "run").made == 4
    found = {
        (row["prompt"].partition("/")[0], row["seed"])
        for row in manifest.read_outputs(tmp_path / "run")
    }
    assert found == {(first, 0), (second, 1)}
    # a scene's pictures are what they are among all, batches apart
    assert set(pixels_of(tmp_path / "run")) <= set(pixels_of(whole))
    with pytest.raises(RequestError, match="has no scene 'nowhere'"):
        generate(replace(request, scenes=("nowhere",)), tmp_path / "run")


@pytest.mark.parametrize("value", ["0", "abc", "-3", "1.5", "true"])
def test_a_count_that_is_none_is_refused_before_any_work(
    value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["generate", "--suite", "first-look", "--models", "atelier-west", "--languages", "zh"]
    out = tmp_path / "run"
    assert main([*command, "--set", f"num_inference_steps={value}", "--out", str(out)]) == 2
    assert "num_inference_steps must be a whole number from 1 on" in capsys.readouterr().err
    assert not out.exists()


def test_what_a_spec_leaves_open_stays_as_the_run_was_begun(
    suite_path: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    request = asked(suite_path, tiny_checkpoint, languages=("zh",), seeds=(0,))
    generate(request, tmp_path / "run")
    path = tmp_path / "run" / "run.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["models"][0]["dtype"] = {"default": "float32", "vae": "float32"}
    write_yaml(path, content)
    (model,) = planned_run(request, tmp_path / "run").models.values()
    assert model.dtype == {"default": "float32", "vae": "float32"}
