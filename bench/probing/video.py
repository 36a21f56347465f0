"""What changes in a clip: steadiness, flicker, motion and drift of style, frame by frame.

Frames pass one by one; small copies are kept. Each measure looks at one thing and is deaf to the
others: motion is found by block matching, flicker is read where nothing moves, steadiness is
measured after brightness has been levelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image

from bench.media import Pixels

Array = npt.NDArray[np.float64]

LEAST_FRAMES = 4
"""Fewer show no flicker: it is read from three frames, and one clip's first is often odd."""
SEEN_FRAMES = 16
"""Frames that the network sees, evenly over the clip."""
SEEN = "16 frames, as they are and levelled, 1"
"""Which frames a network sees and how, for the cache's key: changes with `seen_frames` and `level_colours`."""
_SIDE = 64
_BLOCK = 8
_REACH = 4
_STILL_GAIN = 0.9
"""A block moves only where a shift explains it at least a tenth better than standing still."""
_LEAST_CHANGE = 2.0
"""Levels: below this a block that stands still explains itself."""
_BORDER = 12
_CUT = 0.5
"""Correlation of two frames' borders below which the scene has changed."""


@dataclass(frozen=True)
class Measures:
    """Of one clip, all without a network."""

    background_steadiness: float
    """Mean correlation of the border of each frame with that of the next, brightness levelled; 1 is
    unmoved."""
    flicker: float
    """Mean brightness swing of still blocks from frame to frame, in shares of the full range."""
    motion: float
    """Mean displacement from frame to frame, in shares of the side."""
    frames: int


def small_copy(pixels: Pixels) -> Array:
    """Return a grey copy of a frame, (64, 64), 0 to 255."""
    grey = Image.fromarray(pixels).convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(grey, dtype=np.float64)


def measure(copies: Sequence[Array]) -> Measures | None:
    """Measure a clip by the small copies of all its frames; None with fewer than `LEAST_FRAMES`."""
    if len(copies) < LEAST_FRAMES:
        return None
    levelled = [_levelled(one) for one in copies]
    shifts = [_block_shifts(a, b) for a, b in pairwise(levelled)]
    border = np.ones((_SIDE, _SIDE), dtype=bool)
    border[_BORDER:-_BORDER, _BORDER:-_BORDER] = False
    steady = [_correlation(a[border], b[border]) for a, b in pairwise(levelled)]
    return Measures(
        background_steadiness=float(np.mean(steady)),
        flicker=_flicker(copies, shifts),
        motion=_motion(shifts, steady),
        frames=len(copies),
    )


def seen_frames(count: int) -> list[int]:
    """Return which of `count` frames the network sees."""
    chosen = np.linspace(0, count - 1, min(count, SEEN_FRAMES)).round().astype(int)
    return sorted({int(one) for one in chosen})


def level_colours(frames: Iterable[Pixels]) -> list[Pixels]:
    """Bring every frame to the mean and spread of the first in each channel.

    Subject steadiness is computed on these, so that flicker is not counted twice.
    """
    levelled: list[Pixels] = []
    wanted: tuple[Array, Array] | None = None
    for frame in frames:
        pixels = frame.astype(np.float32)
        mean, spread = pixels.mean(axis=(0, 1)), pixels.std(axis=(0, 1)) + 1e-3
        wanted = wanted or (mean, spread)
        moved = (pixels - mean) / spread * wanted[1] + wanted[0]
        levelled.append(np.clip(np.rint(moved), 0, 255).astype(np.uint8))
    return levelled


def subject_steadiness(embeddings: npt.NDArray[np.floating]) -> float:
    """Return the mean cosine of each seen frame with the next, (frames, width); 1 is unchanged.

    VBench (Huang et al. 2024, section 3.1) adds the cosine with the first frame; here that would
    count a slow drift of style too, which has a measure of its own.
    """
    rows = np.asarray(embeddings, dtype=np.float64)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return float((rows[1:] * rows[:-1]).sum(axis=1).mean())


def style_drift(probabilities: npt.NDArray[np.floating]) -> float:
    """Return how far the style of the last third lies from that of the first, (frames, classes).

    It is the total variation distance of the mean probabilities, 0 to 1: what swings to and fro, or
    changes scene within a style, is no drift.
    """
    third = max(len(probabilities) // 3, 1)
    gap = probabilities[-third:].mean(axis=0) - probabilities[:third].mean(axis=0)
    return float(np.abs(gap).sum() / 2)


def _levelled(copy: Array) -> Array:
    """Bring a small copy to mean 128 and spread 40, so that brightness plays no part."""
    found: Array = 128 + 40 * (copy - copy.mean()) / max(float(copy.std()), 1.0)
    return found


def _block_shifts(first: Array, second: Array) -> tuple[Array, Array]:
    """Return the shift across and down of each block from one frame to the next, in pixels.

    Every whole-pixel shift within reach is tried; standing still is preferred.
    """
    size = _SIDE // _BLOCK
    padded = np.pad(first, _REACH, mode="edge")
    still = _by_block(np.abs(second - first))
    best, across, down = still * _STILL_GAIN, np.zeros((size, size)), np.zeros((size, size))
    best[still < _LEAST_CHANGE] = 0.0
    for y in range(-_REACH, _REACH + 1):
        for x in range(-_REACH, _REACH + 1):
            if x == y == 0:
                continue
            moved = padded[_REACH - y : _REACH - y + _SIDE, _REACH - x : _REACH - x + _SIDE]
            error = _by_block(np.abs(second - moved))
            better = error < best
            best, across, down = (
                np.where(better, error, best),
                np.where(better, x, across),
                np.where(better, y, down),
            )
    return across, down


def _motion(shifts: Sequence[tuple[Array, Array]], steady: Sequence[float]) -> float:
    """Return the mean displacement in shares of the side, cuts left out: there nothing moved."""
    found = [
        float(np.hypot(*shift).mean())
        for shift, correlation in zip(shifts, steady, strict=True)
        if correlation > _CUT
    ]
    return float(np.mean(found)) / _SIDE if found else float("nan")


def _flicker(copies: Sequence[Array], shifts: Sequence[tuple[Array, Array]]) -> float:
    """Return the mean of |b(t−1) − 2 b(t) + b(t+1)| / 4 over blocks still from t−1 to t+1.

    b is a block's mean brightness. A steady fade has no second difference; a swing of ±a gives a.
    """
    bright = [_by_block(one) for one in copies]
    swings = []
    for t in range(1, len(copies) - 1):
        still = (np.hypot(*shifts[t - 1]) == 0) & (np.hypot(*shifts[t]) == 0)
        second = np.abs(bright[t - 1] - 2 * bright[t] + bright[t + 1]) / 4 / 255
        # the middle one of the still blocks: one that changes by itself is no flicker
        if still.any():
            swings.append(float(np.median(second[still])))
    # a cut is one moment, flicker goes on: the middle one of the moments
    return float(np.median(swings)) if swings else float("nan")


def _by_block(values: Array) -> Array:
    size = _SIDE // _BLOCK
    found: Array = values.reshape(size, _BLOCK, size, _BLOCK).mean(axis=(1, 3))
    return found


def _correlation(first: Array, second: Array) -> float:
    a, b = first - first.mean(), second - second.mean()
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum() / norms) if norms > 1e-9 else 1.0
