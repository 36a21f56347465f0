"""Votes as codes, and their wins and ties under resampled scenes, seeds and raters."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from leaderboard.drawing import (
    Array,
    Whole,
)
from leaderboard.resampling import Flags
from leaderboard.selection import codes, seed_codes
from leaderboard.tables import WINNERS

OUTCOMES = len(WINNERS) - 1
"""Left, right and tie: what the model is of, in this order."""


class Votes(NamedTuple):
    """One array of codes per column, shape (votes,); `winner` indexes `WINNERS`."""

    left: Whole
    right: Whole
    winner: Whole
    prompt: Whole
    rater: Whole
    models: list[str]
    scene_of_prompt: Whole
    suite_of_prompt: Whole
    suites: list[str]
    raters: list[str]
    seed: Whole
    """−1 where a vote has none."""
    scenes: list[str]
    """By name, "suite, line break, scene"."""

    def only(self, kept: Flags) -> Votes:
        """Return some of the votes; codes keep their meaning."""
        if kept.all():
            return self
        return self._replace(
            left=self.left[kept],
            right=self.right[kept],
            winner=self.winner[kept],
            prompt=self.prompt[kept],
            rater=self.rater[kept],
            seed=self.seed[kept],
        )

    @property
    def scene(self) -> Whole:
        """The scene of each vote."""
        return self.scene_of_prompt[self.prompt]

    @property
    def n_scenes(self) -> int:
        """How many scenes the whole table has."""
        return len(self.scenes)

    @property
    def n_raters(self) -> int:
        """How many raters the whole table has."""
        return len(self.raters)

    @property
    def kind(self) -> Whole:
        """Left model, right model and outcome of each decided vote, as one code."""
        return (self.left * len(self.models) + self.right) * OUTCOMES + self.winner

    def tallies(self, kind: Whole | None = None) -> Array:
        """Return how many decided votes there are of each kind, (models, models, 3)."""
        shape = (len(self.models), len(self.models), OUTCOMES)
        counts = np.bincount(self.kind if kind is None else kind, minlength=math.prod(shape))
        return counts.astype(np.float64).reshape(shape)


def votes_of(rows: pd.DataFrame) -> Votes:
    """Return a checked table's rows as codes."""
    both = pd.concat([rows["left"], rows["right"]], ignore_index=True)
    model, models = codes(both)
    order = {name: place for place, name in enumerate(WINNERS)}
    winner, words = codes(rows["winner"])
    place, suite_names = codes(rows["suite"])
    prompt, prompts = codes(rows["prompt"])
    key, of_key = np.unique(place * len(prompts) + prompt, return_inverse=True)
    suite_of_prompt = key // len(prompts)
    scenes = [
        f"{suite_names[suite]}\n{prompts[code % len(prompts)].partition('/')[0]}"
        for code, suite in zip(key, suite_of_prompt, strict=True)
    ]
    rater, raters = codes(rows["rater"])
    names, scene_of_prompt = np.unique(scenes, return_inverse=True)
    return Votes(
        left=model[: len(rows)],
        right=model[len(rows) :],
        winner=np.array([order[word] for word in words], dtype=np.int64)[winner],
        prompt=of_key,
        rater=rater,
        models=models,
        scene_of_prompt=scene_of_prompt,
        suite_of_prompt=suite_of_prompt,
        suites=suite_names,
        raters=raters,
        seed=seed_codes(rows["seed"]),
        scenes=[str(name) for name in names],
    )
