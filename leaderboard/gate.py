"""A release gate: one model against a baseline, by what probes saw, verdict by verdict.

All differences are the model's less the baseline's on the same prompts, languages and seeds. They are
drawn again over scenes and seeds (each draw gives scenes and seeds whole weights, and an output counts
with their product: Owen 2007), since the noise of a seed is shared by all prompts. Of few scenes or
seeds no interval is given, and the verdict is that they are too few to tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from bench.errors import RequestError
from bench.records import REFERENCE, Score
from leaderboard.compare import Outcome, Verdict
from leaderboard.drawing import LEAST_SEEDS
from leaderboard.multiplicity import holm
from leaderboard.probes import FAULTS, FROM_PROBE, STYLE
from leaderboard.selection import confirmatory, distinct

Array = NDArray[np.float64]

PREFERRED = ("linear", "trained", "zero-shot")
"""Which way of telling styles decides, where there are several."""
RESAMPLES = 2000
LEAST_SCENES = 6
"""Where all of five scenes differ the same way, chance does as much in 2 of 2⁵ cases: above .05."""
TOO_FEW = "too few to tell"
NO_NETWORK = "no network looked"
NOT_TOLD = "no probe tells it"
_MORE_IS_BETTER = {"leak": False, "diversity": True, "language_gap": False, "faults": False}
_CELL = ["prompt", "language", "seed"]

Tested = tuple[Score, float]
"""A difference and its two-sided p, NaN where it has no interval."""


def gate(
    probes: pd.DataFrame,
    diversity: pd.DataFrame | None,
    *,
    model: str,
    baseline: str,
    home: str,
    rng: np.random.Generator,
    others: Sequence[str] = (),
    confidence: float = 0.95,
) -> list[Verdict]:
    """Return verdicts on leak (per tradition), diversity, language gap (per tradition) and faults.

    Args:
        probes: as `probes.check_probes` returns it.
        diversity: Vendi scores by prompt, or None.
        model: the one to be released.
        baseline: what it must not be worse than.
        home: the tradition under test.
        rng: draws the resamples.
        others: traditions that may leak; where no probe tells one, its leak is not comparable, and
            says so. By default those that the probe tells.
        confidence: of the intervals; a loss is one that stands after Holm's correction.

    Raises:
        RequestError: either model has no output in the table.
    """
    for name in (model, baseline):
        if not (probes["model"] == name).any():
            raise RequestError(f"the probes have no output of {name!r}")
    blank = Score(
        source=FROM_PROBE, metric="gate", model=model, against=baseline, confidence=confidence
    )
    scores = []
    of_style = probes[(probes["kind"] == STYLE) & confirmatory(probes)]
    probe = deciding(of_style)
    own = of_style[(of_style["probe"] == probe) & (of_style["target"] == home)]
    told = [
        str(column).removeprefix("p_")
        for column in own
        if str(column).startswith("p_") and own[column].notna().any()
    ]
    for other in others or [name for name in told if name not in {home, "other"}]:
        for criterion, found in (("leak", _leak), ("language_gap", _gap)):
            at = replace(blank, criterion=criterion, group=other)
            if other in told:
                scores.append(found(own, f"p_{other}", at, rng))
            else:
                reason = NOT_TOLD if probe else NO_NETWORK
                scores.append((replace(at, reason=reason), math.nan))
    scores.append(_diversity(diversity, replace(blank, criterion="diversity"), rng))
    scores.append(_faults(probes, replace(blank, criterion="faults"), rng))
    p_values = [p for _, p in scores]
    return [
        Verdict(score, p, corrected, _outcome(score, corrected))
        for (score, p), corrected in zip(scores, holm(p_values), strict=True)
    ]


def deciding(of_style: pd.DataFrame) -> str:
    """Return the probe whose style decides, "" without any."""
    there = distinct(of_style["probe"])
    for method in PREFERRED:
        for probe in there:
            if probe.startswith(f"{method}:"):
                return probe
    return there[0] if there else ""


def _leak(own: pd.DataFrame, column: str, score: Score, rng: np.random.Generator) -> Tested:
    pairs = _pairs(own, column, score)
    if pairs.empty:
        return replace(score, reason="no common prompts"), math.nan
    return _drawn(score, pairs, lambda weight: _mean(pairs["difference"], weight), rng)


def _gap(own: pd.DataFrame, column: str, score: Score, rng: np.random.Generator) -> Tested:
    """|leak in one language less that in the other|, the model's less the baseline's."""
    pairs = _pairs(own, column, score)
    languages = distinct(pairs["language"]) if len(pairs) else []
    if len(languages) != 2:
        return replace(score, reason="not asked in two languages"), math.nan
    first = (pairs["language"] == languages[0]).to_numpy()

    def wider(weight: Array) -> Array:
        gaps = [
            np.abs(_mean(pairs[side], weight, first) - _mean(pairs[side], weight, ~first))
            for side in ("ours", "theirs")
        ]
        found: Array = gaps[0] - gaps[1]
        return found

    return _drawn(score, pairs, wider, rng)


def _diversity(table: pd.DataFrame | None, score: Score, rng: np.random.Generator) -> Tested:
    if table is None:
        return replace(score, reason=NO_NETWORK), math.nan
    within = table[(table["kind"] == "within") & (table["n"] > 1)].assign(seed="")
    pairs = _pairs(within, "vendi", score) if len(within) else within
    if pairs.empty:
        return replace(score, reason="one picture per prompt"), math.nan
    number = int(within["n"].max())
    return _drawn(
        score, pairs, lambda weight: _mean(pairs["difference"], weight), rng, seeds=number
    )


def _faults(probes: pd.DataFrame, score: Score, rng: np.random.Generator) -> Tested:
    rows = probes[probes["kind"] == FAULTS]
    if rows.empty:
        return replace(score, reason="no pictures were looked at"), math.nan
    any_fault = (
        rows["blank"].fillna(value=False).astype(bool)
        | (rows["duplicate_of"].fillna("") != "")
        | (rows["watermark"].fillna("") != "")
    )
    pairs = _pairs(rows.assign(fault=any_fault.astype(float)), "fault", score)
    if pairs.empty:
        return replace(score, reason="no common prompts"), math.nan
    return _drawn(score, pairs, lambda weight: _mean(pairs["difference"], weight), rng)


def _pairs(rows: pd.DataFrame, column: str, score: Score) -> pd.DataFrame:
    """Return the outputs that both made, side by side: `ours`, `theirs`, their `difference`."""
    rows = rows[rows["model"] != REFERENCE]
    ours, theirs = (
        rows[rows["model"] == name].set_index(_CELL)[column]
        for name in (score.model, score.against)
    )
    pairs = pd.DataFrame({"ours": ours, "theirs": theirs}).dropna().reset_index()
    return pairs.assign(difference=pairs["ours"] - pairs["theirs"])


def _drawn(
    score: Score,
    pairs: pd.DataFrame,
    value_of: Callable[[Array], Array],
    rng: np.random.Generator,
    *,
    seeds: int | None = None,
) -> Tested:
    """Return the score with value and percentile interval over scenes and seeds, and its p.

    `value_of` maps weights of the pairs, (pairs, draws), to values, (draws,). `seeds` is how many stand
    behind each pair where the pairs themselves have none; they are then not drawn.
    """
    scene = pd.factorize(pairs["prompt"].str.partition("/")[0])[0]
    seed = pd.factorize(pairs["seed"])[0]
    scenes, drawn_seeds = int(scene.max()) + 1, int(seed.max()) + 1
    number = drawn_seeds if seeds is None else seeds
    score = replace(score, n_items=2 * len(pairs), n_values=len(pairs))
    if scenes < LEAST_SCENES or number < LEAST_SEEDS:
        value = float(value_of(np.ones((len(pairs), 1)))[0])
        reason = f"{TOO_FEW}: {_of(scenes, 'scene')} and {_of(number, 'seed')}"
        return replace(score, value=value, reason=reason), math.nan
    tail = (1 - score.confidence) / 2
    weight = np.ones((len(pairs), 1 + RESAMPLES))
    parts = []
    for size, codes in ((scenes, scene), (drawn_seeds, seed)):
        if size > 1:
            drawn = rng.multinomial(size, np.full(size, 1 / size), size=RESAMPLES).T
            weight[:, 1:] *= drawn[codes]
            parts.append((float(np.nanvar(value_of(drawn[codes].astype(np.float64)))), size))
    facets = "scenes" if seeds is not None else "scenes and seeds"
    draws = value_of(weight)
    known = draws[1:][np.isfinite(draws[1:])]
    low, high = np.quantile(known, [tail, 1 - tail])
    larger, freedom = _small_sample(parts)
    reach = float(student.ppf(1 - tail, freedom))
    widen = larger * reach / float(student.ppf(1 - tail, math.inf))
    value = float(draws[0])
    found = replace(
        score,
        value=value,
        low=value + widen * min(float(low) - value, 0.0),
        high=value + widen * max(float(high) - value, 0.0),
        method=f"paired by prompt and seed; percentile bootstrap ({RESAMPLES}) over {facets}, "
        f"widened to Student's t",
    )
    return found, _p_of(found, reach, freedom)


def _small_sample(parts: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """Return what a bootstrap's standard error is to be multiplied by, and its degrees of freedom.

    Args:
        parts: of each facet the variance when it alone is drawn, and its number of units n. The variance
            is too small by (n − 1)/n; degrees of freedom are Satterthwaite's (1946).
    """
    whole = [variance * size / (size - 1) for variance, size in parts]
    if not sum(whole):
        return 1.0, float(min(size for _, size in parts) - 1)
    squares = sum(one**2 / (size - 1) for one, (_, size) in zip(whole, parts, strict=True))
    return math.sqrt(sum(whole) / sum(variance for variance, _ in parts)), sum(whole) ** 2 / squares


def _of(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _mean(values: pd.Series, weight: Array, where: NDArray[np.bool_] | None = None) -> Array:
    chosen = np.ones(len(values), dtype=bool) if where is None else where
    total = weight[chosen].sum(axis=0)
    sums = values.to_numpy(dtype=np.float64)[chosen] @ weight[chosen]
    found: Array = np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)
    return found


def _p_of(score: Score, reach: float, freedom: float) -> float:
    """Return the two-sided p from the interval's width, `reach` standard errors; 1 where all is alike."""
    error = (score.high - score.low) / (2 * reach)
    if error < 1e-12:
        return 1.0 if abs(score.value) < 1e-12 else 0.0
    return float(2 * student.sf(abs(score.value) / error, freedom))


def _outcome(score: Score, corrected: float) -> Outcome:
    if score.reason.startswith(TOO_FEW):
        return "too few to tell"
    if math.isnan(corrected):
        return "not comparable"
    if corrected >= 1 - score.confidence:
        return "no difference shown"
    return "better" if (score.value > 0) == _MORE_IS_BETTER[score.criterion] else "worse"


def leak_unknown(verdicts: Sequence[Verdict]) -> str:
    """Return why a leak could not be compared, "" where all were: without them nothing has passed."""
    leaks = [one for one in verdicts if one.difference.criterion == "leak"]
    open_ = [one for one in leaks if one.outcome in {"too few to tell", "not comparable"}]
    if not leaks:
        return NO_NETWORK
    return open_[0].difference.reason if open_ else ""


def half_width(verdicts: Sequence[Verdict], criterion: str) -> float:
    """Return the widest half interval of one criterion: the precision that was reached."""
    found = [
        (one.difference.high - one.difference.low) / 2
        for one in verdicts
        if one.difference.criterion == criterion
    ]
    known = [value for value in found if math.isfinite(value)]
    return max(known) if known else math.nan
