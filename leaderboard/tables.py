"""The four tables that the scorer takes: ratings, votes, attributions, detections, checked once.

Columns are those of the design. Missing optional columns are filled with their defaults, columns
that no scorer knows are carried along untouched, ids are always text, and nothing is dropped: a
row that breaks the format is an error that names file, line (CSV, JSONL) or row (Parquet and
frames in memory, from 1), column and value.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd

from bench.errors import FileFormatError
from bench.records import FOIL, NEUTRAL, NOT_APPLICABLE, REFERENCE, WorkDiagnosticity
from leaderboard.columns import choice_column, flag_column, number_column, text_column, whole_column
from leaderboard.selection import distinct
from leaderboard.sources import Places, Source, read_sources

WINNERS = ("left", "right", "tie", "both_bad")
OTHER = "other"
CANNOT_TELL = "cannot_tell"
ASPECTS = ("manner", "things")
MAKERS = ("human", "model", CANNOT_TELL)
"""What a rater takes an item to be made by, in detections."""
TRACE_STRENGTHS = ("", "none", "slight", "clear", "equal")

_CARRIED = (
    "study", "suite", "language", "genre", "seed", "rater_group", "room_language", "home",
    "stratum", "diagnosticity", "work",
)  # fmt: skip
"""Optional text columns of every table; the default is the empty text."""


def read_ratings(
    paths: Sequence[Path | str], *, scale: tuple[float, float] | None = None
) -> pd.DataFrame:
    """Return the ratings of all `paths` as one checked frame.

    With `scale`, its lowest and highest value, a rating off it is an error too.

    Raises:
        RequestError: no path was given.
        FileFormatError: one sentence that names file, line or row, column and value.
    """
    return _ratings(read_sources(paths), scale)


def check_ratings(
    frame: pd.DataFrame, where: str, *, scale: tuple[float, float] | None = None
) -> pd.DataFrame:
    """Return a checked copy of ratings made in memory; `where` names them in errors."""
    return _ratings([Source(where, frame.reset_index(drop=True))], scale)


def read_votes(paths: Sequence[Path | str]) -> pd.DataFrame:
    """Return the votes of all `paths` as one checked frame; `left` and `right` are model ids.

    Votes have no item, so equal rows are two votes, not a duplicate.

    Raises:
        RequestError: no path was given.
        FileFormatError: one sentence that names file, line or row, column and value.
    """
    return _votes(read_sources(paths))


def check_votes(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return a checked copy of votes made in memory; `where` names them in errors."""
    return _votes([Source(where, frame.reset_index(drop=True))])


def read_attributions(paths: Sequence[Path | str], *, labels: Sequence[str] = ()) -> pd.DataFrame:
    """Return the attributions of all `paths` as one checked frame.

    An attribution is a tradition that occurs as a target, `other`, `cannot_tell`, or one of
    `labels`. A foil's target is one of `labels`, and none of the traditions compared.

    Raises:
        RequestError: no path was given.
        FileFormatError: one sentence that names file, line or row, column and value.
    """
    return _attributions(read_sources(paths), labels)


def check_attributions(
    frame: pd.DataFrame, where: str, *, labels: Sequence[str] = ()
) -> pd.DataFrame:
    """Return a checked copy of attributions made in memory; `where` names them in errors."""
    return _attributions([Source(where, frame.reset_index(drop=True))], labels)


def read_detections(paths: Sequence[Path | str]) -> pd.DataFrame:
    """Return the answers to "made by a person or by a model?" of all `paths` as one checked frame.

    Columns `rater,item,model,seen_as` with `seen_as` one of `human`, `model`, `cannot_tell`; a
    human-made reference has `model` = `reference`. `prompt` and the columns that all tables may
    carry are optional.

    Raises:
        RequestError: no path was given.
        FileFormatError: one sentence that names file, line or row, column and value.
    """
    return _detections(read_sources(paths))


def check_detections(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return a checked copy of detections made in memory; `where` names them in errors."""
    return _detections([Source(where, frame.reset_index(drop=True))])


def _ratings(sources: Sequence[Source], scale: tuple[float, float] | None) -> pd.DataFrame:
    frame = _joined(sources, ("rater", "item", "criterion"), {"model": "", "prompt": ""}, "value")
    places = Places(sources)
    if scale is not None:
        low, high = scale
        off = np.flatnonzero((frame["value"] < low) | (frame["value"] > high))
        if len(off):
            raise FileFormatError(
                f"{places.place(int(off[0]))}: column 'value' is off the scale {low:g}–{high:g}:"
                f" {frame['value'].iloc[off[0]]:g}"
            )
    _refuse_duplicates(frame, ["study", "rater", "item", "criterion", "occasion"], places)
    _refuse_contradictions(frame, ["model", "prompt"], places)
    return frame


def _votes(sources: Sequence[Source]) -> pd.DataFrame:
    frame = _joined(sources, ("rater", "prompt", "left", "right", "winner"), {"criterion": ""})
    places = Places(sources)
    choice_column(frame["winner"], WINNERS, places)
    itself = (frame["left"] == frame["right"]).to_numpy().nonzero()[0]
    if len(itself):
        name = frame["left"].iloc[itself[0]]
        raise FileFormatError(
            f"{places.place(itself[0])}: columns 'left' and 'right' both say {name!r}:"
            " a model is not compared with itself"
        )
    return frame


def _attributions(sources: Sequence[Source], labels: Sequence[str]) -> pd.DataFrame:
    optional = {
        "prompt": "",
        "aspect": ASPECTS[0],
        "criterion": "",
        "trace": "",
        "trace_strength": "",
    }
    frame = _joined(sources, ("rater", "item", "model", "target", "attribution"), optional)
    if "recognised" not in frame:
        frame["recognised"] = pd.Series("", index=frame.index, dtype="str")
    places = Places(sources)
    for source in sources:
        _require(source, ("prompt",))
    nameless = ((frame["prompt"] == "") & (frame["model"] != REFERENCE)).to_numpy().nonzero()[0]
    if len(nameless):
        raise FileFormatError(
            f"{places.place(nameless[0])}: column 'prompt' is empty; a reference alone may have none"
        )
    compared = frame[frame["diagnosticity"] != FOIL]
    traditions = distinct(compared["target"], without={NEUTRAL})
    known = dict.fromkeys([*traditions, OTHER, CANNOT_TELL, *labels])
    declared = ", or declare it with --labels"
    choice_column(frame["attribution"], tuple(known), places, more=declared)
    choice_column(frame["aspect"], ASPECTS, places)
    choice_column(frame["diagnosticity"], get_args(WorkDiagnosticity), places)
    choice_column(frame["trace"], ("", "none", *known), places, more=declared)
    choice_column(frame["trace_strength"], TRACE_STRENGTHS, places)
    # one manner is seen in a picture, whatever criterion stands beside it
    key = ["study", "rater", "item", "aspect", "occasion"]
    _refuse_duplicates(frame, key, places)
    _refuse_contradictions(frame, ["model", "prompt", "target", "diagnosticity"], places)
    if len(compared) < len(frame):
        _check_foils(frame, compared, labels, places)
    return frame


def _check_foils(
    frame: pd.DataFrame, compared: pd.DataFrame, labels: Sequence[str], places: Places
) -> None:
    """A foil is a work by people, of a declared tradition that its study does not compare."""
    foils = frame[frame["diagnosticity"] == FOIL]
    targets = {study: set(rows["target"]) for study, rows in compared.groupby("study")}
    for row, study, model, target in zip(
        foils.index, foils["study"], foils["model"], foils["target"], strict=True
    ):
        if model != REFERENCE:
            fault = (
                f"column 'diagnosticity' says {FOIL!r} of an output of {model!r}: only works can"
            )
        elif target in targets.get(study, ()):
            fault = f"column 'target' has {target!r} for a foil, and other rows compare it"
        elif target not in labels:
            fault = f"column 'target' has the unknown foil {target!r}: declare it as a label, with --labels"
        else:
            continue
        raise FileFormatError(f"{places.place(row)}: {fault}")


def _detections(sources: Sequence[Source]) -> pd.DataFrame:
    frame = _joined(sources, ("rater", "item", "model", "seen_as"), {"prompt": ""})
    places = Places(sources)
    choice_column(frame["seen_as"], MAKERS, places)
    _refuse_duplicates(frame, ["study", "rater", "item", "occasion"], places)
    _refuse_contradictions(frame, ["model", "prompt"], places)
    return frame


def _joined(
    sources: Sequence[Source],
    required: Sequence[str],
    optional: dict[str, str],
    number: str = "",
) -> pd.DataFrame:
    """Check each source's columns one by one and lay the sources one after the other."""
    defaults = dict.fromkeys(_CARRIED, "") | optional
    frames = []
    for source in sources:
        _require(source, (*required, *([number] if number else [])))
        given = source.frame
        checked = given.copy(deep=False)
        # one column of defaults for all that lack one: they are never written to
        blank = {
            text: pd.Series(text, index=given.index, dtype="str") for text in {*defaults.values()}
        }
        for column in required:
            checked[column] = text_column(given[column], None, source)
        if number:
            checked[NOT_APPLICABLE], checked[number] = _values(given, number, source, blank[""])
        for column, default in defaults.items():
            checked[column] = (
                text_column(given[column], default, source) if column in given else blank[default]
            )
        checked["occasion"] = (
            whole_column(given["occasion"], source) if "occasion" in given else np.int8(0)
        )
        if "recognised" in given:
            checked["recognised"] = flag_column(given["recognised"], source)
        frames.append(checked)
    # one source keeps its one column of defaults: laid after one another each would have its own
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def _values(
    given: pd.DataFrame, number: str, source: Source, blank: pd.Series
) -> tuple[pd.Series, pd.Series]:
    """Return what is not applicable ("true", "false" or ""), and the numbers, NaN there."""
    if NOT_APPLICABLE not in given:
        return blank, number_column(given[number], source)
    flags = flag_column(given[NOT_APPLICABLE], source)
    lacks = flags == "true"
    cells = given[number].astype("object")
    said = cells.notna() & (cells.astype("str").str.strip() != "")
    both = (lacks & said).to_numpy().nonzero()[0]
    if len(both):
        raise FileFormatError(
            f"{source.place(both[0])}: column {number!r} has a value, {given[number].iloc[both[0]]!r},"
            f" and column {NOT_APPLICABLE!r} says that there is none"
        )
    rows = (~lacks).to_numpy().nonzero()[0].tolist()
    numbers = [source.numbers[row] if source.numbers else row + 1 for row in rows]
    with_value = Source(source.name, given.iloc[rows], source.word, numbers)
    return flags, number_column(given[number].iloc[rows], with_value).reindex(given.index)


def _require(source: Source, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in source.frame]
    if missing:
        there = ", ".join(str(column) for column in source.frame) or "none"
        raise FileFormatError(
            f"{source.name}: the column {missing[0]!r} is missing (columns there: {there})"
        )


def _refuse_duplicates(frame: pd.DataFrame, key: list[str], places: Places) -> None:
    rows = _repeated(frame, key)
    if not len(rows):
        return
    values = frame[key].iloc[rows[0]]
    first = int((frame[key] == values).all(axis=1).to_numpy().argmax())
    told = ", ".join(f"{column} {str(value)!r}" for column, value in values.items() if value != "")
    raise FileFormatError(f"{places.place(rows[0])}: repeats {places.place(first)}: {told}")


def _repeated(frame: pd.DataFrame, key: list[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the rows whose key came before; tens of millions in a few times their own memory."""
    number = np.zeros(len(frame), dtype=np.int64)
    for column in key:
        if frame[column].nunique() < 2:
            continue
        codes, values = pd.factorize(frame[column])
        number *= len(values)
        number += codes
        del codes
        if number.max(initial=0) > 2**31:
            number = pd.factorize(number)[0].astype(np.int64)
    most = int(number.max(initial=0))
    if most < 4 * len(number):
        seen = np.zeros(most + 1, dtype=bool)
        seen[number] = True
        if np.count_nonzero(seen) == len(number):
            return np.empty(0, dtype=np.int64)
    return np.flatnonzero(pd.Series(number).duplicated().to_numpy())


def _refuse_contradictions(frame: pd.DataFrame, columns: list[str], places: Places) -> None:
    """An item is one output: it has one model, one prompt and one target."""
    if all((frame[column] == frame[column].iloc[0]).all() for column in columns if len(frame)):
        return
    key = ["study", "item"]
    kinds = frame[key + columns].drop_duplicates()
    odd = kinds.index[kinds.duplicated(key).to_numpy()]
    if not len(odd):
        return
    row = int(odd[0])
    same = (frame[key] == frame[key].iloc[row]).all(axis=1)
    first = int(same.to_numpy().argmax())
    column = next(name for name in columns if frame[name].iloc[first] != frame[name].iloc[row])
    raise FileFormatError(
        f"{places.place(row)}: item {frame['item'].iloc[row]!r} has {column}"
        f" {frame[column].iloc[row]!r}, but {frame[column].iloc[first]!r} at {places.place(first)}"
    )
