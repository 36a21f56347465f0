"""Which outputs of a run a study's rows speak of, by suite, model, prompt, language and seed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import RequestError
from leaderboard.selection import distinct

Scene = tuple[str, str]
"""Suite and scene."""

OF_OUTPUT = ["suite", "model", "prompt", "language", "seed"]
"""What names an output in both tables."""


def scene_of(suite: str, prompt: str) -> Scene:
    """Return the scene of a prompt's id, with its suite: another suite may have one of that name."""
    return suite, prompt.partition("/")[0]


def scenes_of(outputs: pd.Index) -> dict[Scene, int]:
    """Return codes from 0 of the scenes of outputs, indexed by `OF_OUTPUT`."""
    found = sorted({scene_of(key[0], key[2]) for key in outputs})
    return {scene: code for code, scene in enumerate(found)}


def codes_of(outputs: pd.Index, scenes: dict[Scene, int]) -> NDArray[np.int64]:
    """Return the code of every output's scene, (outputs,)."""
    return np.array([scenes[scene_of(key[0], key[2])] for key in outputs], dtype=np.int64)


def in_suites(rows: pd.DataFrame, outputs: pd.DataFrame) -> pd.DataFrame:
    """Return rows of raters; those that name no suite take the only one of the run.

    Raises:
        RequestError: the run has several.
    """
    suites = distinct(outputs["suite"])
    if len(suites) == 1:
        return rows.assign(suite=rows["suite"].where(rows["suite"] != "", suites[0]))
    if len(suites) > 1 and (rows["suite"] == "").any():
        raise RequestError(
            f"rows of the study name no suite, and the run has several ({', '.join(suites)}): give"
            " the table a column 'suite'"
        )
    return rows


def refuse_twice(outputs: pd.DataFrame) -> None:
    """Raise a RequestError where two outputs have one name."""
    twice = outputs.duplicated(OF_OUTPUT)
    if twice.any():
        row = outputs[twice].iloc[0]
        said = ", ".join(f"{column} {row[column]!r}" for column in OF_OUTPUT)
        raise RequestError(f"the run has two outputs of {said}: the study's could be either")
