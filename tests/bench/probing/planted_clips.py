"""Clips with one fault of a known amount each, of noise or of the painter's pictures.

Also used by `benchmarks/recovery/clips.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from bench.atelier import draw_subjects, paint

FAULTS = {
    "flicker": (0.0, 4.0, 8.0, 16.0),
    "motion": (0.0, 1.0, 2.0, 4.0),
    "jumps": (0, 1, 3, 6),
    "drift": (0.0, 0.3, 0.6, 1.0),
}
"""Fault → amounts, rising: levels of brightness to and fro; pixels a frame of what is in the middle; cuts in the clip; how far
the colours have gone at its end."""
FRAMES = 24
SIDE = 128

Frame = npt.NDArray[np.uint8]


def scene(seed: int, side: int = SIDE) -> Frame:
    """A still picture with structure at several sizes."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(60, 196, (side // 8, side // 8, 3), np.uint8))
    picture = small.resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(1)), np.uint8)


def clip(fault: str, amount: float, seed: int) -> list[Frame]:
    """A clip of noise that stands still but for its fault, with a little noise as of a camera."""
    wide = scene(seed, SIDE * 2)
    start = SIDE // 2
    others = (scene(1000 + seed * 10 + place) for place in count(1))
    still = wide[start : start + SIDE, start : start + SIDE]
    tinted = still * [1.0, 0.75, 0.5] + [20, 10, 0]
    return _filmed(fault, amount, seed, _Shots(wide, others, tinted))


def painted_clip(fault: str, amount: float, seed: int) -> list[Frame]:
    """The same of the painter's Chinese pictures: cuts go to others of that manner, and a drift ends in
    the same composition in the Japanese manner."""
    still = _painted("chinese", seed)
    wide = np.pad(still, [(SIDE // 2, SIDE // 2)] * 2 + [(0, 0)], mode="reflect")
    others = (_painted("chinese", 1000 + seed * 10 + place) for place in count(1))
    shots = _Shots(wide, others, _painted("japanese", seed).astype(float))
    return _filmed(fault, amount, seed, shots)


def _painted(manner: str, seed: int) -> Frame:
    rng = np.random.default_rng((seed, 2))
    subjects = draw_subjects(rng)
    return np.asarray(paint(manner, subjects, np.random.default_rng((seed, 3)), SIDE), np.uint8)


class _Shots(NamedTuple):
    wide: Frame
    """A picture of which the middle is filmed."""
    others: Iterator[Frame]
    """What comes after cuts."""
    end: npt.NDArray[np.float64]
    """What a drift goes to."""


def _filmed(fault: str, amount: float, seed: int, shots: _Shots) -> list[Frame]:
    rng = np.random.default_rng((seed, 1))
    start = SIDE // 2
    wide = shots.wide
    still = wide[start : start + SIDE, start : start + SIDE]
    cuts = np.linspace(0, FRAMES, int(amount) + 2)[1:-1].round() if fault == "jumps" else []
    shown = [still, *islice(shots.others, len(cuts))]
    frames = []
    for number in range(FRAMES):
        picture = still.astype(float)
        if fault == "flicker":
            picture = picture + amount * (-1) ** number
        if fault == "motion":
            shift = start + round(amount * (number - FRAMES / 2))
            moved = wide[start : start + SIDE, shift : shift + SIDE]
            inner = slice(SIDE // 4, 3 * SIDE // 4)
            picture[inner, inner] = moved[inner, inner]
        if fault == "jumps":
            picture = shown[int(np.searchsorted(cuts, number, side="right"))].astype(float)
        if fault == "drift":
            share = amount * number / (FRAMES - 1)
            picture = (1 - share) * picture + share * shots.end
        picture = picture + rng.normal(0, 0.8, picture.shape)
        frames.append(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
    return frames
