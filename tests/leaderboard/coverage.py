"""How often intervals hold the planted truth: seeded populations of raters, scenes and works.

Every repetition draws new raters and new scenes from one population; the truth is the same measure
in a sample so large that its own error does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.records import REFERENCE, Score
from leaderboard.agreement import agreement
from leaderboard.quality import mean_scores
from leaderboard.ranking import ranked
from leaderboard.style import style
from leaderboard.tables import check_attributions, check_ratings
from leaderboard.votes import Votes

Array = NDArray[np.float64]

QUALITY = np.array([3.5, 3.2, 3.1])
MODELS = ("a", "b", "c")
TIE = 0.6
LEAK = np.array([0.16, 0.30])
"""Share of the outputs for home that are truly Japanese, of models a and b."""
LABELS = ("chinese", "japanese", "western", "other")
RIGHT = 0.82


@dataclass(frozen=True)
class Design:
    """How many raters and scenes, and how far raters differ."""

    raters: int
    scenes: int
    severity: float
    references: int = 60


def single(design: Design, rng: np.random.Generator) -> Array:
    """Return ratings 1–5 of one model's outputs, (scenes, raters)."""
    quality = rng.normal(3.1, 0.7, (design.scenes, 1))
    bias = rng.normal(0, design.severity, design.raters)
    given = quality + bias + rng.normal(0, 0.7, (design.scenes, design.raters))
    return np.clip(np.rint(given), 1, 5)


def rated(design: Design, rng: np.random.Generator) -> Array:
    """Return ratings 1–5 of three models, (models, scenes, raters).

    Variances as in the pilot of the facts: model × prompt .25, model × rater .05, residual .64,
    the raters unequally consistent.
    """
    shape = (len(MODELS), design.scenes, design.raters)
    scene = rng.normal(0, 0.3, (1, design.scenes, 1))
    output = rng.normal(0, 0.5, (*shape[:2], 1))
    bias = rng.normal(0, design.severity, (1, 1, design.raters))
    taste = rng.normal(0, 0.22, (len(MODELS), 1, design.raters))
    spread = rng.uniform(0.5, 1.05, (1, 1, design.raters))
    given = (
        QUALITY[:, None, None] + scene + output + bias + taste + spread * rng.normal(0, 1, shape)
    )
    return np.clip(np.rint(given), 1, 5)


def voted(design: Design, rng: np.random.Generator) -> Votes:
    """Return one vote of every rater on every scene, between two of three models."""
    n = design.raters * design.scenes
    scene, rater = (part.ravel() for part in np.indices((design.scenes, design.raters)))
    left = rng.integers(0, 3, n)
    right = (left + rng.integers(1, 3, n)) % 3
    output = rng.normal(0, 0.5, (design.scenes, 3))
    taste = rng.normal(0, design.severity, (design.raters, 3))
    ahead = (QUALITY[left] - QUALITY[right]) * 2
    ahead += output[scene, left] - output[scene, right] + taste[rater, left] - taste[rater, right]
    win, tie = np.exp(ahead / 2), np.full(n, TIE)
    drawn = rng.random(n) * (win + 1 / win + tie)
    winner = np.where(drawn < win, 0, np.where(drawn < win + 1 / win, 1, 2))
    none = np.zeros(design.scenes, dtype=np.int64)
    return Votes(
        left, right, winner, scene, rater, list(MODELS), np.arange(design.scenes), none, [""],
        [str(code) for code in range(design.raters)], np.full(n, -1),
        [str(code) for code in range(design.scenes)],
    )  # fmt: skip


def attributed(design: Design, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return labels of two models' outputs (models, scenes, raters), and of references.

    References: (traditions, works, raters). A rater sees a picture for what it is with a
    probability of their own; a scene leans to Japanese in both models alike.
    """
    lean = rng.normal(0, 0.6, design.scenes)
    share = 1 / (1 + np.exp(-(np.log(LEAK / (1 - LEAK))[:, None] + lean)))
    painted = (rng.random(share.shape) < share).astype(np.int64)
    odds = np.log(RIGHT / (1 - RIGHT)) + rng.normal(0, design.severity, design.raters)
    sharp = 1 / (1 + np.exp(-odds))
    works = np.repeat(np.arange(3)[:, None], design.references, axis=1)
    return _seen(painted, sharp, rng), _seen(works, sharp, rng)


def _seen(true: NDArray[np.int64], sharp: Array, rng: np.random.Generator) -> Array:
    """Chinese and Japanese are taken for each other; Western for neither in particular."""
    shape = (*true.shape, len(sharp))
    wrong = np.array([[1, 1, 1, 2, 3], [0, 0, 0, 2, 3], [0, 1, 3, 3, 3]])
    mistaken = wrong[true[..., None], rng.integers(0, 5, shape)]
    return np.where(rng.random(shape) < sharp, true[..., None], mistaken)


def table_of_ratings(values: Array) -> pd.DataFrame:
    """Return (models, scenes, raters) as a checked table."""
    model, scene, rater = (part.ravel() for part in np.indices(values.shape))
    names = np.array(MODELS)[model]
    frame = pd.DataFrame(
        {
            "rater": rater.astype(str),
            "item": np.char.add(names, scene.astype(str)),
            "criterion": "c",
            "value": values.ravel(),
            "model": names,
            "prompt": scene.astype(str),
        }
    )
    return check_ratings(frame, "planted")


def table_of_attributions(outputs: Array, works: Array) -> pd.DataFrame:
    """Return labels as a checked table."""
    frames = []
    for place, labels in (("model", outputs), (REFERENCE, works)):
        first, second, rater = (part.ravel() for part in np.indices(labels.shape))
        item = [f"{place}{a}-{b}" for a, b in zip(first, second, strict=True)]
        is_model = place == "model"
        frames.append(
            pd.DataFrame(
                {
                    "rater": rater.astype(str),
                    "item": item,
                    "model": np.array(MODELS)[first] if is_model else REFERENCE,
                    "prompt": second.astype(str) if is_model else "",
                    "target": LABELS[0] if is_model else np.array(LABELS)[first],
                    "attribution": np.array(LABELS)[labels.ravel()],
                }
            )
        )
    return check_attributions(pd.concat(frames, ignore_index=True), "planted")


Found = dict[str, tuple[float, float, float]]
"""By measure: value, low, high."""


def of_alpha(design: Design, rng: np.random.Generator, _resamples: int) -> Found:
    """Return α of one criterion."""
    table = table_of_ratings(single(design, rng)[None])
    return _found(agreement(table), {("alpha", "", ""): "alpha"})


def of_means(design: Design, rng: np.random.Generator, resamples: int) -> Found:
    """Return means, a difference and the ranks of three models."""
    table = table_of_ratings(rated(design, rng))
    scores = list(mean_scores(table, Score(), rng, resamples))
    wanted = {
        ("mean_score", "a", ""): "mean",
        ("score_difference", "a", "b"): "difference of means",
    }
    return _found(scores, wanted) | _ranks(scores, "mean")


def of_votes(design: Design, rng: np.random.Generator, resamples: int) -> Found:
    """Return strengths, a difference and the ranks of three models."""
    scores = list(ranked(voted(design, rng), Score(), rng, resamples))
    wanted = {
        ("strength", "a", ""): "strength",
        ("strength_difference", "a", "b"): "difference of strengths",
    }
    return _found(scores, wanted) | _ranks(scores, "strength")


def of_style(design: Design, rng: np.random.Generator, resamples: int) -> Found:
    """Return the excess leak of one model, and its difference from the other's leak."""
    table = table_of_attributions(*attributed(design, rng))
    scores = style(table, home=LABELS[0], rng=rng, resamples=resamples)
    chosen = [s for s in scores if s.group == "japanese"]
    wanted = {("excess_leak", "b", ""): "excess leak"}
    simultaneous = [s for s in scores if s.metric == "leak_difference"]
    found = _found(chosen, wanted)
    for s in simultaneous:
        found[f"leak difference:{s.group}"] = (s.value, s.low, s.high)
    return found


def _found(scores: Sequence[Score], wanted: dict[tuple[str, str, str], str]) -> Found:
    return {
        wanted[key]: (s.value, s.low, s.high)
        for s in scores
        if (key := (s.metric, s.model, s.against)) in wanted
    }


def _ranks(scores: Sequence[Score], what: str) -> Found:
    return {
        f"ranks by {what}:{s.model}": (s.value, s.low, s.high) for s in scores if s.metric == "rank"
    }


Measure = Callable[[Design, np.random.Generator, int], Found]
MEASURES: tuple[Measure, ...] = (of_alpha, of_means, of_votes, of_style)


@cache
def truth(measure: Measure, severity: float, size: int = 1000) -> dict[str, float]:
    """Return the values in samples of `size` scenes and as many raters, some hundred times as large.

    Votes are cheap, so they get more raters. Of means many samples are averaged: their differences
    hang on few models' outputs, and the truth must be far nearer than the intervals are wide.
    """
    raters = size if measure is of_votes else size * 2 // 5
    design = Design(raters=raters, scenes=size, severity=severity, references=size)
    sums: dict[str, list[float]] = {}
    for seed in range(20 if measure is of_means else 4):
        for name, (value, _, _) in measure(design, np.random.default_rng(10_000 + seed), 2).items():
            sums.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in sums.items()}


def repetitions(
    measure: Measure,
    design: Design,
    times: int,
    *,
    seed: int = 0,
    resamples: int = 500,
    size: int = 1000,
) -> Iterator[dict[str, bool]]:
    """Yield, of each repetition, which intervals hold the truth; families hold it all at once."""
    true = truth(measure, design.severity, size)
    for child in np.random.default_rng(seed).spawn(times):
        held: dict[str, bool] = {}
        for name, (_, low, high) in measure(design, child, resamples).items():
            family = name.partition(":")[0]
            held[family] = held.get(family, True) and low <= true[name] <= high
        yield held
