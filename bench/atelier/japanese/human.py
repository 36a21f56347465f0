"""People, and what they build and sail, in the Japanese manner."""

from __future__ import annotations

import numpy as np

from bench.atelier.brush import (
    Canvas,
    choose,
    smooth,
    vary,
)
from bench.atelier.composition import Place
from bench.atelier.japanese.mood import FOAM, LINE, RED, Mood, lay_knoll, lay_waves, outline
from bench.atelier.silhouettes import (
    SKIFF,
)


def _boat(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """A flat hull with one square sail of several cloths."""
    sail = place.at([(-0.24, -0.20), (-0.28, -0.74), (0.20, -0.78), (0.22, -0.20)])
    canvas.line(place.at([(-0.02, -0.05), (-0.03, -0.90)]), (96, 66, 44), 0.022)
    outline(canvas, sail, vary((242, 234, 210), rng))
    for share in (0.33, 0.66):
        canvas.line(
            place.at([(-0.24 + 0.46 * share, -0.21), (-0.28 + 0.48 * share, -0.75)]), LINE, 0.007
        )
    outline(canvas, smooth(place.at(SKIFF)), vary((164, 104, 62), rng))
    canvas.line(
        place.at([(-0.46, -0.08), (-0.2, 0.0), (0.2, 0.0), (0.46, -0.09)]),
        RED if rng.random() < 0.5 else (70, 44, 34),
        0.014,
    )
    lay_waves(canvas, place.y + 0.08, 0.05, mood, rng)


def _house(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """A deep flat thatch over a grid of paper screens."""
    lay_knoll(canvas, place, mood, 0.72 * place.size)
    outline(
        canvas,
        place.at([(-0.38, 0.02), (-0.38, -0.32), (0.38, -0.32), (0.38, 0.02)]),
        (232, 220, 186),
    )
    for u in (-0.19, 0.0, 0.19):
        canvas.line(place.at([(u, 0.0), (u, -0.32)]), LINE, 0.010)
    canvas.line(place.at([(-0.38, -0.14), (0.38, -0.14)]), LINE, 0.010)
    roof = [(-0.58, -0.26), (-0.24, -0.68), (0.24, -0.68), (0.58, -0.26)]
    outline(
        canvas, place.at(roof), vary((150, 112, 66) if rng.random() < 0.6 else (84, 94, 112), rng)
    )
    outline(
        canvas,
        place.at([(-0.28, -0.66), (-0.28, -0.74), (0.28, -0.74), (0.28, -0.66)]),
        (96, 70, 52),
    )


def _bridge(canvas: Canvas, place: Place, _mood: Mood, rng: np.random.Generator) -> None:
    """A red drum bridge on wooden posts."""
    deck = smooth([(-0.56, 0.0), (-0.3, -0.17), (0.0, -0.24), (0.3, -0.17), (0.56, 0.0)])
    wood = vary(RED, rng) if rng.random() < 0.7 else vary((170, 122, 70), rng)
    for u in (-0.3, -0.1, 0.1, 0.3):
        canvas.line(place.at([(u, -0.18), (u, 0.10)]), LINE, 0.034)
        canvas.line(place.at([(u, -0.18), (u, 0.10)]), (120, 78, 54), 0.018)
    outline(canvas, place.at([*deck, *[(u, v + 0.075) for u, v in deck[::-1]]]), wood)
    rail = [(u, v - 0.10) for u, v in deck]
    for u, v in deck[1::4]:
        canvas.line(place.at([(u, v), (u, v - 0.13)]), LINE, 0.020)
    canvas.line(place.at(rail), LINE, 0.026)
    canvas.line(place.at(rail), wood, 0.012)


def _figure(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """A walker in patterned robe and sash, under a paper umbrella or a straw hat."""
    lay_knoll(canvas, place, mood, 0.55 * place.size)
    cloth = choose(rng, ((58, 84, 140), (150, 62, 74), (92, 110, 78), (120, 84, 130)))
    robe = [
        (-0.10, -0.72),
        (0.10, -0.72),
        (0.28, -0.42),
        (0.20, -0.34),
        (0.15, -0.40),
        (0.20, 0.0),
        (-0.20, 0.0),
        (-0.14, -0.40),
        (-0.20, -0.34),
        (-0.27, -0.42),
    ]
    outline(canvas, place.at(robe), cloth)
    for u, v in ((-0.08, -0.12), (0.08, -0.20), (-0.02, -0.28), (0.1, -0.06), (-0.12, -0.26)):
        canvas.disc(place.spot(u, v), 0.028 * place.size, FOAM)
    outline(
        canvas,
        place.at([(-0.14, -0.40), (-0.13, -0.52), (0.13, -0.52), (0.15, -0.40)]),
        (222, 178, 84),
        0.008,
    )
    canvas.disc(place.spot(0.01, -0.81), 0.105 * place.size, (242, 214, 184), LINE, 0.010)
    if rng.random() < 0.5:
        canvas.line(place.at([(0.20, -0.42), (0.16, -1.04)]), LINE, 0.012)
        outline(
            canvas,
            place.at([(-0.30, -0.94), (-0.08, -1.10), (0.14, -1.16), (0.38, -1.08), (0.58, -0.92)]),
            RED if rng.random() < 0.5 else (226, 190, 110),
        )
    else:
        outline(canvas, place.at([(-0.24, -0.84), (0.01, -1.04), (0.26, -0.84)]), (226, 190, 110))


PAINTERS = {
    "boat": _boat,
    "house": _house,
    "bridge": _bridge,
    "figure": _figure,
}
"""Subject to the function that paints it."""
