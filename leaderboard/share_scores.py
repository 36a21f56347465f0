"""Shares and their differences as scores, with intervals that keep their level near 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import beta, t

from bench.records import REFERENCE, Score
from leaderboard.contrasts import LEAST_ERROR, Contrast
from leaderboard.drawing import Array
from leaderboard.percentiles import read_off, with_interval
from leaderboard.share_cells import Cell
from leaderboard.share_intervals import Bounds, difference_of_bounds, share_interval
from leaderboard.shares import Shares

WILSON = "Wilson interval, two-way clustered variance, t quantile"
DIFFERENCE = f"difference (Zou and Donner 2008) of {WILSON}"

Parts = Sequence[tuple[float, Cell, str]]
"""Weight, cell and label of each share of a weighted mean."""


def share_score(shares: Shares, score: Score, cell: Cell, label: str) -> Score:
    """Return a share with Wilson's interval, its variance that of two-way clustering.

    A share of 0 or 1 has that of its posterior (`spread_shares`).
    """
    parts = [(1.0, cell, label)]
    found = _mean(shares, parts)
    if not _varied(found) or not 0 < found.draws[0] < 1:
        return with_interval(score, found.draws)
    value, low, high = _bounds(shares, parts, found, found.freedom, score.confidence)
    return replace(score, value=value, low=low, high=high, method=read_off(score, WILSON))


def difference_score(shares: Shares, score: Score, first: tuple[Cell, str], second: Parts) -> Score:
    """Return a share less a weighted mean of others, with an interval by those of the two.

    Their correlation, by the raters and scenes that they have in common, follows from the three
    variances.
    """
    one: Parts = [(1.0, *first)]
    taken = [(-weight, cell, label) for weight, cell, label in second]
    whole = _mean(shares, [*one, *taken])
    if not _varied(whole):
        return with_interval(score, whole.draws)
    means = _mean(shares, one), _mean(shares, second)
    bounds = [
        _bounds(shares, parts, found, whole.freedom, score.confidence)
        for parts, found in zip((one, second), means, strict=True)
    ]
    errors = [found.error for found in means]
    correlation = 0.0
    if min(errors) > LEAST_ERROR:
        shared = errors[0] ** 2 + errors[1] ** 2 - whole.error**2
        correlation = float(np.clip(shared / (2 * errors[0] * errors[1]), -1, 1))
    low, high = difference_of_bounds(bounds[0], bounds[1], correlation)
    value, said = float(whole.draws[0]), read_off(score, DIFFERENCE)
    return replace(score, value=value, low=low, high=high, method=said)


def _mean(shares: Shares, parts: Parts) -> Contrast:
    weights = np.array([weight for weight, *_ in parts])[:, None]

    def of(values: Array) -> Array:
        summed: Array = (weights * values).sum(axis=0)
        return summed

    return shares.combined([(cell, label) for _, cell, label in parts], of)


def _varied(found: Contrast) -> bool:
    known = np.isfinite(found.draws[1:])
    return bool(found.error > LEAST_ERROR and 2 * known.sum() >= len(known))


def _bounds(
    shares: Shares, parts: Parts, found: Contrast, freedom: float, confidence: float
) -> Bounds:
    """Return a mean of shares and its interval; one that shows no variation is what it is.

    Where most raters saw no output as the label, resamples do not show what such an output would
    move: a bound of a share of none is added (in quadrature), likewise where all were seen as it.
    References are known to be of their tradition.
    """
    value, end = float(found.draws[0]), (1 + confidence) / 2
    if 0 < value < 1 and found.error > LEAST_ERROR:
        low, high = share_interval(value, found.error**2, float(t.ppf(end, freedom)))
        for weight, cell, label in parts:
            above, below, n = _majorities(shares, cell, label)
            unseen = weight * float(beta.ppf(end, 0.5, n + 0.5))
            high = high if above else value + float(np.hypot(high - value, unseen))
            low = low if below else value - float(np.hypot(value - low, unseen))
        return value, max(low, 0.0), min(high, 1.0)
    drawn = found.draws[1:]
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return value, value, value
    low, high = (float(bound) for bound in np.quantile(drawn, [1 - end, end]))
    return value, min(low, value), max(high, value)


def _majorities(shares: Shares, cell: Cell, label: str) -> tuple[bool, bool, int]:
    """Say whether some output was seen as the label by most, and some by few; and how many there are."""
    if shares.means.extremes is None or cell[0] == REFERENCE:
        return True, True, 0
    least, most = shares.means.extremes[:, shares.places[cell], shares.labels.index(label)]
    return bool(most > 0.5), bool(least < 0.5), shares.counts[cell[:2]].items
