"""Scores by vision–language models as judges, under their own name: never mixed with people's.

Everything is computed from the table that `pinlu probe RUN --judge` writes; `source` is `judge`, and
`group` names the judge. A reply that could not be read has no value: it is counted, and left out of
the means. The unit is the scene: scenes are drawn anew (percentile bootstrap).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from bench.errors import FileFormatError, RequestError
from bench.records import NOT_APPLICABLE, Score
from leaderboard.ppi import OF_OUTPUT, refuse_twice
from leaderboard.probes import bootstrap_mean
from leaderboard.resampling import with_interval
from leaderboard.selection import distinct, parts, scenes_of_rows
from leaderboard.sources import read_source

FROM_JUDGE = "judge"
"""The `source` of these scores."""
SCALE, PAIR = "scale", "pair"
WINNERS = ("first", "second", "tie", "both_bad")
ONE_SEED = "one seed: nothing was repeated"
NOTHING_READ = "no reply could be read"
NOT_BOTH_WAYS = "no pair was read both ways round"
_TEXTS = (
    *OF_OUTPUT, "output", "target", "genre", "kind", "judge", "judge_language", "judge_seed",
    "criterion", "against", "against_output", "winner", "cue",
)  # fmt: skip


def read_judgements(path: Path) -> pd.DataFrame:
    """Return the table of judgements in a file.

    Raises:
        RequestError: it is not there.
        FileFormatError: a column is missing, or a kind or winner unknown.
    """
    if not path.is_file():
        raise RequestError(f"{path} is not there: run pinlu probe with --judge first")
    return check_judgements(read_source(path).frame, str(path))


def check_judgements(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return a checked copy; `where` names it in errors."""
    if "suite" not in frame:
        frame = frame.assign(suite="")
    for column in (*_TEXTS, "value", "temperature", NOT_APPLICABLE):
        if column not in frame:
            raise FileFormatError(f"{where}: the column {column!r} is missing")
    found = frame.copy()
    for column in _TEXTS:
        found[column] = found[column].fillna("").astype("str")
    found["value"] = pd.to_numeric(found["value"], errors="coerce").astype("float64")
    found[NOT_APPLICABLE] = found[NOT_APPLICABLE].astype(bool)
    for column, known in (("kind", (SCALE, PAIR)), ("winner", (*WINNERS, ""))):
        odd = ~found[column].isin(known)
        if odd.any():
            raise FileFormatError(
                f"{where}, row {int(odd.to_numpy().argmax()) + 1}: column {column!r} says "
                f"{found.loc[odd, column].iloc[0]!r}; it is one of {', '.join(filter(None, known))}"
            )
    asked = [
        "judge",
        "kind",
        "output",
        "against_output",
        "criterion",
        "judge_language",
        "judge_seed",
    ]
    twice = found.duplicated(asked)
    if twice.any():
        row = found[twice].iloc[0]
        raise FileFormatError(
            f"{where}, row {int(twice.to_numpy().argmax()) + 1}: {row['judge']!r} judges output "
            f"{row['output']!r} twice on the same"
        )
    return found


def judge_scores(
    judgements: pd.DataFrame,
    *,
    study: str,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 1000,
    by: Sequence[str] = (),
) -> list[Score]:
    """Return every score that a table of judgements allows, judge by judge.

    Args:
        judgements: as `check_judgements` returns it.
        study: where the scores belong.
        rng: draws the resamples.
        confidence: of the intervals.
        resamples: how many.
        by: columns to slice means and preferences by.
    """
    scores: list[Score] = []
    for judge in distinct(judgements["judge"]):
        own = judgements[judgements["judge"] == judge].assign(study=study)
        blank = Score(
            study=study,
            source=FROM_JUDGE,
            group=judge,
            confidence=confidence,
            method=how_judged(own),
        )
        for _, slice_, rows in parts(own, by):
            at = replace(blank, slice=slice_)
            scores += _means(rows[rows["kind"] == SCALE], at, rng, resamples)
            scores += _preferences(both_ways(rows), at, rng, resamples)
        scores += _orders(own, blank, rng, resamples)
        scores += _consistencies(own, blank, rng, resamples)
        scores += _unread(own, blank)
    return scores


def how_judged(rows: pd.DataFrame) -> str:
    """Say how a judge replied: its temperature, how many seeds, in which languages, after what cue."""
    temperature = float(rows["temperature"].iloc[0])
    seeds = rows["judge_seed"].nunique()
    drawn = f"sampled at temperature {temperature:g}" if temperature else "greedy, temperature 0"
    languages = ", ".join(distinct(rows["judge_language"]))
    n = rows["output"].nunique()
    cued = rows[rows["cue"] != ""].groupby("cue")["output"].nunique()
    return "; ".join(
        [
            f"a model's judgement, {drawn}, {seeds} {'seed' if seeds == 1 else 'seeds'}, in {languages}",
            *(f"{cue} for {of_it} of {n} outputs" for cue, of_it in cued.items()),
        ]
    )


def of_outputs(judgements: pd.DataFrame) -> pd.DataFrame:
    """Return a judge's mean per output and scale, over its seeds and languages.

    Columns are those of `OF_OUTPUT`, criterion, target, output and value; what was not read or not
    applicable has no part in it.
    """
    rows = judgements[(judgements["kind"] == SCALE) & judgements["value"].notna()]
    about = ["judge", "criterion", *OF_OUTPUT, "target", "output"]
    return rows.groupby(about, sort=True)["value"].mean().reset_index()


def named_outputs(judgements: pd.DataFrame) -> pd.DataFrame:
    """Return the same, to be met with a study's ratings by the columns of `OF_OUTPUT`.

    Raises:
        RequestError: two outputs have one name.
    """
    refuse_twice(judgements[judgements["kind"] == SCALE].drop_duplicates([*OF_OUTPUT, "output"]))
    return of_outputs(judgements)


def _means(
    rows: pd.DataFrame, blank: Score, rng: np.random.Generator, resamples: int
) -> Iterator[Score]:
    means = of_outputs(rows)
    for criterion in distinct(rows["criterion"]):
        for model in distinct(rows["model"]):
            own = means[(means["criterion"] == criterion) & (means["model"] == model)]
            asked = rows[(rows["criterion"] == criterion) & (rows["model"] == model)]
            if asked.empty:
                continue
            score = replace(
                blank, metric="mean_score", criterion=criterion, model=model, n_items=len(own),
                n_values=int(asked["value"].notna().sum()),
            )  # fmt: skip
            if own.empty:
                every = asked[NOT_APPLICABLE].all()
                yield replace(score, reason="never applicable" if every else NOTHING_READ)
                continue
            yield drawn_over_scenes(score, own, "value", rng, resamples)


def both_ways(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs that were read in both orders, one row each.

    Of the models the first by name is `model`. `won` is the mean over both orders of 1 where it was
    preferred, ½ where neither was, 0 where the other was; `shown_first` that of 1, ½, 0 for what was
    shown first; `same` says whether both orders gave one verdict.
    """
    pairs = rows[(rows["kind"] == PAIR) & (rows["winner"] != "")].copy()
    points = {"first": 1.0, "second": 0.0, "tie": 0.5, "both_bad": 0.5}
    first = pairs["winner"].map(points).astype(np.float64)  # of no pair at all too
    turned = (pairs["model"] > pairs["against"]).to_numpy()
    told = ["output", "model", "against_output", "against"]
    swapped = pairs[["against_output", "against", "output", "model"]].to_numpy()
    pairs[told] = np.where(turned[:, None], swapped, pairs[told].to_numpy())
    pairs = pairs.assign(
        shown_first=first,
        won=np.where(turned, 1 - first, first),
        verdict=np.where(pairs["winner"].isin(["tie", "both_bad"]), pairs["winner"],
                         np.where((pairs["winner"] == "first") ^ turned, "one", "other")),
        turned=turned,
    )  # fmt: skip
    # the seed is not among them: it is that of what was shown first, and the two need not share it
    about = [
        *told,
        "suite",
        "prompt",
        "target",
        "language",
        "genre",
        "judge_language",
        "judge_seed",
    ]
    found = pairs.groupby(about, sort=True, as_index=False).agg(
        won=("won", "mean"),
        shown_first=("shown_first", "mean"),
        orders=("turned", "nunique"),
        verdicts=("verdict", "nunique"),
    )
    found = found[found["orders"] == 2]
    return found.assign(same=(found["verdicts"] == 1).astype(float))


def _preferences(
    pairs: pd.DataFrame, blank: Score, rng: np.random.Generator, resamples: int
) -> Iterator[Score]:
    """Yield how often a judge prefers one model to another, order evened out."""
    for (model, against), own in pairs.groupby(["model", "against"], sort=True):
        score = replace(
            blank, metric="judge_preference", criterion=PAIR, model=str(model), against=str(against),
            n_items=_n_pairs(own), n_values=2 * len(own),
            method=f"share of pairs, half of what neither won; {blank.method}",
        )  # fmt: skip
        yield drawn_over_scenes(score, own, "won", rng, resamples)


def _orders(
    rows: pd.DataFrame, blank: Score, rng: np.random.Generator, resamples: int
) -> Iterator[Score]:
    """Yield how far the place decides: preference of the first less that of the second."""
    if not (rows["kind"] == PAIR).any():
        return
    pairs = both_ways(rows)
    blank = replace(blank, criterion=PAIR, n_items=_n_pairs(pairs), n_values=2 * len(pairs))
    for metric, column in (("order_effect", "effect"), ("order_consistency", "same")):
        score = replace(blank, metric=metric)
        if pairs.empty:
            yield replace(score, reason=NOT_BOTH_WAYS)
            continue
        yield drawn_over_scenes(
            score, pairs.assign(effect=2 * pairs["shown_first"] - 1), column, rng, resamples
        )


def _n_pairs(pairs: pd.DataFrame) -> int:
    """Return how many pairs of outputs there are, however often each was judged."""
    return len(pairs[["output", "against_output"]].drop_duplicates())


def _consistencies(
    rows: pd.DataFrame, blank: Score, rng: np.random.Generator, resamples: int
) -> Iterator[Score]:
    """Yield how often two seeds of a judge say the same of one thing, in one language."""
    said = rows.assign(
        said=np.where(
            rows["kind"] == PAIR,
            rows["winner"],
            np.where(rows[NOT_APPLICABLE], NOT_APPLICABLE, rows["value"].astype(str)),
        ),
        criterion=np.where(rows["kind"] == PAIR, PAIR, rows["criterion"]),
    )
    said = said[(rows["kind"] == PAIR) & (rows["winner"] != "")
                | rows["value"].notna() | rows[NOT_APPLICABLE]]  # fmt: skip
    about = ["criterion", "output", "against_output", "suite", "prompt", "judge_language"]
    for criterion in distinct(said["criterion"]):
        own = said[said["criterion"] == criterion]
        score = replace(blank, metric="self_consistency", criterion=criterion, n_values=len(own))
        found = own.groupby(about, sort=True)["said"].agg(_equal_pairs).dropna().reset_index()
        score = replace(score, n_items=len(found))
        if found.empty:
            yield replace(score, reason=ONE_SEED)
            continue
        yield drawn_over_scenes(score, found, "said", rng, resamples)


def _equal_pairs(said: pd.Series) -> float:
    """Return the share of pairs of seeds that say the same; NaN of a single seed."""
    n = len(said)
    if n < 2:
        return float("nan")
    counts = said.value_counts().to_numpy()
    return float((counts * (counts - 1)).sum() / (n * (n - 1)))


def _unread(rows: pd.DataFrame, blank: Score) -> Iterator[Score]:
    """Yield the share of what was asked that could not be read, of all models and of each."""
    unread = np.where(
        rows["kind"] == PAIR, rows["winner"] == "", rows["value"].isna() & ~rows[NOT_APPLICABLE]
    )
    told = rows.assign(unread=unread)
    for kind in (SCALE, PAIR):
        of_kind = told[told["kind"] == kind]
        models = ["", *distinct(of_kind["model"])] if kind == SCALE else [""]
        for model in models:
            own = of_kind[of_kind["model"] == model] if model else of_kind
            if own.empty:
                continue
            interval = binomtest(int(own["unread"].sum()), len(own)).proportion_ci(
                confidence_level=blank.confidence, method="wilson"
            )
            yield replace(
                blank,
                metric="unread_share",
                criterion=kind,
                model=model,
                value=float(own["unread"].mean()),
                low=float(interval.low),
                high=float(interval.high),
                n_items=own["output"].nunique(),
                n_values=len(own),
                method=f"share of what was asked; Wilson interval; {blank.method}",
            )


def drawn_over_scenes(
    score: Score, rows: pd.DataFrame, column: str, rng: np.random.Generator, resamples: int
) -> Score:
    """Return a score with its mean over rows, and the interval as scenes are drawn anew."""
    scenes = scenes_of_rows(rows).nunique()
    method = f"percentile bootstrap ({resamples}) over {scenes} scenes; {score.method}"
    return with_interval(
        replace(score, method=method), bootstrap_mean(rows, column, rng, resamples)
    )
