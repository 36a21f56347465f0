"""How one simulated rater judges, and the vote that follows from what two things are worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Temper:
    """How one simulated rater judges: all in units of a scale's step, or probabilities."""

    severity: float
    noise: float
    confusion: float
    doubt: float
    ties: float


def draw_temper(rng: np.random.Generator) -> Temper:
    """Draw a rater from the population that the demo assumes."""
    return Temper(
        severity=float(rng.normal(0, 0.4)),
        noise=float(rng.lognormal(np.log(0.55), 0.25)),
        confusion=float(rng.beta(2, 22)),
        doubt=float(rng.beta(2, 38)),
        ties=float(rng.lognormal(np.log(0.5), 0.3)),
    )


def vote(left: float, right: float, temper: Temper, rng: np.random.Generator) -> str:
    """Vote as Davidson's model has it: P(tie) ∝ ν √(π_left π_right), log π = 4 × merit.

    Two pictures that are both poor are called so with a probability that falls with the better.
    """
    if rng.random() < 0.5 * max(0.0, 1 - 3 * max(left, right)):
        return "both_bad"
    strength = np.exp(4 * np.array([left, right]))
    weights = np.array([*strength, temper.ties * np.sqrt(strength.prod())])
    return str(rng.choice(["left", "right", "tie"], p=weights / weights.sum()))
