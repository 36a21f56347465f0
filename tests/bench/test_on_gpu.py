"""What only a GPU can show: its own stream, pinned copies, compiling, parts that take turns, real memory.

Each test runs the same code that a CPU runs, on tiny checkpoints, and compares with plain calls.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench import engine, manifest, pipelines, placing
from bench.engine import Engine
from bench.fast import for_batch
from bench.generate import generate
from bench.records import Job, ModelSpec
from bench.request import Request
from bench.tuning import Tuning
from tests import tiny_families, tiny_video
from tests.conftest import suite_content, write_yaml

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here"),
]

TEXTS = ["秋江孤舟，远山如黛", "a lone boat", "月下孤松", "a lone boat"]
JOBS = [Job(str(seed), "s/t", "zh", text, "m", seed) for seed, text in enumerate(TEXTS)]
FAMILIES = {
    name: (module, module.FAMILIES[name][1] | {"num_inference_steps": 2})
    for module, names in (
        (tiny_families, ("stable-diffusion-xl", "flux", "pixart", "qwen-image")),
        (tiny_video, ("wan", "ltx")),
    )
    for name in names
}


def loaded(family: str, folder: Path) -> Any:
    module, arguments = FAMILIES[family]
    if not folder.exists():
        module.save(family, folder)
    spec = ModelSpec("m", str(folder), "r", arguments=arguments)
    return pipelines.load(spec, {"default": "bfloat16"})


def plain(pipeline: Any, arguments: dict[str, Any]) -> list[np.ndarray]:
    found = []
    for job in JOBS:
        made = pipeline(
            prompt=[job.text],
            generator=[torch.Generator("cpu").manual_seed(job.seed)],
            **for_batch(arguments, 1),
        )
        pictures = np.asarray(made.frames if hasattr(made, "frames") else made.images)
        found.append(levels(pictures[0]))
    return found


def levels(pixels: np.ndarray) -> np.ndarray:
    """Return pixels as bytes: the fast path gives these, a plain call numbers from 0 to 1."""
    return pixels if pixels.dtype == np.uint8 else (pixels * 255).round().astype(np.uint8)


def by_engine(worker: Engine, arguments: dict[str, Any], batches: int = 1) -> list[np.ndarray]:
    """Make the jobs over and over without waiting; return the last batch's pictures."""
    worker.encode(dict.fromkeys(TEXTS), arguments)
    made = [worker.make(JOBS, arguments, JOBS) for _ in range(batches)]
    pictures = [[levels(one.pictures[job.key].on_host()[0]) for job in JOBS] for one in made]
    for others in pictures[1:]:
        for one, other in zip(pictures[0], others, strict=True):
            assert (one == other).all()  # nothing was handed out anew before it was read
    return pictures[-1]


def levels_apart(some: list[np.ndarray], others: list[np.ndarray]) -> float:
    pairs = zip(some, others, strict=True)
    return max(float(np.abs(one.astype(int) - other).max()) for one, other in pairs)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_engine_gives_what_plain_calls_give(family: str, tmp_path: Path) -> None:
    arguments = FAMILIES[family][1]
    pipeline = loaded(family, tmp_path / "m")
    worker = Engine(pipeline, Tuning(len(JOBS)))
    assert worker.placement == "whole"
    made = by_engine(worker, arguments, batches=8)
    worker.close()
    assert levels_apart(made, plain(loaded(family, tmp_path / "m").to("cuda"), arguments)) <= 8


@pytest.mark.parametrize("family", ["stable-diffusion-xl", "flux"])
def test_compiled_it_gives_the_same(family: str, tmp_path: Path) -> None:
    arguments = FAMILIES[family][1]
    worker = Engine(loaded(family, tmp_path / "m"), Tuning(len(JOBS)))
    eager = by_engine(worker, arguments)
    worker.close()
    worker = Engine(loaded(family, tmp_path / "m"), Tuning(len(JOBS), compile=True))
    compiled = by_engine(worker, arguments, batches=3)
    worker.close()
    assert levels_apart(compiled, eager) <= 8


@pytest.mark.parametrize("how", ["encoders apart", "parts in turn", "layers in turn"])
def test_parts_that_take_turns_give_the_same(
    how: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = FAMILIES["flux"][1]
    worker = Engine(loaded("flux", tmp_path / "m"), Tuning(len(JOBS)))
    whole = by_engine(worker, arguments)
    worker.close()
    monkeypatch.setattr(placing, "placement", lambda *_, **__: how)
    worker = Engine(loaded("flux", tmp_path / "m"), Tuning(len(JOBS)))
    assert worker.placement == how
    assert levels_apart(by_engine(worker, arguments, batches=2), whole) <= 8
    worker.close()


def test_a_run_of_the_same_plan_has_the_same_pixels_whole_and_resumed(tmp_path: Path) -> None:
    suite = write_yaml(tmp_path / "suite.yaml", suite_content(2))
    folder = tiny_families.save("stable-diffusion-xl", tmp_path / "m")
    arguments = FAMILIES["stable-diffusion-xl"][1]
    request = Request(
        str(suite), (str(folder),), ("zh", "en"), (0, 1), arguments=arguments, batch_size=5
    )

    def pixels(name: str) -> dict[str, str]:
        assert generate(request, tmp_path / name).failed == 0
        rows = manifest.read_outputs(tmp_path / name)
        return {row["key"]: row["pixel_sha256"] for row in rows}

    whole = pixels("whole")
    assert pixels("again") == whole
    lines = (tmp_path / "again" / "metadata.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "again" / "metadata.jsonl").write_bytes(b"".join(lines[:7]))
    assert pixels("again") == whole


def test_memory_that_runs_out_splits_the_batch(tmp_path: Path) -> None:
    arguments = FAMILIES["stable-diffusion-xl"][1] | {"height": 512, "width": 512}
    pipeline = loaded("stable-diffusion-xl", tmp_path / "m")
    jobs = [Job(str(seed), "s/t", "zh", TEXTS[0], "m", seed) for seed in range(64)]
    worker = Engine(pipeline, Tuning(len(jobs)))
    worker.encode(TEXTS[:1], arguments)
    torch.cuda.reset_peak_memory_stats()  # other tests had theirs
    worker.make(jobs[:1], arguments, jobs[:1])
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    alone = torch.cuda.max_memory_allocated()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, 8 * alone / total))
    try:
        made = worker.make(jobs, arguments, jobs)
        assert 1 <= made.size < len(jobs)
        assert made.note.startswith("out of memory with 64 at once: made ")
        assert len(made.pictures) == len(jobs)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        worker.close()


def deep_flux() -> Any:
    """Make a tiny one with layers enough for two devices: a lone block is laid on one of them whole."""
    torch.manual_seed(0)
    pipeline = tiny_families.FAMILIES["flux"][0]()
    deep = type(pipeline.transformer).from_config(
        pipeline.transformer.config, num_layers=8, num_single_layers=8
    )
    pipeline.register_modules(transformer=deep)
    return pipeline


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there are no two GPUs here")
@pytest.mark.parametrize(
    "more", [{"device_map": "auto"}, {"device_map": "balanced"}, {"context_parallel": 2}], ids=str
)
def test_two_gpus_make_what_one_makes(more: dict[str, Any], tmp_path: Path) -> None:
    arguments = FAMILIES["flux"][1]
    deep_flux().save_pretrained(tmp_path / "m")
    spec = ModelSpec("m", str(tmp_path / "m"), "r", dtype={"default": "float32"})

    def made(spec: ModelSpec) -> np.ndarray:
        worker = engine.load(spec, Tuning(len(JOBS)))
        split = spec.device_map or spec.context_parallel > 1
        assert worker.devices == (2 if split else 1)
        worker.encode({job.text: None for job in JOBS}, arguments)
        pictures = worker.make(JOBS, arguments, JOBS).pictures
        pixels = np.stack([levels(pictures[job.key].on_host()[0]) for job in JOBS]).astype(int)
        worker.close()
        return pixels

    assert np.abs(made(replace(spec, **more)) - made(spec)).max() <= 1
