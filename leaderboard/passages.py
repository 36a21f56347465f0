"""What experts marked in answers as wrong or invented, per 1,000 characters: passages, and their length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2

from bench.records import Score
from leaderboard.contrasts import NOTHING_VARIES
from leaderboard.selection import scenes_of_rows

KINDS = ("wrong", "invented")
_COLUMNS = {
    "wrong": "wrong_characters", "invented": "invented_characters", "all": "marked_characters",
}  # fmt: skip
"""By kind, the column of characters in its marks; `all` is their union."""
PER = 1000
_ALIKE = 1e-9
TOO_FEW = "no interval: fewer than two works"
NONE_MARKED = "no interval: nothing is marked, and one mark may have any length"


def passages(
    table: pd.DataFrame,
    *,
    rng: np.random.Generator,
    study: str = "",
    confidence: float = 0.95,
    resamples: int = 2000,
) -> list[Score]:
    """Return both metrics per model and kind (`criterion`), and of `all` kinds together.

    `marked_per_1000` counts passages, however long; `marked_characters_per_1000` the characters in
    them, each once where marks overlap. Both are ratios to the characters read, over raters and
    works (a ratio estimate: longer answers weigh more); works are drawn anew, with all their raters
    and models (percentile bootstrap). Where nothing is marked no draw shows anything else: passages
    then have the exact upper bound of a Poisson count (Garwood 1936) in the characters of the
    answers, each counted once however many raters read it; characters have none.

    Args:
        table: a row per rater and answer: model, prompt (the work), wrong, invented, characters, and
            the `_COLUMNS` of characters.
        rng: draws the resamples.
        study: what the scores are filed under.
        confidence: of the intervals.
        resamples: how many.
    """
    first = table[table["occasion"] == 0] if "occasion" in table else table
    if first.empty:
        return []
    first = first.assign(work=scenes_of_rows(first))
    works = sorted(first["work"].unique())
    drawn = rng.integers(0, len(works), (resamples, len(works)))
    return [
        replace(score, study=study, confidence=confidence)
        for score in _of_models(first, works, drawn, confidence)
    ]


def _of_models(
    table: pd.DataFrame, works: list[str], drawn: NDArray[np.int64], confidence: float
) -> Iterator[Score]:
    for model, own in table.groupby("model", sort=True):
        of_work = own.groupby("work")[[*KINDS, *_COLUMNS.values(), "characters"]].sum()
        of_work = of_work.reindex(works, fill_value=0)
        read = of_work["characters"].to_numpy(dtype=np.float64)
        blank = Score(
            model=str(model),
            n_items=int((read > 0).sum()),
            n_raters=int(own["rater"].nunique()) if "rater" in own else 0,
            n_values=len(own),
        )
        answer = [name for name in ("work", "item") if name in own]
        once = float(own.drop_duplicates(answer)["characters"].sum())
        for kind in (*KINDS, "all"):
            at = replace(blank, criterion=kind)
            passages_ = of_work[list(KINDS) if kind == "all" else [kind]].sum(axis=1)
            characters = of_work[_COLUMNS[kind]]
            for score, counts in (
                (replace(at, metric="marked_per_1000", method="marks"), passages_),
                (
                    replace(at, metric="marked_characters_per_1000", method="characters marked"),
                    characters,
                ),
            ):
                found = counts.to_numpy(dtype=np.float64)
                if found.any() or not once or score.n_items < 2:
                    yield _ratio(score, found, read, drawn, confidence)
                elif score.metric == "marked_per_1000":
                    yield _none(score, once, confidence)
                else:
                    yield replace(score, value=0.0, reason=NONE_MARKED)


def _none(score: Score, read: float, confidence: float) -> Score:
    """Return a score of no mark in so many characters, with its exact upper bound."""
    bound = PER * float(chi2.ppf((1 + confidence) / 2, 2)) / 2 / read
    method = (
        "no mark in the characters of the answers, each counted once; exact Poisson bound, as if"
    )
    method += " marks fell singly; for these raters alone"
    return replace(score, value=0.0, low=0.0, high=bound, method=method)


def _ratio(
    score: Score,
    counts: NDArray[np.float64],
    read: NDArray[np.float64],
    drawn: NDArray[np.int64],
    confidence: float,
) -> Score:
    """Return a score with counts per 1,000 characters read, both by work."""
    tail = (1 - confidence) / 2
    method = f"{score.method} per characters read; percentile bootstrap ({len(drawn)}) over works"
    score = replace(score, method=f"{method}; for these raters alone")
    if not read.sum():
        return replace(score, reason="its answers are empty")
    value = PER * float(counts.sum() / read.sum())
    if score.n_items < 2:
        return replace(score, value=value, reason=TOO_FEW)
    of_draw = read[drawn].sum(axis=1)
    rates = PER * counts[drawn].sum(axis=1)[of_draw > 0] / of_draw[of_draw > 0]
    low, high = np.quantile(rates, [tail, 1 - tail])
    if np.ptp(rates) < _ALIKE:
        return replace(score, value=value, reason=NOTHING_VARIES)
    return replace(score, value=value, low=min(float(low), value), high=max(float(high), value))
