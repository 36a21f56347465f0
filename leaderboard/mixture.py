"""The latent mixture behind attributions, given how the panel confuses real works."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_STEPS = 400


def corrected_mixture(counts: Array, confusion: Array) -> Array:
    """Return argmax_π Σ_l n_l ln Σ_k π_k M(k, l) on the simplex, by expectation–maximisation.

    Args:
        counts: n_l of each resample, (labels, resamples); need not be whole.
        confusion: M(k, l) of each resample, (classes, labels, resamples), rows summing to 1.

    Returns:
        π, (classes, resamples).
    """
    classes, _, resamples = confusion.shape
    mixture = np.full((classes, resamples), 1 / classes)
    total = np.maximum(counts.sum(axis=0), 1e-12)
    for _ in range(_STEPS):
        joint = mixture[:, None, :] * confusion
        evidence = np.maximum(joint.sum(axis=0), 1e-300)
        mixture = np.einsum("klb,lb->kb", joint, counts / evidence) / total
    return mixture
