"""The table of judgements that `pinlu probe RUN --judge` writes, checked, and what it says of each output and pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bench.errors import FileFormatError, RequestError
from bench.records import NOT_APPLICABLE
from leaderboard.common_outputs import OF_OUTPUT, refuse_twice
from leaderboard.selection import distinct
from leaderboard.sources import read_source

SCALE, PAIR = "scale", "pair"

WINNERS = ("first", "second", "tie", "both_bad")

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
