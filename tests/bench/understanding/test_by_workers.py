"""Answers by several workers: the same answers, each once, whoever dies; and what workers refuse."""

from __future__ import annotations

import json
import re
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import manifest
from bench.cli import main
from bench.crew import slurm
from bench.crew.crafts import read_pieces
from bench.crew.driving import drive
from bench.crew.local import LocalCrew
from bench.crew.slurm import drive_by_slurm
from bench.crew.worker import Worker
from bench.errors import ConflictError, RequestError
from bench.parts import folder_of as parts_folder
from bench.parts import gather
from bench.request import Request, SlurmOptions
from bench.understanding.answering import answer
from bench.understanding.asking import Asking
from bench.understanding.by_workers import PIECES, Answers, answer_by_workers
from tests.bench.crew.crews import begun, killer, left_over, meanwhile
from tests.bench.understanding.material import suite_of_questions, works_folder
from tests.tiny_readers import make_reader

Whole = tuple[Path, Request, Asking]

TWO = partial(drive, crew_of=partial(LocalCrew, ["cpu", "cpu"]))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A run of answers by one process, and what was asked."""
    folder = tmp_path_factory.mktemp("answers")
    llava = make_reader(folder / "tiny-llava", "llava")
    suite = suite_of_questions(folder / "suite.yaml")
    request = Request(
        str(suite),
        (str(llava),),
        ("zh", "en"),
        (0, 1),
        batch_size=4,
        arguments={"temperature": 1},
    )
    asking = Asking(works_folder(folder / "works"))
    assert answer(request, asking, folder / "run").made == 28
    return folder / "run", request, asking


def answers_of(run: Path) -> dict[str, str]:
    rows = manifest.read_outputs(run)
    assert len({row["key"] for row in rows}) == len(rows)
    return {row["key"]: row["answer"] for row in rows}


def test_two_workers_give_the_answers_of_one_process(whole: Whole, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = answer_by_workers(TWO, whole[1], whole[2], run)
    assert (done.planned, done.made, done.failed) == (28, 28, 0)
    assert answers_of(run) == answers_of(whole[0])
    assert manifest.verify(run) == []
    assert left_over(run) == []
    rows = [json.loads(line) for line in (run / "speed.jsonl").read_text().splitlines()]
    assert [(row["model"], row["answers"]) for row in rows] == [("tiny-llava", 28)]
    assert done.padding > 0
    again = answer_by_workers(TWO, whole[1], whole[2], run)
    assert (again.made, again.there_before) == (0, 28)
    assert answer(whole[1], whole[2], run).there_before == 28  # and one process finds all of it


def test_a_worker_that_is_killed_changes_nothing(
    whole: Whole, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for attempt in range(3):  # on a busy machine the killer may come when all is answered
        run = tmp_path / f"run-{attempt}"
        with meanwhile(killer(run, lambda batches: len(batches) >= 2, most=1)):
            done = answer_by_workers(TWO, whole[1], whole[2], run)
        assert answers_of(run) == answers_of(whole[0])
        assert (done.made, done.failed) == (28, 0)
        assert done.tokens == sum(row["tokens"] for row in manifest.read_outputs(run))
        assert left_over(run) == []
        if "is lost (killed by SIGKILL)" in (told := capsys.readouterr().err):
            break
    assert "is lost (killed by SIGKILL)" in told


def test_a_batch_that_kills_its_workers_is_set_aside_and_all_else_is_answered(
    whole: Whole, tmp_path: Path
) -> None:
    for attempt in range(3):  # as above
        run = tmp_path / f"run-{attempt}"
        with meanwhile(killer(run, lambda batches: batches[-1:] == [2], most=9)):
            done = answer_by_workers(TWO, whole[1], whole[2], run)
        if done.failed:
            break
    assert (done.made, done.failed) == (24, 4)
    errors = {row["error"] for row in manifest.read_failures(run)}
    assert errors == {"set aside: its workers die (killed by SIGKILL)"}
    assert answer(whole[1], whole[2], run).made == 4  # run again, it is tried again
    assert answers_of(run) == answers_of(whole[0])


def test_slurm_tasks_give_the_answers_of_one_process(
    whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit", reason="submitit is an extra: pip install 'pinlu[slurm]'")
    monkeypatch.setattr(slurm, "POLLED_EVERY", 0.1)
    options = SlurmOptions(cluster="local", jobs=2, gpus=0, minutes=30)
    run = tmp_path / "run"
    killed = killer(run, lambda batches: len(batches) >= 1, most=1)
    with meanwhile(killed):
        done = answer_by_workers(partial(drive_by_slurm, options=options), whole[1], whole[2], run)
    assert (done.made, done.failed) == (28, 0)
    assert answers_of(run) == answers_of(whole[0])
    assert left_over(run) == []


def test_one_process_does_not_answer_beside_slurm_tasks(whole: Whole, tmp_path: Path) -> None:
    state = tmp_path / "run" / manifest.STATE
    state.mkdir(parents=True)
    task = {"name": "slurm-1", "job": "12_3", "model": "tiny-llava", "wanted": {0: None}}
    content = {"craft": "Answers", "request": "r", "settled": None, "tasks": [task], "deaths": {}}
    (state / "slurm.json").write_text(json.dumps(content))
    with pytest.raises(ConflictError, match="12_3"):
        answer(whole[1], whole[2], tmp_path / "run")


def test_the_command_line_takes_workers_for_answers(
    whole: Whole, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["generate", "--suite", whole[1].suite, "--models", whole[1].models[0]]
    command += ["--works", str(whole[2].works), "--languages", "zh", "--out", str(tmp_path / "run")]
    assert main([*command, "--workers", "2", "--json"]) == 0
    said = capsys.readouterr()
    assert "7 answered, 0 there before" in said.err
    last = json.loads(said.out.splitlines()[-1])
    assert (last["event"], last["done"], last["models"]["tiny-llava"]["done"]) == ("last", 7, 7)
    served = ["--engine", "openai", "--base-url", "http://127.0.0.1:9/v1", "--workers", "2"]
    assert main([*command, *served]) == 2
    assert "a server has its own workers" in capsys.readouterr().err
    assert main([*command, *served[:-2], "--json"]) == 2
    assert "a server has its own" in capsys.readouterr().err


def test_a_device_that_is_mixed_in_is_named_once(whole: Whole, tmp_path: Path) -> None:
    run = Path(shutil.copytree(whole[0], tmp_path / "run"))
    craft = Answers(whole[1], whole[2])
    with manifest.opened(run):
        craft.settle(run, allow_mixed=False)
        plan = craft.plan(run, None)
        other = {**plan.environments[0], "device": "cuda"}
        plan.mix(other)
    assert other in plan.environments  # so that who drives does not name it again
    assert manifest.read_run(run)["mixed"] == [other]


def test_a_worker_that_sees_other_pictures_is_given_nothing_more(
    whole: Whole, tmp_path: Path
) -> None:
    works = tmp_path / "works"
    shutil.copytree(whole[2].works, works)
    run = tmp_path / "run"
    craft, worker = Answers(whole[1], Asking(works)), Worker("w")
    with manifest.opened(run):
        craft.settle(run, allow_mixed=False)
        for path in works.rglob("*.png"):
            Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(path)
        worker.begin(craft, run, "")
        found = worker.work("tiny-llava", {0: None})
        assert "must lie on a file system that all share" in found["cannot_load"]
        for path in works.rglob("*.png"):
            path.unlink()
        assert "has no picture" in worker.work("tiny-llava", {1: None})["cannot_load"]
    assert answers_of(run) == {}


def test_what_is_wanted_of_a_batch_is_kept_once_and_a_torn_line_is_cut(
    whole: Whole, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    craft, worker = Answers(whole[1], whole[2]), Worker("w")
    with manifest.opened(run):
        craft.settle(run, allow_mixed=False)
        part = parts_folder(run) / "w.jsonl"
        part.parent.mkdir(parents=True)
        part.write_text('{"output": {"key": "tor')
        worker.begin(craft, run, "")
        _, pieces = read_pieces(run, PIECES)
        some = pieces[0]["jobs"][0]["key"]
        worker.work("tiny-llava", {0: [some]})
        worker.work("tiny-llava", {row["index"]: None for row in pieces})
        worker.end()
        assert begun(run, "w") == [0, *range(len(pieces))]
        gather(run)
    assert answers_of(run) == answers_of(whole[0])


def test_works_without_a_picture_and_models_that_do_not_load_fail_with_a_sentence(
    whole: Whole, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(whole[1].models[0], tmp_path / "broken"))
    (broken / "model.safetensors").write_bytes(b"torn")
    works = tmp_path / "works"
    shutil.copytree(whole[2].works, works)
    next(path for path in sorted(works.rglob("*.png"))).write_bytes(b"torn")
    request = Request(whole[1].suite, (*whole[1].models, str(broken)), ("zh",), (0,), batch_size=4)
    one = answer(request, Asking(works), tmp_path / "one")
    done = answer_by_workers(TWO, request, Asking(works), tmp_path / "run")
    assert (done.made, done.failed) == (one.made, one.failed)
    assert answers_of(tmp_path / "run") == answers_of(tmp_path / "one")
    failed = [
        {
            row["key"]: re.split(r" \(on | <_io", row["error"])[0]
            for row in manifest.read_failures(run)
        }
        for run in (tmp_path / "one", tmp_path / "run")
    ]
    assert failed[0] == failed[1]


def test_a_wrong_request_is_refused_with_the_workers_sentence(whole: Whole, tmp_path: Path) -> None:
    asking = Asking(whole[2].works, ("unknown",))
    with pytest.raises(RequestError, match="no question 'unknown'"):
        answer_by_workers(TWO, whole[1], asking, tmp_path / "run")
    assert not (tmp_path / "run").exists()
