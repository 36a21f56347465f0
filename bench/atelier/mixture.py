"""What a model trained on a mixture of traditions ought to paint: the atelier's known truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bench.atelier.painter import MANNERS

CAPTION_NOISE = 0.4
"""With this probability a training caption's tradition is replaced by a uniformly random one."""
NAMELESS_SHARE = 0.25
"""With this probability a training caption names no tradition at all."""


def noisy_tradition(manner: int, rng: np.random.Generator) -> str | None:
    """Draw the tradition that a training caption names for a picture in the given manner."""
    if rng.random() < NAMELESS_SHARE:
        return None
    if rng.random() < CAPTION_NOISE:
        return str(rng.choice(MANNERS))
    return MANNERS[manner]


def expected_mixture(
    shares: Sequence[float], asked: str | None, guidance: float = 1.0
) -> npt.NDArray[np.float64]:
    """Predict the manners that a perfectly trained model paints.

    By Bayes' rule the posterior of manner t given a caption that names c is proportional to
    s_t L(c | t), with s the training shares and L the caption noise. Guidance w sharpens a
    condition to p(x) (p(x | c) / p(x))^w (Ho and Salimans 2022, equation 6, read as a density), so
    the mixture becomes proportional to s_t L(c | t)^w.

    Args:
        shares: the training shares in the order of `MANNERS`, summing to 1.
        asked: the tradition that the prompt names, or None.
        guidance: the guidance scale, 1 for none.

    Returns:
        Probabilities of the manners, shape (3,), in the order of `MANNERS`.
    """
    prior = np.asarray(shares, dtype=float)
    if asked is None:
        return np.asarray(prior / prior.sum())
    likelihood = np.full(len(MANNERS), CAPTION_NOISE / len(MANNERS))
    likelihood[MANNERS.index(asked)] += 1.0 - CAPTION_NOISE
    posterior = prior * likelihood**guidance
    return np.asarray(posterior / posterior.sum())


SHARES: dict[str, dict[str, float]] = {
    "atelier-balanced": dict.fromkeys(MANNERS, 1 / 3),
    "atelier-west": {"chinese": 0.1, "japanese": 0.1, "western": 0.8},
    "atelier-japan": {"chinese": 0.1, "japanese": 0.8, "western": 0.1},
}
"""The shipped models' true shares of each tradition among the pictures that set them apart."""
