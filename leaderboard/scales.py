"""Are the scales one or many? Correlations of true scores, and the share of a single factor.

The true-score covariance of two scales is what the means of items share beyond what one rater's
two answers share (multivariate analysis of variance): halo is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd

from bench.records import Score
from leaderboard.drawing import Array, Whole, draw_weights
from leaderboard.gathering import gather
from leaderboard.percentiles import with_intervals
from leaderboard.selection import codes
from leaderboard.severity import fit_severity

ONE_FACTOR = 0.75
"""Share of the true-score variance above which one score says what many say."""

_NO_VARIANCE = 1e-12
"""Of true scores, in squared units of the scale: what rounding leaves of none."""

LEAST_SCALES = 3
"""Of two scales the first factor has at least half, whatever they measure."""


def scale_structure(
    rows: pd.DataFrame, blank: Score, rng: np.random.Generator, resamples: int
) -> Iterator[Score]:
    """Yield `scale_correlation` of every two criteria and `first_factor_share`.

    Correlations are those of true scores, between −1 and 1; the second scale is in `group`.

    Args:
        rows: ratings of one study, without hidden repeats.
        blank: carries study, slice and confidence.
        rng: draws scenes and references.
        resamples: how many.
    """
    wide, criteria, left_out = complete_judgements(rows)
    if len(criteria) < 2:
        return
    if wide.empty:
        reason = "no rater answered all scales of any one item"
        for one, other in combinations(criteria, 2):
            at = replace(blank, criterion=one, group=other, reason=reason)
            yield replace(at, metric="scale_correlation")
        yield replace(blank, metric="first_factor_share", reason=reason)
        return
    gathered = gather(rows)
    order = codes(gathered.items["study"] + "\n" + gathered.items["item"])[1]
    place = {name: index for index, name in enumerate(order)}
    item = np.array([place[name] for name in wide["key"]], dtype=np.int64)
    values = wide[criteria].to_numpy(dtype=np.float64)
    sums = _sums(item, values, codes(wide["rater"])[0])
    clusters = draw_weights(rng, gathered.stratum, resamples)
    of_item = clusters[gathered.cluster_of_prompt[gathered.prompt_of_item]]
    covariance = _true_covariance(sums, of_item[np.unique(item)], len(criteria))
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    deviation = np.sqrt(np.where(variance > _NO_VARIANCE, variance, np.nan))
    correlation = np.clip(covariance / (deviation[:, :, None] * deviation[:, None, :]), -1, 1)
    said = f"true scores without halo; percentile bootstrap ({resamples}) over scenes"
    said += f"; without {', '.join(left_out)}, asked of too few" if left_out else ""
    blank = replace(
        blank,
        method=said,
        n_items=len(np.unique(item)),
        n_raters=int(wide["rater"].nunique()),
        n_values=len(wide) * len(criteria),
    )
    scores, draws = [], []
    for first, second in combinations(range(len(criteria)), 2):
        at = replace(blank, metric="scale_correlation", criterion=criteria[first])
        scores.append(replace(at, group=criteria[second]))
        draws.append(correlation[:, first, second])
    scores.append(replace(blank, metric="first_factor_share"))
    draws.append(_first_share(correlation))
    for score in with_intervals(scores, np.stack(draws)):
        if not np.isfinite(score.value):
            yield replace(score, reason="no variance of true scores")
        elif (
            score.metric == "first_factor_share"
            and len(criteria) >= LEAST_SCALES
            and score.low > ONE_FACTOR
        ):
            told = f"from {score.low:.2f} to {score.high:.2f}, all over {ONE_FACTOR:g}"
            told += f": one score says what {len(criteria)} say"
            yield replace(score, method=f"{told}; {said}")
        else:
            yield score


def complete_judgements(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Return complete judgements, one row each, their criteria, and those asked of too few.

    Criteria asked of under half of what was judged are left out.
    """
    wide = rows.assign(key=rows["study"] + "\n" + rows["item"]).pivot_table(
        index=["key", "rater", "rater_group", "model"],
        columns="criterion",
        values="value",
        aggfunc="first",
    )
    asked = wide.notna().mean()
    criteria = sorted(str(name) for name in asked.index[asked >= 0.5])
    left_out = sorted(set(map(str, asked.index)) - set(criteria))
    return wide[criteria].dropna().reset_index(), criteria, left_out


def _sums(item: Whole, values: Array, rater: Whole) -> Array:
    """Return per item (1, n, n², n ȳ, n ȳȳ′, within), flat, raters' biases taken out."""
    item = np.unique(item, return_inverse=True)[1].astype(np.int64)
    corrected = np.empty_like(values)
    for column in range(values.shape[1]):
        fit = fit_severity(item, rater, values[:, column])
        corrected[:, column] = values[:, column] - fit.bias[rater]
    size = int(item.max()) + 1
    n = np.bincount(item).astype(np.float64)
    columns = [np.bincount(item, column, size) for column in corrected.T]
    mean = np.stack(columns, axis=1) / n[:, None]
    away = corrected - mean[item]
    products = (away[:, :, None] * away[:, None, :]).reshape(len(away), -1)
    within = np.stack([np.bincount(item, column, size) for column in products.T], axis=1)
    outer = (n[:, None, None] * mean[:, :, None] * mean[:, None, :]).reshape(size, -1)
    return np.column_stack([np.ones(size), n, n**2, n[:, None] * mean, outer, within])


def _true_covariance(sums: Array, weights: Array, size: int) -> Array:
    """Return (MSB − MSW) / n₀ under each column of weights, (columns, scales, scales)."""
    total = weights.T @ sums
    items, n, squares = total[:, 0], total[:, 1], total[:, 2]
    n = np.where(n > 0, n, np.nan)  # a resample may hold nothing that was judged
    mean = total[:, 3 : 3 + size] / n[:, None]
    shape = (-1, size, size)
    outer = total[:, 3 + size : 3 + size + size**2].reshape(shape)
    within = total[:, 3 + size + size**2 :].reshape(shape)
    between = outer - n[:, None, None] * mean[:, :, None] * mean[:, None, :]
    free = np.maximum(n - items, 1)[:, None, None]
    groups = np.maximum(items - 1, 1)
    often = np.maximum((n - squares / n) / groups, 1e-9)[:, None, None]
    return np.asarray((between / groups[:, None, None] - within / free) / often)


def _first_share(correlation: Array) -> Array:
    """Return the largest eigenvalue's share of the positive ones; correlations know no units."""
    share = np.full(len(correlation), np.nan)
    known = np.flatnonzero(np.isfinite(correlation).all(axis=(1, 2)))
    values = np.linalg.eigvalsh(correlation[known])
    share[known] = values[:, -1] / np.maximum(values, 0).sum(axis=1)
    return share
