"""Draws to values with intervals: the percentiles of resamples, or why there are none."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bench.records import Score
from leaderboard.contrasts import NOTHING_VARIES
from leaderboard.drawing import SCALED, Array

TOO_FEW = "no interval: fewer than two scenes or references"


def with_interval(score: Score, draws: Array) -> Score:
    """Return the score with its value (column 0) and the percentile interval of the resamples.

    Resamples in which the value does not exist are left out. With fewer than half left, or where
    all agree, there is no interval, and `reason` says so: one scene, one rating or one vote shows
    nothing of what another would have been.
    """
    return with_intervals([score], draws[None, :])[0]


def read_off(score: Score, interval: str) -> str:
    """Return the method of a score whose interval is no percentile, but follows from the variance."""
    said = re.sub(r"percentile bootstrap \(\d+\)(?= over)", interval, score.method)
    return said.replace(f"; {SCALED}", "")


def with_intervals(scores: Sequence[Score], draws: Array) -> list[Score]:
    """Do the same for many scores, draws being (scores, 1 + resamples)."""
    if not scores:
        return []
    found = intervals(draws, scores[0].confidence)
    return [replace(score, **interval) for score, interval in zip(scores, found, strict=True)]


def intervals(draws: Array, confidence: float) -> list[dict[str, Any]]:
    """Return value, low, high and reason of each row of draws, as the fields of a score."""
    tail = (1 - confidence) / 2
    known = np.isfinite(draws[:, 1:])
    enough = 2 * known.sum(axis=1) >= max(draws.shape[1] - 1, 1)
    bounds = np.full((2, len(draws)), np.nan)
    whole = known.all(axis=1) & enough
    bounds[:, whole] = np.quantile(draws[whole, 1:], [tail, 1 - tail], axis=1)
    for row in np.flatnonzero(enough & ~whole):
        bounds[:, row] = np.quantile(draws[row, 1:][known[row]], [tail, 1 - tail])
    found: list[dict[str, Any]] = []
    for value, low, high in zip(draws[:, 0].tolist(), *bounds.tolist(), strict=True):
        if not math.isfinite(value):
            found.append({"value": value})
        elif math.isnan(low):
            found.append({"value": value, "reason": TOO_FEW})
        elif math.isclose(low, high, rel_tol=1e-9, abs_tol=1e-9):
            found.append({"value": value, "reason": NOTHING_VARIES})
        else:
            # a share of 0 or 1 lies at the edge of what its posterior allows
            found.append({"value": value, "low": min(low, value), "high": max(high, value)})
    return found
