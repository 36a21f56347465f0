"""One column at a time: text, numbers, whole numbers and choices, or an error that says where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from bench.errors import FileFormatError

_FRACTIONAL = ("floating", "mixed-integer-float")

NOTHING = ("NaN", "nan", "<NA>")
"""What programs write for an empty cell: as a name it would be a rater or model that is none."""


class Where(Protocol):
    """Anything that can say where a row stands."""

    def place(self, row: int) -> str:
        """Return "file, line 7" for a row."""


def text_column(series: pd.Series, default: str | None, where: Where) -> pd.Series:
    """Return ids or labels as text, without space around it; whole numbers become their digits.

    `default` replaces an empty cell; without one an empty cell is an error.

    Raises:
        FileFormatError: a cell is empty, holds what stands for one (`NOTHING`) or no text, or some
            are text and some numbers.
    """
    if isinstance(series.dtype, pd.CategoricalDtype):
        words = list(series.cat.categories)
        if all(isinstance(word, str) and word.strip() for word in words):
            if not set(NOTHING).isdisjoint(words):
                _refuse_nothing(series, where)
            return _of_categories(series, [word.strip() for word in words], default, where)
    if isinstance(series.dtype, pd.StringDtype) and _is_clean(series):
        return series
    series = _plain(series)
    missing = series.isna()
    _refuse_other_kinds(series, ("string", "integer", *_FRACTIONAL, "empty"), where)
    if pd.api.types.infer_dtype(series, skipna=True) in _FRACTIONAL:
        _refuse_fractions(series, where)
        series = series.astype("Float64").astype("Int64")
    text = series.astype("str").where(~missing, "").astype("str").str.strip()
    _refuse_nothing(text, where)
    blank = (text == "").to_numpy().nonzero()[0]
    if default is None:
        if len(blank):
            raise _empty(series, int(blank[0]), where)
        return text
    return text.where(text != "", default) if len(blank) else text


def _is_clean(series: pd.Series) -> bool:
    """Say whether no cell is empty or has space around it: such a column is taken as it stands."""
    words = pd.Series(series.unique(), dtype=series.dtype)
    clean = (words == words.str.strip()) & (words != "") & ~words.isin(NOTHING)
    return bool(words.notna().all() and clean.all())


def _refuse_nothing(series: pd.Series, where: Where) -> None:
    odd = series.isin(NOTHING).to_numpy().nonzero()[0]
    if len(odd):
        raise FileFormatError(
            f"{where.place(odd[0])}: column {series.name!r} says {series.iloc[odd[0]]!r}, which stands"
            " for an empty cell: leave it empty, or give it a name"
        )


def _of_categories(
    series: pd.Series, words: list[str], default: str | None, where: Where
) -> pd.Series:
    """Return text from the codes of words that are not empty: tens of millions of cells quickly."""
    code = series.cat.codes.to_numpy()
    missing = code < 0
    if missing.any():
        if default is None:
            raise _empty(series, int(missing.argmax()), where)
        code = np.where(missing, len(words), code)
        words = [*words, default]
    text = pd.Series(words, dtype="str").take(code)
    text.index, text.name = series.index, series.name
    return text


def _empty(series: pd.Series, row: int, where: Where) -> FileFormatError:
    return FileFormatError(f"{where.place(row)}: column {series.name!r} is empty")


def number_column(series: pd.Series, where: Where) -> pd.Series:
    """Return finite numbers as float64.

    Raises:
        FileFormatError: a cell is empty, not a number, NaN or infinite.
    """
    series = _plain(series)
    _refuse_other_kinds(series, ("string", "integer", *_FRACTIONAL, "empty"), where)
    numbers = pd.to_numeric(series, errors="coerce").astype("float64")
    odd = (~np.isfinite(numbers.to_numpy())).nonzero()[0]
    if len(odd):
        found = series.iloc[odd[0]]
        empty = found is None or str(found).strip() == ""
        fault = "is empty" if empty else f"is not a finite number: {found!r}"
        raise FileFormatError(f"{where.place(odd[0])}: column {series.name!r} {fault}")
    return numbers


def whole_column(series: pd.Series, where: Where) -> pd.Series:
    """Return whole numbers from 0 on; an empty cell is 0.

    Raises:
        FileFormatError: a cell is no whole number, or negative.
    """
    text = text_column(series, "0", where)
    odd = (~text.str.fullmatch(r"[0-9]{1,9}")).to_numpy().nonzero()[0]
    if len(odd):
        raise FileFormatError(
            f"{where.place(odd[0])}: column {series.name!r} is not a whole number from 0 on:"
            f" {series.iloc[odd[0]]!r}"
        )
    return text.astype("int64")


def flag_column(series: pd.Series, where: Where) -> pd.Series:
    """Return "true", "false" or, where nothing was said, the empty text.

    Raises:
        FileFormatError: a cell is neither.
    """
    words = {"true": "true", "1": "true", "false": "false", "0": "false", "": ""}
    said = [
        "" if _is_missing(cell) else str(cell).strip().lower() for cell in _plain(series).tolist()
    ]
    for row, word in enumerate(said):
        if word not in words:
            raise FileFormatError(
                f"{where.place(row)}: column {series.name!r} is neither true nor false:"
                f" {series.iloc[row]!r}"
            )
    return pd.Series([words[word] for word in said], index=series.index, dtype="str")


def choice_column(
    series: pd.Series, choices: Sequence[str], where: Where, *, more: str = ""
) -> None:
    """Refuse a label that is not among `choices`; `more` says how to have others.

    Raises:
        FileFormatError: names the place, the label and the choices.
    """
    odd = (~series.isin(list(choices))).to_numpy().nonzero()[0]
    if len(odd):
        known = ", ".join(choice for choice in choices if choice)
        raise FileFormatError(
            f"{where.place(odd[0])}: column {series.name!r} has the unknown label"
            f" {series.iloc[odd[0]]!r}: give one of {known}{more}"
        )


def _plain(series: pd.Series) -> pd.Series:
    """Return the column without pandas' categories, which hide what a cell is."""
    return series.astype("object") if isinstance(series.dtype, pd.CategoricalDtype) else series


def _refuse_other_kinds(series: pd.Series, kinds: Sequence[str], where: Where) -> None:
    if pd.api.types.infer_dtype(series, skipna=True) in kinds:
        return
    cells = [(row, cell) for row, cell in enumerate(series.tolist()) if not _is_missing(cell)]
    first = _kind(cells[0][1]) if cells else ""
    for row, cell in cells:
        kind = _kind(cell)
        if kind not in {"text", "number"}:
            raise FileFormatError(
                f"{where.place(row)}: column {series.name!r} holds neither text nor number: {cell!r}"
            )
        if kind != first:
            raise FileFormatError(
                f"{where.place(row)}: column {series.name!r} mixes text and numbers:"
                f" {cell!r} after {cells[0][1]!r}"
            )
    raise FileFormatError(f"{where.place(0)}: column {series.name!r} has no usable cell")


def _refuse_fractions(series: pd.Series, where: Where) -> None:
    values = series.astype("float64").to_numpy()
    odd = (~np.isnan(values) & (values % 1 != 0)).nonzero()[0]
    if len(odd):
        raise FileFormatError(
            f"{where.place(odd[0])}: column {series.name!r} is an id or label, not a fraction:"
            f" {series.iloc[odd[0]]!r}"
        )


def _kind(cell: object) -> str:
    if isinstance(cell, str):
        return "text"
    if isinstance(cell, bool | np.bool_):
        return "flag"
    return "number" if isinstance(cell, int | float | np.number) else "other"


def _is_missing(cell: object) -> bool:
    return cell is None or cell is pd.NA or (isinstance(cell, float) and cell != cell)  # noqa: PLR0124 - NaN
