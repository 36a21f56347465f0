"""A model cut over several devices gives what one device gives; here the devices are processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from bench import children, context_parallel, engine, manifest, pipelines
from bench.errors import DeviceLostError, LoadError, RequestError, WorkError
from bench.generate import generate
from bench.reading import ROOT
from bench.records import Job, ModelSpec
from bench.request import Request
from bench.tuning import Tuning
from tests import tiny, tiny_families, tiny_video
from tests.bench.failing_rank import fail_once
from tests.conftest import write_yaml

TEXTS = ("秋江孤舟，远山如黛", "a lone boat", "月下孤松，一叶扁舟泊于芦苇之间")
JOBS = [Job(f"{n}", "p", "zh", text, "m", n) for n, text in enumerate(TEXTS)]
SMALL = {"num_inference_steps": 2, "height": 32, "width": 32, "max_sequence_length": 64}


def cut(family: str, folder: Path, count: int = 2) -> tuple[ModelSpec, dict[str, Any]]:
    families = tiny_families if family in tiny_families.FAMILIES else tiny_video
    families.save(family, folder)
    spec = ModelSpec("m", str(folder), "r", dtype={"default": "float32"}, context_parallel=count)
    return spec, {**families.FAMILIES[family][1], "num_inference_steps": 2}


def pixels(worker: engine.Engine, arguments: dict[str, Any]) -> np.ndarray:
    worker.encode(TEXTS, arguments)
    made = worker.make(JOBS, arguments, JOBS)
    return np.stack([made.pictures[job.key].on_host()[0] for job in JOBS]).astype(int)


@pytest.mark.parametrize("family", ["flux", "flux-2", "flux-2-klein", "qwen-image", "wan"])
def test_two_devices_in_step_make_what_one_makes(family: str, tmp_path: Path) -> None:
    spec, arguments = cut(family, tmp_path / "m")
    whole = engine.load(replace(spec, context_parallel=1), Tuning(3))
    expected = pixels(whole, arguments)
    whole.close()
    worker = engine.load(spec, Tuning(3))
    assert type(worker.pipeline).__name__ in context_parallel.FAMILIES
    assert worker.devices == 2
    made = pixels(worker, arguments)
    assert np.abs(made - expected).max() <= 1
    assert (made == pixels(worker, arguments)).all()
    worker.close()
    assert not torch.distributed.is_initialized()


def yaml_of(folder: Path, **more: Any) -> Path:
    folder.mkdir(exist_ok=True)
    tiny.save("flux", folder / "checkpoint")
    content = {"model": "cut", "source": "checkpoint", "context_parallel": 2, **more}
    return write_yaml(folder / "cut.yaml", content)


def asked(suite: Path, model: Path, **more: Any) -> Request:
    fields: dict[str, Any] = {"languages": ("zh",), "seeds": (0, 1), "batch_size": 2}
    return Request(
        **{"suite": str(suite), "models": (str(model),), "arguments": SMALL, **fields, **more}
    )


def test_a_run_whose_rank_is_killed_is_gone_on_with(
    suite_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, run = yaml_of(tmp_path / "cut"), tmp_path / "run"
    make, ranks = engine.Engine.make, []

    def killing(self: engine.Engine, *arguments: Any) -> engine.Made:
        if ranks:
            os.kill(ranks[0], signal.SIGKILL)
        ranks.extend(one.pid for one in self._ranks._processes.values())
        return make(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(engine.Engine, "make", killing)
        with pytest.raises(DeviceLostError, match=r"cut over 2 devices.*rank 1: killed by SIGKILL"):
            generate(asked(suite_path, model), run)
    done = generate(asked(suite_path, model), run)
    assert (done.failed, done.there_before + done.made) == (0, 8)
    keys = {row["key"] for row in manifest.read_outputs(run)}
    assert len(keys) == 8
    assert {row["devices"] for row in manifest.read_outputs(run)} == {2}
    content = yaml.safe_load((run / "run.yaml").read_text(encoding="utf-8"))
    assert content["models"][0]["context_parallel"] == 2
    plain = asked(suite_path, yaml_of(tmp_path / "plain", context_parallel=1))
    generate(plain, tmp_path / "one")
    others = {row["key"] for row in manifest.read_outputs(tmp_path / "one")}
    assert not keys & others  # the last bits may differ


def test_what_goes_wrong_on_all_devices_leaves_them_in_step(tmp_path: Path) -> None:
    spec, arguments = cut("flux", tmp_path / "m")
    worker = engine.load(spec, Tuning(3))
    before = pixels(worker, arguments)
    with pytest.raises(WorkError, match="out of memory with a single output"):
        worker.make(JOBS, {**arguments, "height": 2**20, "width": 2**20}, JOBS)
    with pytest.raises(ValueError, match="max_sequence_length"):
        worker.make(JOBS, {**arguments, "max_sequence_length": 4096}, JOBS)
    assert (pixels(worker, arguments) == before).all()
    worker.close()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ValueError("something of this process alone"), "no answer in 2.0 s"),
        (torch.OutOfMemoryError("no memory here"), "memory ran out on it alone"),
        (torch.AcceleratorError("CUDA error: out of memory"), "memory ran out on it alone"),
    ],
)
def test_one_that_fails_alone_is_lost(
    error: Exception, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context_parallel, "PATIENCE", 2.0)
    spec, arguments = cut("flux", tmp_path / "m")
    worker = engine.load(spec, Tuning(3))
    worker.encode(TEXTS, arguments)

    def failing(*_: Any) -> None:
        raise error

    worker.pipeline.transformer.register_forward_pre_hook(failing)
    with pytest.raises(DeviceLostError, match=f"one of them is lost .*{sentence}"):
        worker.make(JOBS, arguments, JOBS)
    worker.close()


START = children.start


def start_failing(how: str) -> Callable[..., Any]:
    """Return what starts further ranks that fail once, as `tests.bench.failing_rank` knows how."""

    def start(_: str, arguments: Any, log: Path, environment: Mapping[str, str]) -> Any:
        more = {"FAILING_RANK": how, "PYTHONPATH": str(ROOT)}
        return START("tests.bench.failing_rank", arguments, log, {**environment, **more})

    return start


def test_a_device_that_is_lost_on_a_further_rank_ends_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context_parallel, "PATIENCE", 2.0)
    monkeypatch.setattr(children, "start", start_failing("device"))
    spec, arguments = cut("flux", tmp_path / "m")
    worker = engine.load(spec, Tuning(3))
    worker.encode(TEXTS, arguments)
    fail_once(worker.pipeline, ValueError("and here something of its own"))
    with pytest.raises(DeviceLostError, match=r"one of them is lost .*an illegal memory access"):
        worker.make(JOBS, arguments, JOBS)
    worker.close()


def test_memory_that_gives_out_on_all_loses_no_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "start", start_failing("memory"))
    spec, arguments = cut("flux", tmp_path / "m")
    worker = engine.load(spec, Tuning(3))
    worker.encode(TEXTS, arguments)
    fail_once(worker.pipeline, torch.AcceleratorError("CUDA error: out of memory"))
    made = worker.make(JOBS, arguments, JOBS)
    assert (made.size, sorted(made.pictures)) == (2, ["0", "1", "2"])
    worker.close()


def test_what_goes_wrong_at_another_place_on_each_leaves_them_in_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, arguments = cut("flux", tmp_path / "m")
    with monkeypatch.context() as patched:
        patched.setattr(children, "start", start_failing("exchange"))
        worker = engine.load(spec, Tuning(3))
    worker.encode(TEXTS, arguments)
    fail_once(worker.pipeline, ValueError("wrong here, with no exchange begun"))
    assert worker._ranks is not None
    late = threading.Timer(
        120, worker._ranks._processes[1].kill
    )  # or the first waits for half an hour
    late.start()
    with pytest.raises(ValueError, match="with no exchange begun"):
        worker.make(JOBS, arguments, JOBS)
    after = pixels(worker, arguments)
    late.cancel()
    worker.close()
    never_failed = engine.load(spec, Tuning(3))
    assert (after == pixels(never_failed, arguments)).all()
    never_failed.close()


def test_a_rank_that_ends_between_two_steps_is_missed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context_parallel, "PATIENCE", 0.1)
    monkeypatch.setattr(context_parallel.children, "FAREWELL", 0.1)
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    worker = engine.load(cut("flux", tmp_path / "m")[0], Tuning(3))
    ranks = worker._ranks
    assert ranks is not None
    ranks._processes[1].kill()
    ranks._processes[1].wait()
    with ranks._news:
        assert ranks._news.wait_for(lambda: ranks._gone, timeout=30)
    with pytest.raises(DeviceLostError, match="rank 1: killed by SIGKILL"), ranks.doing("encode"):
        pytest.fail("nothing is begun without it")
    worker.close()
    time.sleep(1)
    assert ended == []  # who waits for nobody is not ended, however late


BEGIN = """
from tests.bench.test_context_parallel import *
if __name__ == "__main__":
    context_parallel.PATIENCE = 1.0
    if sys.argv[2] == "in the new group":
        children.start = start_failing("stuck")
    spec, arguments = cut("flux", Path(sys.argv[1]))
    worker = engine.load(spec, Tuning(3))
    worker.encode(TEXTS, arguments)
"""
WAITS = {
    "in the step": """
    with worker._ranks.doing("follow", JOBS, arguments | {"height": -1}, True):
        time.sleep(600)  # as one waits whom nothing wakes
""",
    "in the new group": """
    fail_once(worker.pipeline, ValueError("here too"))
    worker.make(JOBS, arguments, JOBS)
""",
}


@pytest.mark.parametrize("where", list(WAITS))
def test_who_waits_for_one_that_comes_no_more_ends(where: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + WAITS[where], str(tmp_path / "m"), where],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert "stopped: model m is cut over 2 devices, and one of them is lost" in done.stderr
    assert ("here too, and no new group in 1.0 s" in done.stderr) == (where != "in the step")


def test_a_worker_with_too_few_devices_leaves_the_model_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, _ = cut("flux", tmp_path / "m", 3)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(LoadError, match=r"over 3 devices .* 2 here: --devices 0"):
        engine.load(spec, Tuning(3))


def test_a_checkpoint_that_does_not_load_is_said_once(tmp_path: Path) -> None:
    spec, _ = cut("flux", tmp_path / "m")
    (tmp_path / "m" / "transformer" / "config.json").unlink()
    with pytest.raises(WorkError, match="model m does not load"):
        engine.load(spec, Tuning(3))


@pytest.mark.parametrize(
    ("family", "more", "sentence"),
    [
        ("pixart", {}, "PixArtSigmaPipeline is not known to work with context_parallel"),
        ("flux", {"context_parallel": 5}, "context_parallel 5 does not divide the . heads"),
        ("flux", {"device_map": "auto"}, "context_parallel and device_map do not go together"),
        ("flux", {"speedups": {"weights": "fp8"}}, "context_parallel and speedups do not go"),
    ],
)
def test_what_does_not_go_together_is_refused(
    family: str, more: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    tiny.save(family, tmp_path / "checkpoint")
    content = {"model": "cut", "source": "checkpoint", "context_parallel": 2, **more}
    path = write_yaml(tmp_path / "cut.yaml", content)
    with pytest.raises(RequestError, match=sentence):
        pipelines.check_spec(str(path))
