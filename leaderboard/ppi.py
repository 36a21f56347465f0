"""Raters and probe together: the labelled outputs correct the probe on the rest (PPI++).

Angelopoulos, Duchi and Zrnic (2023), "PPI++: efficient prediction-powered inference":
θ = Ȳ + λ (f̄_rest − f̄_labelled). With Y the share of an output's raters who gave a label and f the
probe's probability of it, over labelled outputs and the rest. λ is the one with the least variance;
for independent outputs that is Cov(Y, f) / [(1 + n/N) Var f]. Outputs of one scene are not
independent, so variances are those of sums over scenes, and λ is found from them. Raters are drawn
too: their part of the variance is a jackknife over raters, added (as for α). Intervals are Wilson's
with that variance and Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import f as variance_ratio
from scipy.stats import t

from bench.records import Score
from leaderboard.common_outputs import OF_OUTPUT, Scene, codes_of
from leaderboard.drawing import LEAST_RATERS

Array = NDArray[np.float64]

FROM_BOTH = "combined"

TOO_FEW_SCENES = "no interval: fewer than four scenes"

LEAST_SCENES = 4
"""One mean and one λ are fitted; two degrees of freedom are the least that an interval wants."""

LEAST_LEFT = 0.05
"""A scene that alone decides λ counts twenty times at most."""


@dataclass(frozen=True)
class Estimate:
    """A share and what its uncertainty is made of."""

    value: float
    variance: float
    weight: float
    """λ: how much of the probe's difference is added; 0 is the labelled outputs alone."""
    rectifier: float
    """Mean of Y − f over labelled outputs: what the probe is wrong by."""
    by_scene: Array
    """Each scene's part in the error of the rectifier, summing to about 0, (scenes,)."""
    judged_scenes: int
    """How many scenes have labelled outputs: those that tell of the rectifier."""
    scenes: int
    moved: Array
    """Each scene's part in the error of the value, of whose squares the variance is made, (scenes,)."""


class Judged(NamedTuple):
    """The estimate of one model and the judgements behind it: j of them, of n outputs."""

    estimate: Estimate
    n_raters: int
    spread: float
    """Variance over raters, by jackknife; 0 of fewer than `LEAST_RATERS`."""
    item: NDArray[np.int64]
    """Of each judgement, (j,)."""
    rater: NDArray[np.str_]
    """Names, (j,)."""
    said: Array
    """(j,)."""
    seen: Array
    """What the probe or judge says of each output, (n,)."""
    scene: NDArray[np.int64]
    """Codes, (n,)."""

    @property
    def labelled(self) -> int:
        """How many outputs were judged."""
        return len(self.seen)


def ppi(
    labels: Array,
    seen: Array,
    scene: NDArray[np.int64],
    rest: Array,
    scene_rest: NDArray[np.int64],
    *,
    n_scenes: int = 0,
) -> Estimate:
    """Estimate the mean of Y over all outputs.

    Args:
        labels: Y of labelled outputs, (n,).
        seen: f of the same, (n,).
        scene: codes of their scenes from 0, (n,).
        rest: f of the outputs without labels, (N,).
        scene_rest: codes of theirs, (N,), in the same numbering.
        n_scenes: how many codes there are, where some have no output here.
    """
    n, total = len(labels), len(rest)
    count = max(int(max(scene.max(initial=-1), scene_rest.max(initial=-1))) + 1, n_scenes)
    mean_y, mean_f = float(labels.mean()), float(seen.mean())
    of_labels = np.bincount(scene, (labels - mean_y) / n, count)
    of_probe = np.bincount(scene, (seen - mean_f) / n, count)
    gap = 0.0
    if total:
        of_probe = of_probe - np.bincount(scene_rest, (rest - rest.mean()) / total, count)
        gap = float(rest.mean()) - mean_f
    spread = float(of_probe @ of_probe)
    weight = max(float(of_labels @ of_probe) / spread, 0.0) if total and spread > 1e-15 else 0.0
    parts = of_labels - weight * of_probe
    if weight:
        # λ was fitted on these very scenes: what each would leave had it no say in λ (a jackknife)
        parts = parts / np.maximum(1 - of_probe**2 / spread, LEAST_LEFT)
    there = len(np.unique(np.concatenate([scene, scene_rest])))
    parts = parts * math.sqrt(_small(there))
    wrong = labels - seen
    by_scene = np.bincount(scene, (wrong - wrong.mean()) / n, count).astype(np.float64)
    return Estimate(
        value=mean_y + weight * gap,
        variance=float(parts @ parts),
        weight=weight,
        rectifier=float(wrong.mean()),
        by_scene=by_scene,
        judged_scenes=len(np.unique(scene)),
        scenes=there,
        moved=parts,
    )


def estimate_of(
    judged: pd.DataFrame, given: Array, seen: pd.Series, scenes: dict[Scene, int]
) -> Judged | None:
    """Return the estimate of one model; None where none of its outputs was judged.

    Args:
        judged: what raters said of one model's outputs: `OF_OUTPUT` and rater.
        given: what each row says as a number, (rows,).
        seen: what the probe or judge says of every output, indexed by `OF_OUTPUT`.
        scenes: their codes.
    """
    known = pd.MultiIndex.from_frame(judged[OF_OUTPUT]).isin(seen.index)
    judged, said = judged[known], given[known]
    if not len(judged):
        return None
    place = pd.MultiIndex.from_frame(judged[OF_OUTPUT])
    item, items = pd.factorize(place)
    rater, raters = pd.factorize(judged["rater"])
    f_labelled = seen.reindex(items).to_numpy(dtype=np.float64)
    rest = seen[~seen.index.isin(items)]
    codes, codes_rest = codes_of(items, scenes), codes_of(rest.index, scenes)
    left = rest.to_numpy(dtype=np.float64)

    def estimate(keep: NDArray[np.bool_]) -> Estimate | None:
        counts = np.bincount(item[keep], minlength=len(items))
        there = counts > 0
        if not there.any():
            return None
        share = np.bincount(item[keep], said[keep], len(items))[there] / counts[there]
        return ppi(share, f_labelled[there], codes[there], left, codes_rest, n_scenes=len(scenes))

    whole = estimate(np.ones(len(said), dtype=bool))
    if whole is None:
        return None
    without = (
        [estimate(rater != one) for one in range(len(raters))]
        if len(raters) >= LEAST_RATERS
        else []
    )
    values = np.array([one.value for one in without if one is not None])
    spread = 0.0
    if len(values) > 1:
        spread = (len(values) - 1) / len(values) * float(((values - values.mean()) ** 2).sum())
    names = judged["rater"].to_numpy(dtype=np.str_)
    n_raters = len(raters)
    return Judged(whole, n_raters, spread, item.astype(np.int64), names, said, f_labelled, codes)


def reach_of(
    score: Score, of_scenes: float, scenes: int, *others: tuple[float, int]
) -> float | None:
    """Return how many standard errors an interval reaches, by Student's t; None of too few scenes.

    Args:
        score: carries the confidence.
        of_scenes: the variance over scenes.
        scenes: how many; a mean and λ were fitted to them.
        others: further parts of the variance and how many units each rests on, at least two. The
            degrees of freedom are Satterthwaite's.
    """
    if scenes < LEAST_SCENES:
        return None
    parts = [(of_scenes, scenes - 2), *((part, units - 1) for part, units in others if part > 0)]
    variance = sum(part for part, _ in parts)
    uncertain = sum(part**2 / freedom for part, freedom in parts)
    freedom = variance**2 / uncertain if uncertain > 0 else scenes - 2
    return float(t.ppf(0.5 + score.confidence / 2, freedom))


def with_t_interval(
    score: Score, value: float, of_scenes: float, scenes: int, *others: tuple[float, int]
) -> Score:
    """Add value and t interval, see `reach_of`; of fewer than `LEAST_SCENES` the value alone."""
    reach = reach_of(score, of_scenes, scenes, *others)
    if reach is None:
        return replace(score, value=value, reason=TOO_FEW_SCENES)
    arm = reach * math.sqrt(of_scenes + sum(part for part, _ in others))
    return replace(score, value=value, low=value - arm, high=value + arm)


def over_raters(raters: int) -> str:
    """Say of what raters a variance speaks: of fewer than three nothing is said of another."""
    return " and by jackknife over raters" if raters >= LEAST_RATERS else "; for these raters alone"


def rectifiers(estimates: dict[str, tuple[Estimate, int]], blank: Score) -> Iterator[Score]:
    """Yield what the probe is wrong by per model, and the test that it is the same for all.

    Both speak of the raters at hand: scenes are drawn, raters are not. A panel that as a whole is
    hard on one model makes a difference here too, as a probe that flatters that model does.
    """
    for model, (estimate, labelled) in estimates.items():
        score = replace(blank, metric="rectifier", model=model, n_items=labelled, n_values=labelled)
        score = replace(
            score,
            method="mean of raters' share less the probe's, variance over scenes; for these raters",
        )
        scenes = estimate.judged_scenes
        variance = float(estimate.by_scene @ estimate.by_scene) * _small(scenes)
        yield with_t_interval(score, estimate.rectifier, variance, scenes)
    yield _same_rectifier([estimate for estimate, _ in estimates.values()], blank)


def _same_rectifier(estimates: list[Estimate], blank: Score) -> Score:
    """Return the p of Hotelling's T² that all rectifiers are equal, over scenes.

    With q contrasts of models and S scenes, T² (S − q) / (q (S − 1)) has the distribution F(q, S − q)
    (Hotelling 1931; Anderson 2003, § 5.2.2): exactly where every model has the same scenes and its
    scenes' means are normal. Models that were judged on different scenes have the least number's.
    """
    test = replace(
        blank,
        metric="rectifier_p",
        n_items=len(estimates),
        method="Hotelling's T² over scenes that the rectifier is the same for all models, paired by "
        "scene; for these raters",
    )
    contrasts = len(estimates) - 1
    if contrasts < 1:
        return replace(test, reason="fewer than two models were judged")
    values = np.array([one.rectifier for one in estimates])
    parts = np.stack([one.by_scene for one in estimates])
    scenes = min(one.judged_scenes for one in estimates)
    if scenes <= contrasts:
        return replace(test, reason="too few scenes for so many models")
    away = values[1:] - values[0]
    apart = parts[1:] - parts[0]
    spread = apart @ apart.T * _small(scenes)
    if np.linalg.matrix_rank(spread) < contrasts:
        return replace(test, reason="no variation")
    squared = float(away @ np.linalg.solve(spread, away))
    rest = scenes - contrasts
    p = float(variance_ratio.sf(squared * rest / (contrasts * (scenes - 1)), contrasts, rest))
    return replace(test, value=p, reason="no interval: a p value")


def _small(scenes: int) -> float:
    return scenes / max(scenes - 1, 1)
