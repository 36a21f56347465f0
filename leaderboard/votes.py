"""Votes as codes, and their wins and ties under resampled scenes, seeds and raters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import RequestError
from leaderboard.davidson import Davidson, scores_and_information
from leaderboard.resampling import LEAST_RATERS, Array, Whole, draw_raters, draw_seeds, draw_weights
from leaderboard.selection import codes, seed_codes
from leaderboard.tables import WINNERS
from leaderboard.variance import expansion

Flags = NDArray[np.bool_]

_LEAST_NOISE = 0.25


class Votes(NamedTuple):
    """One array of codes per column, shape (votes,); `winner` indexes `WINNERS`."""

    left: Whole
    right: Whole
    winner: Whole
    prompt: Whole
    rater: Whole
    models: list[str]
    scene_of_prompt: Whole
    suite_of_prompt: Whole
    suites: list[str]
    raters: list[str]
    seed: Whole
    """−1 where a vote has none."""
    scenes: list[str]
    """By name, "suite, line break, scene"."""

    def only(self, kept: Flags) -> Votes:
        """Return some of the votes; codes keep their meaning."""
        if kept.all():
            return self
        return self._replace(
            left=self.left[kept],
            right=self.right[kept],
            winner=self.winner[kept],
            prompt=self.prompt[kept],
            rater=self.rater[kept],
            seed=self.seed[kept],
        )

    @property
    def scene(self) -> Whole:
        """The scene of each vote."""
        return self.scene_of_prompt[self.prompt]

    @property
    def n_scenes(self) -> int:
        """How many scenes the whole table has."""
        return len(self.scenes)

    @property
    def n_raters(self) -> int:
        """How many raters the whole table has."""
        return len(self.raters)

    def cells(self) -> Whole:
        """Return the cell of each decided vote: winner × models + loser, ties after them."""
        n = len(self.models)
        left, right = np.indices((n, n)).reshape(2, n * n)
        tie = n * n + np.minimum(left, right) * n + np.maximum(left, right)
        of_kind = np.stack([left * n + right, right * n + left, tie, tie], axis=1)
        cells: Whole = of_kind.ravel()[(self.left * n + self.right) * 4 + self.winner]
        return cells


def votes_of(rows: pd.DataFrame) -> Votes:
    """Return a checked table's rows as codes."""
    both = pd.concat([rows["left"], rows["right"]], ignore_index=True)
    model, models = codes(both)
    order = {name: place for place, name in enumerate(WINNERS)}
    winner, words = codes(rows["winner"])
    place, suite_names = codes(rows["suite"])
    prompt, prompts = codes(rows["prompt"])
    key, of_key = np.unique(place * len(prompts) + prompt, return_inverse=True)
    suite_of_prompt = key // len(prompts)
    scenes = [
        f"{suite}\n{prompts[code % len(prompts)].partition('/')[0]}"
        for code, suite in zip(key, suite_of_prompt, strict=True)
    ]
    rater, raters = codes(rows["rater"])
    names, scene_of_prompt = np.unique(scenes, return_inverse=True)
    return Votes(
        left=model[: len(rows)],
        right=model[len(rows) :],
        winner=np.array([order[word] for word in words], dtype=np.int64)[winner],
        prompt=of_key,
        rater=rater,
        models=models,
        scene_of_prompt=scene_of_prompt,
        suite_of_prompt=suite_of_prompt,
        suites=suite_names,
        raters=raters,
        seed=seed_codes(rows["seed"]),
        scenes=[str(name) for name in names],
    )


def votes_from_lists(
    left: Sequence[str],
    right: Sequence[str],
    winner: Sequence[str],
    prompt: Sequence[str],
    rater: Sequence[str],
) -> Votes:
    """Return votes that are already in memory as codes, a second's work for several million.

    Raises:
        RequestError: lists of unequal length, an empty cell, an unknown winner, or a model against
            itself; rows count from 1.
    """
    columns = {"left": left, "right": right, "winner": winner, "prompt": prompt, "rater": rater}
    found = {}
    for name, cells in columns.items():
        if len(cells) != len(left):
            raise RequestError(f"votes: {len(cells)} cells of {name!r}, {len(left)} of 'left'")
        found[name] = _encoded(name, cells)
    mine, theirs = found["left"][1], found["right"][1]
    models = sorted({*mine, *theirs})
    index = {name: place for place, name in enumerate(models)}
    of_left = np.array([index[name] for name in mine], dtype=np.int64)[found["left"][0]]
    of_right = np.array([index[name] for name in theirs], dtype=np.int64)[found["right"][0]]
    code, words = found["winner"]
    if unknown := [word for word in words if word not in WINNERS]:
        row = list(winner).index(unknown[0]) + 1
        raise RequestError(
            f"votes, row {row}: column 'winner' has the unknown label {unknown[0]!r}: give one of"
            f" {', '.join(WINNERS)}"
        )
    if (itself := np.flatnonzero(of_left == of_right)).size:
        raise RequestError(
            f"votes, row {itself[0] + 1}: columns 'left' and 'right' both say"
            f" {models[of_left[itself[0]]]!r}: a model is not compared with itself"
        )
    prompts = found["prompt"][1]
    scenes = [f"\n{name.partition('/')[0]}" for name in prompts]
    names, scene_of_prompt = np.unique(scenes, return_inverse=True)
    return Votes(
        left=of_left,
        right=of_right,
        winner=np.array([WINNERS.index(word) for word in words], dtype=np.int64)[code],
        prompt=found["prompt"][0],
        rater=found["rater"][0],
        models=models,
        scene_of_prompt=scene_of_prompt,
        suite_of_prompt=np.zeros(len(prompts), dtype=np.int64),
        suites=[""],
        raters=found["rater"][1],
        seed=np.full(len(left), -1, dtype=np.int64),
        scenes=[str(name) for name in names],
    )


def _encoded(name: str, cells: Sequence[str]) -> tuple[Whole, list[str]]:
    index: defaultdict[str, int] = defaultdict(count().__next__)
    numbers = np.fromiter(map(index.__getitem__, cells), np.int64, count=len(cells))
    if odd := [word for word in index if not (isinstance(word, str) and word.strip())]:
        row = list(cells).index(odd[0]) + 1
        raise RequestError(f"votes, row {row}: column {name!r} holds no text: {odd[0]!r}")
    return numbers, list(index)


class Draws(NamedTuple):
    """Weights of scenes, seeds and raters, (units, 1 + resamples); column 0 is all ones."""

    scenes: Array
    seeds: Array | None
    """With a last row of ones for votes without a seed; None where there is nothing to draw."""
    raters: Array


def draw_votes(votes: Votes, rng: np.random.Generator, resamples: int) -> Draws:
    """Draw scenes, raters and, where several were used, seeds."""
    scenes = draw_weights(rng, np.zeros(votes.n_scenes, dtype=np.int64), resamples)
    raters = draw_raters(rng, votes.n_raters, resamples)
    n_seeds = int(votes.seed.max(initial=-1)) + 1
    if n_seeds < 2:
        return Draws(scenes, None, raters)
    every = np.append(np.arange(n_seeds), -1)
    return Draws(scenes, draw_seeds(rng, every, resamples), raters)


def resampled_sums(votes: Votes, draws: Draws, cell: Whole, per_cell: Array) -> Array:
    """Return what a sum over votes changes by under each resample, (resamples, columns).

    To first order a resample of scenes, of seeds and of raters each adds Σ (w − 1) × the unit's
    sum. Each of the F facets brings the noise of single votes with it, which is there but once:
    the deviations are scaled linearly from their covariance, Σ over facets, to that of two-way
    (or three-way) clustering, Σ over facets − (F − 1) × noise (Cameron, Gelbach and Miller 2011),
    with G / (G − 1) for G units and never less than a quarter of the noise, times t over z with
    Satterthwaite's degrees of freedom (see `variance`).

    Args:
        votes: as codes.
        draws: of scenes, seeds and raters.
        cell: of each vote.
        per_cell: what a vote in a cell adds, (cells, columns); its sum over all votes is 0.
    """
    facets: list[tuple[Whole, Array]] = [(votes.scene, draws.scenes)]
    if votes.n_raters >= LEAST_RATERS:
        facets.append((votes.rater, draws.raters))
    if draws.seeds is not None:
        facets.append((votes.seed % len(draws.seeds), draws.seeds))
    often = np.bincount(cell, minlength=len(per_cell)).astype(np.float64)
    noise = per_cell.T @ (per_cell * often[:, None])
    root, inverse = _power(noise, 0.5, least=0.0), _power(noise, -0.5, least=0.0)
    result = np.zeros((draws.raters.shape[1] - 1, per_cell.shape[1]))
    drawn, wanted = np.zeros_like(noise), (1 - len(facets)) * inverse @ noise @ inverse
    uncertain, each = 0.0, np.ones(len(cell))
    for unit, weights in facets:
        n_cells = len(weights) * len(per_cell)
        counts = np.bincount(unit * len(per_cell) + cell, each, n_cells)
        sums = counts.reshape(len(weights), len(per_cell)) @ per_cell
        result += (weights[:, 1:] - 1).T @ sums
        between = inverse @ (sums.T @ sums) @ inverse
        drawn += between
        between *= len(weights) / max(len(weights) - 1, 1)
        wanted += between
        uncertain += float(np.trace(between)) ** 2 / max(len(weights) - 1, 1)
    freedom = float(np.trace(wanted)) ** 2 / max(uncertain, 1e-300)
    whole = _power(wanted, 0.5, least=_LEAST_NOISE)
    scale = root @ whole @ _power(drawn, -0.5, least=0.0) @ inverse
    scaled: Array = result @ scale.T * expansion(np.array(freedom))
    return scaled


def _power(matrix: Array, power: float, least: float) -> Array:
    """Return a power of a symmetric matrix on its own range, eigenvalues from `least` up."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    there = np.abs(values) > 1e-9 * max(float(np.abs(values).max()), 1e-300)
    raised = np.zeros_like(values)
    kept = np.maximum(values, least)
    np.power(kept, power, out=raised, where=there & (kept > 0))
    result: Array = (vectors * raised) @ vectors.T
    return result


def resampled_fits(
    votes: Votes, draws: Draws, cell: Whole, fit: Davidson, *, prior: bool
) -> Davidson:
    """Return resampled strengths and tie parameters, one Newton step from the estimate each."""
    counts = np.bincount(cell, minlength=2 * len(votes.models) ** 2).astype(np.float64)
    per_cell, information = scores_and_information(fit, counts, prior=prior)
    slopes = resampled_sums(votes, draws, cell, per_cell)
    change = np.linalg.solve(information, slopes.T).T
    strength = fit.strength[0] + change[:, :-1]
    strength -= strength.mean(axis=1, keepdims=True)
    return Davidson(strength, fit.tie[0] * np.exp(change[:, -1]))
