"""Slurm, by submitit's local executor: tasks are killed, run out of time, outlive who submitted them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

pytest.importorskip("submitit", reason="submitit is an extra: pip install 'pinlu[slurm]'")

from hypothesis import given
from hypothesis import strategies as st

from bench import manifest, parts
from bench.cli import main
from bench.crew import slurm, slurm_tasks
from bench.crew.pictures import Pictures
from bench.crew.scheduling import Estimate, Task
from bench.crew.slurm import drive_by_slurm
from bench.crew.slurm_cut import cut
from bench.crew.worker import Worker
from bench.errors import ConflictError, RequestError
from bench.generate import generate
from bench.request import Request, SlurmOptions
from tests.bench.crew.crews import (
    asked,
    begun,
    killer,
    left_over,
    meanwhile,
    pids_of,
    pixels_of,
    start,
    wait_for,
)
from tests.conftest import write_yaml

GONE = str(2**22 + 1)
"""The number of a process that there cannot be: Linux counts to 2^22."""
LOCAL = SlurmOptions(cluster="local", jobs=2, gpus=0, minutes=30)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "POLLED_EVERY", 0.25)


@pytest.fixture(scope="module")
def whole(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Request]:
    folder = tmp_path_factory.mktemp("whole")
    request = asked(folder, tiny_checkpoint)
    assert generate(request, folder / "run").made == 32
    return folder / "run", request


def test_a_task_that_runs_out_of_time_and_one_that_is_killed_change_nothing(
    whole: tuple[Path, Request], tmp_path: Path
) -> None:
    run, request = tmp_path / "run", whole[1]

    def chaos(stop: threading.Event) -> None:
        signals = [
            signal.SIGUSR2,
            signal.SIGKILL,
        ]  # Slurm's warning before the time is up, and worse
        struck: set[str] = set()
        while signals and not stop.wait(0.01):
            for name, pid in pids_of(run).items():
                if name not in struck and signals and begun(run, name):
                    os.kill(pid, signals.pop(0))
                    struck.add(name)

    with meanwhile(chaos):
        done = drive_by_slurm(Pictures(request), run, LOCAL)
    assert done.failed == 0
    assert pixels_of(run) == pixels_of(whole[0])
    assert manifest.verify(run) == []
    assert left_over(run) == []
    assert slurm_tasks.read(run).tasks == []
    again = drive_by_slurm(Pictures(request), run, LOCAL)
    assert (again.made, again.there_before) == (0, 32)


def test_a_batch_over_which_two_tasks_die_is_set_aside_and_the_rest_is_made(
    whole: tuple[Path, Request], tmp_path: Path
) -> None:
    request = replace(whole[1], seeds=(0,))
    for attempt in range(5):  # on a busy machine the killer may come late
        run = tmp_path / f"run-{attempt}"
        with meanwhile(killer(run, lambda batches: batches[-1:] == [1], most=9)):
            done = drive_by_slurm(Pictures(request), run, LOCAL)
        if done.failed:
            break
    assert done.failed == 3
    assert done.made == 16 - 3
    errors = {row["error"] for row in manifest.read_failures(run)}
    assert len(errors) == 1
    assert errors.pop().startswith("set aside: its tasks fail (")
    assert generate(request, run).made == 3  # run again, it is tried again
    assert pixels_of(run).items() <= pixels_of(whole[0]).items()


def test_tasks_outlive_who_submitted_them_and_are_found_again(
    whole: tuple[Path, Request], tmp_path: Path
) -> None:
    run, request = tmp_path / "run", whole[1]
    content = {"run": "r", "suite": request.suite, "models": list(request.models)}
    content |= {"languages": ["zh", "en"], "slurm": LOCAL.model_dump(mode="json")}
    path = write_yaml(tmp_path / "run.yaml", content)
    first = start(request, run, str(path), "--engine", "slurm", "--json")
    wait_for(lambda: any(begun(run, name) for name in pids_of(run)))
    tasks = [psutil.Process(pid) for pid in pids_of(run).values()]
    for task in tasks:
        task.suspend()  # so that they are at work still
    first.send_signal(signal.SIGINT)
    assert first.wait(120) == 130
    assert first.stderr is not None
    wait_for(lambda: "the Slurm tasks go on" in first.stderr.readline())
    with pytest.raises(ConflictError, match=r"may be at work on .* --engine slurm"):
        generate(request, run)
    for task in tasks:
        task.resume()
    done = drive_by_slurm(Pictures(request), run, LOCAL)
    assert done.made + done.there_before == 32
    first.communicate()
    assert pixels_of(run) == pixels_of(whole[0])
    assert manifest.verify(run) == []


def test_without_slurm_it_is_said(
    whole: tuple[Path, Request], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RequestError, match=r"--engine slurm: .*srun"):
        drive_by_slurm(Pictures(whole[1]), tmp_path / "run", SlurmOptions())
    assert not (tmp_path / "run").exists()
    command = ["generate", "--suite", "first-look", "--models", "atelier-west", "--languages", "zh"]
    assert (
        main([*command, "--engine", "slurm", "--devices", "0", "--out", str(tmp_path / "r")]) == 2
    )
    assert (
        main([*command, "--engine", "slurm", "--address", "a:1", "--out", str(tmp_path / "r")]) == 2
    )
    assert "are for --engine ray" in capsys.readouterr().err


def test_what_slurm_is_asked_stands_in_the_runs_yaml(tmp_path: Path) -> None:
    content = {"run": "r", "suite": "first-look", "models": ["atelier-west"], "languages": ["zh"]}
    path = write_yaml(tmp_path / "r.yaml", content | {"slurm": {"partition": "gpu", "hours": 4}})
    assert main(["generate", str(path), "--engine", "slurm", "--out", str(tmp_path / "out")]) == 2


def test_what_was_submitted_is_kept_as_it_was(tmp_path: Path) -> None:
    (tmp_path / manifest.STATE).mkdir()
    task = slurm_tasks.SlurmTask("slurm-1", "12_3", "m", {3: ["k"], 4: None}, ("node7",))
    submitted = slurm_tasks.Submitted("Pictures", ["m"], [task], {3: 1}, "marker")
    slurm_tasks.write(tmp_path, submitted)
    assert slurm_tasks.read(tmp_path) == submitted
    with pytest.raises(ConflictError, match="12_3"):
        slurm_tasks.refuse_under_way(tmp_path)
    (tmp_path / manifest.STATE / "parts").mkdir()
    part = tmp_path / manifest.STATE / "parts" / "slurm-1.jsonl"
    part.write_text(json.dumps({"ended": True}) + "\n")
    slurm_tasks.refuse_under_way(tmp_path)
    part.unlink()  # whoever was let in gathered it
    slurm_tasks.refuse_under_way(tmp_path)


def test_what_tasks_at_work_are_writing_is_not_cleared_away(tmp_path: Path) -> None:
    with manifest.opened(tmp_path):
        pass
    half = tmp_path / manifest.STATE / "tmp" / ".a.mp4.12.tmp"
    half.touch()
    task = slurm_tasks.SlurmTask("slurm-1", "12_3", "m", {4: None})
    slurm_tasks.write(tmp_path, slurm_tasks.Submitted("Pictures", ["m"], [task]))
    with manifest.opened(tmp_path), pytest.raises(ConflictError):
        slurm_tasks.refuse_under_way(tmp_path)
    assert half.exists()
    slurm_tasks.write(tmp_path, slurm_tasks.Submitted())
    with manifest.opened(tmp_path):
        assert not half.exists()


def test_what_another_version_submitted_is_read_for_its_tasks(tmp_path: Path) -> None:
    (tmp_path / manifest.STATE).mkdir()
    old = {"request": "Request(...)", "asked": ["m"], "tasks": [], "deaths": {}}
    file = tmp_path / manifest.STATE / "slurm.json"
    file.write_text(json.dumps(old))
    assert slurm_tasks.read(tmp_path) == slurm_tasks.Submitted()
    slurm_tasks.refuse_under_way(tmp_path)
    task = {"name": "slurm-1", "job": "12_3", "model": "m", "wanted": {"0": None}}
    file.write_text(json.dumps(old | {"tasks": [task]}))
    with pytest.raises(ConflictError, match="12_3"):
        slurm_tasks.refuse_under_way(tmp_path)


def test_a_command_broken_off_with_a_batch_entered_is_gone_on_with(
    whole: tuple[Path, Request], tmp_path: Path
) -> None:
    run, craft, worker = tmp_path / "run", Pictures(whole[1]), Worker("first")
    with manifest.opened(run):
        settled = craft.settle(run, allow_mixed=False)
        pieces = craft.plan(run, settled).pieces
        worker.begin(craft, run, "")
        worker.work(pieces[0].model, {pieces[0].index: None})
        worker.end()
        parts.gather(run)
    wanted = {piece.index: None for piece in pieces[:2]}
    task = slurm_tasks.SlurmTask("slurm-a", GONE, pieces[0].model, wanted)
    slurm_tasks.write(run, slurm_tasks.Submitted("Pictures", settled, [task]))
    done = drive_by_slurm(craft, run, LOCAL)
    made = len(pieces[0].keys)
    assert (done.there_before, done.made, done.failed) == (made, 32 - made, 0)
    assert pixels_of(run) == pixels_of(whole[0])


def test_tasks_of_other_work_are_waited_for_until_they_are_over(
    whole: tuple[Path, Request], tmp_path: Path
) -> None:
    run = Path(shutil.copytree(whole[0], tmp_path / "run"))
    task = slurm_tasks.SlurmTask("slurm-a", str(os.getpid()), "m", {0: None})
    slurm_tasks.write(run, slurm_tasks.Submitted("Probes", None, [task]))
    with pytest.raises(ConflictError, match="may be at work"):
        drive_by_slurm(Pictures(whole[1]), run, LOCAL)
    slurm_tasks.write(run, slurm_tasks.Submitted("Probes", None, [replace(task, job=GONE)]))
    assert drive_by_slurm(Pictures(whole[1]), run, LOCAL).there_before == 32
    assert slurm_tasks.read(run).tasks == []


@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    workers=st.integers(1, 6),
    known=st.booleans(),
    seconds=st.floats(10, 200),
)
def test_stretches_hold_every_batch_once_and_keep_to_the_time(
    counts: list[int], workers: int, known: bool, seconds: float
) -> None:
    models = [f"m{n}" for n, count in enumerate(counts) for _ in range(count)]
    tasks = [Task(index, model) for index, model in enumerate(models)]
    estimates = {f"m{n}": Estimate(2.0 + n if known else None, 5.0) for n in range(len(counts))}
    shares = cut(tasks, estimates, workers=workers, seconds=seconds)
    assert sorted(index for share in shares for index in share.batches) == list(range(len(tasks)))
    for share in shares:
        assert {models[index] for index in share.batches} == {share.model}
        each = estimates[share.model].seconds or 1.0
        # what goes out at once is never more than the scheduler's quantum
        assert len(share.batches) * each <= max(seconds, 20.0 + each)
