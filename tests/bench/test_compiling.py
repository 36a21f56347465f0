"""Compiled parts give what they gave: traced whole, with the counter of operations beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import engine, pipelines
from bench.engine import Engine
from bench.flops import ForwardCounter
from bench.placing import compile_parts, denoisers, exact_attention
from bench.records import Job, ModelSpec
from bench.tuning import Tuning
from tests import tiny_families, tiny_video

FAMILIES = tiny_families.FAMILIES | tiny_video.FAMILIES


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.parametrize(
    ("family", "speedups"),
    [
        ("stable-diffusion-xl", {}),
        ("flux", {}),
        # diffusers names no repeated blocks of these
        ("stable-diffusion-3", {}),
        ("pixart", {}),
        ("cogvideox", {}),
        ("flux", {"weights": "fp8"}),
        ("flux", {"cache": "first_block", "threshold": 0.01}),
        ("flux", {"cache": "taylorseer", "cache_interval": 2, "disable_cache_before_step": 1}),
    ],
)
def test_compiled_parts_give_the_same_pictures_and_compile_once(
    family: str, speedups: dict[str, Any], tmp_path: Path
) -> None:
    module = tiny_families if family in tiny_families.FAMILIES else tiny_video
    folder = module.save(family, tmp_path / "m")
    arguments = FAMILIES[family][1] | {"num_inference_steps": 2}
    spec = ModelSpec("m", str(folder), "r", arguments=arguments, speedups=speedups)
    jobs = [Job(str(seed), "s/t", "zh", "月下孤松", "m", seed) for seed in range(2)]
    graphs = []

    def backend(graph: Any, _inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    def made(*, compiled: bool) -> list[Any]:
        worker = Engine(pipelines.load(spec, {"default": "float32"}), Tuning(2))
        if compiled:
            compile_parts(worker.pipeline, backend=backend)
            compile_parts(worker.pipeline, backend=backend)  # as a second engine on it would
        counter = ForwardCounter(denoisers(worker.pipeline))
        worker.encode(["月下孤松"], arguments)
        first = worker.make(jobs, arguments, jobs)
        before = len(graphs)
        second = worker.make(jobs, arguments, jobs)
        assert len(graphs) == before  # the second batch compiles nothing
        assert counter.total() > 0
        found = [one.pictures[job.key].on_host()[0] for one in (first, second) for job in jobs]
        worker.close()
        counter.close()
        return found

    plain = made(compiled=False)
    assert not graphs
    compiled = made(compiled=True)
    assert len(graphs) > (family != "cogvideox")  # the decoder of pictures, and blocks beside it
    for one, other in zip(plain, compiled, strict=True):
        assert abs(one.astype(int) - other).max() <= 1


def test_one_model_after_another_is_compiled_however_many_there_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a function torch keeps eight compiled forms at most, and goes on uncompiled after them."""
    folder = tiny_families.save("flux", tmp_path / "m")
    arguments = FAMILIES["flux"][1] | {"num_inference_steps": 1}
    spec = ModelSpec("m", str(folder), "r", arguments=arguments)
    compiled = []
    monkeypatch.setattr(
        engine, "compile_parts", lambda pipeline: compile_parts(pipeline, backend=backend)
    )

    def backend(graph: Any, _inputs: Any) -> Any:
        compiled.append(graph)
        return graph.forward

    counts = []
    for size in (1, 2, 3):
        jobs = [Job(str(seed), "s/t", "zh", "月下孤松", "m", seed) for seed in range(size)]
        worker = Engine(pipelines.load(spec, {"default": "float32"}), Tuning(size, compile=True))
        worker.encode(["月下孤松"], arguments)
        # torch's own way to set it: what monkeypatch puts back is gone for the tests that follow
        with torch._dynamo.config.patch(recompile_limit=2):
            worker.make(jobs, arguments, jobs)
        worker.close()
        counts.append(len(compiled))
        compiled.clear()
    assert min(counts) == max(counts) > 0


def test_the_order_of_attention_kernels_is_left_alone_without_such_a_device() -> None:
    query = torch.randn(1, 2, 8, 16)
    alone = torch.nn.functional.scaled_dot_product_attention(query, query, query)
    with exact_attention():
        there = torch.nn.functional.scaled_dot_product_attention(query, query, query)
    assert (alone == there).all()
