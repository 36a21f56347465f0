"""Ratings to a mean score per model and criterion, with raters' severity taken out, and ranks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from bench.records import REFERENCE, Score
from leaderboard.additive import AdditiveFit, fit_additive
from leaderboard.ranks import METHOD, simultaneous_ranks
from leaderboard.resampling import (
    Array,
    Judgements,
    Whole,
    cell_means,
    draw_seeds,
    draw_weights,
    with_interval,
)
from leaderboard.selection import codes, seed_codes

MEAN_SCORE = "mean_score"
"""The metric; also the `group` of its ranks, beside those of votes, which have none."""


def mean_scores(
    rows: pd.DataFrame, blank: Score, rng: np.random.Generator, resamples: int
) -> Iterator[Score]:
    """Yield `mean_score` and `rank` of one criterion of one study, without hidden repeats.

    A rating less its rater's bias (see `additive`) is averaged over raters, items and prompts.
    Each resample draws scenes and seeds, for all models together, and raters; the mean bias of the raters
    drawn moves all models alike, so it widens the means but not their differences. References
    have a mean score as an anchor, and no rank.

    Args:
        rows: ratings that name a model.
        blank: carries study, slice, criterion, level and confidence.
        rng: draws the resamples.
        resamples: how many.
    """
    item, _ = codes(rows["item"])
    rater, raters = codes(rows["rater"])
    value = rows["value"].to_numpy(dtype=np.float64)
    fit = fit_additive(item, rater, value)
    comparable = fit.connected and len(raters) > 1
    bias = fit.bias if comparable else np.zeros(len(raters))
    judgements, stratum, models = _gathered(rows, item, rater, value - bias[rater])
    seed = seed_codes(rows.assign(code=item).drop_duplicates("code").sort_values("code")["seed"])
    of_raters = draw_weights(rng, np.zeros(len(raters), dtype=np.int64), resamples)
    of_clusters = draw_weights(rng, stratum, resamples)
    drawn = cell_means(judgements, of_raters, of_clusters, draw_seeds(rng, seed, resamples))
    level = (bias @ of_raters) / len(raters)
    means = drawn.means[:, 0, :] + level

    said = f"{_severity(fit, len(raters))}; percentile bootstrap ({resamples}) over "
    facets = {"scenes": True, "seeds": seed.max(initial=-1) > 0, "raters": len(raters) > 1}
    drawn_over = [facet for facet, there in facets.items() if there]
    blank = replace(blank, method=said + ", ".join(drawn_over))
    for model, draws in zip(models, means, strict=True):
        score = _counted(replace(blank, metric=MEAN_SCORE, model=model), rows)
        yield with_interval(score, draws)
    yield from _ranks(models, means, rows, blank)


def _severity(fit: AdditiveFit, n_raters: int) -> str:
    if n_raters == 1:
        return "one rater: severity not removed"
    if not fit.connected:
        return "severity not removed: raters and items are not connected"
    return "severity removed by the additive model"


def _gathered(
    rows: pd.DataFrame, item: Whole, rater: Whole, value: Array
) -> tuple[Judgements, Whole, list[str]]:
    """Return the judgements, the stratum of each cluster, and the models in order of the cells."""
    items = rows.assign(code=item).drop_duplicates("code").sort_values("code")
    real = items["model"] == REFERENCE
    # An item without a prompt, and every reference, is its own prompt and its own scene
    own = real | (items["prompt"] == "")
    prompt = items["suite"] + "\n" + items["prompt"].where(~own, items["item"])
    scene = (items["suite"] + "\n" + items["prompt"].str.partition("/")[0]).where(~own, prompt)
    key = items["model"] + "\n" + prompt
    prompt_of_item, _ = codes(key)
    first = pd.DataFrame({"prompt": prompt_of_item, "scene": scene, "model": items["model"]})
    first["scene"] = first["scene"].where(~real, "reference\n" + scene)
    first = first.drop_duplicates("prompt").sort_values("prompt")
    cluster, scenes = codes(first["scene"])
    model, models = codes(first["model"])
    stratum = np.array([scene.startswith("reference\n") for scene in scenes], dtype=np.int64)
    judgements = Judgements(
        item=item,
        rater=rater,
        channel=np.zeros(len(item), dtype=np.int64),
        value=value,
        n_channels=1,
        prompt_of_item=prompt_of_item,
        cluster_of_prompt=cluster,
        cells=[np.flatnonzero(model == code) for code in range(len(models))],
    )
    return judgements, stratum, models


def _ranks(models: list[str], means: Array, rows: pd.DataFrame, blank: Score) -> Iterator[Score]:
    ranked = [index for index, model in enumerate(models) if model != REFERENCE]
    ranks = simultaneous_ranks(means[ranked, 0], means[ranked, 1:].T, blank.confidence)
    for place, index in enumerate(ranked):
        score = _counted(replace(blank, metric="rank", model=models[index], group=MEAN_SCORE), rows)
        yield replace(
            score,
            value=float(ranks.rank[place]),
            low=float(ranks.best[place]),
            high=float(ranks.worst[place]),
            method=f"{score.method}; {METHOD}",
        )


def _counted(score: Score, rows: pd.DataFrame) -> Score:
    own = rows[rows["model"] == score.model]
    return replace(
        score,
        n_items=int(own["item"].nunique()),
        n_raters=int(own["rater"].nunique()),
        n_values=len(own),
    )
