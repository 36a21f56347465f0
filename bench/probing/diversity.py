"""How many different pictures there are among n: the Vendi score.

Friedman and Dieng (2023), "The Vendi score", equation 2: the exponential of the entropy of the
eigenvalues of K / n, with K the matrix of cosine similarities. n equal pictures give 1, n that have
nothing in common give n.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def vendi(embeddings: npt.NDArray[np.floating]) -> float:
    """Return the Vendi score of embeddings, (n, width), n ≥ 1."""
    rows = np.asarray(embeddings, dtype=np.float64)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    # the smaller of the two Gram matrices has the same eigenvalues but for zeros
    gram = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
    shares = np.clip(np.linalg.eigvalsh(gram / len(rows)), 0.0, None)
    shares = shares[shares > 1e-12]
    shares = shares / shares.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def vendi_of_samples(
    embeddings: npt.NDArray[np.floating], size: int, draws: int, rng: np.random.Generator
) -> list[float]:
    """Return the Vendi scores of `draws` random samples of `size` rows, each without repeats.

    A score grows with the number of pictures, so a model's few are held against as few references.
    """
    if not 2 <= size <= len(embeddings):
        return []
    return [
        vendi(embeddings[rng.choice(len(embeddings), size, replace=False)]) for _ in range(draws)
    ]
