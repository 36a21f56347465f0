"""docs/scores.md names every metric that the code can write, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leaderboard.scoring import score
from tests.leaderboard.simulation import World

ROOT = Path(__file__).parents[2]
COMPUTED = {"alpha", "ac2", "percent_agreement", "within_one"}
"""Metrics that code takes from a list of names."""


def _documented() -> set[str]:
    text = (ROOT / "docs" / "scores.md").read_text(encoding="utf-8")
    found: set[str] = set()
    for line in text.partition("## Do the raters agree?")[2].splitlines():
        if line.startswith("| `"):
            found |= set(re.findall(r"`(\w+)`", line.split("|")[1]))
    return found


def _code() -> str:
    files = [*(ROOT / "leaderboard").glob("*.py"), *(ROOT / "bench").rglob("*.py")]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def test_every_metric_that_is_named_in_code_stands_there() -> None:
    named = set(re.findall(r'metric="(\w+)"', _code())) | COMPUTED
    assert named - _documented() == set()


@pytest.mark.parametrize("name", sorted(_documented()))
def test_every_metric_that_stands_there_is_named_in_code(name: str) -> None:
    code = _code()
    base = name.removesuffix("_p")
    assert f'"{name}"' in code or (base != name and f'"{base}"' in code)


def test_what_a_study_gives_stands_there() -> None:
    tables = World(scenes=6, raters=4).tables(0)
    again = tables["ratings"].head(20).assign(occasion=1)
    tables["ratings"] = pd.concat([tables["ratings"], again], ignore_index=True)
    found = {s.metric for s in score(tables, rng=np.random.default_rng(0), resamples=50)}
    assert len(found) > 40
    assert found - _documented() == set()
