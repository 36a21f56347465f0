"""Shares of attribution: q_τ(l) of every model, M(k, l) of the references, and their resamples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.errors import RequestError
from bench.records import FOIL, NEUTRAL, REFERENCE, Score
from leaderboard.contrasts import Contrast
from leaderboard.drawing import Array, Weights, Whole, draw_raters, draw_seeds, draw_weights
from leaderboard.resampling import CellMeans, Judgements, cell_means, clusters_of, spread_shares
from leaderboard.selection import codes, distinct
from leaderboard.share_cells import Cell, cells_of, drawn_by, items_of
from leaderboard.tables import CANNOT_TELL, OTHER

CHANCE = "chance:"
"""Columns of this beginning, one per label, hold the probabilities that a probe gave: they are counted
in the place of the one label in `attribution`."""

TRACES = {"": 0.0, "none": 0.0, "slight": 0.15, "clear": 0.3, "equal": 0.5}
"""How much of a picture a trace of another manner is counted as, in a sensitivity analysis."""


class Counts(NamedTuple):
    """How much stands behind a cell; of references, `items` are works."""

    items: int = 0
    raters: int = 0
    judgements: int = 0


def counted(score: Score, counts: Counts) -> Score:
    """Return the score with the numbers behind it."""
    return replace(score, n_items=counts.items, n_raters=counts.raters, n_values=counts.judgements)


class Shares(NamedTuple):
    """Shares by cell: arrays are (labels, 1 + resamples), column 0 the estimate."""

    home: str
    models: list[str]
    traditions: list[str]
    """Those asked of models and those of the references, home first."""
    labels: list[str]
    """The traditions, then every other label that was given, `other` and `cannot_tell` last."""
    of: Mapping[Cell, Array]
    means: CellMeans
    """What they are taken from, by `places`."""
    places: Mapping[Cell, int]
    gaps: Mapping[tuple[str, str], list[Contrast]]
    """By label, between two models on the prompts for home that both were asked."""
    mass: Mapping[Cell, Array]
    counts: Mapping[Cell, Counts]
    n_raters: int
    n_seeds: int
    edges: bool
    """Whether a share of exactly 0 or 1 got its spread from a posterior."""

    def share(self, model: str, target: str, label: str) -> Array | None:
        """Return q_target(label) or, for references, M(target, label); None without any."""
        found = self.of.get((model, target))
        return None if found is None else found[self.labels.index(label)]

    def combined(self, parts: Sequence[tuple[Cell, str]], of: Callable[[Array], Array]) -> Contrast:
        """Return a function of some shares, each given by its cell and label; see `CellMeans`."""
        places = [(self.places[cell], self.labels.index(label)) for cell, label in parts]
        return self.means.combined(places, of)

    def strata(self, model: str) -> list[str]:
        """Return the strata of a model's prompts for home, or of the home references."""
        return [cell[3] for cell in self.of if cell[:3] == (model, self.home, "stratum")]


def find_home(frame: pd.DataFrame, home: str | None) -> str:
    """Return the tradition under test: `home`, else the table's column, else the only target.

    Raises:
        RequestError: it was asked of no model, or it is not clear which one is meant.
    """
    asked = frame[frame["model"] != REFERENCE]
    targets = distinct(asked["target"], without={NEUTRAL})
    told = [home] if home else distinct(asked["home"], without={""})
    if len(told) > 1:
        raise RequestError(
            f"the attributions name several home traditions ({', '.join(told)}): say which"
            " with --home"
        )
    if not told:
        if len(targets) > 1:
            raise RequestError(
                f"models were asked for several traditions ({', '.join(targets)}): say with"
                " --home which one is under test"
            )
        told = targets
    if not told or told[0] not in targets:
        wanted = repr(told[0]) if told else "any tradition"
        raise RequestError(
            f"no model was asked for {wanted} (asked: {', '.join(targets) or NEUTRAL})"
        )
    return told[0]


def find_traditions(frame: pd.DataFrame, home: str) -> list[str]:
    """Return the traditions asked of models and those of the references, foils not, home first."""
    compared = frame.loc[frame["diagnosticity"] != FOIL, "target"]
    return [home, *distinct(compared, without={home, NEUTRAL, OTHER, CANNOT_TELL})]


def shares_of(
    frame: pd.DataFrame,
    traditions: Sequence[str],
    rng: np.random.Generator,
    resamples: int,
    *,
    confidence: float,
    graded: bool = False,
) -> Shares:
    """Compute all shares of one aspect of one study, without hidden repeats.

    `traditions` are the study's, home first: a slice may hold but some of them.
    Scenes are drawn together for all models and targets, references within their class and
    stratum, raters, and seeds together for all prompts; see `resampling`. With `graded` a trace of
    another manner takes its strength (`TRACES`) from the label given. Columns `chance:LABEL` hold
    probabilities in the place of one label.
    """
    frame = _by_unit(frame)
    labels = _labels(frame, traditions, graded=graded)
    items = items_of(frame)
    cells = cells_of(items.prompts, traditions[0])
    cluster_of_prompt, stratum_of_cluster = drawn_by(items.prompts)
    rater, raters = codes(frame["rater"])
    judgements = Judgements(
        item=items.of_row,
        rater=rater,
        channel=_places(frame["attribution"], labels),
        value=np.ones(len(frame)),
        weight=np.ones(len(frame)),
        n_channels=len(labels),
        prompt_of_item=items.prompt,
        cluster_of_prompt=cluster_of_prompt,
        cells=list(cells.values()),
        seed=items.seed,
    )
    if chances := [f"{CHANCE}{label}" for label in labels if f"{CHANCE}{label}" in frame]:
        judgements = _with_chances(judgements, frame[chances], labels)
    elif graded:
        judgements = _with_traces(judgements, frame, labels)
    result = spread_shares(
        rng,
        cell_means(
            judgements,
            Weights(
                draw_raters(rng, len(raters), resamples),
                draw_weights(rng, stratum_of_cluster, resamples),
                draw_seeds(rng, items.seed, resamples),
                confidence,
            ),
        ),
        clusters_of(judgements),
    )
    counts: dict[Cell, Counts] = {
        (str(model), str(target)): Counts(
            rows["unit"].nunique(), rows["rater"].nunique(), len(rows)
        )
        for (model, target), rows in frame.groupby(["model", "target"])
    }
    return Shares(
        home=traditions[0],
        models=distinct(frame["model"], without={REFERENCE}),
        traditions=list(traditions),
        labels=labels,
        of=dict(zip(cells, result.means, strict=True)),
        means=result,
        places={cell: place for place, cell in enumerate(cells)},
        gaps=_gaps(result, list(cells), traditions[0]),
        mass=dict(zip(cells, result.mass, strict=True)),
        counts=counts,
        n_raters=len(raters),
        n_seeds=int(items.seed.max(initial=-1)) + 1,
        edges=result.edges is not None and bool(result.edges.any()),
    )


def _by_unit(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with `unit`, what is counted; a work of reference is its own prompt.

    So works are averaged one by one, variants of one work first.
    """
    is_reference = frame["model"] == REFERENCE
    work = frame["work"].where(frame["work"] != "", frame["item"])
    return frame.assign(
        prompt=frame["prompt"].where(~is_reference, work),
        unit=frame["item"].where(~is_reference, work),
    )


def _with_traces(of: Judgements, frame: pd.DataFrame, labels: Sequence[str]) -> Judgements:
    """Return each judgement in two halves: what is left of the label, and the trace."""
    trace = frame["trace"].where(~frame["trace"].isin(["", "none"]), frame["attribution"])
    strength = frame["trace_strength"].map(TRACES).to_numpy(dtype=np.float64)
    return of._replace(
        item=np.concatenate([of.item, of.item]),
        rater=np.concatenate([of.rater, of.rater]),
        channel=np.concatenate([of.channel, _places(trace, labels)]),
        value=2 * np.concatenate([1 - strength, strength]),
        weight=np.full(2 * len(frame), 0.5),
    )


def _with_chances(of: Judgements, chances: pd.DataFrame, labels: Sequence[str]) -> Judgements:
    """Return each judgement in as many parts as there are chances, together of weight one."""
    told = chances.to_numpy(dtype=np.float64)
    places = np.array([labels.index(name.removeprefix(CHANCE)) for name in chances.columns])
    return of._replace(
        item=np.repeat(of.item, len(places)),
        rater=np.repeat(of.rater, len(places)),
        channel=np.tile(places, len(told)),
        value=len(places) * told.ravel(),
        weight=np.full(told.size, 1 / len(places)),
    )


def _gaps(
    means: CellMeans, cells: Sequence[Cell], home: str
) -> dict[tuple[str, str], list[Contrast]]:
    """Return the differences of every two models on the prompts for home that both were asked."""
    place = {cell: index for index, cell in enumerate(cells)}
    models = sorted({cell[0] for cell in cells})
    found = {
        (model, against): (place[model, home, "with", against], place[against, home, "with", model])
        for model, against in combinations(models, 2)
        if (model, home, "with", against) in place
    }
    return dict(zip(found, means.differences(list(found.values())), strict=True))


def _places(column: pd.Series, labels: Sequence[str]) -> Whole:
    place = {label: index for index, label in enumerate(labels)}
    return np.array([place[label] for label in column], dtype=np.int64)


def _labels(frame: pd.DataFrame, traditions: Sequence[str], *, graded: bool) -> list[str]:
    """Return all labels: the traditions, home first, then others, `cannot_tell` last."""
    last = [OTHER, CANNOT_TELL]
    given = [frame["attribution"], *([frame["trace"]] if graded else [])]
    declared = distinct(pd.concat(given), without={*traditions, *last, "", "none"})
    return [*traditions, *declared, *last]
