"""Each index of style bias, from the shares of attributions; see `style`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from bench.records import NEUTRAL, REFERENCE, Score
from leaderboard.drawing import Array
from leaderboard.leaks import (
    CANNOT_TELL_APART,
    LEAST_DISCRIMINATION,
    NO_REFERENCES,
)
from leaderboard.mixture import corrected_mixture
from leaderboard.percentiles import with_interval
from leaderboard.shares import Counts, Shares, counted

LEAST_REFERENCES = 30

LARGEST_CONDITION = 5.0


def discrimination(shares: Shares, other: str, blank: Score) -> Score:
    """D_l = M(l, l) − M(C, l)."""
    counts = shares.counts.get((REFERENCE, other), Counts())
    score = counted(replace(blank, metric="discrimination", group=other), counts)
    right = shares.share(REFERENCE, other, other)
    wrong = shares.share(REFERENCE, shares.home, other)
    if right is None or wrong is None:
        return replace(score, reason=NO_REFERENCES)
    return with_interval(score, right - wrong)


def raw_leak(shares: Shares, score: Score) -> Score:
    """q_C(l)."""
    score = replace(score, metric="raw_leak")
    leak = shares.share(score.model, shares.home, score.group)
    return _not_asked(score, shares.home) if leak is None else with_interval(score, leak)


def excess_leak(shares: Shares, score: Score) -> Score:
    """E_l = q_C(l) − M(C, l); with strata g, M(C, l) = Σ_g w_g M(C, l given g), w from outputs.

    A stratum with fewer than two references takes M(C, l) of all of them, and the method says so.
    """
    score = replace(score, metric="excess_leak")
    leak = shares.share(score.model, shares.home, score.group)
    if leak is None:
        return _not_asked(score, shares.home)
    right = shares.share(REFERENCE, score.group, score.group)
    wrong = shares.share(REFERENCE, shares.home, score.group)
    if right is None or wrong is None:
        return replace(score, reason=NO_REFERENCES)
    if not right[0] - wrong[0] >= LEAST_DISCRIMINATION:
        return replace(score, reason=CANNOT_TELL_APART)
    standard, note = _stratified(shares, score.model, score.group, wrong)
    score = replace(score, method=f"{score.method}{note}")
    return with_interval(score, leak - standard)


def _stratified(shares: Shares, model: str, other: str, pooled: Array) -> tuple[Array, str]:
    """Return M(C, other) with the model's own mix of strata, and what to say of it.

    `pooled` is M(C, other) of all references.
    """
    home, label = shares.home, shares.labels.index(other)
    asked = shares.strata(model)
    # a single reference has no resamples, and would take the interval of the whole with it
    known = [
        stratum
        for stratum in shares.strata(REFERENCE)
        if np.isfinite(shares.of[REFERENCE, home, "stratum", stratum][label, 1:]).any()
    ]
    matched = [stratum for stratum in asked if stratum in known]
    if not matched:
        return pooled, "; not stratified: no references of its strata" if asked and known else ""
    total = shares.mass[model, home]
    rest = total.copy()
    standard: Array = np.zeros_like(total)
    for stratum in matched:
        weight = shares.mass[model, home, "stratum", stratum]
        confused = shares.of[REFERENCE, home, "stratum", stratum][label]
        standard += np.where(weight > 0, weight * confused, 0.0)
        rest -= weight
    standard += np.clip(rest, 0.0, None) * pooled
    in_strata = sum(shares.mass[model, home, "stratum", stratum][0] for stratum in asked)
    lacking = [stratum for stratum in asked if stratum not in known]
    if in_strata < total[0] - 1e-9:
        lacking.append("outputs of no stratum")
    note = f"; stratified, all references for {', '.join(lacking)}" if lacking else "; stratified"
    return standard / np.where(total > 0, total, np.nan), note


def mirror_asymmetry(shares: Shares, score: Score) -> Score:
    """[q_C(l) − q_l(C)] − [M(C, l) − M(l, C)]."""
    score = replace(score, metric="mirror_asymmetry")
    home, other = shares.home, score.group
    leak, back = (shares.share(score.model, *way) for way in ((home, other), (other, home)))
    if leak is None or back is None:
        return _not_asked(score, other if back is None else home)
    wrong, wrong_back = (shares.share(REFERENCE, *way) for way in ((home, other), (other, home)))
    if wrong is None or wrong_back is None:
        return replace(score, reason=NO_REFERENCES)
    return with_interval(score, (leak - back) - (wrong - wrong_back))


def choice_model(shares: Shares, score: Score) -> Iterator[Score]:
    """Choice bias ½ ln[q_C(l) q_l(l) / (q_C(C) q_l(C))] and blur ½ ln[q_C(l) q_l(C) / (q_C(C) q_l(l))].

    Each less the same of the references (Luce 1963); shares become counts of items, plus ½.
    """
    for metric, sign in (("choice_bias", 1.0), ("excess_blur", -1.0)):
        at = replace(score, metric=metric)
        seen = _log_ratios(shares, score.model, score.group)
        real = _log_ratios(shares, REFERENCE, score.group)
        if seen is None:
            missing = (score.model, score.group) not in shares.of
            yield _not_asked(at, score.group if missing else shares.home)
        elif real is None:
            yield replace(at, reason=NO_REFERENCES)
        else:
            value = (seen[0] + sign * seen[1]) - (real[0] + sign * real[1])
            yield with_interval(at, value / 2)


def _log_ratios(shares: Shares, model: str, other: str) -> tuple[Array, Array] | None:
    """Return ln[q_C(l) / q_C(C)] and ln[q_l(l) / q_l(C)], ½ added to each count of items."""
    ratios = []
    for target in (shares.home, other):
        to_other = shares.share(model, target, other)
        to_home = shares.share(model, target, shares.home)
        if to_other is None or to_home is None:
            return None
        items = shares.counts[model, target].items
        ratios.append(np.log((items * to_other + 0.5) / (items * to_home + 0.5)))
    return ratios[0], ratios[1]


def neutral_default(shares: Shares, score: Score) -> Score:
    """N_l = [q_N(l) − q_N(C)] / [q_N(l) + q_N(C)]."""
    score = replace(score, metric="neutral_default")
    to_other = shares.share(score.model, NEUTRAL, score.group)
    to_home = shares.share(score.model, NEUTRAL, shares.home)
    if to_other is None or to_home is None:
        return _not_asked(score, NEUTRAL)
    score = counted(score, shares.counts[score.model, NEUTRAL])
    total = to_other + to_home
    draws = np.full_like(total, np.nan)
    np.divide(to_other - to_home, total, out=draws, where=total > 0)
    if np.isnan(draws[0]):
        return replace(score, reason="neither tradition was seen")
    return with_interval(score, draws)


def mixture_scores(shares: Shares, others: Sequence[str], score: Score) -> Iterator[Score]:
    """Yield the corrected mixture, a sensitivity analysis with conditions of its own."""
    cells = [(REFERENCE, tradition) for tradition in shares.traditions]
    seen = shares.of.get((score.model, shares.home))
    fewest = min(shares.counts.get(cell, Counts()).items for cell in cells)
    reason = ""
    draws: Array = np.empty((0, 0))
    if seen is None:
        reason = f"not asked for {shares.home}"
    elif not fewest:
        reason = NO_REFERENCES
    elif fewest < LEAST_REFERENCES:
        reason = f"under {LEAST_REFERENCES} references per class"
    else:
        confusion = np.stack([shares.of[cell] for cell in cells])
        condition = float(np.linalg.cond(confusion[:, :, 0]))
        if condition > LARGEST_CONDITION:
            reason = f"condition number of the references' confusion above 5: {condition:.1f}"
        else:
            # Half a work more per label, so that none is impossible
            sizes = np.array([shares.counts[cell].items for cell in cells])[:, None, None]
            confusion = (sizes * confusion + 0.5) / (sizes + 0.5 * len(shares.labels))
            items = shares.counts[score.model, shares.home].items
            draws = corrected_mixture(items * seen, confusion)
    for other in others:
        at = replace(score, metric="corrected_mixture", group=other)
        if reason:
            yield replace(at, reason=reason)
        else:
            yield with_interval(at, draws[shares.traditions.index(other)])


def _not_asked(score: Score, target: str) -> Score:
    if target == NEUTRAL:
        return replace(score, reason="no prompt left the tradition open")
    return replace(score, reason=f"not asked for {target}")
