"""Where models fail: the scenes that raters scored lowest, model by model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.records import REFERENCE
from leaderboard.additive import fit_additive
from leaderboard.selection import applicable, codes, distinct, first_time
from leaderboard.weighting import weights_among


class Low(NamedTuple):
    """One scene of a model, and its lowest picture."""

    study: str
    model: str
    prompt: str
    value: float
    """Mean over the scene's pictures of the weighted mean of the criteria, severity removed."""
    item: str
    item_value: float
    n_values: int
    """Ratings behind the scene's value."""


def lowest_scenes(
    ratings: pd.DataFrame, *, weights: Mapping[str, float] | None = None, scenes: int = 3
) -> list[Low]:
    """Return the lowest scenes of each study and model, lowest first.

    A rating less its rater's bias is averaged over raters, then over criteria by their weights,
    then over the pictures of a prompt. A picture that lacks a criterion is averaged over the others.

    Args:
        ratings: a checked table; hidden repeats, "not applicable", references and rows without a
            model or a prompt are left out.
        weights: of the criteria; equal unless given.
        scenes: how many per model.
    """
    found = []
    for study in distinct(ratings["study"]):
        rows = first_time(applicable(ratings[ratings["study"] == study]))
        corrected = pd.concat(
            [_corrected(rows[rows["criterion"] == name]) for name in distinct(rows["criterion"])]
        )
        chosen = corrected[
            (corrected["model"] != REFERENCE)
            & (corrected["model"] != "")
            & (corrected["prompt"] != "")
        ]
        found += _of_study(study, chosen, weights or {}, scenes)
    return found


def _corrected(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one criterion with each rater's bias taken off their values."""
    item, _ = codes(rows["item"])
    rater, raters = codes(rows["rater"])
    fit = fit_additive(item, rater, rows["value"].to_numpy(dtype=np.float64))
    bias = fit.bias if fit.connected and len(raters) > 1 else np.zeros(len(raters))
    return rows.assign(value=rows["value"] - bias[rater])


def _of_study(
    study: str, rows: pd.DataFrame, weights: Mapping[str, float], scenes: int
) -> list[Low]:
    scene = ["model", "suite", "prompt"]
    key = [*scene, "item"]
    by_criterion = rows.groupby([*key, "criterion"])["value"].mean().reset_index()
    among = weights_among(list(by_criterion["criterion"].unique()), weights)
    by_criterion["weight"] = by_criterion["criterion"].map(among)
    by_criterion = by_criterion[by_criterion["weight"] > 0]
    by_criterion["share"] = by_criterion["value"] * by_criterion["weight"]
    sums = by_criterion.groupby(key)[["share", "weight"]].sum()
    items = (sums["share"] / sums["weight"]).rename("value").reset_index()
    counts = rows.groupby(scene).size()
    found = []
    for model in distinct(items["model"]):
        own = items[items["model"] == model]
        means = own.groupby(["suite", "prompt"])["value"].mean().sort_values(kind="stable")
        lowest = means.head(scenes).reset_index()
        for suite, prompt, value in lowest.itertuples(index=False):
            of_scene = own[(own["suite"] == suite) & (own["prompt"] == prompt)]
            worst = of_scene.iloc[int(of_scene["value"].to_numpy().argmin())]
            found.append(
                Low(
                    study=study,
                    model=model,
                    prompt=str(prompt),
                    value=float(value),
                    item=str(worst["item"]),
                    item_value=float(worst["value"]),
                    n_values=int(counts.loc[(model, suite, prompt)]),
                )
            )
    return found
