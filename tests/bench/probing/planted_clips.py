"""Procedural clips, each with one fault of a known amount; also used by `benchmarks/recovery`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

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
    """A clip that stands still but for its fault, with a little noise as of a camera."""
    rng = np.random.default_rng((seed, 1))
    wide = scene(seed, SIDE * 2)
    start = SIDE // 2
    still = wide[start : start + SIDE, start : start + SIDE]
    cuts = np.linspace(0, FRAMES, int(amount) + 2)[1:-1].round() if fault == "jumps" else []
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
            place = int(np.searchsorted(cuts, number, side="right"))
            picture = (still if place == 0 else scene(1000 + seed * 10 + place)).astype(float)
        if fault == "drift":
            share = amount * number / (FRAMES - 1)
            tinted = picture * [1.0, 0.75, 0.5] + [20, 10, 0]
            picture = (1 - share) * picture + share * tinted
        picture = picture + rng.normal(0, 0.8, picture.shape)
        frames.append(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
    return frames
