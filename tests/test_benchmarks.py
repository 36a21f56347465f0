"""The benchmark of a GPU, walked through without one: what it prints, and that a failure costs one part."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import engine, pipelines
from bench.fast import FastPath
from bench.placing import compile_parts, denoisers
from benchmarks import generation_gpu
from benchmarks.generation_shapes import CASES, tiny_cases


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "XDG_CACHE_HOME", str(tmp_path / "cache"))


def walked(place: Path, seconds: float, *, compiled: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {}
    part = generation_gpu.parts("flux", found, time.perf_counter() + seconds)
    generation_gpu.measured("flux", tiny_cases()["flux"], place, part, found, compiled=compiled)
    return found


def test_a_part_that_fails_is_named_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> float:
        raise RuntimeError("CUDA error: out of everything")

    monkeypatch.setattr(generation_gpu, "plain_loop", broken)
    found = walked(tmp_path, 600)
    assert found["loop_seconds_per_output"] == {
        "failed": "RuntimeError: CUDA error: out of everything"
    }
    assert found["harness"]["outputs"] == 4
    assert found["harness"]["compiled"] is found["compiled"] is False
    assert found["decoder"]["teraflop"] > 0
    assert found["verdict"] == "done"  # no kernel was seen here
    assert len(found["missed"]) == 1
    assert "times_the_loop" not in found
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["part"] for one in printed] == [
        "built_seconds",
        "decoder",
        "compile_seconds",
        "harness",
        "kernels",
    ]


def test_where_compiling_fails_the_rest_is_measured_uncompiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_compiler(_graph: Any, _inputs: Any) -> Any:
        raise FileNotFoundError("no C compiler")

    monkeypatch.setattr(
        engine, "compile_parts", lambda pipeline: compile_parts(pipeline, backend=no_compiler)
    )
    found = walked(tmp_path, 600, compiled=True)
    assert "no C compiler" in found["compile_seconds"]["failed"]
    assert "decoder_compiled" not in found
    assert found["harness"]["outputs"] == 4
    assert found["harness"]["compiled"] is found["compiled"] is False
    assert found["times_the_loop"] > 0


def eagerly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        engine, "compile_parts", lambda pipeline: compile_parts(pipeline, backend="eager")
    )


def out_of_memory(*_: Any) -> Any:
    raise torch.OutOfMemoryError("CUDA out of memory")


OUT = {"failed": "OutOfMemoryError: CUDA out of memory"}


def test_decoding_that_fails_costs_neither_what_compiles_nor_what_comes_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    eagerly(monkeypatch)
    monkeypatch.setattr(generation_gpu, "timed_exactly", out_of_memory)
    found = walked(tmp_path, 600, compiled=True)
    assert found["decoder"] == found["decoder_compiled"] == OUT
    assert found["compile_seconds"] > 0
    assert found["harness"]["compiled"] is found["compiled"] is True
    assert found["kernels"] == {"idle_share": None}
    assert found["times_the_loop"] > 0


def test_profiling_that_fails_leaves_the_loop_a_pipeline_that_makes_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation_gpu, "two_batches", out_of_memory)
    found = walked(tmp_path, 600)
    assert found["kernels"] == OUT
    assert found["times_the_loop"] > 0


@pytest.mark.parametrize("method", ["encode", "make"])
@pytest.mark.parametrize(
    "work",
    [
        generation_gpu.decoding,
        generation_gpu.kernels,
        partial(generation_gpu.warmed_up, compiled=False),
    ],
    ids=["decoding", "kernels", "warmed_up"],
)
def test_whatever_fails_at_work_the_pipeline_is_given_back(
    work: Any, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = tiny_cases()["flux"]
    pipeline = generation_gpu.made_on_device(case)
    monkeypatch.setattr(engine.Engine, method, out_of_memory)
    monkeypatch.setattr(FastPath, "denoise", out_of_memory)
    with pytest.raises(torch.OutOfMemoryError):
        work(pipeline, case)
    assert "encode_prompt" not in vars(pipeline)
    assert "decode" not in vars(pipeline.vae)


@pytest.mark.parametrize(
    ("name", "billions"), [("sdxl", 2.57), ("flux", 11.9), ("wan", 1.42)], ids=str
)
def test_the_real_shapes_are_those_published_and_their_schedules_lie_on_the_host(
    name: str, billions: float
) -> None:
    with torch.device("meta"):  # as on a GPU, but without values
        pipeline = CASES[name].build()
    (denoiser,) = denoisers(pipeline)
    count = sum(weights.numel() for weights in denoiser.parameters())
    assert count / 1e9 == pytest.approx(billions, rel=0.01)
    assert denoiser.device.type == "meta"
    shifted = {"mu": 1.0} if name == "flux" else {}
    pipeline.scheduler.set_timesteps(20, device="cpu", **shifted)
    assert len(pipeline.scheduler.timesteps) == 20


def test_what_takes_too_long_is_ended_with_what_was_measured_and_the_device_asked_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left: list[int] = []
    monkeypatch.setattr(generation_gpu.os, "_exit", left.append)
    for asking in (
        "matrix_rate",
        "pipelines.device_kind",
        "torch.cuda.is_available",
        "torch.cuda.synchronize",
    ):
        monkeypatch.setattr(f"benchmarks.generation_gpu.{asking}", out_of_memory)
    found = {"matrix_teraflops": 700.0, "models": {"flux": {"built_seconds": 1.5}}}
    generation_gpu.ended(found, str(tmp_path / "place"))
    assert left == [1]
    assert json.loads(capsys.readouterr().out) == found


HANGS = """
import sys, threading
from benchmarks import generation_gpu

generation_gpu.matrix_rate = lambda _: threading.Event().wait()
sys.argv = ["generation_gpu.py", "--tiny", "--models", "flux", "--budget", "-10"]
generation_gpu.main()
"""


def test_a_device_that_hangs_from_the_start_is_not_waited_for() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["matrix_teraflops"] is None
    assert last["models"] == {"flux": {}}


def test_the_budget_counts_from_before_the_imports_and_all_ends_within_eight_minutes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends: list[float] = []

    class Ending:
        daemon = False

        def __init__(self, seconds: float, work: Any, _given: Any) -> None:
            assert work is generation_gpu.ended
            ends.append(seconds)

        def start(self) -> None: ...

        def cancel(self) -> None: ...

    def at_last(seconds: float, *, exit: bool) -> None:  # noqa: A002 - its name there
        assert exit
        ends.append(seconds)

    monkeypatch.setattr(generation_gpu.threading, "Timer", Ending)
    monkeypatch.setattr(generation_gpu.faulthandler, "dump_traceback_later", at_last)
    monkeypatch.setattr(generation_gpu, "BEGAN", time.perf_counter() - 445)
    monkeypatch.setattr(sys, "argv", ["generation_gpu.py", "--tiny", "--models", "flux"])
    generation_gpu.main()
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["models"] == {"flux": {"built_seconds": {"left_out": "no time was left"}}}
    ending, last = sorted(ends)
    assert ending < last < 480 - 445


def test_the_matrix_rate_is_measured_before_anything_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generation_gpu, "matrix_rate", lambda _: 7e14)
    found: dict[str, Any] = {}
    generation_gpu.known_of_device(found)
    assert found["matrix_teraflops"] == pytest.approx(700)
    assert found["device"] == pipelines.device_kind()
    assert json.loads(capsys.readouterr().out)["part"] == "matrix_teraflops"


def test_parts_that_would_begin_after_the_budget_are_left_out_and_named(tmp_path: Path) -> None:
    assert walked(tmp_path, -1) == {"built_seconds": {"left_out": "no time was left"}}


def test_the_main_figure_begins_late_where_the_whole_budget_has_time() -> None:
    found: dict[str, Any] = {}
    part = generation_gpu.parts("sdxl", found, 0.0, time.perf_counter() + 60)
    assert part("kernels", dict) is None
    assert part("harness", dict, late=True) == {}
    assert found == {"kernels": {"left_out": "no time was left"}, "harness": {}}


@pytest.mark.parametrize(
    ("share", "times", "wall", "verdict", "missed"),
    [
        (0.61, 3.2, 1.04, "goal", 0),
        (0.61, 3.2, 1.06, "done", 1),
        (0.61, 2.9, 1.04, "not done", 1),
        (0.61, None, None, "not done", 2),
        (0.50, 3.2, 1.04, "done", 1),
        (0.44, 3.2, 1.04, "not done", 1),
    ],
)
def test_a_verdict_holds_all_that_is_asked(
    share: float, times: float | None, wall: float | None, verdict: str, missed: int
) -> None:
    found = generation_gpu.verdict(CASES["sdxl"], share, times, wall)
    assert (found["verdict"], len(found["missed"])) == (verdict, missed)


def test_no_second_of_a_run_is_left_out() -> None:
    row = {"outputs": 8, "seconds": 6.0, "compile_seconds": 2.0, "matrix_share": 0.8}
    whole = generation_gpu.whole_run(row)
    assert (whole["seconds"], whole["outputs_per_second"]) == (8.0, 1.0)
    assert whole["matrix_share"] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("kernel", "kind"),
    [
        ("nvjet_tst_256x128_64x4_2x1_v_bz_coopB_TNN", "matrix product"),
        ("void pytorch_flash::flash_fwd_kernel<...>", "attention"),
        ("cudnn_generated_fort_native_sdpa_sm90_flash_fprop", "attention"),
        ("sm90_xmma_fprop_implicit_gemm_bf16bf16_nhwc", "convolution"),
        ("triton_poi_fused_add_mul_3", "compiled"),
        ("Memcpy DtoH (Device -> Pinned)", "copy"),
        ("void at::native::vectorized_elementwise_kernel<8>", "other"),
    ],
)
def test_kernels_are_told_by_their_names(kernel: str, kind: str) -> None:
    assert generation_gpu.kind_of(kernel) == kind
