"""Faults of pictures that need no network: blank, shown before, marked in a corner.

`features` looks at one picture; `near_duplicates` and `repeated_corners` compare many by what it
kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn

from bench.media import Pixels

_HASH_SIDE = 32
_LOW = 8
BLANK_SPREAD = 2.0
"""Levels: a picture whose grey varies less, in a small copy and nearly everywhere, shows nothing."""
SAME_PICTURE = 4
"""Bits out of 64 in which the perceptual hashes of two files may differ and still be one picture."""
_CORNER = (0.3, 0.15)
"""Width and height of a corner, in shares of the picture's sides."""
_MARGIN = 0.02
"""What is left out at the edge: a frame round the picture is no mark."""
CORNER_SIZE = (48, 24)
CORNERS = ("top left", "top right", "bottom left", "bottom right")
LEAST_OUTPUTS = 8
"""Of one model: among fewer nothing can be said to repeat."""
_LEAST_CORRELATION = 0.35
_LEAST_STROKES = 6
_STRONG = 0.25
_AT_ONCE = 512
"""Outputs whose corners are compared at once, which bounds the memory."""

FEATURES = 1 + 64 + len(CORNERS) * CORNER_SIZE[0] * CORNER_SIZE[1]
Features = npt.NDArray[np.int8]


def features(pixels: Pixels) -> Features:
    """Return what the comparisons need of one picture: blank, 64 bits of hash, four corners."""
    image = Image.fromarray(pixels)
    return np.concatenate(
        [
            np.array([is_blank(pixels)], np.int8),
            perceptual_hash(image).astype(np.int8),
            *(one.ravel() for one in _corners(image)),
        ]
    )


def is_blank(pixels: Pixels) -> bool:
    """Say whether a picture is one colour but for noise: its small copy hardly varies."""
    small = Image.fromarray(pixels).resize((32, 32), Image.Resampling.BOX)
    levels = np.asarray(small, float)
    middle = np.median(levels, axis=(0, 1))
    return bool(np.quantile(np.abs(levels - middle).max(axis=2), 0.98) < BLANK_SPREAD)


def perceptual_hash(image: Image.Image) -> npt.NDArray[np.bool_]:
    """Return 64 bits: which low frequencies of a small grey copy are above their median.

    Zauner (2010), "Implementation and benchmarking of perceptual image hash functions", section 3.2.1.
    """
    grey = image.convert("L").resize((_HASH_SIDE, _HASH_SIDE), Image.Resampling.LANCZOS)
    low = dctn(np.asarray(grey, float), norm="ortho")[:_LOW, :_LOW].ravel()
    bits: npt.NDArray[np.bool_] = low > np.median(low[1:])
    return bits


def near_duplicates(
    found: npt.NDArray[np.int8], scenes: Sequence[str], keys: Sequence[str]
) -> list[str]:
    """Return for each output the key of an earlier one, of another scene, that shows the same; else "".

    Args:
        found: features, (n, FEATURES), of one model.
        scenes: the scene of each: within one, seeds may well agree, which diversity tells.
        keys: what is returned. Blank pictures are no one's double.
    """
    bits = np.packbits(found[:, 1:65].astype(bool), axis=1).view(np.uint64).ravel()
    blank = found[:, 0].astype(bool)
    names, codes = np.array(keys), np.unique(np.array(scenes), return_inverse=True)[1]
    result = [""] * len(keys)
    for place in range(1, len(bits)):
        if blank[place]:
            continue
        before = slice(0, place)
        away = np.bitwise_count(bits[before] ^ bits[place])
        same = (away <= SAME_PICTURE) & (codes[before] != codes[place]) & ~blank[before]
        if same.any():
            result[place] = str(names[before][same.argmax()])
    return result


def repeated_corners(found: npt.NDArray[np.int8]) -> list[str]:
    """Return for each output the corner in which it bears what most others of its model bear; else "".

    Strokes are compared where they lie (signed gradients, correlated with the mean of the others);
    the mean must have many of them side by side, as text and logos do and a frame or a horizon does
    not.

    Args:
        found: features, (n, FEATURES), of one model; with fewer than eight nothing is said.
    """
    result = [""] * len(found)
    if len(found) < LEAST_OUTPUTS:
        return result
    width, height = CORNER_SIZE
    corners = found[:, 65:].reshape(len(found), len(CORNERS), height, width)
    for place, name in enumerate(CORNERS):
        strokes = corners[:, place]
        total = strokes.sum(axis=0, dtype=np.int64) / 127
        if _strokes_in_a_row(total / len(strokes)) < _LEAST_STROKES:
            continue
        for start in range(0, len(strokes), _AT_ONCE):
            some = strokes[start : start + _AT_ONCE] / np.float32(127)
            others = (total - some) / (len(strokes) - 1)
            for row in np.flatnonzero(_correlation(some, others) >= _LEAST_CORRELATION):
                result[start + row] = result[start + row] or name
    return result


def _corners(image: Image.Image) -> list[Features]:
    """Return the signed horizontal gradients of the four corners, scaled to int8."""
    grey = image.convert("L")
    width, height = grey.size
    across, down = _CORNER[0] * width, _CORNER[1] * height
    left, top = _MARGIN * width, _MARGIN * height
    found = []
    for right_side in (False, True):
        for bottom in (False, True):
            x = width - left - across if right_side else left
            y = height - top - down if bottom else top
            size = (CORNER_SIZE[0] + 1, CORNER_SIZE[1])
            part = grey.resize(size, Image.Resampling.BILINEAR, box=(x, y, x + across, y + down))
            steps = np.diff(np.asarray(part, float), axis=1)
            found.append(np.clip(np.rint(steps * 2), -127, 127).astype(np.int8))
    top_left, bottom_left, top_right, bottom_right = found
    return [top_left, top_right, bottom_left, bottom_right]


def _strokes_in_a_row(mean: npt.NDArray[np.floating]) -> int:
    """Return the most changes of sign along one row, among gradients strong enough to be strokes."""
    signs = np.where(np.abs(mean) >= _STRONG, np.sign(mean), 0)
    most = 0
    for row in signs:
        there = row[row != 0]
        most = max(most, int((there[1:] != there[:-1]).sum()))
    return most


def _correlation(
    first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]
) -> npt.NDArray[np.floating]:
    a = first.reshape(len(first), -1)
    b = second.reshape(len(second), -1)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    found: npt.NDArray[np.floating] = (a * b).sum(axis=1) / np.maximum(norms, 1e-9)
    return found
