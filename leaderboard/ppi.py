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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2, t

from bench.errors import RequestError
from bench.records import REFERENCE, Score
from leaderboard.leaks import CANNOT_TELL_APART, LEAST_DISCRIMINATION, NO_REFERENCES
from leaderboard.probes import STYLE
from leaderboard.selection import confirmatory, distinct, first_time, is_simulated, say_simulated
from leaderboard.share_intervals import difference_interval, share_interval
from leaderboard.shares import find_home, find_traditions
from leaderboard.tables import ASPECTS

Array = NDArray[np.float64]

FROM_BOTH = "combined"
PROBE_ONLY = "probe only: no output of it was judged"
TOO_FEW_SCENES = "no interval: fewer than four scenes"
LEAST_SCENES = 4
"""One mean and one λ are fitted; two degrees of freedom are the least that an interval wants."""
LEAST_LEFT = 0.05
"""A scene that alone decides λ counts twenty times at most."""
_P = "p_"
OF_OUTPUT = ["model", "prompt", "language", "seed"]
"""What names an output in both tables."""


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
    scenes: int


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
    variance = float(parts @ parts) * there / max(there - 1, 1)
    wrong = labels - seen
    by_scene = np.bincount(scene, (wrong - wrong.mean()) / n, count).astype(np.float64)
    return Estimate(mean_y + weight * gap, variance, weight, float(wrong.mean()), by_scene, there)


def combine(
    attributions: pd.DataFrame,
    probes: pd.DataFrame,
    *,
    home: str | None = None,
    confidence: float = 0.95,
) -> list[Score]:
    """Return `raw_leak` and `excess_leak` from raters and probe, and the test of the rectifier.

    Args:
        attributions: a checked table of one study; hidden repeats are left out.
        probes: as `probes.check_probes` returns it, of the run that the study drew on.
        home: the tradition under test; see `shares.find_home`.
        confidence: of the intervals.

    Raises:
        RequestError: study and run have no output in common.
    """
    rows = first_time(attributions)
    rows = rows[rows["aspect"] == ASPECTS[0]]
    traditions = find_traditions(rows, find_home(rows, home))
    rows = rows[confirmatory(rows)]
    of_style = probes[(probes["kind"] == STYLE) & confirmatory(probes)]
    scores: list[Score] = []
    for study in distinct(rows["study"]):
        own = rows[rows["study"] == study]
        for probe in distinct(of_style["probe"]):
            blank = Score(study=study, source=FROM_BOTH, criterion=probe, confidence=confidence)
            found = _combine(own, of_style[of_style["probe"] == probe], traditions, blank)
            scores += say_simulated(found) if is_simulated(own) else found
    return scores


def _combine(
    rows: pd.DataFrame, seen: pd.DataFrame, traditions: Sequence[str], blank: Score
) -> list[Score]:
    home = traditions[0]
    asked = rows[(rows["model"] != REFERENCE) & (rows["target"] == home)]
    outputs = seen[(seen["model"] != REFERENCE) & (seen["target"] == home)]
    outputs = outputs.drop_duplicates(OF_OUTPUT).set_index(OF_OUTPUT)
    scenes = {
        name: code
        for code, name in enumerate(sorted(set(outputs.index.get_level_values(1).map(scene_of))))
    }
    common = set(map(tuple, asked[OF_OUTPUT].drop_duplicates().to_numpy())) & set(outputs.index)
    if not common:
        raise RequestError(
            "the study and the run have no output in common: --with-probe wants the run that the "
            "study drew on"
        )
    scores: list[Score] = []
    for other in traditions[1:]:
        if f"{_P}{other}" not in outputs:
            continue
        estimates = {}
        for model in distinct(outputs.reset_index()["model"]):
            own = outputs.xs(model, level="model", drop_level=False)[f"{_P}{other}"]
            judged = asked[asked["model"] == model]
            at = replace(blank, model=model, group=other, n_items=len(own))
            given = np.asarray(judged["attribution"] == other, dtype=np.float64)
            found = estimate_of(judged, given, own, scenes)
            if found is None:
                scores += _probe_only(own, seen, traditions, at)
                continue
            estimate, raters, labelled, jackknife = found
            estimates[model] = (estimate, labelled)
            at = replace(at, n_raters=raters, n_values=labelled)
            scores += _leaks(rows, estimate, jackknife, at, (home, other))
        scores += rectifiers(estimates, replace(blank, group=other))
    return scores


def estimate_of(
    judged: pd.DataFrame, given: Array, seen: pd.Series, scenes: dict[str, int]
) -> tuple[Estimate, int, int, float] | None:
    """Return the estimate of one model, its raters, its labelled outputs, and the raters' variance.

    Args:
        judged: what raters said of one model's outputs: `OF_OUTPUT` and rater.
        given: what each row says as a number, (rows,).
        seen: what the probe or judge says of every output, indexed by `OF_OUTPUT`.
        scenes: their codes.
    """
    keys = list(map(tuple, judged[OF_OUTPUT].to_numpy()))
    known = np.array([key in seen.index for key in keys], dtype=bool)
    judged, said = judged[known], given[known]
    if not len(judged):
        return None
    place = pd.MultiIndex.from_frame(judged[OF_OUTPUT])
    item, items = pd.factorize(place)
    rater, raters = pd.factorize(judged["rater"])
    f_labelled = seen.reindex(items).to_numpy(dtype=np.float64)
    rest = seen[~seen.index.isin(items)]
    codes = np.array([scenes[scene_of(key[1])] for key in items], dtype=np.int64)
    codes_rest = np.array([scenes[scene_of(key[1])] for key in rest.index], dtype=np.int64)
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
    without = [estimate(rater != one) for one in range(len(raters))] if len(raters) > 2 else []
    values = np.array([one.value for one in without if one is not None])
    spread = 0.0
    if len(values) > 1:
        spread = (len(values) - 1) / len(values) * float(((values - values.mean()) ** 2).sum())
    return whole, len(raters), len(items), spread


def _leaks(
    rows: pd.DataFrame,
    estimate: Estimate,
    raters: float,
    at: Score,
    pair: tuple[str, str],
) -> Iterator[Score]:
    home, other = pair
    method = (
        f"PPI++, λ {estimate.weight:.2f}, {at.n_values} of {at.n_items} outputs judged; variance over "
        f"{estimate.scenes} scenes and by jackknife over raters, Wilson's interval"
    )
    raw = replace(at, metric="raw_leak", value=estimate.value, method=method)
    share = estimate.value, estimate.variance + raters
    reach = _reach(raw, estimate.scenes)
    if reach is None:
        raw = replace(raw, reason=TOO_FEW_SCENES)
    else:
        low, high = share_interval(*share, reach)
        raw = replace(raw, low=low, high=high)
    yield raw
    right = _reference_share(rows, other, other)
    wrong = _reference_share(rows, home, other)
    excess = replace(at, metric="excess_leak", method=method)
    if right is None or wrong is None:
        yield replace(excess, reason=NO_REFERENCES)
    elif right[0] - wrong[0] < LEAST_DISCRIMINATION:
        yield replace(excess, reason=CANNOT_TELL_APART)
    else:
        excess = replace(
            excess,
            value=estimate.value - wrong[0],
            method=f"{method}; references by raters alone",
        )
        if reach is None:
            yield replace(excess, reason=TOO_FEW_SCENES)
        else:
            low, high = difference_interval(share, wrong, reach)
            yield replace(excess, low=low, high=high)


def _reach(score: Score, scenes: int) -> float | None:
    """Return how many standard errors an interval reaches, by Student's t; None of too few scenes."""
    if scenes < LEAST_SCENES:
        return None
    return float(t.ppf(0.5 + score.confidence / 2, scenes - 2))


def with_normal(score: Score, value: float, variance: float, scenes: int) -> Score:
    """Add value and t interval; of fewer than `LEAST_SCENES` the value alone."""
    reach = _reach(score, scenes)
    if reach is None:
        return replace(score, value=value, reason=TOO_FEW_SCENES)
    arm = reach * math.sqrt(variance)
    return replace(score, value=value, low=value - arm, high=value + arm)


def _reference_share(rows: pd.DataFrame, target: str, label: str) -> tuple[float, float] | None:
    """Return M(target, label) over works and its variance over works; None without any."""
    own = rows[(rows["model"] == REFERENCE) & (rows["target"] == target)]
    if not len(own):
        return None
    work = own["work"].where(own["work"] != "", own["item"])
    shares = (own["attribution"] == label).groupby(work).mean().to_numpy(dtype=np.float64)
    # Agresti and Coull: without a single confusion the variance is not nothing
    n = len(shares)
    shrunk = (shares.sum() + 1) / (n + 2)
    floor = shrunk * (1 - shrunk) / (n + 2)
    spread = float(shares.var(ddof=1)) / n if n > 1 else floor
    return float(shares.mean()), max(spread, floor) if shares.mean() in {0.0, 1.0} else spread


def rectifiers(estimates: dict[str, tuple[Estimate, int]], blank: Score) -> Iterator[Score]:
    """Yield what the probe is wrong by per model, and the Wald test that it is the same for all."""
    for model, (estimate, labelled) in estimates.items():
        score = replace(blank, metric="rectifier", model=model, n_items=labelled, n_values=labelled)
        score = replace(
            score, method="mean of raters' share less the probe's, variance over scenes"
        )
        variance = float(estimate.by_scene @ estimate.by_scene) * _small(estimate.scenes)
        yield with_normal(score, estimate.rectifier, variance, estimate.scenes)
    test = replace(
        blank,
        metric="rectifier_p",
        n_items=len(estimates),
        method="Wald test that the rectifier is the same for all models, models paired by scene",
    )
    if len(estimates) < 2:
        yield replace(test, reason="fewer than two models were judged")
        return
    values = np.array([one.rectifier for one, _ in estimates.values()])
    parts = np.stack([one.by_scene for one, _ in estimates.values()])
    scenes = min(one.scenes for one, _ in estimates.values())
    contrast = np.eye(len(values))[1:] - np.eye(len(values))[:1]
    away = contrast @ values
    spread = contrast @ (parts @ parts.T) @ contrast.T * _small(scenes)
    if scenes <= len(values) or np.linalg.matrix_rank(spread) < len(away):
        yield replace(test, reason="too few scenes for so many models")
        return
    statistic = float(away @ np.linalg.solve(spread, away))
    p = float(chi2.sf(statistic, len(away)))
    yield replace(test, value=p, reason="no interval: a p value")


def _small(scenes: int) -> float:
    return scenes / max(scenes - 1, 1)


def _probe_only(
    own: pd.Series, seen: pd.DataFrame, traditions: Sequence[str], at: Score
) -> Iterator[Score]:
    """Yield what the probe says of a model that nobody judged, labelled so."""
    works = seen[(seen["model"] == REFERENCE) & (seen["target"] == traditions[0])]
    column = f"{_P}{at.group}"
    at = replace(at, method=PROBE_ONLY, reason=f"no interval: {PROBE_ONLY}")
    yield replace(at, metric="raw_leak", value=float(own.mean()))
    if len(works):
        value = float(own.mean() - works[column].mean())
        yield replace(at, metric="excess_leak", value=value)
    else:
        yield replace(at, metric="excess_leak", reason=NO_REFERENCES)


def scene_of(prompt: str) -> str:
    """Return the scene of a prompt's id."""
    return prompt.partition("/")[0]
