from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench import pipelines
from bench.errors import WorkError
from bench.records import Batch, Job
from bench.request import Request
from bench.run import planned_run
from tests import tiny


def test_a_side_that_a_pipeline_would_round_is_refused_before_any_work() -> None:
    torch.manual_seed(0)
    flux = tiny.flux()
    arguments = {**tiny.FAMILIES["flux"][1], "num_inference_steps": 1, "width": 34}
    batch = Batch("flux", 0, 1, (Job("k", "s/t", "zh", "舟", "flux", 0),))
    with pytest.raises(WorkError, match="cannot do width 34: it must be a multiple of 4"):
        pipelines.draw(flux, batch, arguments)


def test_prompts_are_neither_cleaned_nor_rewritten_unless_a_spec_asks_for_it(
    tmp_path: Path, suite_path: Path
) -> None:
    assert pipelines.as_it_stands("PixArtSigmaPipeline") == {"clean_caption": False}
    assert pipelines.as_it_stands("LongCatImagePipeline") == {"enable_prompt_rewrite": False}
    assert pipelines.as_it_stands("ErnieImagePipeline") == {"use_pe": False}
    assert pipelines.as_it_stands("FluxPipeline") == {}
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
