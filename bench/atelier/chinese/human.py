"""People, and what they build and sail, in the Chinese manner."""

from __future__ import annotations

import numpy as np

from bench.atelier.brush import (
    Canvas,
    mix,
    smooth,
)
from bench.atelier.chinese.mood import Mood, lay_bank, lay_water_lines
from bench.atelier.composition import Place
from bench.atelier.silhouettes import (
    SKIFF,
)


def _boat(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    lay_water_lines(canvas, place, mood, rng)
    canvas.polygon(smooth(place.at(SKIFF)), mood.wash(0.62))
    canvas.stroke(
        place.at([(-0.52, -0.17), (-0.3, -0.06), (0, -0.03), (0.3, -0.06), (0.52, -0.18)]),
        (0.012, 0.022, 0.012),
        mood.tone(0.92),
    )
    canvas.stroke(
        place.at([(-0.4, 0.02), (0, 0.08), (0.4, 0.02)]), (0.006, 0.02, 0.006), mood.tone(0.85)
    )
    awning = [(-0.26, -0.05), (-0.24, -0.18), (-0.08, -0.24), (0.08, -0.18), (0.10, -0.05)]
    canvas.polygon(smooth(place.at(awning)), mood.tone(0.55))
    canvas.stroke(place.at(awning), (0.01, 0.018, 0.01), mood.tone(0.9))
    canvas.stroke(
        place.at([(0.26, -0.05), (0.26, -0.17), (0.24, -0.24)]), (0.05, 0.035, 0.02), mood.tone(0.8)
    )
    canvas.polygon(place.at([(0.14, -0.25), (0.25, -0.33), (0.37, -0.25)]), mood.tone(0.95))
    canvas.line(place.at([(0.34, -0.36), (0.52, 0.12)]), mood.tone(0.85), 0.008)


def _house(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """A hall with upturned eaves, open at the front."""
    lay_bank(canvas, place, mood, rng, 0.62 * place.size)
    wall = [(-0.34, 0.0), (-0.34, -0.32), (0.34, -0.32), (0.34, 0.0)]
    canvas.polygon(place.at(wall), mix(mood.paper, (255, 255, 250), 0.5))
    canvas.polygon(
        place.at([(-0.12, 0), (-0.12, -0.24), (0.12, -0.24), (0.12, 0)]), mood.tone(0.55)
    )
    roof = [
        (-0.56, -0.36),
        (-0.40, -0.33),
        (0.40, -0.33),
        (0.56, -0.36),
        (0.34, -0.46),
        (0.22, -0.62),
        (-0.22, -0.62),
        (-0.34, -0.46),
    ]
    canvas.polygon(place.at(roof), mood.wash(0.68))
    for u in np.linspace(-0.8, 0.8, 9):
        canvas.line(place.at([(0.26 * u, -0.61), (0.52 * u, -0.34)]), mood.tone(0.85), 0.006)
    canvas.stroke(
        place.at([(-0.60, -0.42), (-0.42, -0.34), (0, -0.33), (0.42, -0.34), (0.60, -0.42)]),
        (0.008, 0.022, 0.008),
        mood.tone(0.92),
    )
    canvas.stroke(
        place.at([(-0.28, -0.65), (0, -0.62), (0.28, -0.65)]), (0.012, 0.02, 0.012), mood.tone(0.92)
    )
    for u in (-0.34, -0.12, 0.12, 0.34):
        canvas.line(place.at([(u, 0.0), (u, -0.32)]), mood.tone(0.85), 0.011)
    canvas.line(place.at([(-0.42, 0.0), (0.42, 0.0)]), mood.tone(0.85), 0.010)


def _bridge(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """One high stone arch over bare water."""
    lay_water_lines(canvas, place, mood, rng)
    deck = smooth([(-0.55, 0.0), (-0.28, -0.16), (0.0, -0.25), (0.28, -0.16), (0.55, 0.0)])
    arch = smooth([(0.24, 0.04), (0.19, -0.07), (0.0, -0.15), (-0.19, -0.07), (-0.24, 0.04)])
    canvas.polygon(place.at([*deck, (0.5, 0.05), *arch, (-0.5, 0.05)]), mood.wash(0.42))
    canvas.stroke(place.at(arch), (0.010, 0.018, 0.010), mood.tone(0.85))
    canvas.stroke(place.at(deck), (0.012, 0.020, 0.012), mood.tone(0.92))
    rail = [(u, v - 0.085) for u, v in deck]
    canvas.stroke(place.at(rail), (0.006, 0.012, 0.006), mood.tone(0.85))
    for u, v in deck[2::5]:
        canvas.line(place.at([(u, v), (u, v - 0.095)]), mood.tone(0.85), 0.008)


def _figure(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """A scholar in a wide robe, with hat and staff."""
    lay_bank(canvas, place, mood, rng, 0.5 * place.size)
    robe = [
        (-0.10, -0.74),
        (0.10, -0.74),
        (0.26, -0.44),
        (0.22, -0.36),
        (0.18, -0.40),
        (0.24, 0.0),
        (-0.24, 0.0),
        (-0.16, -0.40),
        (-0.24, -0.38),
    ]
    canvas.polygon(place.at(robe), mix(mood.wash(0.28), (255, 255, 250), 0.2))
    canvas.stroke(
        place.at(
            [
                (-0.10, -0.74),
                (-0.22, -0.42),
                (-0.16, -0.38),
                (-0.2, -0.2),
                (-0.25, 0.0),
                (0, 0.02),
                (0.25, 0.0),
            ]
        ),
        (0.006, 0.022, 0.008, 0.02, 0.008),
        mood.tone(0.92),
    )
    canvas.stroke(
        place.at([(0.10, -0.74), (0.28, -0.44), (0.18, -0.38), (0.25, 0.0)]),
        (0.006, 0.022, 0.008, 0.016),
        mood.tone(0.92),
    )
    canvas.stroke(
        place.at([(0.0, -0.72), (0.03, -0.4), (-0.02, -0.05)]),
        (0.004, 0.012, 0.004),
        mood.tone(0.75),
    )
    canvas.line(place.at([(-0.16, -0.46), (0.18, -0.46)]), mood.tone(0.8), 0.012)
    canvas.disc(
        place.spot(0.02, -0.84),
        0.10 * place.size,
        mix(mood.paper, (224, 186, 150), 0.6),
        mood.tone(0.85),
        0.008,
    )
    canvas.polygon(
        place.at([(-0.10, -0.88), (-0.06, -1.02), (0.08, -1.02), (0.12, -0.88)]), mood.tone(0.95)
    )
    canvas.line(place.at([(0.34, -0.9), (0.32, 0.02)]), mood.tone(0.88), 0.011)


PAINTERS = {
    "boat": _boat,
    "house": _house,
    "bridge": _bridge,
    "figure": _figure,
}
"""Subject to the function that paints it."""
