from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import manifest, pipelines
from bench.errors import RequestError, WorkError
from bench.generate import generate
from bench.kinds import as_it_stands
from bench.records import Batch, Job
from bench.request import Request
from bench.run import planned_run
from bench.sizes import brought_back, check_asked
from tests import tiny, tiny_families, tiny_video
from tests.conftest import suite_content, write_yaml


def test_a_side_that_a_pipeline_would_round_is_refused_before_any_work() -> None:
    torch.manual_seed(0)
    flux = tiny.flux()
    arguments = {**tiny.FAMILIES["flux"][1], "num_inference_steps": 1, "width": 34}
    batch = Batch("flux", 0, 1, (Job("k", "s/t", "zh", "舟", "flux", 0),))
    with pytest.raises(WorkError, match="cannot do width 34: it must be a multiple of 4"):
        pipelines.draw(flux, batch, arguments)


@pytest.mark.parametrize(
    ("family", "arguments", "says"),
    [
        ("stable-diffusion", {"width": 70}, "70×64: `height` and `width` have to be divisible by"),
        ("flux", {"height": 34}, "cannot do height 34: it must be a multiple of 4"),
        ("kolors", {"width": 33}, "have to be divisible by 8"),
        ("sana", {"width": 48}, "have to be divisible by 32"),
        ("wan", {"num_frames": 4}, "cannot do 4 frames: ask for 1 or 5, a multiple of 4"),
        ("ltx", {"width": 48}, "have to be divisible by 32"),
        ("hunyuan-dit", {"width": 72}, "cannot do width 72: it must be a multiple of 16"),
        ("cogvideox", {"height": 24}, "cannot do height 24: it must be a multiple of 16"),
        ("mochi", {"height": 24}, "cannot do height 24: it must be a multiple of 16"),
        ("hunyuan-video-1.5", {"width": 24}, "cannot do width 24: it must be a multiple of 16"),
    ],
)
def test_a_size_that_a_checkpoint_cannot_do_is_told_once_before_any_work(
    family: str,
    arguments: dict[str, Any],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_clips = family in tiny_video.FAMILIES
    module = tiny_video if of_clips else tiny_families
    folder = module.save(family, tmp_path / "m")
    suite = write_yaml(
        tmp_path / "s.yaml", suite_content(1) | {"modality": "video" if of_clips else "image"}
    )
    spec = {"model": "m", "source": str(folder), "fps": 8, "arguments": module.FAMILIES[family][1]}
    model = write_yaml(tmp_path / "m.yaml", spec)
    request = Request(str(suite), (str(model),), ("zh",), (0, 1), arguments=arguments)
    monkeypatch.setattr(pipelines, "load", lambda *_: pytest.fail("weights were read"))
    with pytest.raises(RequestError, match="model m: ") as caught:
        generate(request, tmp_path / "run")
    assert says in str(caught.value)
    assert not (tmp_path / "run").exists()
    planned_run(replace(request, arguments={}), tmp_path / "run")  # its own size can be done


@pytest.mark.parametrize(
    ("family", "size", "near"), [("sana", (96, 64), (1216, 832)), ("pixart", (64, 32), (352, 176))]
)
def test_a_size_that_is_made_from_another_of_the_list_is_told(
    family: str, size: tuple[int, int], near: tuple[int, int]
) -> None:
    pipeline = tiny_families.FAMILIES[family][0]()
    asked = {"width": size[0], "height": size[1]}
    said = f"made at {near[0]}×{near[1]} and brought to the size asked"
    assert brought_back(pipeline, asked) == said
    assert brought_back(pipeline, asked | {"use_resolution_binning": False}) == ""
    assert brought_back(pipeline, {"width": near[0], "height": near[1]}) == ""
    check_asked(pipeline, asked)  # it can be done


def test_rows_say_from_which_size_outputs_were_brought(tmp_path: Path, suite_path: Path) -> None:
    folder = tiny_families.save("pixart", tmp_path / "m")
    arguments = tiny_families.FAMILIES["pixart"][1] | {
        "width": 64,
        "height": 32,
        "use_resolution_binning": True,
        "num_inference_steps": 1,
    }
    request = Request(str(suite_path), (str(folder),), ("zh",), (0,), arguments=arguments)
    assert generate(request, tmp_path / "run").failed == 0
    rows = manifest.read_outputs(tmp_path / "run")
    assert {(row["width"], row["height"]) for row in rows} == {(64, 32)}
    assert {row["note"] for row in rows} == {"made at 352×176 and brought to the size asked"}


def test_a_size_that_a_pipeline_would_make_another_of_is_told_before_any_work(
    tmp_path: Path, suite_path: Path
) -> None:
    folder = tiny_families.save("hunyuan-dit", tmp_path / "m")
    arguments = tiny_families.FAMILIES["hunyuan-dit"][1] | {"width": 1024, "height": 1008}

    def planned(**more: Any) -> None:
        asked = Request(str(suite_path), (str(folder),), ("zh",), (0,), arguments=arguments | more)
        planned_run(asked, tmp_path / "run")

    planned()  # its list is off: it is made at the very size
    words = "cannot do 1024×1008: it would make 1024×1024 "
    with pytest.raises(RequestError, match=words):
        planned(use_resolution_binning=True)
    planned(use_resolution_binning=True, height=1024)
    # where the configs do not say so, it is told when the model is loaded
    pipeline = tiny_families.FAMILIES["hunyuan-dit"][0]()
    batch = Batch("m", 0, 1, (Job("k", "s/t", "zh", "舟", "m", 0),))
    with pytest.raises(WorkError, match=words):
        pipelines.draw(pipeline, batch, arguments | {"use_resolution_binning": True})
    with pytest.raises(WorkError, match="cannot do 1008×"):  # the other side is its own
        check_asked(pipeline, {"width": 1008})


def test_prompts_are_neither_cleaned_nor_rewritten_unless_a_spec_asks_for_it(
    tmp_path: Path, suite_path: Path
) -> None:
    assert as_it_stands("PixArtSigmaPipeline") == {"clean_caption": False}
    assert as_it_stands("LongCatImagePipeline") == {"enable_prompt_rewrite": False}
    assert as_it_stands("ErnieImagePipeline") == {"use_pe": False}
    assert as_it_stands("FluxPipeline") == {}
    model = str(tiny.save("pixart", tmp_path / "pixart"))
    request = Request(str(suite_path), (model,), ("zh",), (0,))
    run = planned_run(request, tmp_path / "run")
    assert run.models["pixart"].arguments == {"clean_caption": False}
    request = Request(str(suite_path), (model,), ("zh",), (0,), arguments={"clean_caption": True})
    assert planned_run(request, tmp_path / "run").models["pixart"].arguments["clean_caption"]


def test_classes_whose_batches_are_not_of_one_piece_are_called_for_one_job_at_a_time() -> None:
    torch.manual_seed(0)
    # of real pipelines only the largest are of this kind: this one stands in by its name
    alone = type("GlmImagePipeline", (tiny.StableDiffusionPipeline,), {})
    pipeline = alone(**tiny.stable_diffusion().components, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    seen = []
    pipeline.unet.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    jobs = tuple(Job(str(seed), "s/t", "zh", "舟", "m", seed) for seed in range(3))
    arguments = {"num_inference_steps": 1, "height": 32, "width": 32, "guidance_scale": 1.0}
    made = pipelines.draw(pipeline, Batch("m", 0, 4, jobs), arguments)
    assert made.shape == (3, 32, 32, 3)
    assert seen == [1, 1, 1]
