"""What the ratings say of the raters: severity, inconsistency, screening, and the ordinal check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import chi2, kendalltau, norm

from bench.records import REFERENCE, Score
from leaderboard.contrasts import NOTHING_VARIES
from leaderboard.drawing import Array, Whole
from leaderboard.ordinal import fit_ordinal
from leaderboard.selection import codes
from leaderboard.severity import fit_severity, screen_raters

MOST_CATEGORIES = 30
"""Different values above which a scale is no short ordered one."""


def rater_scores(rows: pd.DataFrame, blank: Score) -> Iterator[Score]:
    """Yield `rater_bias`, `rater_inconsistency` and `bt500_rejected` per rater (in `group`).

    Args:
        rows: ratings of one criterion, references included, without hidden repeats.
        blank: carries study, slice, criterion and confidence.
    """
    item, _ = codes(rows["item"])
    rater, raters = codes(rows["rater"])
    value = rows["value"].to_numpy(dtype=np.float64)
    if len(raters) < 2:
        return
    fit = fit_severity(item, rater, value)
    screened = screen_raters(item, rater, value)
    counts = np.bincount(rater)
    z = float(norm.ppf((1 + blank.confidence) / 2))
    tail = (1 - blank.confidence) / 2
    for place, name in enumerate(raters):
        n = int(counts[place])
        at = replace(blank, group=name, n_items=n, n_raters=1, n_values=n)
        said = "P.910 Annex E, mean 0 over raters; normal interval given the others"
        bias = replace(at, metric="rater_bias", method=said)
        if not fit.connected:
            yield replace(bias, reason="raters and items are not connected")
        else:
            half = z * float(fit.inconsistency[place]) / n**0.5
            yield _between(bias, float(fit.bias[place]), (-half, half), n)
        spread = float(fit.inconsistency[place])
        freedom = float(fit.freedom[place])
        said = "P.910 Annex E, standard deviation, shrunk towards the panel with the weight of four ratings; "
        said += f"χ² interval with {freedom:.3g} degrees of freedom given the others"
        bounds = (freedom / chi2.ppf(q, freedom) for q in (1 - tail, tail))
        low, high = (ratio**0.5 * spread - spread for ratio in bounds)
        at_spread = replace(at, metric="rater_inconsistency", method=said)
        yield _between(at_spread, spread, (low, high), n)
        yield replace(
            at,
            metric="bt500_rejected",
            value=float(screened.rejected[place]),
            method=f"far off at {100 * screened.outlying[place]:.0f} % of the items (BT.500 as in sureal, "
            "standard deviation by n); a diagnostic",
        )


def _between(score: Score, value: float, around: tuple[float, float], n: int) -> Score:
    score = replace(score, value=value)
    if n < 2 or around[1] - around[0] < 1e-9:
        return replace(score, reason="no interval: one rating" if n < 2 else NOTHING_VARIES)
    return replace(score, low=float(value + around[0]), high=float(value + around[1]))


def ordinal_check(rows: pd.DataFrame, means: Sequence[Score], blank: Score) -> Iterator[Score]:
    """Yield `ordinal_location` per model and `ordinal_order`, a check on taking ranks for numbers.

    A proportional-odds model with dummies of models and raters. Where it orders models otherwise
    than their means do, the `method` of `ordinal_order` names the pairs.

    Args:
        rows: ratings of one criterion by models, without hidden repeats.
        means: the criterion's `mean_score` rows.
        blank: carries study, slice, criterion and confidence.
    """
    rows = rows[rows["model"] != REFERENCE]
    model, models = codes(rows["model"])
    rater, raters = codes(rows["rater"])
    value, values = pd.factorize(rows["value"], sort=True)
    if len(models) < 2:
        return
    said = "proportional odds with rater dummies, sum 0 over models"
    blank = replace(blank, method=said, n_items=rows["item"].nunique(), n_raters=len(raters))
    blank = replace(blank, n_values=len(rows))
    reason = _impossible(model, rater, len(values))
    if reason:
        yield from (
            replace(blank, metric="ordinal_location", model=m, reason=reason) for m in models
        )
        yield replace(blank, metric="ordinal_order", reason=reason)
        return
    kinds, times = np.unique(
        np.stack([model, rater, value.astype(np.int64)]), axis=1, return_counts=True
    )
    design = np.concatenate(
        [np.eye(len(models))[kinds[0]][:, 1:], np.eye(len(raters))[kinds[1]][:, 1:]], axis=1
    )
    fit = fit_ordinal(design, kinds[2], times.astype(np.float64))
    location = np.concatenate([[0.0], fit.beta[: len(models) - 1]])
    location -= location.mean()
    for name, place in zip(models, location, strict=True):
        found = replace(blank, metric="ordinal_location", model=name, value=float(place))
        yield replace(found, reason="no interval: a check")
    by_mean = {score.model: score.value for score in means}
    ours = np.array([by_mean[name] for name in models])
    yield _order(ours, location, models, replace(blank, metric="ordinal_order"))


def _order(means: Array, location: Array, models: Sequence[str], score: Score) -> Score:
    tau = float(kendalltau(means, location).statistic)
    crossed = [
        (models[a], models[b])
        for a in range(len(models))
        for b in range(len(models))
        if means[a] > means[b] and location[a] < location[b]
    ]
    said = f"Kendall's τ of the orders by means and by {score.method}"
    if crossed:
        pairs = ", ".join(f"{low} above {high}" for high, low in crossed)
        said += f"; warning: against the means it orders {pairs}"
    if not np.isfinite(tau):
        return replace(score, method=said, reason="all models are equal")
    return replace(score, value=tau, method=said, reason="no interval: a check")


def _impossible(model: Whole, rater: Whole, n_values: int) -> str:
    if n_values < 2:
        return "no variation"
    if n_values > MOST_CATEGORIES:
        return f"more than {MOST_CATEGORIES} different values"
    seen = np.zeros((int(model.max()) + 1, int(rater.max()) + 1))
    seen[model, rater] = 1
    reached = np.zeros(len(seen), dtype=bool)
    reached[0] = True
    for _ in range(len(seen)):
        reached = (seen @ (seen.T @ reached) > 0) | reached
    return "" if reached.all() else "raters and models are not connected"


def repeats(rows: pd.DataFrame, blank: Score) -> Iterator[Score]:
    """Yield `intra_rater` and `intra_rater_kappa` of hidden repeats, per criterion and rater.

    The share of repeats that equal the first rating, and Cohen's κ with quadratic weights; over
    all raters, and by rater (in `group`). "Not applicable" agrees with itself alone; κ takes the
    pairs of two values.

    Args:
        rows: ratings of one study, hidden repeats and first ratings, applicable or not.
        blank: carries study, slice and confidence.
    """
    key = ["rater", "item", "criterion"]
    again = rows[rows["occasion"] > 0]
    if again.empty:
        return
    first = rows[rows["occasion"] == 0]
    pairs = again.merge(first[[*key, "value"]], on=key, suffixes=("", "_first"))
    for criterion, of_criterion in pairs.groupby("criterion"):
        groups = [("", of_criterion), *of_criterion.groupby("rater")]
        for rater, found in groups:
            at = replace(
                blank,
                criterion=str(criterion),
                group=str(rater),
                n_items=int(found["item"].nunique()),
                n_raters=int(found["rater"].nunique()),
                n_values=len(found),
            )
            yield replace(
                at,
                metric="intra_rater",
                value=float(_equal(found["value"], found["value_first"]).mean()),
                method="exact agreement of hidden repeats with the first rating; no interval",
            )
            both = found[["value_first", "value"]].dropna().to_numpy(np.float64)
            kappa = _weighted_kappa(both[:, 0], both[:, 1])
            yield replace(
                at,
                metric="intra_rater_kappa",
                value=kappa,
                method="Cohen's κ of hidden repeats, quadratic weights; no interval",
                reason="" if np.isfinite(kappa) else "no variation",
            )


def _equal(first: pd.Series, second: pd.Series) -> pd.Series:
    return (first == second) | (first.isna() & second.isna())


def _weighted_kappa(first: Array, second: Array) -> float:
    """Return 1 − E(x − y)² / E over independent margins (Cohen 1968)."""
    if not len(first):
        return float("nan")
    by_chance = first.var() + second.var() + (first.mean() - second.mean()) ** 2
    if by_chance <= 0:
        return float("nan")
    return float(1 - ((first - second) ** 2).mean() / by_chance)
