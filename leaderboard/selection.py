"""What every measure does to its table first: one part per study and slice, repeats set aside."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import cast
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import RequestError
from bench.records import NOT_APPLICABLE, REFERENCE, SIMULATED, Score

SIMULATED_RATERS = "simulated raters"
"""Ends the `method` of every score that simulated raters had a part in."""


def parts(frame: pd.DataFrame, by: Sequence[str] = ()) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield (study, slice, rows): each study whole, then by each value of each column in `by`.

    References that have no value in such a column belong to every slice; other rows without one
    belong to none.

    Raises:
        RequestError: the table has no such column, or nothing in it.
    """
    for column in by:
        if column not in frame:
            raise RequestError(f"cannot slice by {column!r}: the table has no such column")
        if not has_values(frame, column):
            raise RequestError(f"cannot slice by {column!r}: no row has anything in that column")
    studies = distinct(frame["study"])
    for study in studies:
        rows = frame if len(studies) == 1 else frame[frame["study"] == study]
        yield study, "", rows
        for column in by:
            values = rows[column].astype("str")
            named = rows.get("model", values)
            anchors = (named == REFERENCE) & (values == "")
            for value in distinct(values[~anchors], without={""}):
                yield study, f"{column}={value}", rows[(values == value) | anchors]


def scenes_of_rows(rows: pd.DataFrame) -> pd.Series[str]:
    """Return the scene of each row, with its suite: another suite may have one of that name."""
    scene = rows["prompt"].str.partition("/")[0]
    return rows["suite"] + "\n" + scene if "suite" in rows else scene


def has_values(frame: pd.DataFrame, column: str) -> bool:
    """Say whether a table has a column with anything in it."""
    return column in frame and bool((frame[column].astype("str") != "").any())


def stream(rng: np.random.Generator, *names: str) -> np.random.Generator:
    """Return a generator of its own for what the names say, from the seed of another.

    What is drawn for a table, study, slice or criterion then hangs on the seed alone, and neither on
    what was drawn before nor on what else is scored: `rank` and `score` give the same numbers.
    """
    source = cast("np.random.SeedSequence", rng.bit_generator.seed_seq)
    key = [crc32(name.encode()) for name in names]
    return np.random.default_rng(
        np.random.SeedSequence(source.entropy, spawn_key=(*source.spawn_key, len(key), *key))
    )


def first_time(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are not hidden repeats."""
    first = (frame["occasion"] == 0).to_numpy()
    return frame if first.all() else frame[first]


def applicable(ratings: pd.DataFrame) -> pd.DataFrame:
    """Return the ratings that have a value: the others say "not applicable"."""
    return ratings[ratings[NOT_APPLICABLE] != "true"]


def confirmatory(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Say which rows may enter the confirmatory indices of style.

    Those of scenes and works that tell traditions apart, or of which nothing is said.
    """
    return frame["diagnosticity"].isin(["", "distinct"]).to_numpy()


def distinct(column: pd.Series, without: Collection[str] = ()) -> list[str]:
    """Return the column's different values in order, but for those in `without`."""
    return sorted(str(value) for value in column.unique() if value not in without)


def codes(column: pd.Series) -> tuple[NDArray[np.int64], list[str]]:
    """Return codes from 0 in the order of the sorted values, and those values."""
    numbers, values = pd.factorize(column, sort=True)
    return numbers.astype(np.int64, copy=False), [str(value) for value in values]


def seed_codes(column: pd.Series) -> NDArray[np.int64]:
    """Return codes of seeds from 0, and −1 where none is given."""
    return pd.factorize(column.mask(column == ""), sort=True)[0].astype(np.int64)


def is_simulated(frame: pd.DataFrame) -> bool:
    """Say whether simulated raters had any part in the table."""
    return bool((frame["rater_group"] == SIMULATED).any())


def say_simulated(scores: Sequence[Score]) -> list[Score]:
    """Return the scores with "simulated raters" at the end of each `method`."""
    return [
        score
        if SIMULATED_RATERS in score.method
        else replace(score, method="; ".join(filter(None, [score.method, SIMULATED_RATERS])))
        for score in scores
    ]
