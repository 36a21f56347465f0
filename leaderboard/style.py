"""Style bias: how far a model's outputs are seen in another manner than the one asked for.

The indices are those of the method: q_τ(l) is the share of a model's outputs for target τ that
the panel attributes to l, M(k, l) the same for human-made works of tradition k, shown blind in the
same sessions. C stands for the home tradition under test, l for each other one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.records import NEUTRAL, REFERENCE, Score
from leaderboard.leaks import (
    CANNOT_TELL_APART,
    LEAST_DISCRIMINATION,
    NO_REFERENCES,
    leak_differences,
    leaks_elsewhere,
    share_covariances,
)
from leaderboard.mixture import corrected_mixture
from leaderboard.resampling import Array, facets, with_interval
from leaderboard.selection import (
    confirmatory,
    distinct,
    first_time,
    is_simulated,
    parts,
    say_simulated,
    stream,
)
from leaderboard.shares import Counts, Shares, counted, find_home, find_traditions, shares_of
from leaderboard.tables import ASPECTS, CANNOT_TELL, OTHER

_NO_TRADITION = (NEUTRAL, OTHER, CANNOT_TELL)

NOT_DISTINCT = "none of its scenes is distinct"
INDICES = (
    "raw_leak", "excess_leak", "mirror_asymmetry", "choice_bias", "excess_blur", "neutral_default",
    "corrected_mixture",
)  # fmt: skip
"""What is computed per model and other tradition."""
LEAST_REFERENCES = 30
LARGEST_CONDITION = 5.0


def style(
    attributions: pd.DataFrame,
    *,
    home: str | None = None,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 1000,
    by: Sequence[str] = (),
    known: Sequence[str] = (),
) -> list[Score]:
    """Return all indices of style bias per study, aspect (in `criterion`) and model.

    Scenes and works that do not tell traditions apart (`diagnosticity`), and foils, enter no index;
    how they were seen is reported apart, as `share_apart`. A slice by that column takes each as it
    is.

    Args:
        attributions: a checked table of attributions; hidden repeats are left out.
        home: the tradition under test; see `shares.find_home`.
        rng: draws the resamples.
        confidence: of the intervals.
        resamples: how many; scenes (paired over models and targets), references and raters.
        by: columns to slice by, beside the whole; references without a value there stay in.
        known: traditions that can be seen, beside those asked for and those of the references.

    Raises:
        RequestError: the home tradition is not clear, or no model was asked for it.
    """
    scores: list[Score] = []
    traditions: list[str] = []
    for study, slice_, rows in parts(first_time(attributions), by):
        if not slice_:  # a study comes whole before its slices, and its traditions are theirs
            traditions = find_traditions(rows, find_home(rows, home))
            if len(traditions) == 1:  # only home was asked for, and there are no references
                traditions += distinct(rows["attribution"], without={*traditions, *_NO_TRADITION})
            traditions += [one for one in known if one not in traditions]
        for aspect in ASPECTS:
            seen = rows[rows["aspect"] == aspect]
            if not (seen["model"] != REFERENCE).any():
                continue
            blank = Score(study=study, slice=slice_, criterion=aspect, confidence=confidence)
            own = stream(rng, "attributions", study, slice_, aspect)
            # what is reported apart draws for itself: no index changes with it
            apart = stream(rng, "apart", study, slice_, aspect)
            enters = confirmatory(seen) | slice_.startswith("diagnosticity=")
            found = _without_distinct(seen, enters, traditions, blank)
            if enters.any():
                shares = shares_of(seen[enters], traditions, own, resamples, confidence=confidence)
                found += _indices(shares, replace(blank, method=_method(shares, resamples)))
                found += _sensitivity(seen[enters], traditions, own, resamples, blank)
            for kind, rows_apart in seen[~enters].groupby("diagnosticity"):
                shares = shares_of(rows_apart, traditions, apart, resamples, confidence=confidence)
                at = replace(blank, metric="share_apart", method=_method(shares, resamples))
                found += _all_shares(shares, at, f"{kind}:")
            scores += say_simulated(found) if is_simulated(rows) else found
    return scores


def _without_distinct(
    seen: pd.DataFrame, enters: NDArray[np.bool_], traditions: Sequence[str], blank: Score
) -> list[Score]:
    """Return a refusal of every index of each model of which no scene is distinct."""
    models = distinct(seen["model"], without={REFERENCE, *seen[enters]["model"]})
    return [
        replace(blank, metric=metric, model=model, group=other, reason=NOT_DISTINCT)
        for model in models
        for other in traditions[1:]
        for metric in INDICES
    ]


def _method(shares: Shares, resamples: int) -> str:
    over = facets(shares.n_seeds, shares.n_raters, "scenes, references")
    edges = "; shares of 0 or 1 by Jeffreys' posterior" if shares.edges else ""
    return f"percentile bootstrap ({resamples}) over {over}{edges}"


def _indices(shares: Shares, blank: Score) -> Iterator[Score]:
    others = [tradition for tradition in shares.traditions if tradition != shares.home]
    yield from _all_shares(shares, replace(blank, metric="attribution_share"))
    for other in others:
        yield _discrimination(shares, other, blank)
    for model in shares.models:
        own = counted(blank, shares.counts.get((model, shares.home), Counts()))
        for other in others:
            at = replace(own, model=model, group=other)
            yield _raw_leak(shares, at)
            yield _excess_leak(shares, at)
            yield _mirror_asymmetry(shares, at)
            yield from _choice_model(shares, at)
            yield _neutral_default(shares, at)
        yield from _mixture(shares, others, replace(own, model=model))
        yield from leaks_elsewhere(shares, replace(blank, model=model))
    yield from leak_differences(shares, others, blank)
    if blank.criterion == ASPECTS[0] and not blank.slice:
        yield from share_covariances(shares, blank)


def _sensitivity(
    seen: pd.DataFrame,
    traditions: Sequence[str],
    rng: np.random.Generator,
    resamples: int,
    blank: Score,
) -> Iterator[Score]:
    """Yield the leaks with graded traces, and without recognised works, where these were asked."""
    recognised = (seen["recognised"] == "true").to_numpy()
    if (seen["trace_strength"] != "").any():
        shares = shares_of(
            seen, traditions, rng, resamples, confidence=blank.confidence, graded=True
        )
        said = replace(blank, method=f"graded traces; {_method(shares, resamples)}")
        names = {"raw_leak": "graded_raw_leak", "excess_leak": "graded_excess_leak"}
        yield from _leaks_as(shares, names, said)
    if recognised.any() and not recognised.all():
        shares = shares_of(
            seen[~recognised], traditions, rng, resamples, confidence=blank.confidence
        )
        left_out = f"without {recognised.sum()} judgements of recognised works"
        said = replace(blank, method=f"{left_out}; {_method(shares, resamples)}")
        yield from _leaks_as(shares, {"excess_leak": "excess_leak_unrecognised"}, said)


def _leaks_as(shares: Shares, names: Mapping[str, str], blank: Score) -> Iterator[Score]:
    for model in shares.models:
        own = counted(blank, shares.counts.get((model, shares.home), Counts()))
        for other in shares.traditions[1:]:
            for score in (_raw_leak(shares, at := replace(own, model=model, group=other)),
                          _excess_leak(shares, at)):  # fmt: skip
                if score.metric in names:
                    yield replace(score, metric=names[score.metric])


def _all_shares(shares: Shares, blank: Score, before: str = "") -> Iterator[Score]:
    """Every q_τ(l) and M(k, l); `group` is "asked:seen", with `before` in front."""
    for cell, counts in shares.counts.items():
        model, target = cell
        for label, draws in zip(shares.labels, shares.of[cell], strict=True):
            score = replace(blank, model=model, group=f"{before}{target}:{label}")
            yield with_interval(counted(score, counts), draws)


def _discrimination(shares: Shares, other: str, blank: Score) -> Score:
    """D_l = M(l, l) − M(C, l)."""
    counts = shares.counts.get((REFERENCE, other), Counts())
    score = counted(replace(blank, metric="discrimination", group=other), counts)
    right = shares.share(REFERENCE, other, other)
    wrong = shares.share(REFERENCE, shares.home, other)
    if right is None or wrong is None:
        return replace(score, reason=NO_REFERENCES)
    return with_interval(score, right - wrong)


def _raw_leak(shares: Shares, score: Score) -> Score:
    """q_C(l)."""
    score = replace(score, metric="raw_leak")
    leak = shares.share(score.model, shares.home, score.group)
    return _not_asked(score, shares.home) if leak is None else with_interval(score, leak)


def _excess_leak(shares: Shares, score: Score) -> Score:
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


def _mirror_asymmetry(shares: Shares, score: Score) -> Score:
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


def _choice_model(shares: Shares, score: Score) -> Iterator[Score]:
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


def _neutral_default(shares: Shares, score: Score) -> Score:
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


def _mixture(shares: Shares, others: Sequence[str], score: Score) -> Iterator[Score]:
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
