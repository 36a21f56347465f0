"""Judges by several workers: the replies of one process, each once, whoever is killed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench import manifest
from bench.cli import main
from bench.crew import slurm
from bench.crew.crafts import read_pieces, write_pieces
from bench.crew.driving import drive
from bench.crew.local import LocalCrew
from bench.crew.slurm import drive_by_slurm
from bench.crew.worker import Worker
from bench.errors import ConflictError, WorkError
from bench.files import read_rows
from bench.judging.by_workers import PIECES, Judgements, judge_by_workers
from bench.judging.names import REPLIES, REPORT, TABLE, read_report
from bench.judging.run import judge
from bench.judging.seats import Judging
from bench.request import SlurmOptions
from tests.bench.crew.crews import killer, left_over, meanwhile
from tests.bench.judging.material import judged_run, rubric_file
from tests.tiny_readers import make_reader

TWO = partial(drive, crew_of=partial(LocalCrew, ["cpu", "cpu"]))

Made = tuple[Path, Path, Judging]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A run that nobody has judged, the same run judged by one process, and by whom."""
    folder = tmp_path_factory.mktemp("judged")
    run = judged_run(folder / "made")
    rows = list(read_rows(run / "metadata.jsonl"))
    (run / rows[3]["file_name"]).unlink()
    reader = make_reader(folder / "tiny-llava", "llava")
    asked = Judging(
        str(reader), str(rubric_file(folder)), arguments={"longest": 6}, pairs=2, batch_size=3
    )
    whole = Path(shutil.copytree(run, folder / "whole"))
    assert judge(whole, asked).made == 11 + 4
    return run, whole, asked


def fresh(made: Made, place: Path) -> Path:
    return Path(shutil.copytree(made[0], place))


def replies_of(run: Path) -> dict[str, Any]:
    rows = list(read_rows(run / REPLIES))
    assert len({row["key"] for row in rows}) == len(rows)
    return {row["key"]: {**row, "seconds": None} for row in rows}


def same_judgements(run: Path, whole: Path) -> None:
    assert replies_of(run) == replies_of(whole)
    order = ["kind", "output", "against_output", "criterion"]
    tables = [pd.read_parquet(one / TABLE).sort_values(order) for one in (run, whole)]
    pd.testing.assert_frame_equal(*(one.reset_index(drop=True) for one in tables))
    reports = [json.loads((one / REPORT).read_text(encoding="utf-8")) for one in (run, whole)]
    assert reports[0] == reports[1]


def test_two_workers_give_the_replies_of_one_process(made: Made, tmp_path: Path) -> None:
    run = fresh(made, tmp_path / "run")
    done = judge_by_workers(TWO, run, made[2])
    assert (done.planned, done.made, done.failed, done.unread) == (15, 15, 0, 15)
    assert len(done.faults) == 1
    assert sum(done.flags.values()) >= 15
    same_judgements(run, made[1])
    assert left_over(run) == []
    again = judge_by_workers(TWO, run, made[2])
    assert (again.made, again.there_before) == (0, 15)
    assert judge(run, made[2]).there_before == 15
    same_judgements(run, made[1])
    other = rubric_file(tmp_path, version=2)
    with pytest.raises(ConflictError, match="has judged"):
        judge_by_workers(TWO, run, Judging(made[2].model, str(other), arguments={"longest": 6}))


def test_a_worker_that_is_killed_changes_nothing(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for attempt in range(3):  # on a busy machine the killer may come when all is judged
        run = fresh(made, tmp_path / f"run-{attempt}")
        capsys.readouterr()
        with meanwhile(killer(run, lambda batches: len(batches) >= 1, most=1)):
            done = judge_by_workers(TWO, run, made[2])
        assert (done.made, done.failed) == (15, 0)
        same_judgements(run, made[1])
        if "is lost (killed by SIGKILL)" in (told := capsys.readouterr().err):
            break
    assert "is lost (killed by SIGKILL)" in told


def test_a_batch_that_kills_its_workers_is_said_and_asked_again_by_the_next_call(
    made: Made, tmp_path: Path
) -> None:
    for attempt in range(3):  # as above
        run = fresh(made, tmp_path / f"run-{attempt}")
        with meanwhile(killer(run, lambda batches: batches[-1:] == [1], most=9)):
            done = judge_by_workers(TWO, run, made[2])
        if done.failed:
            break
    assert (done.made, done.failed) == (12, 3)
    said = "not judged, 3 of 15: set aside: its workers die (killed by SIGKILL)"
    assert said in done.faults
    assert manifest.read_failures(run) == []
    assert judge(run, made[2]).made == 3
    same_judgements(run, made[1])


def test_what_a_dead_driver_left_in_parts_is_taken_over_by_another_engine(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit", reason="submitit is an extra: pip install 'pinlu[slurm]'")
    monkeypatch.setattr(slurm, "POLLED_EVERY", 0.1)
    run = fresh(made, tmp_path / "run")
    craft, worker = Judgements(made[2]), Worker("w")
    with manifest.opened(run):
        craft.settle(run, allow_mixed=False)
        _, pieces = read_pieces(run, PIECES)
        worker.begin(craft, run, "")
        found = worker.work("tiny-llava", {0: [pieces[0]["jobs"][1]["key"]], 1: None})
        assert found == {"loaded": found["loaded"], "cut": 0}
    options = SlurmOptions(cluster="local", jobs=2, gpus=0, minutes=30)
    done = judge_by_workers(partial(drive_by_slurm, options=options), run, made[2])
    assert (done.there_before, done.made) == (4, 11)
    same_judgements(run, made[1])
    assert left_over(run) == []


def test_pieces_that_an_earlier_version_cut_are_read(made: Made, tmp_path: Path) -> None:
    run, craft = fresh(made, tmp_path / "run"), Judgements(made[2])
    with manifest.opened(run):
        craft.settle(run, allow_mixed=False)
        about, pieces = read_pieces(run, PIECES)
        (first,) = about.pop("environments")
        write_pieces(run, PIECES, {**about, "environment": first}, pieces)
        assert craft.plan(run, None).environments == [first]
        assert Worker("w").begin(craft, run, "") == first


def test_a_worker_that_lacks_a_picture_or_has_another_rubric_leaves_it_to_others(
    made: Made, tmp_path: Path
) -> None:
    run = fresh(made, tmp_path / "run")
    rubric = Path(shutil.copy(made[2].rubric, tmp_path / "rubric.yaml"))
    craft, worker = Judgements(replace(made[2], rubric=str(rubric))), Worker("w")
    with manifest.opened(run):
        craft.settle(run, allow_mixed=False)
        worker.begin(craft, run, "")
        rows = list(read_rows(run / "metadata.jsonl"))
        for row in rows:
            (run / row["file_name"]).unlink(missing_ok=True)
        assert "missing: " in worker.work("tiny-llava", {0: None})["cannot_load"]
        worker.end()
        rubric.write_bytes(rubric_file(tmp_path, version=2).read_bytes())
        with pytest.raises(WorkError, match="is another rubric than was asked for"):
            Worker("late").begin(craft, run, "")


def test_devices_that_are_mixed_in_are_named_in_the_report_and_want_leave(
    made: Made, tmp_path: Path
) -> None:
    run, craft = fresh(made, tmp_path / "run"), Judgements(made[2])
    with manifest.opened(run):
        craft.settle(run, allow_mixed=False)
        plan = craft.plan(run, None)
        first = plan.environments[0]
        plan.mix(other := {**first, "device": "cuda (another)"})
        assert plan.environments == [first, other]
    entry = read_report(run)["judges"]["tiny-llava"]
    assert (entry["environment"], entry["mixed"]) == (first, [other])
    report = read_report(run)
    report["judges"]["tiny-llava"] |= {"environment": other, "mixed": []}
    (run / REPORT).write_text(json.dumps(report), encoding="utf-8")
    with pytest.raises(ConflictError, match=r"has judged .* on another device or under other"):
        judge(run, made[2])
    with manifest.opened(run), pytest.raises(ConflictError, match="on another device"):
        craft.settle(run, allow_mixed=False)
    assert judge(run, made[2], allow_mixed=True).made == 15
    entry = read_report(run)["judges"]["tiny-llava"]
    assert (entry["environment"], entry["mixed"]) == (other, [first])
    assert judge(run, made[2]).there_before == 15


def test_the_command_line_takes_workers_for_judges(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = fresh(made, tmp_path / "run")
    command = ["probe", str(run), "--judge", made[2].model, "--rubric", made[2].rubric]
    command += ["--set", "longest=6", "--pairs", "2", "--batch-size", "3"]
    assert main([*command, "--devices", "cpu,cpu", "--json"]) == 1  # a file is lost
    said = capsys.readouterr()
    last = json.loads(said.out.splitlines()[-1])
    assert (last["event"], last["done"]) == ("last", 15)
    assert "15 replies, 0 there before" in said.err
    same_judgements(run, made[1])
    served = ["--engine", "openai", "--base-url", "http://127.0.0.1:9/v1", "--workers", "2"]
    assert main([*command, *served]) == 2
    assert "a server has its own workers: leave out --workers" in capsys.readouterr().err
    assert main([*command, "--threads", "2"]) == 2
