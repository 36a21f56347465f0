"""Models without guidance, drawn out of the pool of painted pictures; and how they are scored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.atelier import MANNERS
from bench.atelier.mixture import expected_mixture
from bench.records import REFERENCE, Score
from benchmarks.recovery.mixtures import TRIANGLE
from benchmarks.recovery.painted import SETS
from benchmarks.recovery.raters import Panel
from leaderboard.probes import as_attributions, as_probe
from leaderboard.style import style

RESAMPLES = 200
OTHERS = ("japanese", "western")
PLAIN = Panel()


def redrawn(pool: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return models without guidance, twice the seeds, of pictures drawn from the pool that was painted.

    With guidance 2 a perfect model of most mixtures leaks less than two pictures in a hundred, which no
    order can be read from; without it leaks run from 2 to 40 in a hundred.
    """
    outputs = pool[pool["model"] != REFERENCE].reset_index(drop=True)
    place = painted_by_scene(outputs)
    asked = outputs[["prompt", "target", "language", "seed"]].drop_duplicates()
    parts = []
    for one in TRIANGLE:
        for half in range(2):
            drawn = []
            for prompt, target in zip(asked["prompt"], asked["target"], strict=True):
                shares = expected_mixture(one.shares, None if target == "none" else target)
                code = int(rng.choice(len(MANNERS), p=shares))
                drawn.append(int(rng.choice(place[prompt.partition("/")[0], code])))
            rows = outputs.iloc[drawn].reset_index(drop=True)
            for column in ("prompt", "target", "language"):
                rows[column] = asked[column].to_numpy()
            rows["seed"] = asked["seed"].to_numpy() + f"-{half}"
            rows["output"] = [f"{one.name}-{half}-{number}" for number in range(len(rows))]
            parts.append(rows.assign(model=one.name))
    return pd.concat([*parts, pool[pool["model"] == REFERENCE]], ignore_index=True)


def painted_by_scene(outputs: pd.DataFrame) -> dict[tuple[str, int], npt.NDArray[np.int64]]:
    """Return the rows of a pool's outputs by scene and the manner in which they were painted."""
    manner = true_manners(outputs)
    scene = outputs["prompt"].str.partition("/")[0]
    return {
        (name, code): np.flatnonzero((scene == name) & (manner == code))
        for name in sorted(set(scene))
        for code in range(len(MANNERS))
    }


def true_manners(outputs: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return the manner in which each picture of the triangle was painted, as `painted.py` drew it."""
    names = [one.name for one in SETS["triangle"]]
    found = []
    for row in outputs.itertuples():
        place = names.index(str(row.model))
        key = (place, *str(row.prompt).encode(), *str(row.language).encode(), int(str(row.seed)))
        mixture = SETS["triangle"][place].mixture[str(row.target)]
        found.append(int(np.random.default_rng(key).choice(len(MANNERS), p=mixture)))
    return np.array(found, dtype=np.int64)


def by_probe(rows: pd.DataFrame) -> list[Score]:
    found = style(
        as_attributions(rows, "s"),
        home="chinese",
        rng=np.random.default_rng(0),
        resamples=RESAMPLES,
        known=MANNERS,
    )
    return [as_probe(score, "probe") for score in found]


def by_raters(attributions: pd.DataFrame, resamples: int = RESAMPLES) -> list[Score]:
    rng = np.random.default_rng(0)
    return style(attributions, home="chinese", rng=rng, resamples=resamples, known=MANNERS)


def score_of(scores: Sequence[Score], metric: str, model: str, group: str) -> Score:
    (found,) = [s for s in scores if (s.metric, s.model, s.group) == (metric, model, group)]
    return found
