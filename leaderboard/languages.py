"""Does a model do better when asked in another language? Paired differences of its own outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd

from bench.records import REFERENCE, Score
from leaderboard.drawing import Array, Weights, Whole
from leaderboard.gathering import Gathered, draw, facets, gather
from leaderboard.percentiles import with_interval
from leaderboard.quality import corrected_means
from leaderboard.resampling import CellMeans, cell_means, spread_shares
from leaderboard.selection import (
    confirmatory,
    distinct,
    first_time,
    is_simulated,
    parts,
    say_simulated,
    stream,
)
from leaderboard.shares import find_home, find_traditions

_MARK = "\x1f"
"""Between model and language in the name of a cell."""

Pair = tuple[str, str, str, Whole, Whole]
"""Model, two languages, and the prompts of each that were asked in both."""

Declared = Mapping[str, Sequence[str]]


def score_gaps(
    ratings: pd.DataFrame,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 1000,
    by: Sequence[str] = (),
    declared: Declared | None = None,
) -> list[Score]:
    """Return `language_gap` of mean scores: per model and criterion, `group` being "zh-en".

    The first language less the second (in reverse order of their names) over the prompts asked in
    both, scenes drawn for both together.

    Args:
        ratings: a checked table.
        rng: draws the resamples.
        confidence: of the intervals.
        resamples: how many.
        by: columns to slice by, beside the whole.
        declared: the languages that each model says it knows; a gap is given between those alone.
            Without it, between all that it was asked in.
    """
    scores: list[Score] = []
    asked = first_time(ratings)
    asked = asked[(asked["model"] != "") & (asked["prompt"] != "")]
    for study, slice_, rows in parts(asked, [name for name in by if name != "language"]):
        gathered, pairs = _pairs(rows, declared)
        if not pairs:
            continue
        drawn = draw(gathered, stream(rng, "languages", study, slice_), resamples, confidence)
        values = rows["value"].to_numpy(dtype=np.float64)
        cells = [part for pair in pairs for part in pair[3:]]
        for criterion in distinct(rows["criterion"]):
            chosen = np.flatnonzero((rows["criterion"] == criterion).to_numpy())
            means, _, _ = corrected_means(gathered, chosen, values[chosen], cells, drawn)
            blank = Score(study=study, slice=slice_, criterion=criterion, confidence=confidence)
            over = facets(gathered, chosen)
            said = f"paired by prompt; percentile bootstrap ({resamples}) over {over}"
            gaps = np.stack([gap[0].draws for gap in means.differences(_halves(pairs))])
            found = list(_gaps(pairs, gaps, replace(blank, method=said), rows.iloc[chosen]))
            scores += say_simulated(found) if is_simulated(rows) else found
    return scores


def leak_gaps(
    attributions: pd.DataFrame,
    *,
    home: str | None = None,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 1000,
    by: Sequence[str] = (),
    declared: Declared | None = None,
) -> list[Score]:
    """Return `language_gap` of leaks: per model, aspect and tradition, `group` "zh-en:western".

    Of the prompts for home; see `score_gaps`. The references cancel, as in `leak_difference`.
    """
    scores: list[Score] = []
    at_home = ""
    for study, slice_, rows in parts(
        first_time(attributions), [name for name in by if name != "language"]
    ):
        at_home = at_home if slice_ else find_home(rows, home)
        others = find_traditions(rows, at_home)[1:]
        asked = rows[(rows["model"] != REFERENCE) & (rows["target"] == at_home)]
        if not slice_.startswith("diagnosticity="):
            asked = asked[confirmatory(asked)]
        for aspect in distinct(asked["aspect"]):
            seen = asked[asked["aspect"] == aspect]
            gathered, pairs = _pairs(seen, declared)
            if not pairs:
                continue
            own = stream(rng, "languages of leaks", study, slice_, aspect)
            drawn = draw(gathered, own, resamples, confidence)
            shares = _shares(seen, gathered, pairs, others, drawn)
            spread = spread_shares(own, shares, _clusters(gathered, pairs))
            differences = spread.differences(_halves(pairs))
            blank = Score(study=study, slice=slice_, criterion=aspect, confidence=confidence)
            said = f"paired by prompt; percentile bootstrap ({resamples}) over {facets(gathered)}"
            blank = replace(blank, method=said)
            for place, other in enumerate(others):
                gaps = np.stack([gap[place].draws for gap in differences])
                found = list(_gaps(pairs, gaps, blank, seen, f":{other}"))
                scores += say_simulated(found) if is_simulated(rows) else found
    return scores


def _pairs(rows: pd.DataFrame, declared: Declared | None) -> tuple[Gathered, list[Pair]]:
    """Return the items gathered by model and language, and the pairs to be compared."""
    gathered = gather(rows.assign(cell=rows["model"] + _MARK + rows["language"]), "cell")
    asked: dict[str, list[str]] = {}
    for cell in gathered.cells():
        model, _, language = cell.partition(_MARK)
        known = declared is None or language in declared.get(model, ())
        if model != REFERENCE and language and known:
            asked.setdefault(model, []).append(language)
    pairs = []
    for model, languages in asked.items():
        for first, second in combinations(sorted(languages, reverse=True), 2):
            both = gathered.common(model + _MARK + first, model + _MARK + second)
            if both is not None:
                pairs.append((model, first, second, *both))
    return gathered, pairs


def _shares(
    rows: pd.DataFrame,
    gathered: Gathered,
    pairs: Sequence[Pair],
    others: Sequence[str],
    drawn: Weights,
) -> CellMeans:
    """Return the share of each label in `others` in both cells of every pair."""
    place = {label: code for code, label in enumerate(others)}
    channel = np.array([place.get(label, len(others)) for label in rows["attribution"]])
    cells = [part for pair in pairs for part in pair[3:]]
    ones = np.ones(len(rows))
    judgements = gathered.judgements(slice(None), ones, ones, cells)
    judgements = judgements._replace(channel=channel, n_channels=len(others) + 1)
    return cell_means(judgements, drawn)


def _halves(pairs: Sequence[Pair]) -> list[tuple[int, int]]:
    """Return the places of the two cells of every pair."""
    return [(2 * place, 2 * place + 1) for place in range(len(pairs))]


def _clusters(gathered: Gathered, pairs: Sequence[Pair]) -> list[int]:
    """Return how many scenes each cell of every pair has."""
    of = gathered.cluster_of_prompt
    return [len(np.unique(of[cell])) for pair in pairs for cell in pair[3:]]


def _gaps(
    pairs: Sequence[Pair], gaps: Array, blank: Score, rows: pd.DataFrame, suffix: str = ""
) -> Iterator[Score]:
    for (model, first, second, *_), gap in zip(pairs, gaps, strict=True):
        own = rows[(rows["model"] == model) & rows["language"].isin([first, second])]
        score = replace(
            blank,
            metric="language_gap",
            model=model,
            group=f"{first}-{second}{suffix}",
            n_items=int(own["item"].nunique()),
            n_raters=int(own["rater"].nunique()),
            n_values=len(own),
        )
        if not np.isfinite(gap[0]):
            yield replace(score, reason="not judged in both languages")
        else:
            yield with_interval(score, gap)
