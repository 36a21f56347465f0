"""The Chinese palette, and the helps that several subjects share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.atelier.brush import (
    Canvas,
    Colour,
    mix,
    smooth,
)
from bench.atelier.composition import Place


@dataclass(frozen=True)
class Mood:
    """A ground, an ink, and the tint that washes have in them."""

    paper: Colour
    ink: Colour
    tint: Colour

    def tone(self, strength: float) -> Colour:
        """Ink thinned with water: 0 is bare paper, 1 the full ink."""
        return mix(self.paper, self.ink, strength)

    def wash(self, strength: float) -> Colour:
        """The same with the picture's tint in it."""
        return mix(self.paper, mix(self.ink, self.tint, 0.55), strength)


def lay_water_lines(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """A few level strokes: the water itself is bare paper."""
    for _ in range(7):
        x, y = rng.uniform(0.05, 0.95), place.y + rng.uniform(0.03, 0.16)
        reach = rng.uniform(0.06, 0.16)
        wave = [(x - reach, y), (x, y - 0.005), (x + reach, y + 0.003)]
        canvas.stroke(wave, (0.002, 0.007, 0.002), mood.tone(0.38))


def lay_bank(
    canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator, half: float
) -> None:
    """Some earth for a subject to stand on, with moss dots."""
    x, y = place.x, place.y
    hump = [
        (x - half, y + 0.03),
        (x - half / 2, y - 0.01),
        (x, y),
        (x + half / 2, y - 0.005),
        (x + half, y + 0.03),
    ]
    shape = [*smooth(hump), (x + half * 0.8, y + 0.10), (x - half * 0.8, y + 0.10)]
    cover = canvas.stencil(shape, 0.02) * np.clip((y + 0.10 - canvas.rows()) / 0.10, 0, 1)
    canvas.wash(mood.wash(0.7), 0.7 * cover)
    canvas.stroke(hump, (0.003, 0.012, 0.003), mood.tone(0.75))
    for _ in range(10):
        dot = (x + rng.uniform(-0.9, 0.9) * half, y + rng.uniform(0.0, 0.045))
        canvas.disc(dot, rng.uniform(0.004, 0.009), mood.tone(0.8))
