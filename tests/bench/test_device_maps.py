"""A model whose layers lie in several places makes what it makes in one; here one place is the disk."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers.models.model_loading_utils import _determine_device_map

from bench import pipelines
from bench.device_maps import (
    EVENLY,
    by_layers,
    bytes_of_others,
    check_device_map,
    devices_of,
    is_laid_out,
    is_spilled,
)
from bench.engine import Engine
from bench.errors import FileFormatError, RequestError
from bench.models import load_model
from bench.placing import denoisers, size_of
from bench.records import Job, ModelSpec
from bench.request import Request
from bench.run import planned_run
from bench.tuning import Measured, Tuning
from tests import tiny_families, tiny_video
from tests.conftest import write_yaml

FP32 = {"default": torch.float32}
JOBS = [Job(f"{n}", "p", "zh", text, "m", n) for n, text in enumerate(["秋江孤舟", "a boat"])]


def made(pipeline: Any, arguments: dict[str, Any]) -> list[np.ndarray]:
    worker = Engine(pipeline, Tuning(2))
    assert worker.path == "fast"
    worker.encode([job.text for job in JOBS], arguments)
    pictures = worker.make(JOBS, arguments, JOBS).pictures
    return [pictures[job.key].on_host()[0] for job in JOBS]


@pytest.mark.parametrize("family", ["flux", "pixart", "qwen-image", "z-image", "wan", "cogvideox"])
def test_layers_that_lie_apart_make_the_same_pixels(family: str, tmp_path: Path) -> None:
    families = tiny_families if family in tiny_families.FAMILIES else tiny_video
    families.save(family, tmp_path / "m")
    arguments = families.FAMILIES[family][1] | {"num_inference_steps": 2}
    spec = ModelSpec("m", str(tmp_path / "m"), "r", dtype={"default": "float32"}, device_map="auto")
    whole = pipelines.load(spec, spec.dtype)
    assert not is_laid_out(whole.transformer)  # there is one device here
    config = diffusers.DiffusionPipeline.load_config(spec.source)
    check_device_map(spec, type(whole).__name__, config)
    apart = by_layers(
        spec,
        config,
        FP32,
        lambda: {"cpu": int(0.9 * size_of(denoisers(whole)[0]))},
        offload_folder=tmp_path / "disk",
    )
    assert {str(one) for one in apart["transformer"].hf_device_map.values()} == {"cpu", "disk"}
    laid = type(whole).from_pretrained(spec.source, **apart)
    laid.set_progress_bar_config(disable=True)
    assert is_laid_out(laid.transformer)
    assert is_spilled(laid.transformer)
    assert devices_of(laid) == 1  # no GPU
    pairs = zip(made(laid, arguments), made(whole, arguments), strict=True)
    assert all((one == other).all() for one, other in pairs)


def test_layers_are_laid_evenly_and_beside_the_other_parts_of_the_first_device(
    tmp_path: Path,
) -> None:
    tiny_families.save("flux", tmp_path / "m")
    pipeline = pipelines.load(ModelSpec("m", str(tmp_path / "m"), "r"), {"default": "float32"})
    parts = (pipeline.text_encoder, pipeline.text_encoder_2, pipeline.vae)
    config = diffusers.DiffusionPipeline.load_config(str(tmp_path / "m"))
    copied = tmp_path / "m" / "vae" / "diffusion_pytorch_model.safetensors"
    shutil.copy(copied, copied.with_name("diffusion_pytorch_model.fp16.safetensors"))
    others = bytes_of_others(tmp_path / "m", config, FP32)
    assert others == pytest.approx(sum(map(size_of, parts)), rel=0.01)
    with torch.device("meta"):
        large = diffusers.FluxTransformer2DModel(num_layers=8, num_single_layers=8)
    room = size_of(large)
    for first in (room, room // 3):  # with and without room for all of it on one device
        memory = {0: first, 1: room, "cpu": 8 * room}
        found = _determine_device_map(large, EVENLY, memory, torch.float32)
        assert {*found.values()} == {0, 1}


def test_a_device_map_is_checked_against_diffusers(tmp_path: Path, tiny_checkpoint: Path) -> None:
    written = {"model": "large", "source": str(tiny_checkpoint), "device_map": "balanced"}
    path = write_yaml(tmp_path / "large.yaml", written)
    pipelines.check_spec(str(path))
    spec = load_model(str(path))
    assert pipelines.load(spec, {"default": "float32"}).hf_device_map is None  # one device here
    with pytest.raises(FileFormatError, match="device_map"):
        load_model(str(write_yaml(tmp_path / "odd.yaml", written | {"device_map": "evenly"})))
    hub = {"model": "many", "source": "owner/many", "pipeline": "KandinskyCombinedPipeline"}
    path = write_yaml(tmp_path / "many.yaml", hub | {"device_map": "balanced"})
    with pytest.raises(RequestError, match="several pipelines in one"):
        pipelines.check_spec(str(path))


def test_a_model_with_a_map_is_not_compiled_wherever_it_lies(
    suite_path: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = [Measured(Tuning(4, compile=True), 0.1, 0.0), Measured(Tuning(2), 0.2, 0.0)]
    monkeypatch.setattr("bench.run.stored", lambda *_: fast)
    content = {"model": "large", "source": str(tiny_checkpoint)}
    for map_, tuning in (("", Tuning(4, compile=True)), ("auto", Tuning(2))):
        path = write_yaml(tmp_path / f"{map_ or 'none'}.yaml", content | {"device_map": map_})
        run = planned_run(Request(str(suite_path), (str(path),), ("zh",), (0,)), tmp_path / "run")
        assert run.tunings["large"] == tuning


def test_a_denoiser_without_a_map_by_layers_is_refused(tmp_path: Path) -> None:
    spec = ModelSpec("m", str(tmp_path), "r", device_map="auto")
    config = {"transformer": ["diffusers", "LuminaNextDiT2DModel"]}
    with pytest.raises(RequestError, match="by its layers: take device_map balanced"):
        check_device_map(spec, "LuminaPipeline", config)
