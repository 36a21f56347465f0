"""Passages that experts marked in answers as wrong or invented, per 1,000 characters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.records import Score

KINDS = ("wrong", "invented")
PER = 1000
TOO_FEW = "no interval: fewer than two works"


def passages(
    table: pd.DataFrame,
    *,
    rng: np.random.Generator,
    study: str = "",
    confidence: float = 0.95,
    resamples: int = 2000,
) -> list[Score]:
    """Return `marked_per_1000` per model and kind (`criterion`), and `all` of them together.

    The ratio of marks to characters read, over raters and works (a ratio estimate: longer answers
    weigh more); works are drawn anew, with all their raters and models (percentile bootstrap).

    Args:
        table: a row per rater and answer: model, prompt (the work), wrong, invented, characters.
        rng: draws the resamples.
        study: what the scores are filed under.
        confidence: of the intervals.
        resamples: how many.
    """
    first = table[table["occasion"] == 0] if "occasion" in table else table
    if first.empty:
        return []
    works = sorted(first["prompt"].unique())
    drawn = rng.integers(0, len(works), (resamples, len(works)))
    return [
        replace(score, study=study, confidence=confidence)
        for score in _of_models(first, works, drawn, confidence)
    ]


def _of_models(
    table: pd.DataFrame, works: list[str], drawn: NDArray[np.int64], confidence: float
) -> Iterator[Score]:
    tail = (1 - confidence) / 2
    for model, own in table.groupby("model", sort=True):
        of_work = own.groupby("prompt")[[*KINDS, "characters"]].sum().reindex(works, fill_value=0)
        characters = of_work["characters"].to_numpy(dtype=np.float64)
        for kind in (*KINDS, "all"):
            marks = of_work[list(KINDS) if kind == "all" else [kind]].sum(axis=1)
            counts = marks.to_numpy(dtype=np.float64)
            score = Score(
                metric="marked_per_1000",
                criterion=kind,
                model=str(model),
                n_items=int((characters > 0).sum()),
                n_raters=int(own["rater"].nunique()) if "rater" in own else 0,
                n_values=len(own),
                method=f"marks per characters read; percentile bootstrap ({len(drawn)}) over works",
            )
            if not characters.sum():
                yield replace(score, reason="its answers are empty")
                continue
            value = PER * float(counts.sum() / characters.sum())
            if score.n_items < 2:
                yield replace(score, value=value, reason=TOO_FEW)
                continue
            read = characters[drawn].sum(axis=1)
            rates = PER * counts[drawn].sum(axis=1)[read > 0] / read[read > 0]
            low, high = np.quantile(rates, [tail, 1 - tail])
            yield replace(
                score, value=value, low=min(float(low), value), high=max(float(high), value)
            )
