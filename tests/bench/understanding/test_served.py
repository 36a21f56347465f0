"""Answers from a server of our own on localhost, with every fault that servers have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import manifest
from bench.cli import main
from bench.errors import RequestError
from bench.request import Request
from bench.understanding.answering import answer
from bench.understanding.asking import Asking
from bench.understanding.served import KEY_VARIABLE, Server
from tests.bench.serving_model import Model, serving, text_of
from tests.bench.understanding.material import suite_of_questions, works_folder


@pytest.fixture
def model() -> Iterator[Model]:
    with serving() as served:
        yield served


@pytest.fixture
def suite(tmp_path: Path) -> str:
    return str(suite_of_questions(tmp_path / "suite.yaml"))


@pytest.fixture
def works(tmp_path: Path) -> Path:
    return works_folder(tmp_path / "works")


def asking(works: Path, model: Model, **more: Any) -> Asking:
    patient = {"concurrency": 4, "timeout": 60.0, "tries": 5, "pause": 0.01} | more
    return Asking(works, server=Server(model.url, **patient), price=(1.0, 10.0))


def request(suite: str, **more: Any) -> Request:
    return Request(suite, ("owner/big-model",), ("zh", "en"), (0,), **more)


def test_the_same_work_goes_to_a_server(
    model: Model, suite: str, works: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "sk-secret")
    run = tmp_path / "run"
    done = answer(request(suite, arguments={"temperature": 0.5}), asking(works, model), run)
    assert (done.planned, done.made, done.failed) == (14, 14, 0)
    assert manifest.verify(run) == []
    assert model.most_at_once <= 4
    (first, *_) = model.asked
    assert (first["model"], first["temperature"], first["seed"]) == ("owner/big-model", 0.5, 0)
    assert first["messages"][0]["content"][0]["image_url"]["url"].startswith(
        "data:image/png;base64,"
    )
    assert {headers["Authorization"] for headers in model.headers} == {"Bearer sk-secret"}
    # a thousand tokens in at 1, ten out at 10, a million each
    assert done.cost == pytest.approx(14 * (100 * 1.0 + 10 * 10.0) / 1e6)
    rows = manifest.read_outputs(run)
    assert {(row["tokens"], row["asked_tokens"], row["device"]) for row in rows} == {
        (10, 100, "server")
    }
    kept = "".join(file.read_text() for file in run.rglob("*") if file.is_file())
    assert "sk-secret" not in kept
    again = answer(request(suite, arguments={"temperature": 0.5}), asking(works, model), run)
    assert (again.made, again.there_before, len(model.asked)) == (0, 14, 14)


@pytest.mark.parametrize(
    "fault", ["slow", "cut", "429", "500", "503", "no json", "no choice", "another", "other model"]
)
def test_what_may_pass_is_asked_again(
    model: Model, suite: str, works: Path, tmp_path: Path, fault: str
) -> None:
    model.faults = [fault] * 3
    slow = fault == "slow"
    patient = asking(works, model, timeout=3.0 if slow else 60.0)
    done = answer(request(suite), patient, tmp_path / "run")
    assert (done.made, done.failed) == (14, 0)
    # on a busy machine an answer may be slow by itself
    assert len(model.asked) >= 17 if slow else len(model.asked) == 17
    rows = manifest.read_outputs(tmp_path / "run")
    for row in rows:
        assert row["answer"] == f"I see it: {row['text'][:20]}"


@pytest.mark.parametrize(
    "fault",
    [
        ("400", 1, "refuses the request with status 400: .*sees no pictures"),
        ("500", 2, r"status 500 \(2 tries\)"),
        ("cut", 2, r"the connection failed: .* \(2 tries\)"),
        ("no json", 2, r"the reply is no JSON \(2 tries\)"),
        ("another", 2, r"the reply was to another request \(2 tries\)"),
        ("other model", 2, "the reply is of model 'somebody-else'"),
    ],
)
def test_what_does_not_pass_fails_job_by_job_and_is_tried_anew_by_the_next_run(
    model: Model, suite: str, tmp_path: Path, fault: tuple[str, int, str]
) -> None:
    works = works_folder(tmp_path / "works")
    model.always, tries, says = fault
    run = tmp_path / "run"
    done = answer(request(suite), asking(works, model, tries=2), run)
    assert (done.made, done.failed, len(model.asked)) == (0, 14, 14 * tries)
    failures = manifest.read_failures(run)
    assert len(failures) == 14
    assert all(re.search(says, row["error"]) for row in failures)
    model.always = ""
    done = answer(request(suite), asking(works, model), run)
    assert (done.made, done.failed, manifest.read_failures(run)) == (14, 0, [])


def test_a_cut_and_an_empty_answer_are_kept_and_flagged(
    model: Model, suite: str, works: Path, tmp_path: Path
) -> None:
    model.faults = ["length", "empty"]
    done = answer(request(suite), asking(works, model, concurrency=1), tmp_path / "run")
    assert done.made == 14
    flags = Counter(
        flag for row in manifest.read_outputs(tmp_path / "run") for flag in row["flags"]
    )
    assert (flags["cut"], flags["empty"]) == (1, 1)


def test_answers_that_are_none_are_kept_flagged_and_counted(
    model: Model, suite: str, works: Path, tmp_path: Path
) -> None:
    run_on = "云山雾水，" * 200
    script = "<script>alert(1)</script> <b>mist</b> lies over the water and the pines stand below"
    model.says = lambda asked: {
        "画了什么？": "これはとても美しい浮世絵で、海の波が描かれています。",
        "怎样印成？": run_on,
        "How was it printed?": script,
    }.get(text_of(asked), "")
    run = tmp_path / "run"
    done = answer(request(suite), asking(works, model), run)
    assert (done.made, done.failed) == (14, 0)
    rows = {(row["prompt"], row["language"]): row for row in manifest.read_outputs(run)}
    assert rows["a-print/printing", "zh"]["flags"] == ["runs on"]
    assert rows["a-print/printing", "zh"]["answer"] == run_on
    assert rows["early-spring/depicted", "zh"]["flags"] == ["wrong language"]
    assert rows["early-spring/tradition", "en"]["flags"] == ["empty"]
    # markup is text like any other
    assert rows["a-print/printing", "en"]["answer"] == script
    assert rows["a-print/printing", "en"]["flags"] == []
    assert done.flags == {"runs on": 1, "wrong language": 3, "empty": 9}
    assert manifest.verify(run) == []


def test_half_a_sign_in_an_answer_is_no_end_of_the_run(
    model: Model, suite: str, works: Path, tmp_path: Path
) -> None:
    model.says = lambda _: "mist \ud83d over water"
    done = answer(request(suite), asking(works, model), tmp_path / "run")
    assert (done.made, done.failed) == (14, 0)
    assert manifest.read_outputs(tmp_path / "run")[0]["answer"] == "mist ? over water"
    assert manifest.verify(tmp_path / "run") == []


def test_nobody_at_the_address(works: Path, suite: str, tmp_path: Path) -> None:
    server = Server("http://127.0.0.1:9", tries=2, pause=0.01)
    done = answer(request(suite), Asking(works, ("tradition",), server), tmp_path / "run")
    assert (done.made, done.failed) == (0, 6)
    assert "the connection failed" in manifest.read_failures(tmp_path / "run")[0]["error"]


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(RequestError, match="write http://HOST:PORT/v1"):
        Server("localhost:8000")


def test_the_command_line_reaches_the_server(
    model: Model, suite: str, works: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "generate", "--suite", suite, "--models", "big", "--languages", "en", "--works", str(works),
        "--engine", "openai", "--base-url", model.url, "--price", "1,10", "--out", str(tmp_path / "r"),
    ]  # fmt: skip
    assert main(arguments) == 0
    assert "7 answered, 0 there before, 0 failed" in capsys.readouterr().out
    model.always = "400"
    assert main([*arguments[:-1], str(tmp_path / "s")]) == 1
