"""A study that was done teaches the next plan: seconds per task, and variances."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, update

from bench.cli import main
from bench.errors import RequestError
from bench.precision import Pilot, detectable_difference
from bench.scoring import learned
from raters import tables as t
from raters.pilot import coded_ratings, observed_seconds
from raters.protocol import read_protocol
from raters.simulated import simulate
from raters.study import create, open_study
from tests.raters.material import MODELS, look, write_config

SPENT = {"attribution": 12_000, "scales": 17_000, "pair": 31_000}
"""Milliseconds per phase; the study's rubric has two scales."""


@pytest.fixture
def done(make_study: Callable[..., Path]) -> Path:
    """A pilot whose raters took `SPENT`, and one of them an hour over one look."""
    study = make_study("pilot", study="a-pilot")
    simulate(study, look=look, rng=np.random.default_rng(0), count=6)
    e = t.response_event.c
    with open_study(study) as (_, engine), t.writing(engine) as connection:
        for phase, spent in SPENT.items():
            connection.execute(
                update(t.response_event)
                .where(e.phase == phase)
                .values(shown={"milliseconds": spent})
            )
        first = connection.scalar(select(e.number).where(e.phase == "attribution"))
        hour = {"shown": {"milliseconds": 3_600_000}}
        connection.execute(update(t.response_event).where(e.number == first).values(**hour))
    return study


def test_seconds_are_means_of_looks_that_were_not_interrupted(done: Path) -> None:
    assert observed_seconds(done) == {"attribution": 12.0, "scale": 8.5, "pair": 31.0}


def test_what_too_few_were_timed_teaches_nothing(make_study: Callable[..., Path]) -> None:
    study = make_study()
    simulate(study, look=look, rng=np.random.default_rng(0), count=1)
    assert observed_seconds(study) == {}


def test_variances_are_learned_under_codes(done: Path) -> None:
    (done / "sealed" / "key.jsonl").unlink()  # which is not needed
    coded = coded_ratings(done)
    assert coded["model"].nunique() == len(MODELS)
    assert not set(coded["model"]) & set(MODELS)
    found = learned(done)
    assert found.components is not None
    assert found.components.rest > 0


def test_the_next_study_is_planned_by_what_the_pilot_took(
    done: Path, tmp_path: Path, run: Path, references: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path / "next", seconds={"pair": 25})

    def planned(out: str, pilot: Pilot | None) -> dict[str, Any]:
        return create(config, [run], references=references, out=tmp_path / out, pilot=pilot)

    guessed, taught = planned("guessed", None), planned("taught", learned(done))
    assert guessed["seconds"]["attribution"] == 15.0
    # what the config says goes before what the pilot took, and that before first guesses
    assert taught["seconds"] == {
        "attribution": 12.0, "scale": 8.5, "pair": 25.0, "detection": 8.0,
    }  # fmt: skip
    assert taught["hours_per_rater"] < guessed["hours_per_rater"]
    assert read_protocol(tmp_path / "taught").plan.seconds == taught["seconds"]
    components = learned(done).components
    expected = [
        {round(detectable_difference(scenes, 6, 2, one), 2) for scenes in range(1, 9)}
        for one in (None, components)
    ]
    assert guessed["detectable_difference"] in expected[0]
    assert taught["detectable_difference"] in expected[1]
    command = ["study", "new", str(config), "--run", str(run), "--references", str(references)]
    assert main([*command, "--pilot", str(done), "--out", str(tmp_path / "by-command")]) == 0
    told = capsys.readouterr()
    assert "attribution 12, scale 8.5, pair 31" in told.err
    assert "model × prompt" in told.err
    assert read_protocol(tmp_path / "by-command").plan.seconds == taught["seconds"]
    assert main([*command, "--pilot", str(tmp_path), "--out", str(tmp_path / "none")]) == 2
    assert not (tmp_path / "none").exists()


def test_a_folder_that_is_no_study_teaches_nothing(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="not a study folder"):
        learned(tmp_path)
