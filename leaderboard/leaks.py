"""Leaks compared: between models, for targets other than home, and the covariance of shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, combinations_with_replacement

import numpy as np

from bench.records import REFERENCE, Score
from leaderboard.contrasts import NOTHING_VARIES, p_score, simultaneous_intervals, stacked
from leaderboard.percentiles import TOO_FEW, with_interval
from leaderboard.shares import Counts, Shares, counted

NO_REFERENCES = "no references"
CANNOT_TELL_APART = "panel cannot tell"
LEAST_DISCRIMINATION = 0.5


def leaks_elsewhere(shares: Shares, blank: Score) -> Iterator[Score]:
    """Yield E of targets other than home: q_J(W) − M(J, W), `group` being "asked:seen"."""
    for asked in shares.traditions[1:]:
        if (blank.model, asked) not in shares.of:
            continue
        for seen in shares.traditions:
            if seen == asked:
                continue
            score = replace(blank, metric="excess_leak_elsewhere", group=f"{asked}:{seen}")
            score = counted(score, shares.counts[blank.model, asked])
            leak = shares.share(blank.model, asked, seen)
            right = shares.share(REFERENCE, seen, seen)
            wrong = shares.share(REFERENCE, asked, seen)
            if leak is None or right is None or wrong is None:
                yield replace(score, reason=NO_REFERENCES)
            elif not right[0] - wrong[0] >= LEAST_DISCRIMINATION:
                yield replace(score, reason=CANNOT_TELL_APART)
            else:
                yield with_interval(score, leak - wrong)


def share_covariances(shares: Shares, blank: Score) -> Iterator[Score]:
    """Yield the covariance of every two shares of a cell, for regions of confidence."""
    method = f"covariance over the resamples; {blank.method}"
    for cell, counts in shares.counts.items():
        model, target = cell
        draws = shares.of[cell][:, 1:]
        draws = draws[:, np.isfinite(draws).all(axis=0)]
        if draws.shape[1] < 2:
            continue
        covariance = np.cov(draws)
        for first, second in combinations_with_replacement(range(len(shares.labels)), 2):
            labels = f"{shares.labels[first]}:{shares.labels[second]}"
            score = replace(blank, metric="share_covariance", model=model, method=method)
            score = replace(score, group=f"{target}:{labels}", reason="no interval: a covariance")
            yield counted(replace(score, value=float(covariance[first, second])), counts)


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
