"""Several workers on one run: whatever dies, the outputs are those of one process, each once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest
import torch

import bench
from bench import manifest
from bench.cli import main
from bench.crew import driving
from bench.crew.driving import drive
from bench.crew.local import LocalCrew
from bench.crew.pictures import Pictures
from bench.crew.trust import distrust
from bench.crew.worker import Worker, code_hash
from bench.errors import RequestError, WorkError
from bench.generate import generate
from bench.request import Request
from tests import tiny
from tests.bench.crew.crews import (
    asked,
    begun,
    fill_a_disk,
    killer,
    left_over,
    meanwhile,
    pids_of,
    pixels_of,
    start,
    wait_for,
)

TWO = partial(LocalCrew, ["cpu", "cpu"])


@pytest.fixture(scope="module")
def whole(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Request]:
    folder = tmp_path_factory.mktemp("whole")
    other = tiny.save("stable-diffusion", folder / "other-sd", seed=1)
    request = asked(folder, tiny_checkpoint, other)
    assert generate(request, folder / "run").made == 64
    return folder / "run", request


def test_workers_that_are_killed_change_nothing(
    whole: tuple[Path, Request], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for attempt in range(3):  # on a busy machine the killer may come when all is made
        run = tmp_path / f"run-{attempt}"
        capsys.readouterr()
        with meanwhile(killer(run, lambda batches: len(batches) >= 2, most=2)):
            done = drive(Pictures(whole[1]), run, TWO, as_json=True)
        assert (done.made, done.failed) == (64, 0)
        assert pixels_of(run) == pixels_of(whole[0])
        assert manifest.verify(run) == []
        assert left_over(run) == []
        printed = capsys.readouterr()
        if printed.err.count("is lost (killed by SIGKILL)") == 2:
            break
    assert {row["model"] for row in done.speed} == {"tiny-sd", "other-sd"}
    assert printed.err.count("is lost (killed by SIGKILL)") == 2
    lines = [json.loads(line) for line in printed.out.splitlines()]
    assert [line["event"] for line in lines].count("last") == 1
    assert (lines[-1]["done"], lines[-1]["deaths"], lines[-1]["models"]["tiny-sd"]["done"]) == (
        64,
        2,
        32,
    )
    assert generate(whole[1], run).made == 0  # another engine finds nothing left to do


def test_the_only_worker_is_replaced_when_it_dies(
    whole: tuple[Path, Request], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for attempt in range(3):  # on a busy machine the killer may come when all is made
        run = tmp_path / f"run-{attempt}"
        with meanwhile(killer(run, lambda batches: len(batches) >= 2, most=1)):
            done = drive(Pictures(whole[1]), run, partial(LocalCrew, ["cpu"]))
        assert (done.made, done.failed) == (64, 0)
        if "is lost (killed by SIGKILL)" in capsys.readouterr().err:
            break
    else:
        pytest.fail("nobody was killed")
    assert pixels_of(run) == pixels_of(whole[0])


def test_a_batch_that_kills_its_workers_is_set_aside_and_the_rest_is_made(
    whole: tuple[Path, Request], tmp_path: Path
) -> None:
    request = whole[1]
    for attempt in range(3):  # on a busy machine the killer may come when the batch is made
        run = tmp_path / f"run-{attempt}"
        with meanwhile(killer(run, lambda batches: batches[-1:] == [4], most=9)):
            done = drive(Pictures(request), run, TWO)
        if done.failed:
            break
    assert (done.made, done.failed) == (61, 3)
    assert {row["model"] for row in manifest.read_failures(run)} == {"tiny-sd"}
    assert (
        "set aside: its workers die (killed by SIGKILL)" in manifest.read_failures(run)[0]["error"]
    )
    assert generate(request, run).made == 3  # run again, it is tried again
    assert pixels_of(run) == pixels_of(whole[0])


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_whoever_drives_and_what_they_made_is_kept(
    how: signal.Signals, whole: tuple[Path, Request], tmp_path: Path
) -> None:
    run, request = tmp_path / "run", whole[1]
    process = start(request, run, "--workers", "2")
    wait_for(lambda: any(len(begun(run, name)) > 2 for name in pids_of(run)))
    workers = [psutil.Process(pid) for pid in pids_of(run).values()]
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    assert psutil.wait_procs(workers, timeout=20)[1] == []
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert "what was finished is kept, run again to go on" in said
        assert left_over(run) == []
        assert pixels_of(run).items() <= pixels_of(whole[0]).items()
    done = generate(request, run)
    assert done.there_before > 0  # what workers had entered in their parts was not lost
    assert pixels_of(run) == pixels_of(whole[0])
    assert manifest.verify(run) == []


def test_a_full_disk_stops_one_worker_and_a_broken_model_fails_alone(
    whole: tuple[Path, Request], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Path(shutil.copytree(whole[1].models[0], tmp_path / "broken-sd"))
    weights = broken / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    request = asked(tmp_path, broken, *map(Path, whole[1].models))
    for attempt in range(3):  # on a busy machine the disk may be full when all is made
        run = tmp_path / f"run-{attempt}"
        with meanwhile(partial(fill_a_disk, run)):
            done = drive(Pictures(request), run, TWO)
        assert (done.made, done.failed) == (64, 32)
        assert {row["model"] for row in manifest.read_failures(run)} == {"broken-sd"}
        assert "does not load" in manifest.read_failures(run)[0]["error"]
        assert pixels_of(run) == pixels_of(whole[0])
        if "cannot write into" in (told := capsys.readouterr().err):
            break
    assert "cannot write into" in told


def test_a_worker_that_hangs_is_ended_and_its_work_done_again(
    whole: tuple[Path, Request], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driving, "HUNG", 25.0)
    run, request = tmp_path / "run", whole[1]

    def hang(stop: threading.Event) -> None:
        while not stop.wait(0.005):
            for name, pid in pids_of(run).items():
                if len(begun(run, name)) >= 3:
                    os.kill(pid, signal.SIGSTOP)
                    return

    with meanwhile(hang):
        drive(Pictures(request), run, TWO)
    assert pixels_of(run) == pixels_of(whole[0])


def test_another_version_of_the_code_is_refused_and_named(
    whole: tuple[Path, Request], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Path(bench.__file__).parent
    copy = Path(shutil.copytree(package, tmp_path / "other" / "bench"))
    with (copy / "sizes.py").open("a", encoding="utf-8") as file:
        file.write("# another version\n")
    monkeypatch.setenv("PYTHONPATH", str(copy.parent))
    with pytest.raises(WorkError, match=r"another version of Pinlu's code .* on every node"):
        drive(Pictures(whole[1]), tmp_path / "run", TWO)


def test_what_a_probe_finds_wrong_is_named(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    found = Worker("w").probe(marker)
    assert found["marker"] is None
    assert found["code"] == code_hash()
    here = (tmp_path, "token", code_hash())
    assert "must lie on a file system that all share" in distrust(found, *here)
    marker.write_text("token")
    found = Worker("w").probe(marker)
    assert distrust(found, *here) == ""
    other = {**found, "versions": {**found["versions"], "torch": "2.0.0"}}
    assert f"{found['host']} has torch 2.0.0, here are" in distrust(other, *here)


def test_a_checkpoint_that_is_not_here_or_another_is_left_to_others(
    whole: tuple[Path, Request], tmp_path: Path
) -> None:
    request = replace(
        whole[1], models=(str(shutil.copytree(whole[1].models[0], tmp_path / "own-sd")),)
    )
    craft, worker, run = Pictures(request), Worker("w"), tmp_path / "run"
    with manifest.opened(run):
        craft.settle(run, allow_mixed=False)
        worker.begin(craft, run, "")
        (tmp_path / "own-sd" / "model_index.json").write_text("{}", encoding="utf-8")
        assert "holds another checkpoint" in worker.work("own-sd", {0: None})["cannot_load"]
        (tmp_path / "own-sd").rename(tmp_path / "gone")
        assert "own-sd is not there" in worker.work("own-sd", {0: None})["cannot_load"]
    assert manifest.read_outputs(run) == []


def test_wrong_requests_are_refused_by_the_worker_that_settles_and_leave_nothing(
    whole: tuple[Path, Request], tmp_path: Path
) -> None:
    request = asked(tmp_path, Path(whole[1].models[0]), languages=("fr",))
    with pytest.raises(RequestError, match="no text in 'fr'"):
        drive(Pictures(request), tmp_path / "run", partial(LocalCrew, ["cpu"]))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--devices", "0,0"], "names GPU 0 twice"),
        (["--devices", "0+1,1+2"], "names GPU 1 twice"),
        (["--devices", "0,cpu"], "mixes GPUs and cpu"),
        pytest.param(
            ["--devices", "0"],
            "no GPU here: use --workers N or --devices cpu,cpu",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
        (["--devices", "tpu"], "a GPU's number, several as in 0+1, or cpu"),
        (["--devices", "cpu", "--workers", "2"], "leave out --workers"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    options: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["generate", "--suite", "first-look", "--models", "atelier-west", "--languages", "zh"]
    assert main([*command, "--out", str(tmp_path / "run"), *options]) == 2
    assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
