"""From a table to judgements: which item, prompt, scene and cell each row belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from bench.records import REFERENCE
from leaderboard import drawing
from leaderboard.drawing import Array, Weights, Whole, draw_raters, draw_seeds, draw_weights
from leaderboard.resampling import Judgements
from leaderboard.selection import codes, seed_codes

Key = tuple[str, ...]


class Gathered(NamedTuple):
    """The rows of a table by item, and how items are averaged and drawn; all codes run from 0."""

    item: Whole
    rater: Whole
    raters: list[str]
    items: pd.DataFrame
    """One row per item, in the order of its codes."""
    prompt_of_item: Whole
    prompts: list[Key]
    """(cell, suite, prompt) of each prompt."""
    cluster_of_prompt: Whole
    clusters: list[str]
    """A scene, or a reference, by name."""
    stratum: Whole
    """In which each cluster is drawn: 0 scenes, 1 references."""
    seed: Whole
    """Of each item, −1 where it has none."""

    def judgements(
        self, rows: slice | Whole, value: Array, weight: Array, cells: Sequence[Whole]
    ) -> Judgements:
        """Return judgements on one scale, of some of the rows."""
        item = self.item[rows]
        return Judgements(
            item=item,
            rater=self.rater[rows],
            channel=np.zeros(len(item), dtype=np.int64),
            value=value,
            weight=weight,
            n_channels=1,
            prompt_of_item=self.prompt_of_item,
            cluster_of_prompt=self.cluster_of_prompt,
            cells=cells,
            seed=self.seed,
        )

    def cells(self) -> dict[str, Whole]:
        """Return the prompts of each cell."""
        found: dict[str, list[int]] = {}
        for index, (cell, *_) in enumerate(self.prompts):
            found.setdefault(cell, []).append(index)
        return {cell: np.array(members) for cell, members in sorted(found.items())}

    def common(self, first: str, second: str) -> tuple[Whole, Whole] | None:
        """Return the prompts of two cells that both have; None without any."""
        mine = {key[1:]: index for index, key in enumerate(self.prompts) if key[0] == first}
        theirs = {key[1:]: index for index, key in enumerate(self.prompts) if key[0] == second}
        both = [key for key in mine if key in theirs]
        if not both:
            return None
        return np.array([mine[key] for key in both]), np.array([theirs[key] for key in both])


def gather(rows: pd.DataFrame, cell: str = "model") -> Gathered:
    """Gather items by the column `cell`, prompt and scene.

    An item without a prompt, and every reference, is its own prompt and its own scene.
    """
    item, _ = codes(rows["study"] + "\n" + rows["item"])
    rater, raters = codes(rows["rater"])
    items = rows.assign(code=item).drop_duplicates("code").sort_values("code")
    items = items.reset_index(drop=True)
    real = items["model"] == REFERENCE
    own = real | (items["prompt"] == "")
    prompt = items["prompt"].where(~own, "\n" + items["item"])
    keys = pd.Series(list(zip(items[cell], items["suite"], prompt, strict=True)), dtype="object")
    prompt_of_item, found = pd.factorize(keys)
    prompts: list[Key] = list(found)
    scene = items["suite"] + "\n" + items["prompt"].str.partition("/")[0].where(~own, prompt)
    scene = scene.where(~real, f"{REFERENCE}\n" + scene)
    first = np.unique(prompt_of_item, return_index=True)[1]
    cluster, clusters = codes(scene.iloc[first])
    stratum = [int(name.startswith(f"{REFERENCE}\n")) for name in clusters]
    return Gathered(
        item=item,
        rater=rater,
        raters=raters,
        items=items,
        prompt_of_item=prompt_of_item.astype(np.int64),
        prompts=prompts,
        cluster_of_prompt=cluster,
        clusters=clusters,
        stratum=np.array(stratum, dtype=np.int64),
        seed=seed_codes(items["seed"]),
    )


def draw(
    gathered: Gathered, rng: np.random.Generator, resamples: int, confidence: float
) -> Weights:
    """Draw raters, scenes (references apart) and seeds."""
    raters = draw_raters(rng, len(gathered.raters), resamples)
    clusters = draw_weights(rng, gathered.stratum, resamples)
    return Weights(raters, clusters, draw_seeds(rng, gathered.seed, resamples), confidence)


def facets(gathered: Gathered, rows: slice | Whole = slice(None)) -> str:
    """Say what is drawn of some of the rows, those of a criterion say; see `drawing.facets`."""
    n_raters = len(np.unique(gathered.rater[rows]))
    return drawing.facets(int(gathered.seed.max(initial=-1)) + 1, n_raters)
