"""The coefficients of agreement of one table of ratings, each with its interval; see `agreement`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Literal, cast, get_args

import krippendorff
import numpy as np
from scipy.stats import norm

from bench.records import Score
from leaderboard import coincidence
from leaderboard.additive import variance_components
from leaderboard.coincidence import (
    Array,
    Grouped,
    Ratings,
    counts_of,
    grouped,
    two_way_jackknife,
)
from leaderboard.moments import mid_ranks, moments_jackknife

Level = Literal["nominal", "ordinal", "interval", "ratio"]


LEVELS: tuple[str, ...] = get_args(Level)

MOST_VALUES = 200
"""Different values above which only α at the interval and ordinal levels, and ICC, are given."""

MOST_MARGINALS = 20
"""Different values above which the marginals are no table that anybody reads."""

_TOO_MANY = f"more than {MOST_VALUES} different values"

_MANY_RANKS = 64
"""Different values above which the jackknife of an ordinal α keeps the ranks as they are."""

_LARGE = 50_000_000
"""Units × V² above which `krippendorff` would need gigabytes; our own equal sums stand in."""


def of_criterion(everything: Ratings, raters: Sequence[str], blank: Score) -> list[Score]:
    """Return every coefficient of the ratings on one criterion.

    Args:
        everything: its ratings.
        raters: their names, by code.
        blank: carries study, slice, criterion, level and confidence.
    """
    values = everything.domain
    pairable, names = _pairable(everything, raters)
    counted = replace(
        blank,
        n_items=pairable.n_units,
        n_raters=pairable.n_raters,
        n_values=len(pairable.unit),
    )
    reason = _degenerate(everything, pairable, blank.level)
    intraclass = _intraclass(everything, blank)  # before the sums below: each wants its memory
    few = len(values) <= MOST_VALUES
    groups = grouped(everything) if few else None
    same = pairable.n_units == everything.n_units
    of_pairable = groups if same else (grouped(pairable) if few and not reason else None)
    scores = _alphas(pairable, of_pairable, names, counted, reason)
    scores += _shares_and_ac2(everything, groups, counted, reason)
    scores += intraclass
    scores += _marginals(everything, blank)
    return scores


def _marginals(ratings: Ratings, blank: Score) -> list[Score]:
    """Return the share of each value, and of the cells that hold none."""
    n = len(ratings.value)
    blank = replace(blank, n_items=ratings.n_units, n_raters=ratings.n_raters, n_values=n)
    blank = replace(blank, method="count", reason="no interval: a count")
    missing = 1 - n / (ratings.n_units * ratings.n_raters)
    scores = [replace(blank, metric="missing_share", value=missing)]
    if len(ratings.domain) > MOST_MARGINALS:
        reason = f"more than {MOST_MARGINALS} different values"
        return [*scores, replace(blank, metric="marginal", reason=reason)]
    counts = np.bincount(ratings.value, minlength=len(ratings.domain))
    for value, count in zip(ratings.domain, counts, strict=True):
        at = replace(blank, metric="marginal", group=f"{value:g}")
        scores.append(replace(at, value=float(count / n)))
    return scores


def _pairable(ratings: Ratings, raters: Sequence[str]) -> tuple[Ratings, list[str]]:
    """Return the ratings of units with at least two, coded anew, and the names of their raters."""
    often = np.bincount(ratings.unit, minlength=ratings.n_units)
    if (often > 1).all():
        return ratings, list(raters)
    kept = often[ratings.unit] > 1
    units, unit = np.unique(ratings.unit[kept], return_inverse=True)
    who, rater = np.unique(ratings.rater[kept], return_inverse=True)
    which, value = np.unique(ratings.value[kept], return_inverse=True)
    chosen = Ratings(unit, rater, value, ratings.domain[which], len(units), len(who))
    return chosen, [raters[index] for index in who]


def _degenerate(everything: Ratings, pairable: Ratings, level: str) -> str:
    """Say why agreement cannot be computed; empty where it can."""
    if everything.n_raters < 2:
        return "fewer than two raters"
    if not pairable.n_units:
        return "no item has two ratings"
    if len(pairable.domain) < 2:
        return "no variation"
    if level == "ratio" and pairable.domain[0] < 0:
        return "a ratio scale has no negative values"
    if level in {"nominal", "ratio"} and len(pairable.domain) > MOST_VALUES:
        return _TOO_MANY
    return ""


def _alphas(
    ratings: Ratings, groups: Grouped | None, names: Sequence[str], blank: Score, reason: str
) -> list[Score]:
    if reason:
        return [replace(blank, metric="alpha", reason=reason)]
    found = alpha_and_variances(ratings, groups, blank.level)
    point, over_units, over_raters, without, note = found
    score = replace(blank, metric="alpha", value=point)
    if ratings.n_raters > 2:
        method = "two-way jackknife over units and raters, normal"
        variance = over_units + over_raters
    else:
        method = "jackknife over units, normal: for these two raters"
        variance = over_units
    scores = [_with_interval(replace(score, method=f"{method}{note}"), variance)]
    for name, value in zip(names, without, strict=True):
        fault = "" if np.isfinite(value) else "no variation or no pairs without this rater"
        scores.append(
            replace(blank, metric="alpha_without", group=name, value=float(value), reason=fault)
        )
    return scores


def alpha_and_variances(
    ratings: Ratings, groups: Grouped | None, level: str
) -> tuple[float, float, float, Array, str]:
    """Return α, its variances over units and raters, α without each rater, and what to note.

    The value is that of the package `krippendorff` but for scales of many values, where it would
    need gigabytes and our own equal sums stand in.
    """
    many = len(ratings.domain) > _MANY_RANKS
    if groups is None or level == "interval" or (level == "ordinal" and many):
        places = ratings.domain if level == "interval" else mid_ranks(ratings)
        own, over_units, over_raters, without = moments_jackknife(ratings, places)
        note = "" if level == "interval" else "; ranks as in the whole"
    else:
        statistic = partial(coincidence.alpha, values=ratings.domain, level=level)
        found = two_way_jackknife(
            groups, coincidence.coincidences, lambda sums: statistic(sums)[..., None]
        )
        over_units, over_raters = float(found[0][0]), float(found[1][0])
        without = found[2][:, 0]
        sums = coincidence.summed(groups.unique, coincidence.coincidences, groups.times)
        own, note = float(statistic(sums)), ""
    if ratings.n_units * len(ratings.domain) ** 2 <= _LARGE:
        own = float(
            krippendorff.alpha(
                value_counts=counts_of(ratings),
                value_domain=ratings.domain,
                level_of_measurement=cast("Level", level),
            )
        )
    return own, over_units, over_raters, without, note


def _shares_and_ac2(
    ratings: Ratings, groups: Grouped | None, blank: Score, reason: str
) -> list[Score]:
    values = ratings.domain
    if groups is None:
        metrics = ("ac2", "percent_agreement", "within_one")
        return [replace(blank, metric=metric, reason=_TOO_MANY) for metric in metrics]
    near = (np.abs(values[:, None] - values[None, :]) <= 1).astype(np.float64)
    weights = np.stack([coincidence.quadratic_weights(values), np.eye(len(values)), near])
    per_unit = partial(coincidence.pairwise, weights=weights)
    statistic = partial(_gwet, weights=weights)
    point = statistic(coincidence.summed(groups.unique, per_unit, groups.times))
    over_units, over_raters, _ = two_way_jackknife(groups, per_unit, statistic)
    variance = over_units + (over_raters if ratings.n_raters > 2 else 0.0)
    scores = []
    for place, metric in enumerate(("ac2", "percent_agreement", "within_one")):
        score = replace(blank, metric=metric)
        fault = "" if reason == "no variation" and metric != "ac2" else reason
        if blank.level == "nominal" and metric != "percent_agreement":
            fault = "not defined on a nominal scale"
        if fault:
            scores.append(replace(score, reason=fault))
            continue
        method = "two-way jackknife over units and raters, normal"
        if metric == "ac2":
            method = f"quadratic weights over the values that occur; {method}"
        score = replace(score, value=float(point[place]), method=method)
        lowest = -np.inf if metric == "ac2" else 0.0
        scores.append(_with_interval(score, float(variance[place]), lowest))
    return scores


def _gwet(sums: Array, weights: Array) -> Array:
    """Return AC2, percent and near agreement, (…, 3), from sums of `pairwise`."""
    found = coincidence.observed_agreement(sums, len(weights))
    shares = sums[..., 5:] / np.maximum(sums[..., 4:5], 1e-12)
    found[..., 0] = coincidence.chance_corrected(found[..., 0], shares, weights[0])
    return found


def _intraclass(ratings: Ratings, blank: Score) -> list[Score]:
    """ICC(2,1) and ICC(2,k) of Shrout and Fleiss (1979), from components that allow gaps."""
    per_item = np.bincount(ratings.unit, minlength=ratings.n_units)
    mean_raters = float(len(per_item) / (1 / per_item).sum())
    # centred by value and not by rating: that array is the largest here
    often = np.bincount(ratings.value, minlength=len(ratings.domain))
    centred = ratings.domain - ratings.domain @ often / often.sum()
    parts_ = variance_components(ratings.unit, ratings.rater, centred[ratings.value])
    blank = replace(
        blank, n_items=ratings.n_units, n_raters=ratings.n_raters, n_values=len(ratings.unit)
    )
    total = parts_.item + parts_.rater + parts_.residual
    of_mean = parts_.item + (parts_.rater + parts_.residual) / mean_raters
    method = "two-way random effects, fitting constants; no interval"
    scores = []
    for metric, below in (("icc_2_1", total), ("icc_2_k", of_mean)):
        reason = parts_.reason
        if blank.level == "nominal":
            reason = "not defined on a nominal scale"
        elif not reason and (below <= 0 or len(ratings.domain) < 2):
            reason = "no variation"
        if metric == "icc_2_k":
            method = f"{method}; k = {mean_raters:.3g} raters per item (harmonic mean)"
        ratio = float("nan") if reason else parts_.item / below
        scores.append(replace(blank, metric=metric, value=ratio, method=method, reason=reason))
    return scores


def _with_interval(score: Score, variance: float, lowest: float = -np.inf) -> Score:
    """Add the normal interval; without a finite variance the value stands alone and says so."""
    if not np.isfinite(variance):
        return replace(score, reason="no interval: leaving one out leaves nothing to compare")
    if variance <= 1e-18:
        return replace(score, reason="no interval: leaving any one out changes nothing")
    half = float(norm.ppf((1 + score.confidence) / 2)) * variance**0.5
    return replace(score, low=max(score.value - half, lowest), high=min(score.value + half, 1.0))
