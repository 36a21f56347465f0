"""The Western palette, and the helps that several subjects share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.atelier.brush import (
    Canvas,
    Colour,
    Field,
    Point,
    mix,
    smooth,
)
from bench.atelier.composition import Place


@dataclass(frozen=True)
class Mood:
    """The palette of an hour of the day, and where its light comes from."""

    light: int
    """The side that the light comes from: 1 right, -1 left."""
    sky: Colour
    cloud: Colour
    glow: Colour
    field: Colour
    water: Colour
    leaf: Colour
    warm: Colour
    cool: Colour

    def lit(self, colour: Colour, strength: float = 0.45) -> Colour:
        """The side of a form that faces the light."""
        return mix(colour, self.warm, strength)

    def shaded(self, colour: Colour, strength: float = 0.55) -> Colour:
        """The side that turns away."""
        return mix(colour, self.cool, strength)


def shade(canvas: Canvas, cover: Field, low: Colour, high: Colour, amount: Field) -> None:
    """Fill `cover` with colours that run from `low` to `high` as `amount` (0 to 1) does."""
    share = np.clip(np.broadcast_to(amount, cover.shape), 0, 1)[..., None]
    canvas.lay(
        np.asarray(low, np.float32) * (1 - share) + np.asarray(high, np.float32) * share, cover
    )


def model(canvas: Canvas, points: Sequence[Point], colour: Colour, mood: Mood) -> None:
    """Fill a shape so that it looks round: lit on the one side, dark on the other."""
    xs = [x for x, _ in points]
    left, width = min(xs), max(max(xs) - min(xs), 1e-3)
    across = (canvas.columns() - left) / width
    amount = np.clip(across if mood.light > 0 else 1 - across, 0, 1)
    shade(canvas, canvas.stencil(points), mood.shaded(colour), mood.lit(colour), amount**1.2)


def cast_shadow(canvas: Canvas, place: Place, mood: Mood, half: float) -> None:
    """What a standing thing throws on the ground, away from the light."""
    x, y = place.x, place.y
    away = -mood.light
    pool = [
        (x - half, y),
        (x, y - 0.02),
        (x + half, y),
        (x + half * 0.6 + away * half * 1.4, y + 0.05),
        (x - half * 0.6 + away * half * 1.4, y + 0.05),
    ]
    canvas.wash(mood.cool, 0.6 * canvas.stencil(pool, 0.012))


def lay_bank(canvas: Canvas, place: Place, mood: Mood, half: float) -> None:
    """A grassy rise, so that things do not stand on water."""
    x, y = place.x, place.y
    hump = smooth(
        [
            (x - half, y + 0.06),
            (x - half * 0.6, y - 0.005),
            (x, y - 0.02),
            (x + half * 0.6, y - 0.005),
            (x + half, y + 0.06),
        ]
    )
    model(
        canvas,
        [*hump, (x + half * 0.8, y + 0.12), (x - half * 0.8, y + 0.12)],
        mix(mood.field, mood.leaf, 0.4),
        mood,
    )
    cast_shadow(canvas, place, mood, half * 0.5)
