"""How many prompts, raters and votes: variance components of a pilot, and what they promise.

A rating of model m on prompt p by rater r is taken as μ + m + p + r + mp + mr + pr + e. The
components come from symmetric sums: half the mean squared difference of two ratings that share
some facets is the sum of the components of the others (Koch 1967), whatever cells are missing. Then
Var(difference of two models) = 2 [σ²_mp / n_p + σ²_mr / n_r + σ²_e / (n_p n_r)] (Brennan 2001).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from bench.errors import RequestError
from bench.records import REFERENCE, Score
from leaderboard.drawing import Array
from leaderboard.ranking import BOTH_BAD, fit_votes
from leaderboard.selection import applicable, codes, distinct, first_time, parts
from leaderboard.tables import WINNERS
from leaderboard.vote_draws import draw_votes
from leaderboard.votes import votes_of

COMPONENTS = ("model", "prompt", "rater", "model:prompt", "model:rater", "prompt:rater", "residual")
POWER = 0.8

_FACETS = ("model", "prompt", "rater")


def plan_ratings(
    ratings: pd.DataFrame,
    *,
    prompts: Sequence[int],
    raters: Sequence[int],
    per_item: int | None = None,
    confidence: float = 0.95,
) -> list[Score]:
    """Return `variance_component`, `detectable_gap`, `e_rho2` and `phi` per criterion.

    The last three for every pair of numbers, `group` being "prompts=100 raters=10": the difference
    of two models found with 80 % power, and the generalisability (Eρ², for their order) and
    dependability (Φ, for their level) of a model's mean.

    Args:
        ratings: a checked table of a pilot, with models and prompts.
        prompts: numbers of prompts.
        raters: numbers of raters on the whole panel.
        per_item: raters of each item, where not the whole panel rates all: σ²_mr is divided by the
            panel, the residual by prompts × `per_item`.
        confidence: of the test behind the detectable gap.

    Raises:
        RequestError: no row names a model and a prompt, or `per_item` is above a panel.
    """
    if per_item and min(raters) < per_item:
        raise RequestError(f"{per_item} raters per item are more than a panel of {min(raters)}")
    rows = _planned_from(ratings)
    if rows.empty:
        raise RequestError("the pilot's ratings name no model and prompt: nothing can be planned")
    scores: list[Score] = []
    for study, _, whole in parts(rows):
        for criterion in distinct(whole["criterion"]):
            chosen = whole[whole["criterion"] == criterion]
            blank = Score(
                study=study,
                criterion=criterion,
                confidence=confidence,
                n_items=int(chosen["item"].nunique()),
                n_raters=int(chosen["rater"].nunique()),
                n_values=len(chosen),
            )
            components = variance_components(chosen)
            scores += _component_rows(components, blank)
            for n_prompts in prompts:
                for n_raters in raters:
                    group = f"prompts={n_prompts} raters={n_raters}"
                    group += f" per_item={per_item}" if per_item else ""
                    at = replace(blank, group=group)
                    scores += _promises(components, n_prompts, n_raters, per_item, at)
    return scores


def rows_of_pilot(pilot: Mapping[str, pd.DataFrame]) -> list[Score]:
    """Return `rows` per table: all, and by use: `used`, and why others were not.

    Nothing is planned from references, repeats, "not applicable", votes of "both bad", and tables
    other than ratings and votes.
    """
    scores = []
    for name, table in pilot.items():
        first = first_time(table)
        apart = {"repeats": len(table) - len(first)}
        if name == "ratings":
            used = applicable(first)
            apart["not_applicable"] = len(first) - len(used)
            apart["references"] = int((used["model"] == REFERENCE).sum())
            lacking = (used["model"] == "") | (used["prompt"] == "")
            apart["without_model"] = int((lacking & (used["model"] != REFERENCE)).sum())
        elif name == "votes":
            apart["both_bad"] = int((first["winner"] == WINNERS[BOTH_BAD]).sum())
        else:
            apart = {"not_planned_from": len(table)}
        counts = {"": len(table), "used": len(table) - sum(apart.values()), **apart}
        blank = Score(metric="rows", criterion=name, method="count")
        scores += [
            replace(blank, group=use, value=float(count), n_values=count)
            for use, count in counts.items()
        ]
    return scores


def _planned_from(ratings: pd.DataFrame) -> pd.DataFrame:
    """Return the ratings of models' outputs for a prompt."""
    rows = first_time(applicable(ratings))
    return rows[~rows["model"].isin(["", REFERENCE]) & (rows["prompt"] != "")]


def variance_components(rows: pd.DataFrame) -> dict[str, float]:
    """Return each of `COMPONENTS`, in squared units of the scale; NaN where no pair speaks of it.

    Estimates are unbiased, and so may be negative.
    """
    value = rows["value"].to_numpy(dtype=np.float64)
    value = value - value.mean()
    key = {
        "model": codes(rows["model"])[0],
        "prompt": codes(rows["suite"] + "\n" + rows["prompt"])[0],
        "rater": codes(rows["rater"])[0],
    }
    whole: dict[frozenset[str], tuple[float, float]] = {}
    for size in range(len(_FACETS) + 1):
        for shared in combinations(_FACETS, size):
            whole[frozenset(shared)] = _squared_gaps(value, [key[name] for name in shared])
    half = {}
    for facets in whole:
        # pairs that share these facets and no other, by inclusion and exclusion
        total, pairs = 0.0, 0.0
        for other, (gaps, count) in whole.items():
            if facets <= other:
                sign = (-1) ** (len(other) - len(facets))
                total, pairs = total + sign * gaps, pairs + sign * count
        half[facets] = total / pairs / 2 if pairs > 0 else float("nan")
    return _solved(half)


def _squared_gaps(value: Array, keys: Sequence[NDArray[np.int64]]) -> tuple[float, float]:
    """Return Σ (x − y)² over pairs of one group, and their number."""
    group = np.zeros(len(value), dtype=np.int64)
    for key in keys:
        group = np.unique(group * (int(key.max()) + 1) + key, return_inverse=True)[1]
    n = np.bincount(group).astype(np.float64)
    sums, squares = np.bincount(group, value), np.bincount(group, value**2)
    return float((n * squares - sums**2).sum()), float((n * (n - 1) / 2).sum())


def _solved(half: Mapping[frozenset[str], float]) -> dict[str, float]:
    """Return components from half the mean squared differences by shared facets."""
    m, p, r = _FACETS
    nothing = half[frozenset()]
    by = {name: half[frozenset([name])] for name in _FACETS}
    of = {pair: half[frozenset(pair)] for pair in combinations(_FACETS, 2)}
    # sharing m alone leaves out σ²_m; sharing m and p leaves out m, p and mp
    model, prompt, rater = (nothing - by[name] for name in _FACETS)
    model_prompt = nothing - of[m, p] - model - prompt
    model_rater = nothing - of[m, r] - model - rater
    prompt_rater = nothing - of[p, r] - prompt - rater
    residual = nothing - model - prompt - rater - model_prompt - model_rater - prompt_rater
    found = (model, prompt, rater, model_prompt, model_rater, prompt_rater, residual)
    return dict(zip(COMPONENTS, found, strict=True))


def _component_rows(components: Mapping[str, float], blank: Score) -> Iterator[Score]:
    for name, value in components.items():
        score = replace(blank, metric="variance_component", group=name, value=value)
        said = "symmetric sums; an estimate below 0 is taken as 0 in what follows"
        reason = "no interval: a component"
        if not np.isfinite(value):
            reason = f"no two ratings tell {name} from the rest"
        yield replace(score, method=said, reason=reason)


def _promises(
    components: Mapping[str, float], prompts: int, raters: int, per_item: int | None, blank: Score
) -> Iterator[Score]:
    part = {name: max(value, 0.0) for name, value in components.items()}
    judged = prompts * (per_item or raters)
    relative = part["model:prompt"] / prompts + part["model:rater"] / raters
    relative += part["residual"] / judged
    level = part["prompt"] / prompts + part["rater"] / raters + part["prompt:rater"] / judged
    quantiles = float(norm.ppf((1 + blank.confidence) / 2) + norm.ppf(POWER))
    needed = ("model", "model:prompt", "model:rater", "residual")
    unknown = [name for name in COMPONENTS if not np.isfinite(components[name])]
    for metric, value in (
        ("detectable_gap", quantiles * (2 * relative) ** 0.5),
        ("e_rho2", _ratio(part["model"], relative)),
        ("phi", _ratio(part["model"], relative + level)),
    ):
        lacking = [name for name in unknown if metric == "phi" or name in needed]
        if lacking:
            said = f"the pilot does not tell {', '.join(lacking)} from the rest"
            yield replace(blank, metric=metric, reason=said)
        elif metric != "detectable_gap" and components["model"] <= 0:
            yield replace(blank, metric=metric, reason="models do not differ in the pilot")
        elif not np.isfinite(value):
            yield replace(blank, metric=metric, reason="nothing varies in the pilot")
        else:
            said = (
                f"D-study, {100 * POWER:.0f} % power" if metric == "detectable_gap" else "D-study"
            )
            reason = "no interval: a forecast"
            yield replace(blank, metric=metric, value=float(value), method=said, reason=reason)


def _ratio(true: float, error: float) -> float:
    return true / (true + error) if true + error > 0 else float("nan")


def plan_votes(
    votes: pd.DataFrame,
    *,
    precision: float,
    rng: np.random.Generator,
    models: int | None = None,
    confidence: float = 0.95,
) -> list[Score]:
    """Return `pairs_needed` per criterion: votes in all for differences of strengths ± `precision`.

    With every pair of M models compared equally often, Var(θ_i − θ_j) = (M − 1) D / (I N): N votes
    in all, I the information of one vote between equals at the pilot's share of ties, D the design
    effect, by which scenes and raters that differ widen the pilot's differences.

    Args:
        votes: a checked table of a pilot.
        precision: half the width of the interval wished for, on the log scale.
        rng: draws the resamples behind D.
        models: how many will be compared; as many as in the pilot where not said.
        confidence: of the interval.

    Raises:
        RequestError: a precision that is not above 0.
    """
    if not precision > 0:
        raise RequestError(f"a precision of {precision:g} is not above 0")
    z = float(norm.ppf((1 + confidence) / 2))
    scores = []
    for study, _, rows in parts(first_time(votes)):
        for criterion in distinct(rows["criterion"]):
            found = votes_of(rows[rows["criterion"] == criterion])
            decided = found.only(found.winner != BOTH_BAD)
            fit = fit_votes(decided, draw_votes(found, rng, 500, confidence))
            blank = Score(
                study=study,
                metric="pairs_needed",
                criterion=criterion,
                group=f"precision={precision:g}",
                confidence=confidence,
                n_raters=found.n_raters,
                n_items=found.n_scenes,
                n_values=len(decided.left),
            )
            if fit.reason or not np.isfinite(fit.drawn.strength).all():
                reason = fit.reason or fit.one_sided or "no resamples: fewer than two scenes"
                scores.append(replace(blank, reason=reason))
                continue
            tie = float(fit.point.tie[0])
            information = (1 + tie / 4) / (2 + tie) - 0.25
            n = len(found.models)
            seen = (fit.gaps.error**2).mean()
            effect = max(float(seen * information * len(decided.left) / (n - 1)), 1.0)
            wanted = ((models or n) - 1) * effect / information * (z / precision) ** 2
            bad = 1 - len(decided.left) / len(found.left)
            scores.append(
                replace(
                    blank,
                    value=float(np.ceil(wanted / (1 - bad))),
                    method=f"{models or n} models compared equally often, design effect"
                    f" {effect:.2f}, {100 * bad:.0f} % both bad",
                    reason="no interval: a forecast",
                )
            )
    return scores
