"""The command line: help for everything, one sentence for errors, exit statuses."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.cli import COMMANDS, main, parser
from tests.conftest import write_yaml


def leaves(whole: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    below = [action for action in whole._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield whole
    for action in below:
        for child in action.choices.values():
            yield from leaves(child)


def test_every_command_is_there_has_help_and_a_function() -> None:
    named = {leaf.get_default("command"): leaf for leaf in leaves(parser())}
    assert set(named) == set(COMMANDS)
    for name, leaf in named.items():
        assert leaf.description, name
        options = [action for action in leaf._actions if action.option_strings]
        assert all(action.help for action in options), name


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["generate"], "wants a run's YAML, or --suite"),
        (["generate", "--suite", "first-look", "--models", "m"], "--languages"),
        (["generate", "nowhere.yaml"], "no run named 'nowhere.yaml'"),
        (
            ["generate", "--suite", "first-look", "--models", "no-model", "--languages", "zh"],
            "wants --out",
        ),
        (
            ["generate", "--suite", "x", "--models", "m", "--languages", "zh", "--out", "o"],
            "no suite named 'x'",
        ),
        (["suites", "check", "x"], "no suite named 'x'"),
        (["models", "show", "x"], "no model named 'x'"),
        (["verify", "nowhere"], "not a run folder"),
        (["demo", "--understanding", "--serve"], "--serve and --port are for the picture demo"),
        (["demo", "--understanding", "--port", "1"], "--serve and --port are for the picture demo"),
        (["leaderboard", "scores.csv"], "wants --out, --serve or --compare"),
        (["score", "README.md", "configs"], "not both at once"),
        (["score", "README.md"], "unknown suffix"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_exit_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("pinlu: ")
    assert error.count("\n") == 1
    assert says in error


def test_set_takes_yaml_values_and_refuses_what_is_none(
    suite_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["generate", "--suite", str(suite_path), "--models", "m", "--languages", "zh"]
    assert main([*common, "--out", "o", "--set", "steps 4"]) == 2
    assert "write NAME=VALUE" in capsys.readouterr().err


def test_a_run_yaml_says_what_to_make(
    suite_path: Path, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = {
        "run": "from-yaml",
        "suite": str(suite_path),
        "models": [str(tiny_checkpoint)],
        "languages": ["zh"],
        "seeds": "0-2",
        "batch_size": 4,
        "out": str(tmp_path / "run"),
    }
    path = write_yaml(tmp_path / "run-file.yaml", content)
    assert main(["generate", str(path), "--dry-run"]) == 0
    assert "12 jobs of 1 models in 3 batches of 4" in capsys.readouterr().out
    assert main(["generate", str(path), "--seeds", "0", "--limit", "1", "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("1 jobs")
    assert not (tmp_path / "run").exists()
    wrong = write_yaml(tmp_path / "wrong.yaml", content | {"sedes": 1})
    assert main(["generate", str(wrong), "--dry-run"]) == 2
    assert "sedes: unknown key" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["suites", "export", "first-look", "--out", "/proc/nowhere"],
        ["leaderboard", "/proc/nowhere.csv", "--out", "/proc/nowhere"],
    ],
)
def test_what_cannot_be_written_or_read_is_one_sentence(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) in {1, 2}
    assert capsys.readouterr().err.count("\n") == 1


def test_a_reader_who_has_had_enough_is_no_error() -> None:
    command = [sys.executable, "-m", "bench", "suites", "show", "chinese-aesthetics"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
