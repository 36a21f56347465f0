"""How a model is loaded: without what would change pictures, and its files ahead of its turn."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import diffusers
import pytest
import transformers
from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker

from bench import pipelines
from bench.generate import generate
from bench.records import ModelSpec
from bench.request import Request
from tests import tiny, tiny_families

SMALL = {"num_inference_steps": 1, "height": 64, "width": 64}


def test_a_checkpoint_with_a_safety_checker_is_loaded_without_it(tmp_path: Path) -> None:
    parts = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
    }
    config = transformers.CLIPConfig(
        text_config={**parts, "vocab_size": tiny.VOCABULARY},
        vision_config={**parts, "image_size": 32, "patch_size": 8},
        projection_dim=32,
    )
    given = tiny.stable_diffusion().components
    given["safety_checker"] = StableDiffusionSafetyChecker(config)
    given["feature_extractor"] = transformers.CLIPImageProcessorPil(size={"shortest_edge": 32})
    diffusers.StableDiffusionPipeline(**given).save_pretrained(tmp_path / "m")
    assert (tmp_path / "m" / "safety_checker").is_dir()
    pipeline = pipelines.load(ModelSpec("m", str(tmp_path / "m"), "r"), {"default": "float32"})
    assert pipeline.safety_checker is None
    assert pipeline.progress_bar(range(2)).disable


def test_no_watermark_is_put_into_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_families.save("stable-diffusion-xl", tmp_path / "m")
    asked: dict[str, Any] = {}
    read = diffusers.DiffusionPipeline.from_pretrained

    def seen(source: str, **options: Any) -> Any:
        asked.update(options)
        return read(source, **options)

    monkeypatch.setattr(diffusers.DiffusionPipeline, "from_pretrained", seen)
    pipeline = pipelines.load(ModelSpec("m", str(folder), "r"), {"default": "float32"})
    assert asked["add_watermarker"] is False  # where its package is installed, the usual is True
    assert pipeline.watermark is None


def test_the_next_models_files_are_read_while_this_one_works(
    suite_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [tiny.save("stable-diffusion", tmp_path / name, seed=0) for name in ("one", "two")]
    told: list[str] = []
    load, ahead = pipelines.load, pipelines.read_ahead
    stops: list[threading.Event] = []

    def loads(spec: ModelSpec, *more: Any) -> Any:
        told.append(f"load {spec.id}")
        return load(spec, *more)

    def reads(spec: ModelSpec, stop: threading.Event) -> None:
        told.append(f"read {spec.id}")
        stops.append(stop)
        ahead(spec, stop)

    monkeypatch.setattr(pipelines, "load", loads)
    monkeypatch.setattr(pipelines, "read_ahead", reads)
    request = Request(
        str(suite_path), tuple(map(str, models)), ("zh",), (0,), arguments=SMALL, batch_size=4
    )
    assert generate(request, tmp_path / "run").made == 8
    assert sorted(told) == ["load one", "load two", "read two"]
    assert told.index("read two") < told.index("load two")
    assert [stop.is_set() for stop in stops] == [True]


def test_a_model_that_cannot_be_read_ahead_is_said_when_it_is_loaded(tmp_path: Path) -> None:
    gone = ModelSpec("gone", str(tmp_path / "nowhere" / "at" / "all"), "r")
    pipelines.read_ahead(gone, threading.Event())
