"""What a plan goes by, and how small a difference it can detect: the D-study formula."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from scipy.stats import norm


@dataclass(frozen=True, slots=True)
class Components:
    """Variances of a rating: model × prompt, model × rater, and what is left.

    The defaults are first guesses on a scale of 1 to 5, until a pilot gives better.
    """

    prompt: float = 0.25
    rater: float = 0.05
    rest: float = 0.64


@dataclass(frozen=True, slots=True)
class Pilot:
    """What a pilot taught: mean seconds of tasks, as far as enough were timed, and variances.

    `components` are None where the ratings do not tell them apart.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    components: Components | None = None


def detectable_difference(
    prompts: int,
    raters: int,
    raters_per_item: int,
    components: Components | None = None,
    *,
    power: float = 0.8,
    confidence: float = 0.95,
) -> float:
    """Return the least difference of two models' means that a plan detects with this power.

    In incomplete blocks, Var = 2 [σ²_mp / n_p + σ²_mr / R + σ²_e / (n_p k)] with n_p prompts that
    both models answer, a panel of R raters, and k of them for each item; with k = R it is the
    crossed D-study of generalisability theory (Brennan 2001). The test is two-sided, and not
    corrected for several models.

    Raises:
        ValueError: a count is less than one, or more raters judge an item than there are.
    """
    if min(prompts, raters, raters_per_item) < 1 or raters_per_item > raters:
        raise ValueError(f"{prompts} prompts with {raters_per_item} of {raters} raters cannot be")
    found = components or Components()
    variance = 2 * (
        found.prompt / prompts + found.rater / raters + found.rest / (prompts * raters_per_item)
    )
    quantiles = norm.ppf(0.5 + confidence / 2) + norm.ppf(power)
    return float(quantiles * math.sqrt(variance))
