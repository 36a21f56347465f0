"""The Japanese palette, and the helps that several subjects share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.atelier.brush import (
    Canvas,
    Colour,
    Point,
    mix,
    smooth,
    vary,
)
from bench.atelier.composition import Place

LINE: Colour = (28, 32, 52)
FOAM: Colour = (240, 238, 226)
RED: Colour = (206, 58, 44)
OUTLINE = 0.013


@dataclass(frozen=True)
class Mood:
    """The printer's six blocks of colour."""

    zenith: Colour
    sky: Colour
    glow: Colour
    sea: Colour
    land: Colour
    leaf: Colour


def outline(canvas: Canvas, points: Sequence[Point], fill: Colour, width: float = OUTLINE) -> None:
    """Fill a shape and go round it with the key block's dark line."""
    canvas.polygon(points, fill, LINE, width)


def lay_waves(
    canvas: Canvas, y: float, height: float, mood: Mood, rng: np.random.Generator
) -> None:
    """One row of scallops with foam along the crest."""
    period, phase = rng.uniform(0.16, 0.24), rng.uniform(0, 1)
    x = np.linspace(-0.02, 1.02, 90)
    crest = y - height * 0.7 * np.abs(np.sin(np.pi * (x / period + phase)))
    top = [(float(a), float(b)) for a, b in zip(x, crest, strict=True)]
    body = vary(mix(mood.sea, LINE, max(0.0, (y - 0.7))), rng, 4)
    canvas.polygon([*top, (1.02, y + 0.16), (-0.02, y + 0.16)], body)
    canvas.line([(a, b + 0.012) for a, b in top], FOAM, 0.012)
    canvas.line(top, LINE, 0.008)


def lay_knoll(canvas: Canvas, place: Place, mood: Mood, half: float) -> None:
    """Flat ground under a subject."""
    x, y = place.x, place.y
    hump = smooth(
        [
            (x - half, y + 0.07),
            (x - half * 0.6, y),
            (x, y - 0.02),
            (x + half * 0.6, y),
            (x + half, y + 0.07),
        ]
    )
    outline(
        canvas,
        [*hump, (x + half * 0.9, y + 0.2), (x - half * 0.9, y + 0.2)],
        mix(mood.land, mood.leaf, 0.35),
    )
