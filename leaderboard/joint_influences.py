"""What scenes, raters and judgements move mean qualities and strengths of the same models by.

Ratings and votes share scenes and raters, and a rater's rating and vote on one scene speak of the
same pictures. So every part of V = B_scenes + B_raters − B_judgements (see `variance`) is of both
readings together: what each unit moves, in one vector, times itself. A judgement is all that one
rater said of one scene, ratings and votes, summed before it is multiplied (the intersection of the
clusters of Cameron, Gelbach and Miller 2011). Of a table with fewer than three raters none moves
anything: they are not drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from leaderboard.drawing import LEAST_RATERS, Array, Whole
from leaderboard.gathering import Gathered
from leaderboard.influences import Influences, Matrix, summed
from leaderboard.quality import Means
from leaderboard.ranking import Fitted
from leaderboard.variance import Between
from leaderboard.vote_draws import strength_sums
from leaderboard.votes import Votes


class Rated(NamedTuple):
    """The ratings' side."""

    means: Sequence[Means]
    """By criterion."""
    share: Array
    """Of each criterion."""
    gathered: Gathered


class Moves(NamedTuple):
    """What each unit moves the readings by: means of n models, then their strengths."""

    scenes: Array
    """(2 n, scenes)."""
    raters: Array
    """As if each were left out, (2 n, raters)."""
    judgements: Array
    """What all that a rater said of a scene moves, (2 n, pairs of rater and scene)."""
    scene_share: Array
    """Of each scene in either reading, (2, scenes)."""
    rater_share: Array
    """Of each rater in either reading, (2, raters); 0 where raters are not drawn."""

    def between(self, of: Array, voted: float) -> Between:
        """Return the variances of linear combinations of the readings.

        Args:
            of: (combinations, 2 n).
            voted: how much of them the votes are, 0 to 1: for the number of units behind them.
        """
        scenes, raters, judgements = (((of @ part) ** 2).sum(axis=1) for part in self[:3])
        ones, none = np.ones(len(of)), np.zeros(len(of))
        n_scenes, n_raters = (
            _equal_units((1 - voted) * share[0] + voted * share[1]) * ones
            for share in (self.scene_share, self.rater_share)
        )
        return Between(scenes, raters, judgements, n_scenes, n_raters, none, none, ones)

    def draw(self, scenes: Array, raters: Array) -> Array:
        """Return what resamples move the readings by to first order, (2 n, resamples).

        Args:
            scenes: how often each is drawn, (scenes, resamples).
            raters: likewise.
        """
        drawn: Array = self.scenes @ (scenes - 1) + self.raters @ (raters - 1)
        return drawn


def _equal_units(share: Array) -> float:
    """Return how many units of equal share weigh as much."""
    return float(share.sum()) ** 2 / max(float((share**2).sum()), 1e-12)


def moves_of_both(models: Sequence[str], rated: Rated, votes: Votes, fit: Fitted) -> Moves | None:
    """Return what moves mean qualities and strengths of models that both have.

    None where one of the tables has a single scene or was not resampled.

    Args:
        models: that both have.
        rated: means and the units behind them.
        votes: the votes that were fitted.
        fit: of the votes, without a prior.
    """
    own = [rated.means[0].models.index(name) for name in models]
    theirs = [votes.models.index(name) for name in models]
    parts = [means.of_cell.influences for means in rated.means]
    found = [part for part in parts if part is not None]
    if fit.moved is None or len(found) < len(parts):
        return None
    of_ratings, gathered = summed(found, rated.share), rated.gathered
    rated_there = np.asarray(of_ratings.seen[own].any(axis=0), dtype=np.float64)
    voted_there = (np.bincount(votes.scene, minlength=votes.n_scenes) > 0).astype(np.float64)
    seen = rated_there, voted_there
    if min(float(each.sum()) for each in seen) < 2:
        return None
    raters = of_ratings.raters[own, 0] * np.sqrt(1 - of_ratings.share[own]) + _levels(rated)
    scene_share = [each / each.sum() for each in seen]
    votes_of_rater = np.bincount(votes.rater, minlength=votes.n_raters) / len(votes.rater)
    rater_share = [
        of_ratings.share[own].mean(axis=0) * bool(of_ratings.raters.any()),
        votes_of_rater * (votes.n_raters >= LEAST_RATERS),
    ]
    return Moves(
        _stacked(
            of_ratings.scenes[own, 0],
            fit.moved.scenes[:, theirs].T,
            gathered.clusters,
            votes.scenes,
        ),
        _stacked(raters, fit.moved.raters[:, theirs].T, gathered.raters, votes.raters),
        _judgements(_judged(of_ratings, own), gathered, votes, fit, theirs),
        _stacked(scene_share[0][None], scene_share[1][None], gathered.clusters, votes.scenes),
        _stacked(rater_share[0][None], rater_share[1][None], gathered.raters, votes.raters),
    )


def _levels(rated: Rated) -> Array:
    """Return what each rater's bias moves all models' means by, (raters,), if raters are drawn."""
    moved = np.zeros(len(rated.gathered.raters))
    for weight, means in zip(rated.share, rated.means, strict=True):
        n = len(means.raters)
        if n >= LEAST_RATERS:
            moved[means.raters] += weight * means.severity.bias / (n * (n - 1)) ** 0.5
    return moved


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
    if votes.n_raters >= LEAST_RATERS:
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
