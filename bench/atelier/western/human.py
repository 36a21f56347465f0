"""People, and what they build and sail, in the Western manner."""

from __future__ import annotations

import numpy as np

from bench.atelier.brush import (
    Canvas,
    choose,
    mix,
    noise,
    smooth,
)
from bench.atelier.composition import Place
from bench.atelier.silhouettes import (
    SKIFF,
)
from bench.atelier.western.mood import Mood, lay_bank, model, shade


def _boat(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """A sloop under sail with its reflection."""
    cloth = choose(rng, ((236, 226, 204), (224, 206, 170), (176, 92, 58)))
    mirror = [(0.42, 0.06), (-0.42, 0.06), (-0.2, 0.34), (0.22, 0.34)]
    canvas.wash(
        mood.shaded(mix(cloth, mood.water, 0.5), 0.3),
        0.65 * canvas.stencil(place.at(mirror), 0.012),
    )
    canvas.line(place.at([(0.0, -0.05), (0.0, -0.98)]), (70, 50, 36), 0.014)
    for sail in (
        [(0.03, -0.16), (0.03, -0.96), (0.20, -0.52), (0.42, -0.16)],
        [(-0.03, -0.16), (-0.02, -0.90), (-0.22, -0.46), (-0.38, -0.18)],
    ):
        model(canvas, place.at(smooth([*sail, sail[0]], 5)), cloth, mood)
    hull = choose(rng, ((96, 56, 38), (64, 66, 74), (116, 44, 36)))
    model(canvas, smooth(place.at(SKIFF)), hull, mood)
    canvas.line(
        place.at([(-0.46, -0.12), (-0.2, -0.03), (0.2, -0.03), (0.46, -0.12)]),
        mood.lit((190, 150, 100)),
        0.012,
    )
    canvas.wash(
        mood.cool,
        0.5
        * canvas.stencil(
            place.at([(-0.36, 0.05), (0.36, 0.05), (0.28, 0.11), (-0.28, 0.11)]), 0.008
        ),
    )


def _house(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """A cottage seen from its corner: one wall in the light, one in shade."""
    lay_bank(canvas, place, mood, 0.68 * place.size)
    wall = choose(rng, ((218, 204, 176), (176, 132, 96), (200, 178, 150)))
    tiles = choose(rng, ((142, 70, 46), (98, 76, 62), (112, 92, 58)))
    place = Place(place.x, place.y, place.size, mood.light)
    # Facing the light puts the gable, drawn on the positive side, in the sun
    front = [(-0.50, 0.0), (-0.50, -0.30), (0.10, -0.34), (0.10, 0.03)]
    gable = [(0.10, 0.03), (0.10, -0.34), (0.28, -0.62), (0.46, -0.31), (0.46, 0.0)]
    roof = [(-0.56, -0.28), (-0.36, -0.58), (0.28, -0.64), (0.10, -0.31)]
    canvas.polygon(
        place.at([(-0.30, -0.58), (-0.30, -0.76), (-0.18, -0.76), (-0.18, -0.58)]),
        mood.shaded(tiles, 0.4),
    )
    canvas.polygon(place.at(front), mood.shaded(wall, 0.48))
    canvas.polygon(place.at(gable), mood.lit(wall, 0.5))
    canvas.polygon(place.at(roof), mood.shaded(tiles, 0.25))
    canvas.line(place.at([(0.28, -0.64), (0.49, -0.29)]), mood.shaded(tiles, 0.1), 0.022)
    canvas.line(place.at([(-0.36, -0.58), (0.28, -0.64)]), mood.lit(tiles, 0.5), 0.012)
    pane = mood.shaded((70, 66, 64), 0.5)
    for u in (-0.40, -0.10):
        canvas.polygon(
            place.at([(u, -0.10), (u, -0.22), (u + 0.11, -0.225), (u + 0.11, -0.10)]), pane
        )
    canvas.polygon(
        place.at([(0.22, 0.02), (0.22, -0.22), (0.34, -0.21), (0.34, 0.01)]),
        mood.shaded((96, 62, 42), 0.3),
    )


def _bridge(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """A stone bridge of two arches, its vaults in shadow, mirrored below."""
    stone = choose(rng, ((168, 150, 122), (146, 138, 130), (176, 140, 104)))
    mirror = [(-0.5, 0.07), (0.5, 0.07), (0.42, 0.24), (-0.42, 0.24)]
    canvas.wash(
        mood.shaded(mix(stone, mood.water, 0.5), 0.4), 0.6 * canvas.stencil(place.at(mirror), 0.014)
    )
    deck = smooth([(-0.60, -0.12), (-0.3, -0.22), (0.0, -0.26), (0.3, -0.22), (0.60, -0.12)])
    body = place.at([*deck, (0.56, 0.08), (-0.56, 0.08)])
    grain = noise(rng, canvas.side, (30, 40), 1)
    across = canvas.columns() if mood.light > 0 else 1 - canvas.columns()
    shade(
        canvas,
        canvas.stencil(body),
        mood.shaded(stone, 0.35),
        mood.lit(stone, 0.4),
        across * 0.9 + 0.5 * (grain - 0.5),
    )
    for centre in (-0.24, 0.24):
        turn = np.linspace(np.pi, 0, 17)
        vault = [(centre + 0.16 * float(np.cos(a)), 0.085 - 0.22 * float(np.sin(a))) for a in turn]
        canvas.polygon(place.at(vault), mood.shaded(mood.water, 0.75))
        canvas.line(place.at(vault), mood.lit(stone, 0.35), 0.014)
    canvas.line(place.at(deck), mood.lit(stone, 0.7), 0.020)


def _figure(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """A traveller in coat and brimmed hat, throwing a long shadow."""
    lay_bank(canvas, place, mood, 0.5 * place.size)
    coat = choose(rng, ((120, 52, 40), (60, 72, 92), (96, 84, 56), (84, 58, 70)))
    for u in (-0.07, 0.07):
        canvas.line(
            place.at([(u, -0.36), (u * 1.3, 0.0)]),
            mood.shaded((66, 56, 50), 0.4),
            0.10 * place.size,
        )
    model(
        canvas,
        smooth(
            place.at(
                [
                    (-0.11, -0.74),
                    (0.11, -0.74),
                    (0.19, -0.56),
                    (0.17, -0.24),
                    (-0.17, -0.24),
                    (-0.19, -0.56),
                    (-0.11, -0.74),
                ]
            )
        ),
        coat,
        mood,
    )
    model(
        canvas, place.at([(0.13, -0.70), (0.26, -0.46), (0.20, -0.40), (0.10, -0.56)]), coat, mood
    )
    head = [
        (0.085 * float(np.cos(a)), -0.82 + 0.10 * float(np.sin(a)))
        for a in np.linspace(0, 2 * np.pi, 20)
    ]
    model(canvas, place.at(head), (204, 152, 118), mood)
    model(
        canvas,
        place.at(
            [
                (-0.18, -0.87),
                (0.18, -0.87),
                (0.09, -0.91),
                (0.08, -1.0),
                (-0.08, -1.0),
                (-0.09, -0.91),
            ]
        ),
        (92, 70, 48),
        mood,
    )
    canvas.line(place.at([(0.25, -0.50), (0.32, 0.0)]), (84, 60, 40), 0.012)


PAINTERS = {
    "boat": _boat,
    "house": _house,
    "bridge": _bridge,
    "figure": _figure,
}
"""Subject to the function that paints it."""
