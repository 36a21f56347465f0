"""Can raters still tell? Shares called human-made, and d′ with its criterion.

A signal is a work by a person: H is the share of references called human, F the share of outputs.
d′ = z(H) − z(F) and c = −½ [z(H) + z(F)] (Green and Swets 1966), half an item added to each cell
(the log-linear correction of Hautus 1995). d′ = 0: outputs pass for works by people; c > 0: the
panel is slow to call anything human. "Cannot tell" is not called human, and stays in the
denominator. H and F are those of the panel as a whole: where raters draw the line in different
places, its d′ is below that of each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import norm

from bench.records import FOIL, REFERENCE, Score
from leaderboard.drawing import Array
from leaderboard.gathering import Gathered, draw, facets, gather
from leaderboard.percentiles import with_interval
from leaderboard.resampling import cell_means, spread_shares
from leaderboard.selection import first_time, is_simulated, parts, say_simulated, stream
from leaderboard.tables import MAKERS

HUMAN = MAKERS[0]

_OF = {"d_prime": (1.0, -1.0), "response_criterion": (-0.5, -0.5)}
"""Weights of z(H) and z(F)."""


def detection(
    detections: pd.DataFrame,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 1000,
    by: Sequence[str] = (),
) -> list[Score]:
    """Return `called_human` of each model and the references, `d_prime`, `response_criterion`.

    The latter two per model, and for all outputs together (without a model).

    Args:
        detections: a checked table; hidden repeats and foils are left out.
        rng: draws the resamples.
        confidence: of the intervals.
        resamples: how many; scenes (for all models together), references and raters.
        by: columns to slice by, beside the whole; references without a value there stay in.
    """
    scores: list[Score] = []
    compared = detections[detections["diagnosticity"] != FOIL]
    for study, slice_, rows in parts(first_time(compared), by):
        blank = Score(study=study, slice=slice_, confidence=confidence)
        found = list(_of_part(rows, blank, stream(rng, "detections", study, slice_), resamples))
        scores += say_simulated(found) if is_simulated(rows) else found
    return scores


def _of_part(
    rows: pd.DataFrame, blank: Score, rng: np.random.Generator, resamples: int
) -> Iterator[Score]:
    gathered = gather(rows)
    of = gathered.cells()
    outputs = [prompts for name, prompts in of.items() if name != REFERENCE]
    cells = {**of, "": np.concatenate(outputs)} if outputs else dict(of)
    drawn = draw(gathered, rng, resamples, blank.confidence)
    human = np.where(rows["seen_as"] == HUMAN, 1.0, 0.0)
    judgements = gathered.judgements(slice(None), human, np.ones(len(rows)), list(cells.values()))
    means = cell_means(judgements, drawn)
    clusters = [len(np.unique(gathered.cluster_of_prompt[cell])) for cell in cells.values()]
    shares = spread_shares(rng, means, clusters)
    said = f"percentile bootstrap ({resamples}) over {facets(gathered)}"
    said += (
        "; shares of 0 or 1 by Jeffreys' posterior"
        if shares.edges is not None and shares.edges.any()
        else ""
    )
    blank = replace(blank, method=said)
    of_cell = {name: shares.means[place, 0] for place, name in enumerate(cells)}
    for name in of:
        score = _counted(replace(blank, metric="called_human", model=name), rows)
        yield with_interval(score, of_cell[name])
    for name in cells:
        if name == REFERENCE:
            continue
        at = _counted(replace(blank, model=name), rows)
        if REFERENCE not in of_cell:
            for metric in ("d_prime", "response_criterion"):
                yield replace(at, metric=metric, reason="no references")
            continue
        places = [(list(cells).index(one), 0) for one in (REFERENCE, name)]
        n = np.array([[_items(gathered, one)] for one in (REFERENCE, name)])
        at = replace(at, method=f"rates pooled over raters; {said}")
        for metric, of_both in _OF.items():
            weights = np.array(of_both)[:, None]

            def summed(share: Array, n: Array = n, weights: Array = weights) -> Array:
                """Sum normal quantiles, half an item added to each cell."""
                z = norm.ppf(np.clip((n * share + 0.5) / (n + 1), 1e-9, 1 - 1e-9))
                return np.asarray((weights * z).sum(axis=0), dtype=np.float64)

            yield with_interval(replace(at, metric=metric), shares.combined(places, summed).draws)


def _items(gathered: Gathered, name: str) -> int:
    model = gathered.items["model"]
    return int(((model == name) if name else (model != REFERENCE)).sum())


def _counted(score: Score, rows: pd.DataFrame) -> Score:
    own = rows[(rows["model"] == score.model) if score.model else (rows["model"] != REFERENCE)]
    return replace(
        score,
        n_items=int(own["item"].nunique()),
        n_raters=int(own["rater"].nunique()),
        n_values=len(own),
    )
