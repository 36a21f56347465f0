"""Leaks compared between models, and the covariance of shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, combinations_with_replacement

import numpy as np

from bench.records import Score
from leaderboard.contrasts import NOTHING_VARIES, p_score, simultaneous_intervals, stacked
from leaderboard.drawing import Array
from leaderboard.influences import Influences
from leaderboard.percentiles import TOO_FEW, read_off
from leaderboard.share_cells import Cell
from leaderboard.shares import Counts, Shares, counted

NO_REFERENCES = "no references"
CANNOT_TELL_APART = "panel cannot tell"
LEAST_DISCRIMINATION = 0.5


def share_covariances(shares: Shares, blank: Score) -> Iterator[Score]:
    """Yield the covariance of every two shares of a cell, for regions of confidence."""
    influences = shares.means.influences
    if influences is None:
        return
    method = read_off(blank, "covariance of two-way clustering")
    for cell, counts in shares.counts.items():
        model, target = cell
        if not np.isfinite(shares.of[cell][:, 1:]).all(axis=0).any():
            continue
        covariance = _covariance(influences, shares, cell)
        for first, second in combinations_with_replacement(range(len(shares.labels)), 2):
            labels = f"{shares.labels[first]}:{shares.labels[second]}"
            score = replace(blank, metric="share_covariance", model=model, method=method)
            score = replace(score, group=f"{target}:{labels}", reason="no interval: a covariance")
            yield counted(replace(score, value=float(covariance[first, second])), counts)


def _covariance(influences: Influences, shares: Shares, cell: Cell) -> Array:
    """Return the covariance of a cell's shares; that of a share of 0 comes from its posterior.

    What such a share may have more, all others have less, as they are: rows sum to nothing.
    """
    draws = shares.of[cell]
    result = influences.covariance(shares.places[cell])
    for label in np.flatnonzero(draws[:, 0] == 0):
        towards = -draws[:, 0]
        towards[label] = 1.0
        spread = draws[label, 1:]
        variance = float((spread[np.isfinite(spread)] ** 2).mean())
        result = result + variance * np.outer(towards, towards)
    return result


def leak_differences(shares: Shares, others: Sequence[str], blank: Score) -> Iterator[Score]:
    """Yield q^A_C(l) − q^B_C(l) on the prompts that both models were asked: the primary claim.

    Intervals hold for all pairs of models and all l at once (max-t); `leak_difference_p` is the
    unadjusted two-sided p of each.
    """
    scores, gaps = [], []
    for model, against in combinations(shares.models, 2):
        found = shares.gaps.get((model, against))
        for other in others:
            score = replace(blank, metric="leak_difference", model=model, against=against)
            score = replace(score, group=other)
            if found is None:
                yield replace(score, reason="no common scenes")
                continue
            pair = [shares.counts[name, shares.home] for name in (model, against)]
            counts = Counts(
                sum(part.items for part in pair),
                max(part.raters for part in pair),
                sum(part.judgements for part in pair),
            )
            scores.append(counted(score, counts))
            gaps.append(found[shares.labels.index(other)])
    if not gaps:
        return
    every = stacked(gaps)
    low, high = simultaneous_intervals(every, blank.confidence)
    at_once = f"simultaneous over {len(scores)} differences by max-t"
    for place, (score, p) in enumerate(zip(scores, every.p_values(), strict=True)):
        this = replace(score, value=float(every.draws[place, 0]))
        alone = p_score(this, float(p))
        if np.isfinite(low[place]):
            method = f"{score.method}; {at_once}"
            this = replace(this, low=float(low[place]), high=float(high[place]))
            yield replace(this, method=method)
            yield alone
        else:
            lacking = np.isnan(every.draws[place, 1:]).any()
            yield replace(this, reason=TOO_FEW if lacking else NOTHING_VARIES)
            yield replace(alone, reason=TOO_FEW if lacking else NOTHING_VARIES)
