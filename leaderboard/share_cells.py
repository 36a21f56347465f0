"""What a share is averaged over: the cells of a study, and by what their prompts are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.records import REFERENCE
from leaderboard.drawing import Whole
from leaderboard.selection import codes, seed_codes

Cell = tuple[str, ...]
"""(model, target), (model, target, "stratum", g) or (model, target, "with", other model)."""

Prompt = tuple[str, ...]
"""What a model was asked, or a work of reference: (model, target, suite, prompt, stratum)."""


class Items(NamedTuple):
    """The items of a frame: of each of its rows the code, of each code the place of its prompt."""

    of_row: Whole
    prompt: Whole
    seed: Whole
    """−1 where none is given."""
    prompts: list[Prompt]


def items_of(frame: pd.DataFrame) -> Items:
    """Return the items of judgements; prompts stand in the order in which they are met."""
    of_row, _ = codes(frame["item"])
    items = frame.assign(code=of_row).drop_duplicates("code").sort_values("code")
    columns = [items[name] for name in ("model", "target", "suite", "prompt", "stratum")]
    prompt, prompts = pd.factorize(pd.Series(list(zip(*columns, strict=True)), dtype="object"))
    return Items(of_row, prompt.astype(np.int64), seed_codes(items["seed"]), list(prompts))


def cells_of(prompts: Sequence[Prompt], home: str) -> dict[Cell, Whole]:
    """Return the prompts (model, target, suite, prompt, stratum) of every cell."""
    found: dict[Cell, list[int]] = {}
    asked: dict[str, dict[tuple[str, str], list[int]]] = {}
    for index, (model, target, suite, prompt, stratum) in enumerate(prompts):
        found.setdefault((model, target), []).append(index)
        if target == home and stratum:
            found.setdefault((model, target, "stratum", stratum), []).append(index)
        if target == home and model != REFERENCE:
            asked.setdefault(model, {}).setdefault((suite, prompt), []).append(index)
    for model, own in asked.items():
        for other, theirs in asked.items():
            common = [index for key in own if key in theirs for index in own[key]]
            if model != other and common:
                found[model, home, "with", other] = common
    return {cell: np.array(indices, dtype=np.int64) for cell, indices in found.items()}


def drawn_by(prompts: Sequence[Prompt]) -> tuple[Whole, Whole]:
    """Return the cluster of each prompt and the stratum in which each cluster is drawn.

    A scene (the part of a prompt's id before "/") is one cluster for all models and targets; a
    reference is drawn within its class and stratum.
    """
    keys: dict[tuple[str, ...], int] = {}
    strata: dict[tuple[str, ...], int] = {}
    cluster_of_prompt, stratum_of_cluster = [], []
    for model, target, suite, prompt, stratum in prompts:
        key: tuple[str, ...] = ("scene", suite, prompt.partition("/")[0])
        drawn_in: tuple[str, ...] = ()
        if model == REFERENCE:
            key, drawn_in = (REFERENCE, prompt), (target, stratum)
        if key not in keys:
            keys[key] = len(keys)
            stratum_of_cluster.append(strata.setdefault(drawn_in, len(strata)))
        cluster_of_prompt.append(keys[key])
    return np.array(cluster_of_prompt, dtype=np.int64), np.array(stratum_of_cluster, dtype=np.int64)
