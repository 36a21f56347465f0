"""How wide resamples should be: two-way clustering, and Student's t where a panel is small.

A resample that draws scenes and raters and lets a judgement count with the product of both carries
the noise of single judgements three times (Owen 2007), and with eight raters their normal quantile
is too short. Deviations of the resamples are therefore scaled to the variance of two-way
clustering, V = B_scenes + B_raters − B_judgements, and where seeds are drawn + B_seeds − B_items
(Cameron, Gelbach and Miller 2011), corrected
for the number of units, times t over z with Satterthwaite's degrees of freedom (as in the
expanded percentile interval of Hesterberg 2015). The shape of the resamples stays.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import norm, t

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
Matrix = Any


class Between(NamedTuple):
    """Variances of each mean, all of one shape, and the units behind them."""

    scenes: Array
    raters: Array
    """Of a rater with share h in the mean, 1 / (1 − h) times the square."""
    judgements: Array
    n_scenes: Array
    n_raters: Array
    """1 / Σ h²: as many equal raters weigh as much."""
    seeds: Array
    """0 where no seeds are drawn."""
    items: Array
    """Variance that single items of a prompt make, which each seed brings with it."""
    n_seeds: Array


def expansion(freedom: Array) -> Array:
    """Return t over z at 97.5 %, for degrees of freedom from 1 up."""
    return np.asarray(t.ppf(0.975, np.maximum(freedom, 1.0)) / norm.ppf(0.975), np.float64)


class Influences(NamedTuple):
    """What every unit moves each mean by, from which the variance of any difference follows."""

    scenes: Array
    """(cells, channels, clusters)."""
    raters: Array
    """(cells, channels, raters)."""
    share: Array
    """Of each rater in each cell, (cells, raters)."""
    judgements: Array
    """Variance that single judgements make, (cells, channels)."""
    seen: Array
    """Which clusters each cell has, (cells, clusters)."""
    seeds: Array
    """(cells, channels, seeds), seeds being those drawn: none where there are fewer than two."""
    items: Array
    """Variance that single items make within their prompt, (cells, channels)."""

    def between(self) -> Between:
        """Return the variances of every mean."""
        return _between(self, self.seen.sum(axis=1)[:, None])

    def between_pair(self, first: int, second: int) -> Between:
        """Return the variances of the difference of two cells' means, (channels,)."""
        gap = Influences(
            self.scenes[first] - self.scenes[second],
            self.raters[first] - self.raters[second],
            (self.share[first] + self.share[second]) / 2,
            self.judgements[first] + self.judgements[second],
            self.seen[first] | self.seen[second],
            self.seeds[first] - self.seeds[second],
            self.items[first] + self.items[second],
        )
        return _between(gap, gap.seen.sum())


def _between(found: Influences, n_scenes: Array) -> Between:
    raters, share = found.raters, found.share
    leverage = np.expand_dims(1 - share, -2)
    moved = np.zeros_like(raters)
    np.divide(raters**2, leverage, out=moved, where=leverage > 1e-6)
    ones = np.ones_like(found.judgements)
    n_raters = 1 / np.maximum((share**2).sum(axis=-1), 1e-9)
    return Between(
        scenes=(found.scenes**2).sum(axis=-1),
        raters=moved.sum(axis=-1),
        judgements=found.judgements,
        n_scenes=n_scenes * ones,
        n_raters=np.expand_dims(n_raters, -1) * ones,
        seeds=(found.seeds**2).sum(axis=-1),
        items=found.items,
        n_seeds=found.seeds.shape[-1] * ones,
    )


def scales(between: Between, drawn: Array) -> Array:
    """Return what each mean's deviations are multiplied by; 1 where nothing varies.

    Args:
        between: as `Influences` gives it.
        drawn: variance over the resamples, of the same shape.
    """
    of_scenes = between.scenes * between.n_scenes / np.maximum(between.n_scenes - 1, 1)
    of_raters = between.raters
    # raters never take away from what the scenes alone show
    wanted = of_scenes + np.maximum(of_raters - between.judgements, 0)
    often = between.n_seeds / np.maximum(between.n_seeds - 1, 1)
    of_seeds = np.maximum(between.seeds - between.items, 0) * often
    wanted += of_seeds
    uncertain = of_scenes**2 / np.maximum(between.n_scenes - 1, 1)
    uncertain += of_raters**2 / np.maximum(between.n_raters - 1, 1)
    uncertain += of_seeds**2 / np.maximum(between.n_seeds - 1, 1)
    freedom = np.full_like(wanted, np.inf)
    np.divide(wanted**2, uncertain, out=freedom, where=uncertain > 0)
    ratio = np.ones_like(wanted)
    there = (drawn > 1e-18) & (wanted > 1e-18)
    np.divide(wanted, drawn, out=ratio, where=there)
    result: Array = np.sqrt(ratio) * np.where(there, expansion(freedom), 1.0)
    return result


class Linear(NamedTuple):
    """What `influences` needs of means of means, at the estimate.

    Shapes: items, raters, channels, prompts, cells by their first letters.
    """

    sums: Matrix
    """Weighted values by item × channel and rater, (i·c, r), sparse."""
    seen: Matrix
    """Weights by item and rater, (i, r), sparse."""
    of_item: Array
    """(i, c)."""
    of_prompt: Array
    """(p, c)."""
    of_cell: Array
    """(cells, c)."""
    members: Matrix
    """(p, i), each row summing to 1 over the items counted."""
    cells: Matrix
    """(cells, p), likewise."""
    cluster_of_prompt: Whole
    prompt_of_item: Whole
    seed: Whole
    """Of each item, −1 where it has none."""


def influences(linear: Linear) -> Influences:
    """Return what scenes, raters and judgements move every cell's means by."""
    n_items, n_channels = linear.of_item.shape
    n_raters = linear.seen.shape[1]
    n_cells = linear.of_cell.shape[0]
    n_clusters = int(linear.cluster_of_prompt.max()) + 1
    weight = np.asarray(linear.seen.sum(axis=1)).ravel()
    scenes = np.zeros((n_cells, n_channels, n_clusters))
    seen = np.zeros((n_cells, n_clusters), dtype=bool)
    for cell in range(n_cells):
        row = linear.cells[[cell], :].tocoo()
        away = (linear.of_prompt[row.col] - linear.of_cell[cell]) * row.data[:, None]
        cluster = linear.cluster_of_prompt[row.col]
        seen[cell, cluster] = True
        for channel in range(n_channels):
            scenes[cell, channel] = np.bincount(cluster, away[:, channel], n_clusters)
    # what each rater moves each item by
    moved = np.asarray(linear.sums.todense()).reshape(n_items, n_channels, n_raters)
    moved = moved - linear.of_item[:, :, None] * np.asarray(linear.seen.todense())[:, None, :]
    moved /= np.where(weight > 0, weight, 1.0)[:, None, None]
    of_cell = linear.cells @ linear.members
    by_rater = np.asarray(of_cell @ moved.reshape(n_items, -1)).reshape(n_cells, n_channels, -1)
    squared = np.asarray(of_cell.multiply(of_cell) @ (moved**2).sum(axis=2))
    shares = linear.seen.multiply(1 / np.where(weight > 0, weight, 1.0)[:, None])
    share = np.asarray((of_cell @ sparse.csr_array(shares)).todense())
    seeds, items = _of_seeds(linear, of_cell)
    return Influences(scenes, by_rater, share, squared, seen, seeds, items)


def _of_seeds(linear: Linear, of_cell: Matrix) -> tuple[Array, Array]:
    """Return what seeds move every cell's means by, and the variance that single items bring."""
    n_cells, n_channels = linear.of_cell.shape
    n_seeds = int(linear.seed.max(initial=-1)) + 1
    drawn = np.flatnonzero(linear.seed >= 0)
    if n_seeds < 2:
        return np.zeros((n_cells, n_channels, 0)), np.zeros((n_cells, n_channels))
    apart = linear.of_item[drawn] - linear.of_prompt[linear.prompt_of_item[drawn]]
    share = sparse.csr_array(of_cell)[:, drawn]
    ones = np.ones(len(drawn))
    at = (np.arange(len(drawn)), linear.seed[drawn])
    member = sparse.csr_array((ones, at), shape=(len(drawn), n_seeds))
    seeds, items = np.empty((n_cells, n_channels, n_seeds)), np.empty((n_cells, n_channels))
    for channel in range(n_channels):
        moved = share @ sparse.diags_array(apart[:, channel])
        seeds[:, channel] = (moved @ member).todense()
        items[:, channel] = np.asarray(moved.multiply(moved).sum(axis=1)).ravel()
    return seeds, items
