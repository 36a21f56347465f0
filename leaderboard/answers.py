"""What models said of works, held against what is known: recall of facts, and the misreading.

The misreading is the understanding twin of the style bias: how often works of the home tradition are
called another's, beside how often others' works are called the home's. The unit is the work: shares
are averaged over its seeds and languages, and works are drawn anew within their tradition
(percentile bootstrap); shares of 0 or 1 take Jeffreys' posterior, Beta(k + ½, n − k + ½) over works
(Brown, Cai and DasGupta 2001). An answer that makes no choice stays in the denominator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.records import Score

CALLED_HOME, CALLED_OTHER, GAP = "other_called_home", "home_called_other", "misreading_gap"
CONFUSION, RECALL, WRONG, LANGUAGE_GAP = (
    "tradition_confusion",
    "fact_recall",
    "fact_wrong",
    "fact_language_gap",
)
FLAGGED = "flagged_share"
MISSING = "missing_answers"
TOO_FEW = "no interval: fewer than two works"

Array = NDArray[np.float64]


def score_answers(
    graded: pd.DataFrame,
    *,
    home: str,
    traditions: Sequence[str],
    rng: np.random.Generator,
    study: str = "",
    confidence: float = 0.95,
    resamples: int = 2000,
    by: Sequence[str] = (),
) -> list[Score]:
    """Return the automatic scores of understanding; all have the source `probe`.

    `fact_recall` and `fact_wrong` per model and fact (`criterion`); `fact_language_gap`, "zh-en" in
    `group`, over the works asked in both; `tradition_confusion` per model, true tradition
    (`criterion`) and answered one (`group`); `home_called_other`, in all and per other tradition
    (`group`), `other_called_home`, and their difference `misreading_gap`.

    Args:
        graded: columns model, work, language, seed, target, genre, fact, verdict, attribution.
        home: the tradition under test.
        traditions: all of the suite's.
        rng: draws the resamples.
        study: what the scores are filed under.
        confidence: of the intervals.
        resamples: how many.
        by: `language` or `genre`, to slice by beside the whole.
    """
    scores: list[Score] = []
    slices = [("", graded)]
    for column in by:
        if column in graded:
            slices += [(f"{column}={value}", rows) for value, rows in graded.groupby(column)]
    for slice_, rows in slices:
        blank = Score(
            study=study,
            source="probe",
            slice=slice_,
            confidence=confidence,
            method=f"percentile bootstrap ({resamples}) over works, within tradition",
        )
        for model, own in rows.groupby("model", sort=True):
            at = replace(blank, model=str(model))
            scores += _recalls(own, at, rng, resamples)
            chosen = own[own["fact"] == "tradition"]
            scores += _confusions(chosen, at, home, traditions, rng=rng, resamples=resamples)
    return scores


def flag_scores(rows: pd.DataFrame, *, study: str = "") -> list[Score]:
    """Return `flagged_share` per model and flag (`group`): the share of its answers.

    Args:
        rows: columns model and flags (a list of names).
        study: what the scores are filed under.
    """
    scores = []
    for model, own in rows.groupby("model", sort=True):
        for flag in sorted({name for flags in own["flags"] for name in flags}):
            share = float(np.mean([flag in flags for flags in own["flags"]]))
            scores.append(
                Score(
                    study=study, source="probe", metric=FLAGGED, model=str(model), group=flag,
                    value=share, n_values=len(own), method="share of answers",
                )
            )  # fmt: skip
    return scores


def missing_score(missing: int, planned: int, study: str) -> Score:
    """Return `missing_answers`: how many of the planned ones are not there yet."""
    return Score(
        study=study, source="probe", metric=MISSING, value=float(missing), n_values=planned,
        method="planned answers without a row", reason="no interval: a count",
    )  # fmt: skip


def _recalls(
    rows: pd.DataFrame, at: Score, rng: np.random.Generator, resamples: int
) -> Iterator[Score]:
    for fact, own in rows.groupby("fact", sort=True):
        for metric, verdict in ((RECALL, "right"), (WRONG, "wrong")):
            shares = _by_work(own, own["verdict"] == verdict)
            blank = replace(at, metric=metric, criterion=str(fact), n_values=len(own))
            yield _with_share(blank, shares, rng, resamples)
        languages = sorted(own["language"].unique(), reverse=True)
        if len(languages) == 2:
            yield _language_gap(own, str(fact), languages, at, rng=rng, resamples=resamples)


def _language_gap(
    rows: pd.DataFrame,
    fact: str,
    languages: Sequence[str],
    at: Score,
    *,
    rng: np.random.Generator,
    resamples: int,
) -> Score:
    first, second = (
        _by_work(own, own["verdict"] == "right")
        for own in (rows[rows["language"] == language] for language in languages)
    )
    gaps: Array = np.asarray((first - second).dropna(), dtype=np.float64)
    blank = replace(
        at, metric=LANGUAGE_GAP, criterion=fact, group="-".join(languages), n_items=len(gaps),
        n_values=len(rows), method=f"percentile bootstrap ({resamples}) over works asked in both",
    )  # fmt: skip
    if not len(gaps):
        return replace(blank, reason="no work was asked in both languages")
    value = float(gaps.mean())
    if len(gaps) < 2:
        return replace(blank, value=value, reason=TOO_FEW)
    if not gaps.any():
        return replace(blank, value=value, reason="no interval: both languages agree")
    return _with_interval(replace(blank, value=value), _bootstrap(gaps, rng, resamples))


def _confusions(
    rows: pd.DataFrame,
    at: Score,
    home: str,
    traditions: Sequence[str],
    *,
    rng: np.random.Generator,
    resamples: int,
) -> Iterator[Score]:
    if rows.empty:
        return
    labels = sorted(rows["attribution"].unique())
    for target in sorted(rows["target"].unique()):
        own = rows[rows["target"] == target]
        for label in labels:
            shares = _by_work(own, own["attribution"] == label)
            blank = replace(at, metric=CONFUSION, criterion=str(target), group=str(label))
            yield _with_share(replace(blank, n_values=len(own)), shares, rng, resamples)
    others = [one for one in traditions if one != home]
    of_home, of_others = rows[rows["target"] == home], rows[rows["target"] != home]
    lost = _by_work(of_home, of_home["attribution"].isin(others))
    gained = _by_work(of_others, of_others["attribution"] == home)
    yield _with_share(replace(at, metric=CALLED_OTHER, n_values=len(of_home)), lost, rng, resamples)
    for other in others:
        shares = _by_work(of_home, of_home["attribution"] == other)
        blank = replace(at, metric=CALLED_OTHER, group=other, n_values=len(of_home))
        yield _with_share(blank, shares, rng, resamples)
    yield _with_share(
        replace(at, metric=CALLED_HOME, n_values=len(of_others)), gained, rng, resamples
    )
    blank = replace(at, metric=GAP, n_items=len(lost) + len(gained), n_values=len(rows))
    if not len(lost) or not len(gained):
        yield replace(blank, reason="works of the home tradition and of others are both wanted")
        return
    value = float(lost.mean() - gained.mean())
    if min(len(lost), len(gained)) < 2:
        yield replace(blank, value=value, reason=TOO_FEW)
        return
    draws = _draws(lost, rng, resamples) - _draws(gained, rng, resamples)
    yield _with_interval(replace(blank, value=value), draws)


def _by_work(rows: pd.DataFrame, hit: pd.Series[bool]) -> pd.Series[float]:
    """Return, by work, the share of its answers that `hit`."""
    return hit.astype(float).groupby(rows["work"]).mean()


def _with_share(
    blank: Score, shares: pd.Series[float], rng: np.random.Generator, resamples: int
) -> Score:
    counted = replace(blank, n_items=len(shares))
    if not len(shares):
        return replace(counted, reason="no work of this kind was asked about")
    value = float(shares.mean())
    if len(shares) < 2:
        return replace(counted, value=value, reason=TOO_FEW)
    return _with_interval(replace(counted, value=value), _draws(shares, rng, resamples))


def _draws(shares: pd.Series[float], rng: np.random.Generator, resamples: int) -> Array:
    """Return draws of a mean share over works."""
    values: Array = np.asarray(shares, dtype=np.float64)
    total = values.sum()
    if total in {0.0, float(len(values))}:
        return rng.beta(total + 0.5, len(values) - total + 0.5, resamples)
    return _bootstrap(values, rng, resamples)


def _bootstrap(values: Array, rng: np.random.Generator, resamples: int) -> Array:
    drawn: Array = values[rng.integers(0, len(values), (resamples, len(values)))].mean(axis=1)
    return drawn


def _with_interval(score: Score, draws: Array) -> Score:
    tail = (1 - score.confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    # the estimate lies within, also where it stands at an end of its range
    return replace(score, low=float(min(low, score.value)), high=float(max(high, score.value)))
