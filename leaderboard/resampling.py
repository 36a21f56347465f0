"""Means of cells of prompts, and the same under resampled raters and clusters of prompts.

A value of an item is averaged over its raters, a value of a prompt over its items, a value of a
cell (say, all prompts that one model was asked for one tradition) over its prompts. A bootstrap
resample gives each rater, each cluster and each seed a whole weight; a judgement counts with their
product (Owen 2007, "The pigeonhole bootstrap": somewhat wide rather than narrow). Seeds are drawn
because the noise of a seed is shared by all prompts: what it happens to favour, it favours in all.
All resamples are computed at once as products of sparse matrices, in blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from leaderboard.contrasts import Contrast
from leaderboard.drawing import LEAST_RATERS, Array, Weights, Whole
from leaderboard.influences import Influences, Linear, influences, summed
from leaderboard.variance import scales, two_way

Flags = NDArray[np.bool_]

Matrix = Any
"""A sparse matrix in rows; scipy's types do not follow its products."""

_BLOCK = 4_000_000
"""Numbers held at once, in each of a few arrays."""

_STEP = 1e-5
"""By which means are moved to find the slope of a function of them."""


class Judgements(NamedTuple):
    """Judgements in long form and how they are gathered; all codes run from 0."""

    item: Whole
    rater: Whole
    channel: Whole
    """What a judgement speaks of: the label given; 0 throughout where there is but one."""
    value: Array
    """1 for a label given; a number on a scale."""
    weight: Array
    """Of the judgement among those of its item: 1, or the precision of its rater."""
    n_channels: int
    prompt_of_item: Whole
    cluster_of_prompt: Whole
    cells: Sequence[Whole]
    """Per cell, the prompts in it."""
    seed: Whole
    """Of each item, −1 where it has none."""
    fitted: bool = False
    """Whether values are less a bias of their rater that was fitted to them under these weights."""


class CellMeans(NamedTuple):
    """Column 0 is the estimate, the others are resamples; NaN where a cell has no judgement."""

    means: Array
    """(cells, channels, 1 + resamples)."""
    mass: Array
    """(cells, 1 + resamples): the summed weights of the cell's prompts."""
    unscaled: Array
    """The means before their deviations were scaled."""
    influences: Influences | None
    """What units move the means by; None without resamples."""
    confidence: float
    """Of the intervals for which deviations were scaled."""
    edges: Flags | None = None
    """Which means, (cells, channels), had their resamples drawn from a posterior."""
    extremes: Array | None = None
    """The least and the most mean of an item behind each, (2, cells, channels)."""

    def combined(self, places: Sequence[tuple[int, int]], of: Callable[[Array], Array]) -> Contrast:
        """Return a function of some means, its deviations scaled as those of one quantity.

        Args:
            places: cell and channel of each mean.
            of: takes (places, columns) to (columns,). What units move it by follows from its slopes
                at the estimate (the delta method), which are taken by differences.
        """
        cells, channels = np.array(places).T
        draws = self.unscaled[cells, channels]
        if self.influences is None:
            return Contrast(of(draws), 0.0, np.inf)
        drawn = np.zeros(len(places), dtype=bool)
        if self.edges is not None:
            drawn = self.edges[cells, channels]
        estimate = draws[:, :1]
        steps = np.eye(len(places)) * _STEP
        slopes = (of(estimate + steps) - of(estimate - steps)) / (2 * _STEP)
        value = of(estimate)[0]
        away = of(np.where(drawn[:, None], estimate, draws)) - value
        variance, freedom = 0.0, np.inf
        if (~drawn).any() and np.abs(slopes[~drawn]).any():
            moved = self.influences.weighted(cells[~drawn], channels[~drawn], slopes[~drawn])
            (wanted,), (known,) = two_way(moved.between())
            away *= scales(wanted, known, _variance(away[None, 1:]), self.confidence)
            variance, freedom = float(wanted[0]), float(known[0])
        if drawn.any():  # from a posterior, which shows what no resample can
            more = of(np.where(drawn[:, None], self.means[cells, channels], estimate)) - value
            away = away + more
            both = variance + float(_variance(more[None, 1:])[0])
            freedom *= (both / variance) ** 2 if variance else 1.0
            variance = both
        return Contrast(value + away, math.sqrt(variance), freedom)

    def differences(self, pairs: Sequence[tuple[int, int]]) -> list[list[Contrast]]:
        """Return differences of two cells, by pair and channel, each scaled as one quantity."""
        if not pairs:
            return []
        first, second = np.array(pairs).T
        gap: Array = self.unscaled[first] - self.unscaled[second]
        freedom: Array = np.full(gap.shape[:2], np.inf)
        error = np.zeros_like(freedom)
        if self.influences is not None:
            between = self.influences.between_pairs(pairs)
            wanted, freedom = two_way(between, pooled=True)
            error = np.sqrt(wanted)
            away = gap[:, :, 1:] - gap[:, :, :1]
            factor = scales(wanted, freedom, _variance(away), self.confidence)
            gap[:, :, 1:] = gap[:, :, :1] + away * factor[:, :, None]
        if self.edges is not None:
            edges = self.edges[first] | self.edges[second]
            gap[edges] = (self.means[first] - self.means[second])[edges]
            freedom[edges] = np.inf
            error[edges] = np.sqrt(_variance(gap[:, :, 1:] - gap[:, :, :1]))[edges]
        return [
            [Contrast(*part) for part in zip(*of_pair, strict=True)]
            for of_pair in zip(gap, error, freedom, strict=True)
        ]


def weighted_sum(parts: Sequence[CellMeans], weights: Array) -> CellMeans:
    """Return weighted sums of the same cells' means on several scales, each scaled as one quantity.

    Args:
        parts: from the same resamples.
        weights: of each, (parts,).
    """
    unscaled = np.einsum("p,pcnb->cnb", weights, np.stack([part.unscaled for part in parts]))
    found = [part.influences for part in parts if part.influences is not None]
    mass, confidence = parts[0].mass, parts[0].confidence
    if len(found) < len(parts):
        return CellMeans(unscaled, mass, unscaled, None, confidence)
    return _scaled(unscaled, mass, summed(found, weights), confidence)


def cell_means(judgements: Judgements, drawn: Weights) -> CellMeans:
    """Average raters, items and prompts under each column of weights.

    Where fewer than `LEAST_RATERS` gave these judgements none of them is drawn.
    """
    raters, clusters, items, confidence = drawn
    item, rater = judgements.item, judgements.rater
    if len(np.unique(rater)) < LEAST_RATERS:
        raters = np.ones_like(raters)
    n_items, n_channels = len(judgements.prompt_of_item), judgements.n_channels
    n_prompts, n_raters = len(judgements.cluster_of_prompt), len(raters)
    rows = item * n_channels + judgements.channel
    weighted = judgements.value * judgements.weight
    sums = _matrix(weighted, rows, rater, (n_items * n_channels, n_raters))
    seen = _matrix(judgements.weight, item, rater, (n_items, n_raters))
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
    for place, clusters_there in enumerate(clusters_of(judgements)):
        if clusters_there < 2:
            means[place, :, 1:] = np.nan
    if columns < 3:
        return CellMeans(means, mass, means, None, confidence)
    if (items == 1).all():
        judgements = judgements._replace(seed=np.full(n_items, -1))
    linear = _linear(judgements, means[:, :, 0], (sums, seen, members, cells))
    found = influences(linear)
    if (raters[np.unique(rater)] == 1).all():  # none is drawn, so none may widen
        found = found.without_raters()
    return _scaled(means, mass, found, confidence)._replace(extremes=_extremes(linear))


def _scaled(means: Array, mass: Array, found: Influences, confidence: float) -> CellMeans:
    away = means[:, :, 1:] - means[:, :, :1]
    scaled = means.copy()
    factor = scales(*two_way(found.between()), _variance(away), confidence)
    scaled[:, :, 1:] = means[:, :, :1] + away * factor[:, :, None]
    return CellMeans(scaled, mass, means, found, confidence)


def _extremes(linear: Linear) -> Array:
    """Return the least and the most mean of an item of each cell, (2, cells, channels)."""
    of_cell = sparse.csr_array(linear.cells @ linear.members)
    found = np.full((2, *linear.of_cell.shape), np.nan)
    for cell in range(of_cell.shape[0]):
        own = linear.of_item[of_cell[[cell], :].indices]
        if len(own):
            found[:, cell] = own.min(axis=0), own.max(axis=0)
    return found


def _linear(
    judgements: Judgements, of_cell: Array, parts: tuple[Matrix, Matrix, Matrix, Matrix]
) -> Linear:
    sums, seen, members, cells = parts
    n_items, n_channels = len(judgements.prompt_of_item), judgements.n_channels
    counts = np.asarray(seen.sum(axis=1)).ravel()
    summed = np.asarray(sums.sum(axis=1)).reshape(n_items, n_channels)
    of_item = summed / np.where(counts > 0, counts, 1.0)[:, None]
    judged = members @ sparse.diags_array((counts > 0).astype(np.float64))
    members = _averaging(judged)
    there = (np.asarray(judged.sum(axis=1)).ravel() > 0).astype(np.float64)
    item, rater, weight, value = _by_rater(judgements, seen)
    return Linear(
        item=item,
        rater=rater,
        weight=weight,
        away=value - of_item[item],
        n_raters=seen.shape[1],
        of_item=of_item,
        of_prompt=_times(members, of_item),
        of_cell=of_cell,
        members=members,
        cells=_averaging(cells @ sparse.diags_array(there)),
        cluster_of_prompt=judgements.cluster_of_prompt,
        prompt_of_item=judgements.prompt_of_item,
        seed=judgements.seed,
        fitted=judgements.fitted,
    )


def _by_rater(judgements: Judgements, seen: Matrix) -> tuple[Whole, Whole, Array, Array]:
    """Return item, rater, weight and mean value (by channel) of what each rater said of each item."""
    n_raters, n_channels = seen.shape[1], judgements.n_channels
    pairs = seen.tocoo()
    item, rater = pairs.row.astype(np.int64), pairs.col.astype(np.int64)
    place = np.searchsorted(item * n_raters + rater, judgements.item * n_raters + judgements.rater)
    weighted = judgements.value * judgements.weight
    sums = np.bincount(place * n_channels + judgements.channel, weighted, len(item) * n_channels)
    return item, rater, pairs.data, sums.reshape(len(item), n_channels) / pairs.data[:, None]


def _variance(away: Array) -> Array:
    """Return the mean square of deviations over the resamples that have them."""
    known = np.isfinite(away)
    squares = np.where(known, away, 0.0) ** 2
    variance: Array = squares.sum(axis=-1) / np.maximum(known.sum(axis=-1), 1)
    return variance


def _averaging(membership: Matrix) -> Matrix:
    """Return the matrix with rows that sum to 1, empty rows staying empty."""
    total = np.asarray(membership.sum(axis=1)).ravel()
    scaled = sparse.csr_array(sparse.diags_array(1 / np.where(total > 0, total, 1.0)) @ membership)
    scaled.eliminate_zeros()
    return scaled


def clusters_of(judgements: Judgements) -> list[int]:
    """Return how many clusters (scenes, or references) with a judgement stand behind each cell."""
    judged = np.zeros(len(judgements.cluster_of_prompt), dtype=bool)
    judged[judgements.prompt_of_item[judgements.item]] = True
    of = judgements.cluster_of_prompt
    return [len(np.unique(of[cell[judged[cell]]])) for cell in judgements.cells]


def spread_shares(rng: np.random.Generator, draws: CellMeans, clusters: Sequence[int]) -> CellMeans:
    """Give shares of exactly 0 or 1 the spread that no resample can show; `edges` says which.

    All draws are held within 0 and 1.

    Where none (or all) of n scenes has a label, so has every resample. Its draws then come from
    Jeffreys' posterior, Beta(½, n + ½) or its mirror image (Brown, Cai and DasGupta 2001).
    """
    means, edges = draws.means, np.zeros(draws.means.shape[:2], dtype=bool)
    np.clip(means[:, :, 1:], 0, 1, out=means[:, :, 1:])
    for cell, n in enumerate(clusters):
        for channel in range(means.shape[1]):
            value = means[cell, channel, 0]
            resampled = means[cell, channel, 1:]
            there = np.isfinite(resampled)
            if value not in {0.0, 1.0} or n < 2 or not (resampled[there] == value).all():
                continue
            drawn = rng.beta(0.5, n + 0.5, len(resampled))
            resampled[there] = (drawn if value == 0 else 1 - drawn)[there]
            edges[cell, channel] = True
    return draws._replace(edges=edges)


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
