"""Options of engines: what means nothing beside the engine asked for is refused, before torch is imported."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bench.cli import main

GENERATE = ["generate", "--suite", "first-look", "--models", "atelier-west", "--languages", "zh"]
JUDGE = ["probe", "no-run", "--judge", "owner/judge"]
ANSWERS = ["generate", "--suite", "painting-understanding", "--models", "m", "--languages", "zh"]
SERVED = ["--engine", "openai", "--base-url", "http://127.0.0.1:9/v1"]

WRONG = [
    (
        [*GENERATE, "--out", "r", "--engine", "slurm", "--devices", "0"],
        "--devices is for this host's",
    ),
    ([*GENERATE, "--out", "r", "--engine", "slurm", "--address", "a:1"], "are for --engine ray"),
    ([*GENERATE, "--out", "r", "--gpus-per-worker", "2"], "are for --engine ray"),
    ([*GENERATE, "--out", "r", "--devices", "cpu", "--workers", "2"], "leave out --workers"),
    ([*JUDGE, "--engine", "slurm", "--address", "a:1"], "are for --engine ray"),
    (["probe", "no-run", "--devices", "0", "--engine", "ray"], "--devices is for this host's"),
]
IDLE = [
    ["--address", "a:1"],
    ["--gpus-per-worker", "0"],
    ["--allow-mixed"],
    ["--devices", "cpu,cpu"],
    ["--workers", "2"],
    ["--json"],
]
WRONG += [
    ([*command, *SERVED, *idle], f"a server has its own workers: leave out {idle[0]}")
    for command in (JUDGE, [*ANSWERS, "--out", "r", "--works", "w"])
    for idle in IDLE
]


@pytest.mark.parametrize(("command", "says"), WRONG)
def test_options_that_mean_nothing_there_are_refused(
    command: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 2
    assert says in capsys.readouterr().err


def test_torch_waits_until_the_options_are_looked_at() -> None:
    script = (
        "import json, sys\nfrom bench.cli import main\n"
        "codes = [main(command) for command in json.loads(sys.argv[1])]\n"
        "print(codes, sorted({'torch', 'transformers', 'diffusers'} & set(sys.modules)))"
    )
    commands = json.dumps([command for command, _ in WRONG])
    done = subprocess.run(
        [sys.executable, "-c", script, commands], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{[2] * len(WRONG)} []\n"
