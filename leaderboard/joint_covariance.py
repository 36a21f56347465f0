"""The covariance of mean qualities and strengths of the same models, clustered by what they share.

Ratings and votes share scenes and raters, and a rater's rating and vote on one scene speak of the
same pictures. So every part of V = B_scenes + B_raters − B_judgements (see `variance`) is of both
readings together: what each unit moves, in one vector, times itself. A judgement is all that one
rater said of one scene, ratings and votes, summed before it is multiplied (the intersection of the
clusters of Cameron, Gelbach and Miller 2011).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg import null_space

from leaderboard.drawing import Array, Whole
from leaderboard.fusion import Spread
from leaderboard.gathering import Gathered
from leaderboard.quality import Means
from leaderboard.ranking import Fitted
from leaderboard.variance import Influences, Matrix
from leaderboard.vote_draws import strength_sums
from leaderboard.votes import Votes

_TOO_FEW = "too few scenes: needs more than twice as many as models"

_LEAST = 1e-9
"""Of the least share of the variance: what is none."""


class Rated(NamedTuple):
    """The ratings' side."""

    means: Sequence[Means]
    """By criterion."""
    share: Array
    """Of each criterion."""
    gathered: Gathered


def covariance_of_both(
    models: Sequence[str], rated: Rated, votes: Votes, fit: Fitted
) -> Spread | str:
    """Return the covariance of contrasts of mean qualities and strengths, or why there is none.

    B_raters − B_judgements is held positive.

    Args:
        models: that both have.
        rated: means and the units behind them.
        votes: the votes that were fitted.
        fit: of the votes, without a prior.
    """
    moved, n = fit.moved, len(models)
    own = [rated.means[0].models.index(name) for name in models]
    theirs = [votes.models.index(name) for name in models]
    found = [part.influences for part in rated.means]
    if moved is None or any(part is None for part in found):
        return _TOO_FEW
    parts = [
        (weight, part) for weight, part in zip(rated.share, found, strict=True) if part is not None
    ]
    scenes = sum(weight * part.scenes[own, 0] for weight, part in parts)
    raters = sum(
        weight * part.raters[own, 0] * np.sqrt(1 - part.share[own]) for weight, part in parts
    )
    gathered = rated.gathered
    contrast = np.kron(np.eye(2), null_space(np.ones((1, n))).T)
    by_scene = contrast @ _stacked(
        scenes, moved.scenes[:, theirs].T, gathered.clusters, votes.scenes
    )
    by_rater = contrast @ _stacked(raters, moved.raters[:, theirs].T, gathered.raters, votes.raters)
    n_scenes, n_raters = (int((part != 0).any(axis=0).sum()) for part in (by_scene, by_rater))
    if n_scenes <= 2 * n:
        return _TOO_FEW
    of_ratings = sparse.csr_array(sum(weight * _judged(part, own) for weight, part in parts))
    by_judgement = contrast @ _judgements(of_ratings, gathered, votes, fit, theirs)
    of_scenes = by_scene @ by_scene.T * n_scenes / (n_scenes - 1)
    of_raters = by_rater @ by_rater.T
    values, vectors = np.linalg.eigh(of_raters - by_judgement @ by_judgement.T)
    covariance = of_scenes + (vectors * np.maximum(values, 0)) @ vectors.T
    size = np.sqrt(np.maximum(np.diag(covariance), _LEAST**2))
    if np.linalg.eigvalsh(covariance / np.outer(size, size))[0] < _LEAST:
        return "some models never differ in the ratings, or in the votes: nothing varies"
    uncertain = [
        float(np.trace(np.linalg.solve(covariance, part))) ** 2 / max(units - 1, 1)
        for part, units in ((of_scenes, n_scenes), (of_raters, n_raters))
    ]
    return Spread(covariance, len(covariance) ** 2 / sum(uncertain))


def _judged(found: Influences, cells: Sequence[int]) -> Matrix:
    """Return what each rater says of each scene moves, as raters' moves are, (cells, pairs)."""
    moved = sparse.csr_array(found.judgements[cells])
    row = np.repeat(np.arange(len(cells)), np.diff(moved.indptr))
    share = found.share[cells][row, moved.indices % found.share.shape[1]]
    moved.data *= np.sqrt(1 - share)
    return moved


def _judgements(
    of_ratings: Matrix, gathered: Gathered, votes: Votes, fit: Fitted, theirs: Sequence[int]
) -> Array:
    """Return what all that a rater said of a scene moves, (2 models, pairs of scene and rater)."""
    scene, _ = _common(gathered.clusters, votes.scenes)
    rater, n_raters = _common(gathered.raters, votes.raters)
    table = of_ratings.tocoo()
    which, who = np.divmod(table.col, len(gathered.raters))
    rated = scene[which] * n_raters + rater[who]
    voted = scene[len(gathered.clusters) + votes.scene] * n_raters
    voted += rater[len(gathered.raters) + votes.rater]
    pairs, at = np.unique(np.concatenate([rated, voted]), return_inverse=True)
    n = len(theirs)
    both = np.zeros((2 * n, len(pairs)))
    np.add.at(both, (table.row, at[: len(rated)]), table.data)
    sums = strength_sums(votes, fit.point, prior=False)
    both[n:] = sums(at[len(rated) :], len(pairs))[:, theirs].T
    return both


def _common(names: Sequence[str], others: Sequence[str]) -> tuple[Whole, int]:
    """Return codes of both lists, one after the other, and how many names there are."""
    units, which = np.unique([*names, *others], return_inverse=True)
    return which.astype(np.int64), len(units)


def _stacked(mine: Array, theirs: Array, names: Sequence[str], others: Sequence[str]) -> Array:
    """Return both in one array, (2 models, units), units of one name in one column."""
    which, size = _common(names, others)
    both = np.zeros((len(mine) + len(theirs), size))
    both[: len(mine), which[: len(names)]] = mine
    both[len(mine) :, which[len(names) :]] = theirs
    return both
