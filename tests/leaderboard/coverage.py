"""How often intervals hold the planted truth: seeded populations of raters, scenes and works.

Every repetition draws new raters and new scenes from one population; the truth is the same measure
in a sample so large that its own error does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.records import REFERENCE, Score
from leaderboard.agreement import agreement
from leaderboard.drawing import LEAST_SEEDS
from leaderboard.joint import joint
from leaderboard.quality import mean_scores
from leaderboard.ranking import ranked
from leaderboard.scales import scale_structure
from leaderboard.schools import schools
from leaderboard.style import style
from leaderboard.tables import check_attributions, check_ratings, check_votes
from leaderboard.votes import Votes

Array = NDArray[np.float64]

QUALITY = (3.5, 3.2, 3.1)
EQUAL = (3.2, 3.2, 3.2)
LEVELS = (0.8, 0.99)
"""Other levels than the usual one."""
MODELS = ("a", "b", "c")
NAMES = tuple("abcdefghijkl")
TIE = 0.6
PULL = 2.0
"""Log odds of a vote per point of quality."""
LEAK = np.array([0.16, 0.30])
"""Share of the outputs for home that are truly Japanese, of models a and b."""
LABELS = ("chinese", "japanese", "western", "other")
RIGHT = 0.82
SCALES = ("p", "q", "r")
ALIKE = 0.75
"""Correlation of the true scores of two scales."""
HARDER = (0.0, 0.4, 0.0)
"""By how much the second school is more severe on each scale."""


@dataclass(frozen=True)
class Design:
    """How many raters and scenes, and how far raters differ."""

    raters: int
    scenes: int
    severity: float
    references: int = 60
    per_item: int = 0
    """Raters of an item, drawn for each item apart; 0 means all."""
    seeds: int = 0
    """Outputs of a model for a scene, seeds being shared by all scenes."""
    seed_spread: float = 0.0
    """Of the seeds' effects on a model; fewer seeds than are resampled are the same ones always."""
    taste: float = 0.22
    """Spread of raters' tastes for a model."""
    rater_scene: float = 0.0
    """Spread of what a rater finds in a scene, whichever model painted it; for labels in logits."""
    model_scene: float = 0.5
    """Spread of a model's quality from scene to scene."""
    habit: float = 0.0
    """Spread, in logits, of raters' habit of saying Japanese for Chinese."""
    quality: tuple[float, ...] = QUALITY
    rater_output: float = 0.0
    """Spread of what a rater finds in one output, in their rating and in their vote alike."""
    votes: int = 1
    """Of each rater on each scene, where there are more than three models."""


def single(design: Design, rng: np.random.Generator) -> Array:
    """Return ratings 1–5 of one model's outputs, (1, scenes, 1, raters)."""
    quality = rng.normal(3.1, 0.7, (design.scenes, 1))
    bias = rng.normal(0, design.severity, design.raters)
    given = quality + bias + rng.normal(0, 0.7, (design.scenes, design.raters))
    return _rounded(given)[None, :, None]


def rated(design: Design, rng: np.random.Generator) -> Array:
    """Return ratings 1–5 of three models, (models, scenes, seeds, raters); NaN where not rated.

    Variances as in the pilot of the facts: model × prompt .25, model × rater .05, residual .64,
    the raters unequally consistent.
    """
    return judged(design, draw_outputs(design, rng), rng)


def draw_outputs(design: Design, rng: np.random.Generator) -> Array:
    """Return the qualities of the outputs, (models, scenes, seeds)."""
    seeds = max(design.seeds, 1)
    shape = (len(design.quality), design.scenes, seeds)
    quality = np.array(design.quality)[:, None, None] + rng.normal(0, 0.3, (1, design.scenes, 1))
    quality = quality + rng.normal(0, design.model_scene, (*shape[:2], 1))
    if design.seeds:
        fixed = design.seeds < LEAST_SEEDS
        drawn = np.random.default_rng(7) if fixed else rng
        quality = quality + drawn.normal(0, design.seed_spread, (len(quality), 1, seeds))
        quality = quality + rng.normal(0, 0.3, shape)
    elif design.seed_spread:  # the truth of many seeds: one for each output
        quality = quality + rng.normal(0, (design.seed_spread**2 + 0.3**2) ** 0.5, shape)
    return quality


def judged(
    design: Design, outputs: Array, rng: np.random.Generator, found: Array | float = 0.0
) -> Array:
    """Return the ratings of some outputs, `found` being what each rater finds in each."""
    shape = (*outputs.shape, design.raters)
    bias = rng.normal(0, design.severity, design.raters)
    taste = rng.normal(0, design.taste, (len(outputs), 1, 1, design.raters))
    spread = rng.uniform(0.5, 1.05, design.raters)
    meant = outputs[..., None] + bias + taste + found
    if design.rater_scene:
        meant = meant + rng.normal(0, design.rater_scene, (1, shape[1], 1, design.raters))
    given = _rounded(meant + spread * rng.normal(0, 1, shape))
    if design.per_item:
        order = rng.random(shape).argsort(axis=-1).argsort(axis=-1)
        given[order >= design.per_item] = np.nan
    return given


def _rounded(given: Array) -> Array:
    return np.clip(np.rint(given), 1, 5)


def voted(
    design: Design,
    rng: np.random.Generator,
    outputs: Array | None = None,
    found: Array | None = None,
) -> Votes:
    """Return one vote of every rater on every scene, or some, between two of the models.

    Args:
        design: the design.
        rng: draws the votes.
        outputs: qualities of the outputs, (models, scenes, 1); drawn where not given.
        found: what each rater finds in each, (models, scenes, 1, raters).
    """
    n, models = design.raters * design.scenes * design.votes, len(design.quality)
    shape = (design.scenes, design.raters, design.votes)
    scene, rater, _ = (part.ravel() for part in np.indices(shape))
    left = rng.integers(0, models, n)
    right = (left + rng.integers(1, models, n)) % models
    if outputs is None:
        output = PULL * np.array(design.quality) + rng.normal(0, 0.5, (design.scenes, models))
    else:
        output = PULL * outputs[:, :, 0].T
    taste = rng.normal(0, design.severity, (design.raters, models))
    ahead = output[scene, left] - output[scene, right] + taste[rater, left] - taste[rater, right]
    if found is not None:
        ahead += PULL * (found[left, scene, 0, rater] - found[right, scene, 0, rater])
    win, tie = np.exp(ahead / 2), np.full(n, TIE)
    drawn = rng.random(n) * (win + 1 / win + tie)
    winner = np.where(drawn < win, 0, np.where(drawn < win + 1 / win, 1, 2))
    none = np.zeros(design.scenes, dtype=np.int64)
    return Votes(
        left, right, winner, scene, rater, list(NAMES[:models]), np.arange(design.scenes), none, [""],
        [str(code) for code in range(design.raters)], np.full(n, -1),
        [f"\n{code}" for code in range(design.scenes)],
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
    outputs, references = _seen(painted, sharp, rng), _seen(works, sharp, rng)
    if not (design.habit or design.rater_scene):
        return outputs, references
    habit = rng.normal(0, design.habit, design.raters)
    of_scene = rng.normal(0, design.rater_scene, (design.scenes, design.raters))
    of_work = rng.normal(0, design.rater_scene, references.shape)
    taste = rng.normal(0, design.taste, (len(outputs), 1, design.raters))
    outputs = _leaning(outputs, habit + taste + of_scene, rng)
    return outputs, _leaning(references, habit + of_work, rng)


def _leaning(said: Array, lean: Array, rng: np.random.Generator) -> Array:
    """Turn some of what was called Chinese Japanese: 12 % with no lean, which is in logits."""
    turned = rng.random(said.shape) < 1 / (1 + np.exp(2.0 - lean))
    return np.where((said == 0) & turned, 1, said)


def _seen(true: NDArray[np.int64], sharp: Array, rng: np.random.Generator) -> Array:
    """Chinese and Japanese are taken for each other; Western for neither in particular."""
    shape = (*true.shape, len(sharp))
    wrong = np.array([[1, 1, 1, 2, 3], [0, 0, 0, 2, 3], [0, 1, 3, 3, 3]])
    mistaken = wrong[true[..., None], rng.integers(0, 5, shape)]
    return np.where(rng.random(shape) < sharp, true[..., None], mistaken)


def table_of_ratings(values: Array, criterion: str = "c", school: str = "") -> pd.DataFrame:
    """Return (models, scenes, seeds, raters) as a checked table; NaN is no rating."""
    frame = _blank_ratings(values.shape, criterion, school).assign(value=values.ravel())
    return frame[~np.isnan(values.ravel())] if np.isnan(values).any() else frame


@cache
def _blank_ratings(shape: tuple[int, ...], criterion: str, school: str) -> pd.DataFrame:
    model, scene, seed, rater = (part.ravel() for part in np.indices(shape))
    names = np.array(NAMES)[model]
    item = np.char.add(np.char.add(names, scene.astype(str)), np.char.add("-", seed.astype(str)))
    frame = pd.DataFrame(
        {
            "rater": np.char.add(school, rater.astype(str)),
            "item": item,
            "criterion": criterion,
            "value": 3.0,
            "model": names,
            "prompt": scene.astype(str),
            "seed": seed.astype(str) if shape[2] > 1 else "",
            "rater_group": school,
        }
    )
    return check_ratings(frame, "planted")


def table_of_votes(votes: Votes) -> pd.DataFrame:
    """Return votes as a checked table."""
    names = np.array(votes.models)
    frame = pd.DataFrame(
        {
            "rater": votes.rater.astype(str),
            "prompt": votes.prompt.astype(str),
            "left": names[votes.left],
            "right": names[votes.right],
            "winner": np.array(["left", "right", "tie"])[votes.winner],
        }
    )
    # a rater who meets two models on one scene again votes once
    frame = frame.drop_duplicates(["rater", "prompt", "left", "right"])
    return check_votes(frame, "planted")


def table_of_attributions(outputs: Array, works: Array) -> pd.DataFrame:
    """Return labels as a checked table."""
    frame = _blank_attributions(outputs.shape, works.shape)
    seen = np.array(LABELS, dtype=object)[np.concatenate([outputs.ravel(), works.ravel()])]
    return frame.assign(attribution=pd.Series(seen, dtype=frame["attribution"].dtype))


@cache
def _blank_attributions(outputs: tuple[int, ...], works: tuple[int, ...]) -> pd.DataFrame:
    frames = []
    for place, shape in (("model", outputs), (REFERENCE, works)):
        first, second, rater = (part.ravel() for part in np.indices(shape))
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
                    "attribution": LABELS[0],
                }
            )
        )
    return check_attributions(pd.concat(frames, ignore_index=True), "planted")


Found = dict[str, tuple[float, float, float]]
"""By measure: value, low, high."""


def of_alpha(design: Design, rng: np.random.Generator, _resamples: int) -> Found:
    """Return α of one criterion."""
    table = table_of_ratings(single(design, rng))
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


def of_equal(design: Design, rng: np.random.Generator, resamples: int) -> Found:
    """Return ranks of three models that do not differ, and how often p is under .05 and .001.

    A p counts as held where it is not under its level; the rank sets must not part any two models.
    """
    table = table_of_ratings(rated(replace(design, quality=EQUAL), rng))
    return _of_equal(list(mean_scores(table, Score(), rng, resamples)), "score_difference_p")


def of_equal_votes(design: Design, rng: np.random.Generator, resamples: int) -> Found:
    """Return the same of strengths."""
    votes = voted(replace(design, quality=EQUAL), rng)
    return _of_equal(list(ranked(votes, Score(), rng, resamples)), "strength_difference_p")


def of_levels(design: Design, rng: np.random.Generator, resamples: int) -> Found:
    """Return a difference of equal models with intervals of other levels than 95 %."""
    table = table_of_ratings(rated(replace(design, quality=EQUAL), rng))
    found: Found = {}
    for level in LEVELS:
        # the ends of 99 % want more resamples than those of 95 %
        scores = mean_scores(table, Score(confidence=level), rng, 4 * resamples)
        gaps = [s for s in scores if s.metric == "score_difference"]
        for s in gaps[:1]:
            found[f"difference, {100 * level:g} %"] = (s.value, s.low, s.high)
    return found


def _of_equal(scores: Sequence[Score], metric: str) -> Found:
    found: Found = {}
    for s in scores:
        if s.metric == "ranked_above":
            found[f"no equal model above another:{s.model}{s.against}"] = (
                s.value,
                s.value,
                s.value,
            )
    gap = next(s for s in scores if s.metric == metric.removesuffix("_p"))
    found["difference of equal models"] = (gap.value, gap.low, gap.high)
    p = next(s.value for s in scores if s.metric == metric)
    return found | {f"p not under {level}": (0.0, level - p, p - level) for level in (0.05, 0.001)}


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


def of_scales(design: Design, rng: np.random.Generator, resamples: int) -> Found:
    """Return the correlation of two scales' true scores and the share of the first factor."""
    root = np.linalg.cholesky(np.full((3, 3), ALIKE) + (1 - ALIKE) * np.eye(3))
    outputs = np.einsum("cd,msd->cms", root, rng.normal(0, 0.6, (3, design.scenes, 3)))[..., None]
    tables = _of_scales(design, outputs + 3.1, rng)
    scores = list(scale_structure(pd.concat(tables, ignore_index=True), Score(), rng, resamples))
    wanted = {
        ("scale_correlation", "", ""): "correlation of scales",
        ("first_factor_share", "", ""): "share of the first factor",
    }
    chosen = [
        s for s in scores if s.metric != "scale_correlation" or (s.criterion + s.group == "pq")
    ]
    return _found(chosen, wanted)


def _of_scales(
    design: Design, outputs: Array, rng: np.random.Generator, school: str = ""
) -> list[pd.DataFrame]:
    """Return tables of ratings by scale; a rater's answers on one picture share a halo."""
    shape = (*outputs.shape[1:], design.raters)
    halo = rng.normal(0, 0.4, shape)
    tables = []
    for place, name in enumerate(SCALES):
        bias = rng.normal(0, design.severity, design.raters)
        bias -= HARDER[place] * (school == "B")
        given = outputs[place][..., None] + bias + halo + rng.normal(0, 0.6, shape)
        tables.append(table_of_ratings(_rounded(given), name, school))
    return tables


def of_schools(design: Design, rng: np.random.Generator, resamples: int) -> Found:
    """Return the gap of two schools of raters on one scale, and its differential functioning."""
    common = rng.normal(3.1, 0.6, (len(MODELS), design.scenes, 1))
    outputs = np.stack([common + rng.normal(0, 0.2, common.shape) for _ in SCALES])
    tables = [table for school in "AB" for table in _of_scales(design, outputs, rng, school)]
    scores = list(schools(pd.concat(tables, ignore_index=True), Score(), rng, resamples))
    chosen = [s for s in scores if s.criterion == SCALES[1]]
    wanted = {("school_gap", "a", ""): "gap of two schools", ("dif", "", ""): "dif"}
    return _found(chosen, wanted)


def of_joint(design: Design, rng: np.random.Generator, resamples: int) -> Found:
    """Return a joint score, gaps of votes and ratings, and how often their p is under .5 and .05."""
    outputs = draw_outputs(design, rng)
    own = rng.normal(0, design.rater_output, (*outputs.shape, design.raters))
    scores = joint(
        table_of_ratings(judged(design, outputs, rng, own)),
        table_of_votes(voted(design, rng, outputs, own)).assign(criterion="c"),
        rng=rng,
        resamples=resamples,
    )
    # where p < .01 there is none
    given = [s for s in scores if np.isfinite(s.value)]
    last = NAMES[len(design.quality) - 1]
    wanted = {"a": "joint score", last: "joint score of the last"}
    found = _found(given, {("joint_score", model, ""): name for model, name in wanted.items()})
    for s in scores:
        if s.metric == "rating_vote_gap":
            found[f"gaps of votes and ratings:{s.model}"] = (0.0, s.low, s.high)
    p = next(s.value for s in scores if s.metric == "rating_vote_fit")
    return found | {
        f"p of agreement not under {level}": (0.0, level - p, p - level) for level in (0.5, 0.05)
    }


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
MEASURES: tuple[Measure, ...] = (
    of_alpha, of_means, of_equal, of_equal_votes, of_levels, of_votes, of_style, of_scales,
    of_schools, of_joint,
)  # fmt: skip
AVERAGED: tuple[Measure, ...] = (of_means, of_joint)
"""Their differences hang on few models' outputs: many samples are averaged for their truth."""


@cache
def truth(measure: Measure, design: Design, size: int = 1000) -> dict[str, float]:
    """Return the values in samples of `size` scenes and as many raters, some hundred times as large.

    Votes are cheap, so they get more raters. The truth must be far nearer than the intervals are
    wide.
    """
    raters = size if measure is of_votes else size * 2 // 5
    if measure in AVERAGED or measure in {of_scales, of_schools}:
        raters = size // 8
    seeds = design.seeds if design.seeds < LEAST_SEEDS else 0
    large = replace(design, raters=raters, scenes=size, references=size, per_item=0, seeds=seeds)
    sums: dict[str, list[float]] = {}
    for seed in range(40 if measure in AVERAGED else 4):
        found = measure(
            large, np.random.default_rng(10_000 + seed), 2 if measure is not of_joint else 50
        )
        for name, (value, _, _) in found.items():
            sums.setdefault(name, []).append(value)
    found = {name: float(np.mean(values)) for name, values in sums.items()}
    # two models may change places in one of the samples
    return {n: round(value) if n.startswith("ranks") else value for n, value in found.items()}


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
    known = measure in {of_equal, of_equal_votes, of_levels}  # all are 0
    true = {} if known else truth(measure, replace(design, raters=0, scenes=0, per_item=0), size)
    for child in np.random.default_rng(seed).spawn(times):
        held: dict[str, bool] = {}
        for name, (_, low, high) in measure(design, child, resamples).items():
            family = name.partition(":")[0]
            held[family] = held.get(family, True) and low <= true.get(name, 0.0) <= high
        yield held
