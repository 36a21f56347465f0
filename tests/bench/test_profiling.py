from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bench import engine, pipelines
from bench.cli import main
from bench.errors import ConflictError
from bench.generate import generate
from bench.placing import compile_parts
from bench.profiling import settled_spec
from bench.tuning import Measured, Tuning, choose, store, stored
from tests.bench.test_engine import asked, loads_with


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@given(
    seconds=st.lists(st.floats(0.01, 10), min_size=2, max_size=5), outputs=st.integers(1, 10_000)
)
def test_the_tuning_chosen_is_the_soonest(seconds: list[float], outputs: int) -> None:
    options = [
        Measured(Tuning(2**number, compile=number % 2 == 1), one, 30.0 * (number % 2))
        for number, one in enumerate(seconds)
    ]
    chosen = choose(options, outputs)
    times = {option.tuning: option.seconds_for(outputs) for option in options}
    assert times[chosen] == min(times.values())


def test_compiling_is_chosen_where_there_is_work_enough() -> None:
    options = [
        Measured(Tuning(8), 1.0, 0.0),
        Measured(Tuning(8, compile=True), 0.5, 100.0),
    ]
    assert not choose(options, 64).compile
    assert choose(options, 640).compile


def test_a_profile_is_measured_kept_and_gone_by(
    cache: Path,
    tiny_checkpoint: Path,
    suite_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spec = {
        "model": "sd",
        "source": str(tiny_checkpoint),
        "width": 64,
        "height": 64,
        "arguments": {"num_inference_steps": 4},
    }
    model = tmp_path / "sd.yaml"
    model.write_text(yaml.safe_dump(spec), encoding="utf-8")
    command = ["profile", str(model), "--batch-sizes", "1,4", "--steps", "2", "--json"]
    assert main(command) == 0
    *_, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert [(row["batch_size"], row["compile"]) for row in found["rows"]] == [
        (1, False),
        (4, False),
    ]
    assert (found["steps"], found["measured_steps"]) == (4, 2)
    row = found["rows"][0]
    assert row["matrix_share"] > 0
    assert row["outputs_per_second"] > 0
    assert row["seconds_per_output"]["denoise"] > 0
    assert (cache / "pinlu" / "profiles.json").is_file()

    # what is kept decides the plan of a run that begins now, and of no other
    resolved, device = settled_spec(str(model)), pipelines.device_kind()
    assert len(stored(resolved, device)) == 2
    store(resolved, device, [Measured(Tuning(3), 0.1, 0.0), Measured(Tuning(1), 0.3, 0.0)])
    request = asked(suite_path, model, batch_size=None, arguments={"num_inference_steps": 2})
    generate(request, tmp_path / "run")
    settled = yaml.safe_load((tmp_path / "run" / "run.yaml").read_text(encoding="utf-8"))
    assert settled["models"][0]["tuning"] == {"batch_size": 3, "compile": False}
    store(resolved, device, [Measured(Tuning(5), 0.1, 0.0)])
    assert generate(request, tmp_path / "run").made == 0
    wins = asked(suite_path, model, batch_size=8, arguments={"num_inference_steps": 2})
    with pytest.raises(ConflictError, match="batches of 3"):
        generate(wins, tmp_path / "run")
    generate(wins, tmp_path / "other")
    settled = yaml.safe_load((tmp_path / "other" / "run.yaml").read_text(encoding="utf-8"))
    assert settled["models"][0]["tuning"]["batch_size"] == 8


def test_what_a_profile_is_asked_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["profile", "m", "--compile", "perhaps"])
    assert left.value.code == 2
    assert "off, on" in capsys.readouterr().err


def test_what_cannot_be_measured_is_said_in_a_sentence(
    cache: Path,
    tiny_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spec = {"model": "sd", "source": str(tiny_checkpoint), "width": 100, "height": 64}
    model = tmp_path / "sd.yaml"
    model.write_text(yaml.safe_dump(spec), encoding="utf-8")
    assert main(["profile", str(model), "--steps", "1"]) == 2
    assert "model sd: " in capsys.readouterr().err

    def wrong(_module: Any, _inputs: Any) -> None:
        raise RuntimeError("Input type (c10::Half) and bias type (float) should be the same")

    loads_with(monkeypatch, lambda pipeline: pipeline.unet.register_forward_pre_hook(wrong))
    assert main(["profile", str(tiny_checkpoint), "--steps", "1", "--batch-sizes", "1"]) == 1
    assert "cannot be measured: RuntimeError: Input type" in capsys.readouterr().err
    assert not (cache / "pinlu" / "profiles.json").exists()


def test_where_compiling_fails_what_runs_as_it_stands_is_measured_and_kept(
    cache: Path,
    tiny_checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def no_compiler(_graph: Any, _inputs: Any) -> Any:
        raise FileNotFoundError("no C compiler")

    monkeypatch.setattr(
        engine, "compile_parts", lambda pipeline: compile_parts(pipeline, backend=no_compiler)
    )
    settings = ["--batch-sizes", "1", "--steps", "1", "--json"]
    command = ["profile", str(tiny_checkpoint), *settings]
    assert main([*command, "--compile", "off,on"]) == 0
    *_, said, _kept, last = capsys.readouterr().out.splitlines()
    assert said.startswith("compiling failed: ")
    assert "no C compiler" in said
    found = json.loads(last)
    assert [row["compile"] for row in found["rows"]] == [False]
    assert found["left_out"] == said
    assert (cache / "pinlu" / "profiles.json").is_file()
    assert main([*command, "--compile", "on"]) == 1
    assert "try --compile off" in capsys.readouterr().err
