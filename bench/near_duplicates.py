"""Texts that say nearly the same: MinHash over character shingles, then the exact overlap.

MinHash and banding: Broder (1997), "On the resemblance and containment of documents"; Leskovec,
Rajaraman and Ullman, "Mining of Massive Datasets", chapter 3.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

SHINGLE = 4
BANDS, ROWS = 16, 4
"""Two texts of resemblance s share a band with probability 1 − (1 − s⁴)¹⁶: 0.99 at 0.7."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)

Hashes = npt.NDArray[np.uint64]


def near_duplicates(
    texts: Mapping[str, str], threshold: float = 0.7
) -> list[tuple[str, str, float]]:
    """Return pairs of texts whose shingles overlap by at least `threshold` (Jaccard).

    Args:
        texts: text by id.
        threshold: resemblance in [0, 1] from which a pair is told.

    Returns:
        (id, id, resemblance), most alike first.
    """
    ids = list(texts)
    shingles = [_shingles(texts[name]) for name in ids]
    signatures = _signatures(shingles)
    pairs: set[tuple[int, int]] = set()
    for band in range(BANDS):
        alike: dict[bytes, list[int]] = defaultdict(list)
        part = np.ascontiguousarray(signatures[:, band * ROWS : (band + 1) * ROWS])
        for number in range(len(ids)):
            alike[part[number].tobytes()].append(number)
        for group in alike.values():
            # in a large group each is compared with the first: a chain is told, not every pair
            pairs.update((group[0], other) for other in group[1:])
            if len(group) <= 50:
                pairs.update((a, b) for i, a in enumerate(group) for b in group[i + 1 :])
    found = []
    for first, second in _likely(pairs, signatures, threshold):
        one, other = set(shingles[first].tolist()), set(shingles[second].tolist())
        share = len(one & other) / max(len(one | other), 1)
        if share >= threshold:
            found.append((ids[first], ids[second], share))
    return sorted(found, key=lambda pair: (-pair[2], pair[0], pair[1]))


def _likely(
    pairs: set[tuple[int, int]], signatures: Hashes, threshold: float
) -> list[tuple[int, int]]:
    """Keep pairs whose share of equal hashes, an estimate of resemblance, is near enough."""
    ordered = sorted(pairs)
    if not ordered:
        return []
    first, second = np.array(ordered).T
    equal = np.concatenate(
        [
            (
                signatures[first[start : start + 65536]]
                == signatures[second[start : start + 65536]]
            ).mean(axis=1)
            for start in range(0, len(ordered), 65536)
        ]
    )
    # three standard errors of 64 hashes
    near = equal >= threshold - 3 * (threshold * (1 - threshold) / (BANDS * ROWS)) ** 0.5
    return [pair for pair, keep in zip(ordered, near, strict=True) if keep]


def _shingles(text: str) -> Hashes:
    """Return the hashes of a text's runs of `SHINGLE` characters, spaces left out."""
    plain = "".join(text.lower().split()).ljust(SHINGLE)
    letters = np.frombuffer(plain.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    count = len(letters) - SHINGLE + 1
    runs = letters[:count].copy()
    for place in range(1, SHINGLE):
        runs = runs * _FACTOR + letters[place : place + count]
    return runs


def _signatures(shingles: list[Hashes]) -> Hashes:
    """Return the least of every hash over each text's shingles: texts × hashes."""
    rng = np.random.default_rng(1)
    odd = rng.integers(0, 1 << 63, BANDS * ROWS, dtype=np.uint64)[:, None] * np.uint64(
        2
    ) + np.uint64(1)
    least = [((one * odd) >> np.uint64(32)).min(axis=1) for one in shingles]
    return np.array(least, dtype=np.uint64).reshape(len(shingles), BANDS * ROWS)
