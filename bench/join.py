"""The join: the single place where the sealed key is opened and stimuli get their names back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bench.errors import FileFormatError, RequestError
from bench.files import read_rows
from bench.reading import read_yaml
from bench.records import FOIL, REFERENCE
from bench.speedups import described

_NAMES = [
    "model", "prompt", "target", "language", "genre", "seed", "stratum", "diagnosticity", "work",
    "suite", "home",
]  # fmt: skip
_ADDED_LATER = ("diagnosticity", "work")
"""Names that a key made by an earlier version does not hold: empty there."""


def read_key(study: Path) -> pd.DataFrame:
    """Return a study's key: one row per stimulus, indexed by its opaque id.

    Raises:
        RequestError: the study has no key here (it may lie with the organiser).
        FileFormatError: a stimulus is in the key twice.
    """
    path = study / "sealed" / "key.jsonl"
    if not path.is_file():
        raise RequestError(f"{path} is not there: names can only be joined where the key lies")
    key = pd.DataFrame(list(read_rows(path))).set_index("stimulus")
    # References have no seed; without this the others' would turn into fractions
    key["seed"] = key["seed"].astype("Int64")
    if not key.index.is_unique:
        twice = key.index[key.index.duplicated()][0]
        raise FileFormatError(f"{path}: stimulus {twice} is there twice")
    return key.assign(**{name: "" for name in _ADDED_LATER if name not in key})


def foils_of(key: pd.DataFrame) -> list[str]:
    """Return the traditions of which a study shows works and which it does not compare."""
    return sorted(set(key.loc[key["diagnosticity"] == FOIL, "target"]))


def reveal(tables: Mapping[str, pd.DataFrame], key: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Add model, prompt, target and the rest to the masked tables of a study.

    Args:
        tables: `votes` (columns `left`, `right`) and the others (column `item`, some `against`),
            as `raters` exports them.
        key: as `read_key` returns it.

    Returns:
        The same tables in the form that `leaderboard` reads: in votes, `left` and `right` have
        become model ids, and so has `against`.

    Raises:
        FileFormatError: a table names a stimulus that is not in the key.
    """
    return {
        name: _reveal_votes(table, key) if name == "votes" else _reveal_items(table, key, name)
        for name, table in tables.items()
    }


def showcase(study: Path, key: pd.DataFrame, scenes: int = 6) -> list[tuple[Path, str, str]]:
    """Return some of a study's pictures with their names: one per model for each of a few prompts.

    Returns:
        (file, model, prompt): prompts of the home tradition in one language, each
        prompt with the next seed, since a seed's noise is shared by all prompts.
    """
    rows = key[(key["model"] != REFERENCE) & (key["target"] == key["home"])]
    if rows.empty:
        return []
    rows = rows[rows["language"] == rows["language"].max()]
    chosen = {}
    for number, prompt in enumerate(sorted(set(rows["prompt"]))[:scenes]):
        seeds = sorted(set(rows.loc[rows["prompt"] == prompt, "seed"]))
        chosen[prompt] = seeds[number % len(seeds)]
    rows = rows[rows["seed"] == rows["prompt"].map(chosen)].sort_values(["prompt", "model"])
    return [
        (picture(study, str(stimulus)), model, prompt)
        for stimulus, model, prompt in zip(rows.index, rows["model"], rows["prompt"], strict=True)
        # of clips a report shows none
        if (study / "stimuli" / f"{stimulus}.webp").is_file()
    ]


def declared_languages(study: Path) -> dict[str, tuple[str, ...]]:
    """Return the languages that each model of a study says it is made for; none where it says none."""
    content = read_yaml(study / "sealed" / "sources.yaml")
    return {
        model["id"]: tuple(model.get("languages") or ())
        for run in content["runs"]
        for model in run["models"]
    }


def asked_speedups(study: Path) -> dict[str, str]:
    """Return by model, in words, what made it faster at the cost of its pictures; "" for none."""
    content = read_yaml(study / "sealed" / "sources.yaml")
    return {
        model["id"]: described(model.get("speedups") or {})
        for run in content["runs"]
        for model in run["models"]
    }


def picture(study: Path, stimulus: str) -> Path:
    """Return the cleaned copy that raters saw."""
    return study / "stimuli" / f"{stimulus}.webp"


def _reveal_items(table: pd.DataFrame, key: pd.DataFrame, name: str) -> pd.DataFrame:
    _check_known(table, "item", key, name)
    named = table.join(key[_NAMES], on="item")
    if "against" in table:  # the right one of a pair, where there is one
        named["against"] = table["against"].map(key["model"]).fillna("")
    return named


def _reveal_votes(table: pd.DataFrame, key: pd.DataFrame) -> pd.DataFrame:
    for side in ("left", "right"):
        _check_known(table, side, key, "votes")
    named = table.join(key[_NAMES].drop(columns="model"), on="left")
    right = key.loc[table["right"], ["prompt", "language"]].to_numpy()
    differs = (named[["prompt", "language"]].to_numpy() != right).any(axis=1)
    if differs.any():
        row = table[differs].iloc[0]
        raise FileFormatError(f"votes: {row['left']} and {row['right']} are not of one prompt")
    for side in ("left", "right"):
        named[side] = key.loc[table[side], "model"].to_numpy()
    return named


def _check_known(table: pd.DataFrame, column: str, key: pd.DataFrame, name: str) -> None:
    unknown = ~table[column].isin(key.index)
    if unknown.any():
        raise FileFormatError(
            f"{name}: {column} {table.loc[unknown, column].iloc[0]!r} is not in the study's key"
        )
