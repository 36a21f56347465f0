"""How far raters agree: Krippendorff's α, Gwet's AC2, plain agreement and intraclass correlation.

The published value of α comes from the package `krippendorff`; its interval from our own sums.
Hidden repeats (`occasion` above 0) are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from bench.errors import RequestError
from bench.records import Score
from leaderboard import coincidence
from leaderboard.coefficients import LEVELS, MOST_VALUES, of_criterion
from leaderboard.coincidence import (
    Array,
    Ratings,
    Whole,
)
from leaderboard.selection import (
    applicable,
    codes,
    first_time,
    is_simulated,
    parts,
    say_simulated,
)


def agreement(
    ratings: pd.DataFrame,
    *,
    levels: Mapping[str, str] | str = "ordinal",
    confidence: float = 0.95,
    by: Sequence[str] = (),
) -> list[Score]:
    """Return `alpha`, `alpha_without`, `ac2`, agreement shares, ICCs and marginals.

    Per study and criterion; `marginal` has the share of each value (in `group`), `missing_share`
    the cells of items × raters without a rating.

    Args:
        ratings: a checked table of ratings; those "not applicable" are left out.
        levels: nominal, ordinal, interval or ratio, for all criteria or by criterion (ordinal
            where one is not named).
        confidence: of the intervals, between 0 and 1.
        by: columns to slice by, beside the whole.

    Raises:
        RequestError: an unknown level or column.
    """
    named = levels.values() if isinstance(levels, Mapping) else [levels]
    for level in named:
        if level not in LEVELS:
            raise RequestError(f"unknown level {level!r}: give one of {', '.join(LEVELS)}")
    scores: list[Score] = []
    for study, slice_, rows in parts(first_time(applicable(ratings)), by):
        simulated = is_simulated(rows)
        item, items = _short_codes(rows["item"])
        rater, raters = _short_codes(rows["rater"])
        value, values = _values_of(rows["value"].to_numpy(dtype=np.float64))
        for criterion, chosen in _by_criterion(rows["criterion"]):
            level = levels.get(criterion, "ordinal") if isinstance(levels, Mapping) else levels
            blank = Score(
                study=study,
                slice=slice_,
                criterion=criterion,
                confidence=confidence,
                level=level,
            )
            unit, there = _without_gaps(item[chosen], len(items))
            who, those = _without_gaps(rater[chosen], len(raters))
            given, which_values = _without_gaps(value[chosen], len(values))
            domain = values[which_values]
            ratings_ = Ratings(unit, who, given, domain, len(there), len(those))
            found = of_criterion(ratings_, [raters[place] for place in those], blank)
            scores += say_simulated(found) if simulated else found
    return scores


def _short_codes(column: pd.Series) -> tuple[Whole, list[str]]:
    """Return codes as `codes` does, in four bytes: of tens of millions each one counts."""
    code, names = codes(column)
    return code.astype(np.int32), names


def _values_of(given: Array) -> tuple[Whole, Array]:
    """Return codes of numbers from 0, and the different ones, rising."""
    low, high = float(given.min()), float(given.max())
    if high - low <= MOST_VALUES:
        above = (given - low).astype(np.int32)
        if (above + low == given).all():  # a scale of points: no table of hashes is needed
            value, there = _without_gaps(above, int(high - low) + 1)
            return value, there.astype(np.float64) + low
    code, values = pd.factorize(given, sort=True)
    return code.astype(np.int32), values


def _by_criterion(column: pd.Series) -> list[tuple[str, slice | Whole]]:
    """Return each criterion and its rows: a slice where they stand together."""
    which, criteria = codes(column)
    if (which[1:] >= which[:-1]).all():
        ends = np.searchsorted(which, np.arange(len(criteria) + 1)).tolist()
        return [(name, slice(*pair)) for name, pair in zip(criteria, pairwise(ends), strict=True)]
    order = np.argsort(coincidence.short(which, len(criteria)), kind="stable")
    parts_ = np.split(order, np.cumsum(np.bincount(which, minlength=len(criteria)))[:-1])
    return list(zip(criteria, parts_, strict=True))


def _without_gaps(code: Whole, size: int) -> tuple[Whole, Whole]:
    """Return codes of what occurs, from 0, and which of the `size` old codes they were."""
    there = np.bincount(code, minlength=size) > 0
    if there.all():
        return code, np.arange(size)
    return (np.cumsum(there) - 1).astype(np.int32)[code], np.flatnonzero(there)
