"""Answers by several workers: the same answers, each once, whoever dies; and what workers refuse."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench import manifest
from bench.cli import main
from bench.crew import shares
from bench.crew.local import LocalCrew
from bench.crew.shares import Outcome, by_crew, by_slurm
from bench.errors import RequestError, WorkError
from bench.parts import folder_of as parts_folder
from bench.parts import gather
from bench.request import Request, SlurmOptions
from bench.understanding.answering import answer
from bench.understanding.asking import Asking
from bench.understanding.shares import Answers, Settling, answer_by_workers
from tests.bench.crew.crews import left_over, meanwhile
from tests.bench.understanding.material import suite_of_questions, works_folder
from tests.tiny_readers import make_reader

Whole = tuple[Path, Request, Asking]

TWO = partial(by_crew, partial(LocalCrew, ["cpu", "cpu"]))


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
    done = answer_by_workers(whole[1], whole[2], run, TWO)
    assert (done.planned, done.made, done.failed) == (28, 28, 0)
    assert answers_of(run) == answers_of(whole[0])
    assert manifest.verify(run) == []
    assert left_over(run) == []
    again = answer_by_workers(whole[1], whole[2], run, TWO)
    assert (again.made, again.there_before) == (0, 28)
    assert answer(whole[1], whole[2], run).there_before == 28  # and one process finds all of it


def test_a_worker_that_is_killed_changes_nothing(
    whole: Whole, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"

    def kill_one(stop: threading.Event) -> None:
        part = run / manifest.STATE / "parts"
        while not stop.wait(0.002):
            if list(part.glob("*.jsonl")):
                for process in children():
                    os.kill(process, signal.SIGKILL)
                    return

    with meanwhile(kill_one):
        done = answer_by_workers(whole[1], whole[2], run, TWO)
    assert "is lost (killed by SIGKILL)" in capsys.readouterr().err
    assert answers_of(run) == answers_of(whole[0])
    assert (done.made, done.failed) == (28, 0)
    assert done.tokens == sum(row["tokens"] for row in manifest.read_outputs(run))
    assert left_over(run) == []


def children() -> list[int]:
    """The worker processes of this one."""
    import psutil  # noqa: PLC0415 - here alone

    own = psutil.Process().children()
    return [one.pid for one in own if "bench.crew.local" in one.cmdline()]


def test_slurm_jobs_give_the_answers_of_one_process(
    whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit", reason="submitit is an extra: pip install 'pinlu[slurm]'")
    monkeypatch.setattr(shares, "POLLED_EVERY", 0.1)
    options = SlurmOptions(cluster="local", jobs=2, gpus=0, minutes=30)
    run = tmp_path / "run"
    done = answer_by_workers(whole[1], whole[2], run, partial(by_slurm, options))
    assert (done.made, done.failed) == (28, 0)
    assert answers_of(run) == answers_of(whole[0])
    assert left_over(run) == []


def test_the_command_line_takes_workers_for_answers(
    whole: Whole, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["generate", "--suite", whole[1].suite, "--models", whole[1].models[0]]
    command += ["--works", str(whole[2].works), "--languages", "zh", "--out", str(tmp_path / "run")]
    assert main([*command, "--workers", "2"]) == 0
    assert "7 answered, 0 there before" in capsys.readouterr().out
    served = ["--engine", "openai", "--base-url", "http://127.0.0.1:9/v1", "--workers", "2"]
    assert main([*command, *served]) == 2
    assert "a server has its own workers" in capsys.readouterr().err
    assert main([*command, "--json"]) == 2
    assert "leave it out for answers" in capsys.readouterr().err


def test_a_worker_that_sees_other_pictures_is_refused_and_nothing_is_left_out_in_silence(
    whole: Whole, tmp_path: Path
) -> None:
    works = tmp_path / "works"
    shutil.copytree(whole[2].works, works)
    run = tmp_path / "run"
    with manifest.opened(run):
        settled = Settling(whole[1], Asking(works), run, allow_mixed=False).work("w")
        (model,) = settled["models"]
        next(path for path in sorted(works.rglob("*.png"))).unlink()
        with pytest.raises(WorkError, match=r"does not see in .* the pictures"):
            Answers(whole[1], Asking(works), run, model, (1, 2)).work("w")


def test_a_torn_line_of_a_dead_worker_is_cut(whole: Whole, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with manifest.opened(run):
        settled = Settling(whole[1], whole[2], run, allow_mixed=False).work("w")
        part = parts_folder(run) / "w.jsonl"
        part.parent.mkdir(parents=True)
        part.write_text('{"output": {"key": "tor')
        Answers(whole[1], whole[2], run, settled["models"][0], (0, 1)).work("w")
        gather(run)
    assert answers_of(run) == answers_of(whole[0])


def test_a_wrong_request_is_refused_with_the_workers_sentence(whole: Whole, tmp_path: Path) -> None:
    asking = Asking(whole[2].works, ("unknown",))
    with pytest.raises(RequestError, match="no question 'unknown'"):
        answer_by_workers(whole[1], asking, tmp_path / "run", TWO)


@dataclass(frozen=True)
class Dying:
    """A share whose worker dies, and one that does not."""

    dies: bool

    title: str = "dying"

    def work(self, worker: str) -> dict[str, Any]:
        if self.dies:
            os._exit(9)
        return {"by": worker}


@dataclass(frozen=True)
class Failing:
    """A share that says what is wrong."""

    title: str = "failing"

    def work(self, worker: str) -> dict[str, Any]:
        raise WorkError(f"{worker} has no such thing")


def test_a_share_that_kills_its_workers_is_set_aside_and_the_rest_is_done(tmp_path: Path) -> None:
    with manifest.opened(tmp_path) as token, TWO(tmp_path, token) as hands:
        assert hands.places == 2
        done = hands.do([Dying(dies=True), Dying(dies=False), Failing()])
    assert done[0].error.startswith("set aside: its workers die")
    assert done[1].found["by"]
    assert done[2].error.endswith("has no such thing")


def test_what_fails_on_one_host_is_done_on_another() -> None:
    todo = shares._Todo([Failing(), Failing()])
    first = todo.next("bad")
    assert first == 0
    todo.ended(first, "bad", Outcome({}, "no room"))
    assert [todo.next("bad"), todo.next("bad")] == [1, None]  # what failed here is left to others
    assert todo.next("good") == 0
    todo.ended(0, "good", Outcome({"made": 1}))
    todo.ended(1, "bad", Outcome({}, "no room"))
    todo.give_up({"bad", "good"})  # the good host has not tried it
    assert todo.left()
    todo.give_up({"bad"})
    assert [todo.outcomes[n].error for n in (0, 1)] == ["", "no room"]


def test_workers_that_do_not_see_the_folder_are_sent_away(tmp_path: Path) -> None:
    with manifest.opened(tmp_path), TWO(tmp_path, "another's token") as hands:
        hands.token = "ours"  # type: ignore[attr-defined] # noqa: S105 - not what the marker says
        with pytest.raises(WorkError, match="must lie on a file system that all share"):
            hands.do([Dying(dies=False)])
