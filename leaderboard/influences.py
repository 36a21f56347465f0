"""What every scene, rater, seed and judgement moves a mean by; `variance` makes intervals of it.

What a rater moves is what leaving them out would move: where an item is seen by few, its own mean
follows each of them, so a residual is divided by 1 − its share of the item (the jackknife of
two-way tables). Where raters' biases were fitted to the same ratings, what they would have been
without a rater or a scene has its part too: with few common items it is a large one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from leaderboard.drawing import Array, Whole
from leaderboard.variance import Between

Matrix = Any


class Linear(NamedTuple):
    """What `influences` needs of means of means, at the estimate.

    Shapes: judgements, items, channels, prompts, cells by their first letters. A judgement is what
    one rater said of one item.
    """

    item: Whole
    """Of each judgement, (j,)."""
    rater: Whole
    weight: Array
    """Among those of its item."""
    away: Array
    """Less the mean of its item, (j, c)."""
    n_raters: int
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
    fitted: bool
    """Whether raters' biases, fitted to the same judgements under these weights, were taken out."""


class Influences(NamedTuple):
    """What every unit moves each mean by, from which the variance of any difference follows."""

    scenes: Array
    """(cells, channels, clusters)."""
    raters: Array
    """As if each were left out, (cells, channels, raters)."""
    share: Array
    """Of each rater in each cell, (cells, raters)."""
    judgements: Matrix
    """What a rater says of a scene moves, (cells × channels, clusters × raters), sparse."""
    seen: NDArray[np.bool_]
    """Which clusters each cell has, (cells, clusters)."""
    seeds: Array
    """(cells, channels, seeds), seeds being those drawn: none where there are fewer than two."""
    items: Matrix
    """What the items of a seed and scene move, (cells × channels, clusters × seeds), sparse."""

    def without_raters(self) -> Influences:
        """Return the same where raters are not drawn: they and their judgements move nothing."""
        return self._replace(
            raters=np.zeros_like(self.raters), judgements=sparse.csr_array(self.judgements.shape)
        )

    def between(self) -> Between:
        """Return the variances of every mean."""
        share = self.share
        n_raters, n_seeds = share.shape[1], self.seeds.shape[-1]
        kept = (1 - share)[:, None]
        ones = np.ones(self.raters.shape[:2])
        squares = _squares(self.judgements, n_raters).reshape(self.raters.shape)
        items = _squares(self.items, max(n_seeds, 1)).sum(axis=1).reshape(ones.shape)
        return Between(
            scenes=(self.scenes**2).sum(axis=-1),
            raters=(kept * self.raters**2).sum(axis=-1),
            judgements=(kept * squares).sum(axis=-1),
            n_scenes=self.seen.sum(axis=1)[:, None] * ones,
            n_raters=1 / np.maximum((share**2).sum(axis=1), 1e-9)[:, None] * ones,
            seeds=(self.seeds**2).sum(axis=-1),
            items=items * n_seeds / max(n_seeds - 1, 1),
            n_seeds=n_seeds * ones,
        )

    def between_pairs(self, pairs: Sequence[tuple[int, int]]) -> Between:
        """Return the variances of the differences of two cells' means, (pairs, channels)."""
        found = [self._gap(*pair).between() for pair in pairs]
        return Between(*(np.concatenate(parts) for parts in zip(*found, strict=True)))

    def _gap(self, first: int, second: int) -> Influences:
        """Return what moves a difference: what a rater says of a scene in both cells cancels."""
        n_channels = self.raters.shape[1]
        one, other = (slice(at * n_channels, (at + 1) * n_channels) for at in (first, second))
        return Influences(
            self.scenes[[first]] - self.scenes[[second]],
            self.raters[[first]] - self.raters[[second]],
            (self.share[[first]] + self.share[[second]]) / 2,
            self.judgements[one] - self.judgements[other],
            self.seen[[first]] | self.seen[[second]],
            self.seeds[[first]] - self.seeds[[second]],
            self.items[one] - self.items[other],
        )

    def weighted(self, cells: Whole, channels: Whole, weights: Array) -> Influences:
        """Return what moves one weighted sum of means, each given by its cell and channel."""
        n_channels = self.raters.shape[1]
        rows = cells * n_channels + channels
        across = sparse.csr_array(weights[None, :])
        much = np.abs(weights) / np.abs(weights).sum()
        return Influences(
            np.tensordot(weights, self.scenes[cells, channels], 1)[None, None],
            np.tensordot(weights, self.raters[cells, channels], 1)[None, None],
            (much @ self.share[cells])[None],
            across @ self.judgements[rows],
            np.logical_or.reduce(self.seen[cells], axis=0, keepdims=True),
            np.tensordot(weights, self.seeds[cells, channels], 1)[None, None],
            across @ self.items[rows],
        )

    def covariance(self, cell: int) -> Array:
        """Return the covariance of a cell's channels, (channels, channels): that of two-way clustering.

        What raters or seeds would take away, on the whole, is left out, as for a single mean.
        """
        n_channels, n_raters = self.raters.shape[1], self.raters.shape[2]
        n_seeds = self.seeds.shape[-1]
        rows = slice(cell * n_channels, (cell + 1) * n_channels)
        kept, n_scenes = 1 - self.share[cell], int(self.seen[cell].sum())
        said = self.judgements[rows]
        crossed = said @ sparse.diags_array(np.tile(kept, said.shape[1] // n_raters)) @ said.T
        moved = self.raters[cell]
        result = self.scenes[cell] @ self.scenes[cell].T * n_scenes / max(n_scenes - 1, 1)
        result = result + _positive((moved * kept) @ moved.T - np.asarray(crossed.todense()))
        if n_seeds > 1:
            alone = self.seeds[cell] @ self.seeds[cell].T
            items = np.asarray((self.items[rows] @ self.items[rows].T).todense())
            result = result + _positive((alone - items) * n_seeds / (n_seeds - 1))
        return np.asarray(result, dtype=np.float64)


def _positive(matrix: Array) -> Array:
    """Return the nearest matrix that is a covariance: what would be negative is nothing."""
    values, vectors = np.linalg.eigh(matrix)
    result: Array = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return result


def summed(parts: Sequence[Influences], weights: Array) -> Influences:
    """Return what moves weighted sums of the same cells' means on several scales.

    Scales whose raters are not drawn have no part in how many raters there are.
    """
    pairs = list(zip(weights, parts, strict=True))
    drawn = [(weight, part) for weight, part in pairs if part.raters.any()] or pairs
    return Influences(
        scenes=sum(weight * part.scenes for weight, part in pairs),
        raters=sum(weight * part.raters for weight, part in pairs),
        share=sum(w * part.share for w, part in drawn) / sum(w for w, _ in drawn),
        judgements=sparse.csr_array(sum(weight * part.judgements for weight, part in pairs)),
        seen=np.any([part.seen for _, part in pairs], axis=0),
        seeds=sum(weight * part.seeds for weight, part in pairs),
        items=sparse.csr_array(sum(weight * part.items for weight, part in pairs)),
    )


def _squares(moved: Matrix, n_units: int) -> Array:
    """Return sums of squares by the second unit of each column, (rows, units)."""
    row = np.repeat(np.arange(moved.shape[0]), np.diff(moved.indptr))
    at = row * n_units + moved.indices % n_units
    sums: Array = np.bincount(at, moved.data**2, moved.shape[0] * n_units).astype(np.float64)
    return sums.reshape(-1, n_units)


def _crossed(first: Whole, second: Whole, moved: Array, shape: tuple[int, int]) -> Matrix:
    """Sum (n, channels) by both units, to (channels, units × units), sparse."""
    n_channels = moved.shape[1]
    column = np.tile(first * shape[1] + second, n_channels)
    row = np.repeat(np.arange(n_channels), len(moved))
    size = (n_channels, shape[0] * shape[1])
    return sparse.csr_array((moved.T.ravel(), (row, column)), shape=size)


def influences(linear: Linear) -> Influences:
    """Return what scenes, raters and judgements move every cell's means by."""
    n_items, n_channels = linear.of_item.shape
    n_cells, n_raters = len(linear.of_cell), linear.n_raters
    n_clusters = int(linear.cluster_of_prompt.max()) + 1
    cluster = linear.cluster_of_prompt[linear.prompt_of_item]
    item, rater = linear.item, linear.rater
    part = linear.weight / np.bincount(item, linear.weight, n_items)[item]
    alone = part > 1 - 1e-6
    left_out = linear.away / np.where(alone, 1.0, 1 - part)[:, None]
    of_cell = sparse.csr_array(linear.cells @ linear.members)
    solve = _biases(linear, part) if linear.fitted else None
    scenes = np.zeros((n_cells, n_channels, n_clusters))
    raters = np.zeros((n_cells, n_channels, n_raters))
    judgements: list[Matrix] = []
    share = np.zeros((n_cells, n_raters))
    seen = np.zeros((n_cells, n_clusters), dtype=bool)
    for cell in range(n_cells):
        row = linear.cells[[cell], :].tocoo()
        away = (linear.of_prompt[row.col] - linear.of_cell[cell]) * row.data[:, None]
        at = linear.cluster_of_prompt[row.col]
        seen[cell, at] = True
        scenes[cell] = _by(at, away, n_clusters)
        row = of_cell[[cell], :].tocoo()
        of_items = np.zeros(n_items)
        of_items[row.col] = row.data
        given = of_items[item] * part
        share[cell] = np.bincount(rater, given, n_raters)
        if solve is not None:
            tilt = _tilt(linear, part, solve @ share[cell])
            scenes[cell] -= _by(cluster[item], tilt[:, None] * linear.away, n_clusters)
            given = given - tilt
        there = np.flatnonzero(given)
        moved = left_out[there]
        # without its only rater an item would be gone
        gone = alone[there]
        moved[gone] = linear.of_item[item[there][gone]] - linear.of_cell[cell]
        moved *= given[there, None]
        raters[cell] = _by(rater[there], moved, n_raters)
        size = (n_clusters, n_raters)
        judgements.append(_crossed(cluster[item[there]], rater[there], moved, size))
    seeds, items = _of_seeds(linear, of_cell)
    crossed = sparse.csr_array(sparse.vstack(judgements))
    return Influences(scenes, raters, share, crossed, seen, seeds, items)


def _by(unit: Whole, values: Array, n_units: int) -> Array:
    """Sum (n, channels) by unit, to (channels, units)."""
    return np.stack([np.bincount(unit, column, n_units) for column in values.T])


def _biases(linear: Linear, part: Array) -> Array:
    """Return the inverse of the normal equations of raters' biases, (raters, raters)."""
    size = (len(linear.of_item), linear.n_raters)
    weights = sparse.csr_array((linear.weight, (linear.item, linear.rater)), shape=size)
    parts = sparse.csr_array((part, (linear.item, linear.rater)), shape=size)
    own = np.bincount(linear.rater, linear.weight, linear.n_raters)
    system = np.diag(own) - np.asarray((weights.T @ parts).todense())
    return np.asarray(np.linalg.pinv(system, rcond=1e-9, hermitian=True))


def _tilt(linear: Linear, part: Array, slope: Array) -> Array:
    """Return how far each judgement moves a mean by way of the biases, (judgements,).

    Args:
        linear: the judgements.
        part: share of each in its item.
        slope: what the bias of each rater would move, solved for the normal equations.
    """
    own = slope[linear.rater]
    mean = np.bincount(linear.item, part * own, len(linear.of_item))
    tilt: Array = linear.weight * (own - mean[linear.item])
    # a complete panel moves nothing: what is left is rounding
    tilt[np.abs(tilt) < 1e-12] = 0.0
    return tilt


def _of_seeds(linear: Linear, of_cell: Matrix) -> tuple[Array, Matrix]:
    """Return what seeds move every cell's means by, and what the items of a seed and scene do."""
    n_cells, n_channels = linear.of_cell.shape
    n_seeds = int(linear.seed.max(initial=-1)) + 1
    n_clusters = int(linear.cluster_of_prompt.max()) + 1
    if n_seeds < 2:
        none = sparse.csr_array((n_cells * n_channels, n_clusters))
        return np.zeros((n_cells, n_channels, 0)), none
    apart = linear.of_item - linear.of_prompt[linear.prompt_of_item]
    seeds, items = np.empty((n_cells, n_channels, n_seeds)), []
    for cell in range(n_cells):
        row = of_cell[[cell], :].tocoo()
        drawn = linear.seed[row.col] >= 0
        at = row.col[drawn]
        moved = apart[at] * row.data[drawn, None]
        seeds[cell] = _by(linear.seed[at], moved, n_seeds)
        cluster = linear.cluster_of_prompt[linear.prompt_of_item[at]]
        items.append(_crossed(cluster, linear.seed[at], moved, (n_clusters, n_seeds)))
    return seeds, sparse.csr_array(sparse.vstack(items))
