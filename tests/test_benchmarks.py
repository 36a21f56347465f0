"""The benchmark of a GPU, walked through without one: what it prints, and that a failure costs one part."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks import generation_gpu
from benchmarks.generation_shapes import tiny_cases


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "XDG_CACHE_HOME", str(tmp_path / "cache"))


def walked(place: Path, seconds: float) -> dict[str, Any]:
    case = tiny_cases()["flux"]
    return generation_gpu.measured(
        "flux", case, place, time.perf_counter() + seconds, compiled=False
    )


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
    assert found["decoder"]["teraflop"] > 0
    assert found["verdict"] in {"goal", "done", "not done"}
    assert "times_the_loop" not in found
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["part"] for one in printed] == [
        "built_seconds",
        "decoder",
        "compile_seconds",
        "harness",
        "kernels",
    ]


def test_parts_that_would_begin_after_the_budget_are_left_out_and_named(tmp_path: Path) -> None:
    assert walked(tmp_path, -1) == {"built_seconds": {"left_out": "no time was left"}}


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
