"""Two releases of one model: a verdict per criterion, corrected for their number (Holm 1979)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from bench.errors import RequestError
from bench.records import Score
from leaderboard.board import HEADLINE_ASPECT
from leaderboard.multiplicity import holm
from leaderboard.plots import number
from leaderboard.tabulate import interval_of
from leaderboard.words import Words

Outcome = Literal["better", "worse", "no difference shown", "too few to tell", "not comparable"]

_MORE_IS_BETTER = {"score_difference": True, "strength_difference": True, "leak_difference": False}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one criterion, of the votes, or of the leak towards one tradition."""

    difference: Score
    """After less before: `model` is the release after, `against` the one before."""
    p: float
    p_holm: float
    """Corrected for all verdicts of the comparison."""
    outcome: Outcome


def compare(scores: Sequence[Score], before: str, after: str) -> list[Verdict]:
    """Return a verdict per criterion and per tradition that may leak, study by study.

    Differences are paired by scene and come from `score_difference`, `strength_difference` and
    `leak_difference`; slices, the overall score and the things shown are not tested. The p is that
    of the metric with `_p` behind its name.

    Raises:
        RequestError: a model is not in the scores, or the scores have no differences of the two.
    """
    models = sorted({s.model for s in scores} | {s.against for s in scores})
    for name in (before, after):
        if name not in models:
            there = ", ".join(model for model in models if model)
            raise RequestError(f"no scores of {name!r}: there are {there or 'none'}")
    found = [turned for score in scores if (turned := _turned(score, before, after)) is not None]
    if not found:
        raise RequestError(
            f"the scores have no differences between {before!r} and {after!r}: write them anew"
            " with pinlu score, from a study in which both were judged"
        )
    ways = ((before, after), (after, before))
    tested = {
        (score.study, score.metric, score.criterion, score.group): score.value
        for score in scores
        if score.metric.endswith("_p") and not score.slice and (score.model, score.against) in ways
    }
    p_values = [
        tested.get((score.study, f"{score.metric}_p", score.criterion, score.group), math.nan)
        for score in found
    ]
    return [
        Verdict(score, p, corrected, _outcome(score, corrected))
        for score, p, corrected in zip(found, p_values, holm(p_values), strict=True)
    ]


def is_loss(verdicts: Sequence[Verdict]) -> bool:
    """Say whether the release after is significantly worse anywhere."""
    return any(verdict.outcome == "worse" for verdict in verdicts)


def is_undecided(verdicts: Sequence[Verdict]) -> bool:
    """Say whether nothing could be compared, so that no loss could have been found either."""
    undecided = {"not comparable", "too few to tell"}
    return all(verdict.outcome in undecided for verdict in verdicts)


def sentence(verdict: Verdict, words: Words) -> str:
    """Return the verdict as one sentence."""
    score = verdict.difference
    name = f"{score.study}, {_name(score, words)}" if score.study else _name(score, words)
    before, after = words.label(score.against), words.label(score.model)
    if verdict.outcome == "not comparable":
        reason = score.reason or "no p value: write the scores anew with pinlu score"
        return f"{name}: {after} and {before} cannot be compared: {reason}."
    said = {
        "better": f"{after} is better than {before}",
        "worse": f"{after} is worse than {before}",
        "no difference shown": f"no difference between {after} and {before} is shown",
    }[verdict.outcome]
    p = "< .001" if verdict.p_holm < 0.001 else f"= {verdict.p_holm:.3f}".replace("0.", ".", 1)
    return f"{name}: {said}: {number(score.value)} {interval_of(score)}, p {p} after Holm."


def to_record(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict as a score's record with `p`, `p_holm` and `outcome`; NaN is None."""
    record = asdict(verdict.difference)
    record |= {"p": verdict.p, "p_holm": verdict.p_holm, "outcome": verdict.outcome}
    return {
        name: None if isinstance(cell, float) and not math.isfinite(cell) else cell
        for name, cell in record.items()
    }


def _turned(score: Score, before: str, after: str) -> Score | None:
    """Return a difference that counts as after less before; None for every other score."""
    if score.metric not in _MORE_IS_BETTER or score.slice:
        return None
    if score.metric == "score_difference" and not score.criterion:
        return None
    if score.metric == "leak_difference" and score.criterion != HEADLINE_ASPECT:
        return None
    if (score.model, score.against) == (after, before):
        return score
    if (score.model, score.against) != (before, after):
        return None
    return replace(
        score,
        model=after,
        against=before,
        value=-score.value,
        low=-score.high,
        high=-score.low,
    )


def _outcome(score: Score, corrected: float) -> Outcome:
    if math.isnan(corrected):
        return "not comparable"
    if corrected >= 1 - score.confidence:
        return "no difference shown"
    return "better" if (score.value > 0) == _MORE_IS_BETTER[score.metric] else "worse"


def _name(score: Score, words: Words) -> str:
    if score.metric == "leak_difference":
        return f"bias towards {words.tradition(score.group)}"
    if score.metric == "strength_difference":
        return f"votes on {words.term(score.criterion)}" if score.criterion else "votes"
    return words.term(score.criterion)
