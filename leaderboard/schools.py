"""Do groups of raters read the scales alike? Their means of each model, and differential functioning.

Groups are schools (`rater_group`) and, apart from these, the languages of the rooms in which raters
judged (`room_language`).

Ordinal differential item functioning: at equal answers on the other scales, does one school answer
higher on this one (Zumbo 1999)? A disagreement is reported, never averaged away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t

from bench.records import REFERENCE, Score
from leaderboard.drawing import LEAST_RATERS, Weights, draw_seeds, draw_weights, facets
from leaderboard.gathering import gather
from leaderboard.ordinal import fit_ordinal, nagelkerke
from leaderboard.percentiles import with_intervals
from leaderboard.quality import corrected_means
from leaderboard.scales import complete_judgements
from leaderboard.selection import codes, distinct

NEGLIGIBLE, LARGE = 0.035, 0.070
"""Changes of R² under which differential functioning is negligible, and from which it is large.

Jodoin and Gierl (2001) set them for Zumbo and Thomas's R² of logistic regression on items that are
right or wrong; they are in use for Nagelkerke's, as here. For ordered ratings they are a convention.
"""

_FEWEST_ANCHORS = 10
_FEWEST_JUDGEMENTS = 30


class Parting(NamedTuple):
    """What parts raters into groups, and what the scores of two groups are called."""

    column: str
    word: str
    gap: str
    dif: str

    @property
    def not_rated(self) -> str:
        """Why a gap has no value."""
        return f"one {self.word} has not rated it"

    @property
    def too_few(self) -> str:
        """Why differential functioning has none."""
        return f"a {self.word} of fewer than two raters"


BY_SCHOOL = Parting("rater_group", "school", "school_gap", "dif")
BY_LANGUAGE = Parting("room_language", "language", "room_language_gap", "room_language_dif")


def schools(
    rows: pd.DataFrame, blank: Score, rng: np.random.Generator, resamples: int
) -> Iterator[Score]:
    """Yield `school_gap` and `dif` for every two groups of raters, "A:B" in `group`.

    `school_gap` is the mean of a model by A less that by B, per criterion; `dif` the log odds by
    which A answers higher than B at equal answers on the other criteria, on the references where
    both have seen ten of them, else on all items of both. `room_language_gap` and
    `room_language_dif` are the same of raters who judged in two languages. Who is in several
    groups is in none, and `method` says so.

    Args:
        rows: ratings of one study, without hidden repeats.
        blank: carries study, slice and confidence.
        rng: draws scenes together for both groups, and raters within theirs.
        resamples: how many.
    """
    for parting in (BY_SCHOOL, BY_LANGUAGE):
        yield from _parted(
            rows.assign(rater_group=rows[parting.column]), parting, blank, rng, resamples
        )


def _parted(
    rows: pd.DataFrame, parting: Parting, blank: Score, rng: np.random.Generator, resamples: int
) -> Iterator[Score]:
    grouped = rows[rows["rater_group"] != ""]
    of_rater = grouped.groupby("rater")["rater_group"].nunique()
    both = of_rater.index[of_rater > 1]
    grouped = grouped[~grouped["rater"].isin(both)]
    groups = distinct(grouped["rater_group"])
    if len(groups) < 2:
        return
    said = f"without {len(both)} rater{'s'[: len(both) > 1]} of both" if len(both) else ""
    named = grouped[grouped["model"] != ""]
    scores = [
        *_gaps(named, groups, parting, blank, rng=rng, resamples=resamples),
        *_difs(grouped, groups, parting, blank),
    ]
    for score in scores:
        yield replace(score, method=f"{score.method}; {said}") if said else score


def _difs(
    rows: pd.DataFrame, groups: Sequence[str], parting: Parting, blank: Score
) -> Iterator[Score]:
    wide, criteria, _ = complete_judgements(rows)
    for first, second in combinations(groups, 2):
        both = wide[wide["rater_group"].isin([first, second])]
        chosen, where = _anchors(both)
        for criterion in criteria if len(criteria) > 1 else []:
            others = [name for name in criteria if name != criterion]
            at = replace(blank, metric=parting.dif, criterion=criterion, group=f"{first}:{second}")
            at = replace(
                at,
                n_items=int(chosen["key"].nunique()),
                n_raters=int(chosen["rater"].nunique()),
                n_values=len(chosen),
            )
            yield _dif(chosen, criterion, others, (parting, first), replace(at, method=where))


def _gaps(
    rows: pd.DataFrame,
    groups: Sequence[str],
    parting: Parting,
    blank: Score,
    *,
    rng: np.random.Generator,
    resamples: int,
) -> Iterator[Score]:
    if not len(rows):
        return
    gathered = gather(rows)
    group_of = dict(zip(rows["rater"], rows["rater_group"], strict=True))
    own = codes(pd.Series([group_of[name] for name in gathered.raters]))[0]
    raters = draw_weights(rng, own, resamples)
    raters[(np.bincount(own) < LEAST_RATERS)[own]] = 1
    clusters = draw_weights(rng, gathered.stratum, resamples)
    drawn = Weights(raters, clusters, draw_seeds(rng, gathered.seed, resamples), blank.confidence)
    cells = gathered.cells()
    values = rows["value"].to_numpy(dtype=np.float64)
    n_seeds = int(gathered.seed.max(initial=-1)) + 1
    drawn_within = np.bincount(own)
    size = {group_of[gathered.raters[one]]: int(drawn_within[own[one]]) for one in range(len(own))}
    for criterion in distinct(rows["criterion"]):
        means = {}
        for group in groups:
            mask = (rows["criterion"] == criterion) & (rows["rater_group"] == group)
            chosen = np.flatnonzero(mask.to_numpy())
            if len(chosen):
                args = (gathered, chosen, values[chosen], list(cells.values()), drawn)
                found, level, _ = corrected_means(*args)
                means[group] = found.means[:, 0] + level
        for first, second in combinations([g for g in groups if g in means], 2):
            scores = []
            # the raters of a school of one or two are not drawn
            over = facets(n_seeds, min(size[first], size[second]))
            said = f"percentile bootstrap ({resamples}), each {parting.word} by itself, over {over}"
            for model in cells:
                at = replace(blank, metric=parting.gap, criterion=criterion, model=model)
                mask = (rows["model"] == model) & (rows["criterion"] == criterion)
                seen = rows[mask & rows["rater_group"].isin([first, second])]
                counts = (seen["item"].nunique(), seen["rater"].nunique(), len(seen))
                at = replace(at, group=f"{first}:{second}", method=said, n_items=int(counts[0]))
                scores.append(replace(at, n_raters=int(counts[1]), n_values=counts[2]))
            for score in with_intervals(scores, means[first] - means[second]):
                lacking = not np.isfinite(score.value)
                yield replace(score, reason=parting.not_rated) if lacking else score


def _anchors(both: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the judgements of items that both groups have judged, references if there are ten."""
    seen = both.groupby("key")["rater_group"].nunique()
    shared = both[both["key"].isin(seen.index[seen == 2])]
    anchors = shared[shared["model"] == REFERENCE]
    if anchors["key"].nunique() >= _FEWEST_ANCHORS:
        return anchors, "on references"
    return shared, "on all items of both, for want of references"


def _dif(
    chosen: pd.DataFrame,
    criterion: str,
    others: Sequence[str],
    of: tuple[Parting, str],
    score: Score,
) -> Score:
    parting, first = of
    raters = chosen.groupby("rater_group")["rater"].nunique()
    if len(raters) < 2 or raters.min() < 2:
        return replace(score, reason=parting.too_few)
    if len(chosen) < _FEWEST_JUDGEMENTS:
        return replace(score, reason=f"under {_FEWEST_JUDGEMENTS} judgements of common items")
    value, values = pd.factorize(chosen[criterion], sort=True)
    if len(values) < 2:
        return replace(score, reason="no variation")
    rest = chosen[list(others)].mean(axis=1).to_numpy(dtype=np.float64)
    rest = (rest - rest.mean()) / max(float(rest.std()), 1e-9)
    ours = (chosen["rater_group"] == first).to_numpy(dtype=np.float64)
    rater, names = codes(chosen["rater"])
    # equal answers of one rater are counted together: few differ
    kinds, times = np.unique(
        np.column_stack([rest, ours, value, rater]), axis=0, return_counts=True
    )
    rest, ours = kinds[:, 0], kinds[:, 1]
    outcome, who = kinds[:, 2].astype(np.int64), kinds[:, 3].astype(np.int64)
    weight = times.astype(np.float64)
    plain = fit_ordinal(rest[:, None], outcome, weight)
    fit = fit_ordinal(np.column_stack([rest, ours]), outcome, weight, who)
    crossed = fit_ordinal(np.column_stack([rest, ours, rest * ours]), outcome, weight)
    shares = np.bincount(value) / len(value)
    empty = len(value) * float((shares * np.log(shares)).sum())
    with_groups, without = (
        nagelkerke(one.log_likelihood, empty, len(value)) for one in (crossed, plain)
    )
    change = with_groups - without
    half = float(t.ppf((1 + score.confidence) / 2, len(names) - 2)) * fit.covariance[1, 1] ** 0.5
    word = "negligible" if change < NEGLIGIBLE else "moderate" if change < LARGE else "large"
    said = f"proportional odds at equal answers on the other scales, {score.method}; raters as"
    said += (
        f" clusters; uniform and non-uniform DIF together change Nagelkerke's R² by {change:.3f},"
    )
    said += f" {word} by Jodoin and Gierl's marks"
    effect = float(fit.beta[1])
    return replace(score, value=effect, low=effect - half, high=effect + half, method=said)
