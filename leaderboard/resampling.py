"""Means of cells of prompts, and the same under resampled raters and clusters of prompts.

A value of an item is averaged over its raters, a value of a prompt over its items, a value of a
cell (say, all prompts that one model was asked for one tradition) over its prompts. A bootstrap
resample gives each rater, each cluster and each seed a whole weight; a judgement counts with their
product (Owen 2007, "The pigeonhole bootstrap": somewhat wide rather than narrow). Seeds are drawn
because the noise of a seed is shared by all prompts: what it happens to favour, it favours in all.
All resamples are computed at once as products of sparse matrices, in blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bench.records import Score

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
Matrix = Any
"""A sparse matrix in rows; scipy's types do not follow its products."""

_BLOCK = 4_000_000
"""Numbers held at once, in each of a few arrays."""


class Judgements(NamedTuple):
    """Judgements in long form and how they are gathered; all codes run from 0."""

    item: Whole
    rater: Whole
    channel: Whole
    """What a judgement speaks of: the label given; 0 throughout where there is but one."""
    value: Array
    """1 for a label given; a number on a scale."""
    n_channels: int
    prompt_of_item: Whole
    cluster_of_prompt: Whole
    cells: Sequence[Whole]
    """Per cell, the prompts in it."""


class CellMeans(NamedTuple):
    """Column 0 is the estimate, the others are resamples; NaN where a cell has no judgement."""

    means: Array
    """(cells, channels, 1 + resamples)."""
    mass: Array
    """(cells, 1 + resamples): the summed weights of the cell's prompts."""


def draw_weights(rng: np.random.Generator, stratum: Whole, resamples: int) -> Array:
    """Return how often each unit is drawn, (units, 1 + resamples); column 0 is all ones.

    Units are drawn with replacement within their stratum, as many as it has.
    """
    weights = np.ones((len(stratum), 1 + resamples))
    for code in np.unique(stratum):
        members = np.flatnonzero(stratum == code)
        size = len(members)
        weights[members, 1:] = rng.multinomial(size, np.full(size, 1 / size), resamples).T
    return weights


def draw_seeds(rng: np.random.Generator, seed: Whole, resamples: int) -> Array:
    """Return the weight of every item as its seed is drawn, (items, 1 + resamples).

    Args:
        rng: draws the seeds, with replacement, as many as there are.
        seed: code of each item's seed from 0, −1 where it has none: it then always counts once.
        resamples: how many. With fewer than two seeds there is nothing to draw: all ones.
    """
    n_seeds = int(seed.max(initial=-1)) + 1
    if n_seeds < 2:
        return np.ones((len(seed), 1 + resamples))
    drawn = draw_weights(rng, np.zeros(n_seeds, dtype=np.int64), resamples)
    always = np.ones((1, 1 + resamples))
    return np.concatenate([drawn, always])[seed]


def cell_means(judgements: Judgements, raters: Array, clusters: Array, items: Array) -> CellMeans:
    """Average raters, items and prompts under each column of weights.

    Args:
        judgements: what was judged.
        raters: weights, (raters, columns).
        clusters: weights, (clusters, columns).
        items: weights, (items, columns); see `draw_seeds`.
    """
    item, rater = judgements.item, judgements.rater
    n_items, n_channels = len(judgements.prompt_of_item), judgements.n_channels
    n_prompts, n_raters = len(judgements.cluster_of_prompt), len(raters)
    rows = item * n_channels + judgements.channel
    sums = _matrix(judgements.value, rows, rater, (n_items * n_channels, n_raters))
    seen = _matrix(np.ones(len(item)), item, rater, (n_items, n_raters))
    of = judgements.prompt_of_item
    members = _matrix(np.ones(n_items), of, np.arange(n_items), (n_prompts, n_items))
    sizes = [len(cell) for cell in judgements.cells]
    which = np.repeat(np.arange(len(sizes)), sizes)
    chosen = np.concatenate(judgements.cells)
    cells = _matrix(np.ones(len(chosen)), which, chosen, (len(sizes), n_prompts))
    columns = raters.shape[1]
    means = np.empty((len(sizes), n_channels, columns))
    mass = np.empty((len(sizes), columns))
    step = max(1, _BLOCK // max(1, n_items * n_channels))
    for start in range(0, columns, step):
        block = slice(start, start + step)
        counts = _times(seen, raters[:, block])
        summed = _times(sums, raters[:, block]).reshape(n_items, n_channels, -1)
        of_item = _ratio(summed, counts)
        weight = items[:, block] * (counts > 0)
        counts = _times(members, weight)
        of_prompt = _ratio(_gather(members, of_item * weight[:, None, :]), counts)
        weight = clusters[judgements.cluster_of_prompt, block] * (counts > 0)
        mass[:, block] = _times(cells, weight)
        gathered = _gather(cells, of_prompt * weight[:, None, :])
        means[:, :, block] = _ratio(gathered, mass[:, block], empty=np.nan)
    return CellMeans(means, mass)


def with_interval(score: Score, draws: Array) -> Score:
    """Return the score with its value (column 0) and the percentile interval of the resamples.

    Resamples in which the value does not exist are left out; with fewer than half left, there is
    no interval.
    """
    value, resampled = float(draws[0]), draws[1:]
    finite = resampled[np.isfinite(resampled)]
    if not np.isfinite(value) or len(finite) == 0 or 2 * len(finite) < len(resampled):
        return replace(score, value=value)
    tail = (1 - score.confidence) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    return replace(score, value=value, low=float(low), high=float(high))


def _matrix(values: Array, rows: Whole, columns: Whole, shape: tuple[int, int]) -> Matrix:
    return sparse.csr_array((values, (rows, columns)), shape=shape)


def _times(matrix: Matrix, dense: Array) -> Array:
    return np.asarray(matrix @ dense, dtype=np.float64)


def _gather(membership: Matrix, values: Array) -> Array:
    """Sum (members, channels, columns) into (groups, channels, columns)."""
    _, channels, columns = values.shape
    flat = _times(membership, values.reshape(len(values), channels * columns))
    return flat.reshape(-1, channels, columns)


def _ratio(sums: Array, counts: Array, empty: float = 0.0) -> Array:
    """Divide (n, channels, columns) by (n, columns); `empty` where nothing was counted."""
    result = np.full_like(sums, empty)
    below = np.broadcast_to(counts[:, None, :], sums.shape)
    np.divide(sums, below, out=result, where=below > 0)
    return result
