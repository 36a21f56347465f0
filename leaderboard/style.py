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
from leaderboard.drawing import facets
from leaderboard.hybrids import hybrid_positions
from leaderboard.indices import (
    choice_model,
    discrimination,
    excess_leak,
    leaks_elsewhere,
    mirror_asymmetry,
    mixture_scores,
    neutral_default,
    raw_leak,
)
from leaderboard.leaks import leak_differences, share_covariances
from leaderboard.selection import (
    confirmatory,
    distinct,
    first_time,
    is_simulated,
    parts,
    say_simulated,
    stream,
)
from leaderboard.share_scores import share_score
from leaderboard.shares import Counts, Shares, counted, find_home, find_traditions, shares_of
from leaderboard.tables import ASPECTS, CANNOT_TELL, OTHER

_NO_TRADITION = (NEUTRAL, OTHER, CANNOT_TELL)

NOT_DISTINCT = "none of its scenes is distinct"

INDICES = (
    "raw_leak", "excess_leak", "mirror_asymmetry", "choice_bias", "excess_blur", "neutral_default",
    "corrected_mixture",
)  # fmt: skip
"""What is computed per model and other tradition."""


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
            if not slice_.startswith("diagnosticity="):
                between = stream(rng, "hybrids", study, slice_, aspect)
                found += hybrid_positions(seen, traditions, between, resamples, blank)
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
        yield discrimination(shares, other, blank)
    for model in shares.models:
        own = counted(blank, shares.counts.get((model, shares.home), Counts()))
        for other in others:
            at = replace(own, model=model, group=other)
            yield raw_leak(shares, at)
            yield excess_leak(shares, at)
            yield mirror_asymmetry(shares, at)
            yield from choice_model(shares, at)
            yield neutral_default(shares, at)
        yield from mixture_scores(shares, others, replace(own, model=model))
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
            for score in (raw_leak(shares, at := replace(own, model=model, group=other)),
                          excess_leak(shares, at)):  # fmt: skip
                if score.metric in names:
                    yield replace(score, metric=names[score.metric])


def _all_shares(shares: Shares, blank: Score, before: str = "") -> Iterator[Score]:
    """Every q_τ(l) and M(k, l); `group` is "asked:seen", with `before` in front."""
    for cell, counts in shares.counts.items():
        model, target = cell
        for label in shares.labels:
            score = replace(blank, model=model, group=f"{before}{target}:{label}")
            yield share_score(shares, counted(score, counts), cell, label)
