"""Mountains, water, plants, birds and the moon, in the Japanese manner."""

from __future__ import annotations

from itertools import pairwise

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
from bench.atelier.japanese.mood import FOAM, LINE, OUTLINE, RED, Mood, lay_knoll, outline
from bench.atelier.silhouettes import (
    BIRD_BEAK,
    BIRD_BODY,
    BIRD_FAR_TIP,
    BIRD_FAR_WING,
    BIRD_HEAD,
    BIRD_LEGS,
    BIRD_NEAR_TIP,
    BIRD_NEAR_WING,
    BIRD_NECK,
)


def _mountains(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """A snow-capped cone with concave flanks, hills before it."""
    y, height = place.y, place.size * rng.uniform(1.15, 1.4)
    x, half = rng.uniform(0.32, 0.68), rng.uniform(0.46, 0.62)
    flank = np.linspace(-1.0, 1.0, 41)
    rise = np.clip(1 - np.abs(flank), 0, 0.88) ** 1.45
    cone = [(float(x + half * f), float(y - height * r)) for f, r in zip(flank, rise, strict=True)]
    body = vary(mix(mood.sea, mood.zenith, rng.uniform(0.2, 0.8)), rng, 10)
    if rng.random() < 0.25:
        body = vary((176, 82, 58), rng)
    outline(canvas, cone, body)
    fade = np.clip((canvas.rows() - (y - height * 0.45)) / (height * 0.5), 0, 0.8)
    canvas.wash(mood.glow, canvas.stencil(cone) * fade)
    snow = [p for p in cone if p[1] < y - height * 0.50]
    right, left = snow[-1][0], snow[0][0]
    for step, u in enumerate(np.linspace(right, left, 7)[1:-1]):
        snow.append((float(u), y - height * (0.36 if step % 2 == 0 else 0.54)))
    outline(canvas, snow, (246, 244, 236))
    for side in (-1, 1):
        far = 0.5 + side * 0.5
        hill = [
            (far, y - 0.10),
            (far - side * 0.16, y - rng.uniform(0.10, 0.17)),
            (far - side * 0.4, y - 0.02),
            (far - side * 0.5, y),
        ]
        outline(canvas, [*smooth(hill), (far, y)], mix(mood.leaf, mood.zenith, 0.25))


def _river(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """A flat blue band that winds to the front, with combed lines."""
    depth = np.linspace(0.04, 1.0, 50)
    middle = place.x + 0.17 * place.facing * np.sin(depth * rng.uniform(5.0, 7.0))
    half = 0.07 + 0.24 * depth
    y = 0.58 + depth * 0.44
    left = [(float(a), float(b)) for a, b in zip(middle - half, y, strict=True)]
    right = [(float(a), float(b)) for a, b in zip(middle + half, y, strict=True)]
    band = [*left, *right[::-1]]
    outline(canvas, band, mood.sea)
    canvas.wash(
        mix(mood.sea, FOAM, 0.7),
        canvas.stencil(band) * np.clip(1 - (canvas.rows() - 0.58) / 0.2, 0, 0.9),
    )
    for share in (-0.55, 0.0, 0.55):
        comb = [(float(m + h * share), float(b)) for m, h, b in zip(middle, half, y, strict=True)]
        start, end = int(rng.integers(6, 18)), int(rng.integers(36, 50))
        canvas.line(comb[start:end], FOAM, 0.012)
    canvas.line(left, LINE, OUTLINE)
    canvas.line(right, LINE, OUTLINE)


def _pine(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """A bent brown trunk with scalloped pads of flat green."""
    lay_knoll(canvas, place, mood, 0.30)
    sway = rng.uniform(0.7, 1.3)
    trunk = [(0.0, 0.04), (0.07 * sway, -0.25), (-0.06 * sway, -0.5), (0.06 * sway, -0.85)]
    for widths, colour in (
        ((0.105, 0.075, 0.06, 0.04), LINE),
        ((0.08, 0.05, 0.036, 0.018), (122, 80, 56)),
    ):
        canvas.stroke(place.at(trunk), widths, colour)
    pads = [
        (-0.27, -0.42, 0.26),
        (0.30, -0.54, 0.27),
        (-0.20, -0.68, 0.25),
        (0.22, -0.80, 0.22),
        (0.0, -0.95, 0.24),
    ]
    for u, v, half in pads:
        reach = half * rng.uniform(0.85, 1.15)
        canvas.stroke(
            place.at([(0, v + 0.10), (u * 0.6, v + 0.05), (u, v + 0.02)]), (0.03, 0.016), LINE
        )
        lobes = np.linspace(np.pi, 0.0, 33)
        swell = 1 + 0.13 * np.abs(np.sin(lobes * 4))
        pad = [
            (u + reach * float(np.cos(a) * s), v - reach * 0.48 * float(np.sin(a) * s))
            for a, s in zip(lobes, swell, strict=True)
        ]
        outline(
            canvas,
            place.at([*pad, (u + reach * 0.8, v + 0.05), (u - reach * 0.8, v + 0.05)]),
            vary(mood.leaf, rng),
        )


def _bamboo(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """Thick flat stalks, outlined joint by joint."""
    fresh = mix(mood.leaf, (140, 180, 84), rng.uniform(0.35, 0.75))
    for stalk in range(int(rng.integers(2, 4))):
        x = -0.17 + 0.17 * stalk + rng.uniform(-0.03, 0.03)
        lean, half = rng.uniform(-0.08, 0.08), rng.uniform(0.030, 0.040)
        joints = np.linspace(0.05, -1.0, 6)
        for low, high in pairwise(joints):
            a, b = x + lean * low, x + lean * high
            outline(
                canvas,
                place.at([(a - half, low), (a + half, low), (b + half, high), (b - half, high)]),
                vary(fresh, rng, 4),
                0.010,
            )
            if low < -0.1:
                _leaves(canvas, place, (b, high), vary(mood.leaf, rng), rng)


def _leaves(
    canvas: Canvas, place: Place, root: Point, colour: Colour, rng: np.random.Generator
) -> None:
    side = float(rng.choice((-1.0, 1.0)))
    for angle in rng.uniform(-0.35, 1.0, 3):
        reach = rng.uniform(0.20, 0.28)
        along = np.array([side * np.cos(angle), np.sin(angle)]) * reach
        across = np.array([-along[1], along[0]]) * 0.17
        start = np.array(root)
        leaf = (start, start + along * 0.4 + across, start + along, start + along * 0.4 - across)
        outline(canvas, place.at([(float(p[0]), float(p[1])) for p in leaf]), colour, 0.008)


def _bird(canvas: Canvas, place: Place, _mood: Mood, _rng: np.random.Generator) -> None:
    """A white crane with black wing tips and red crown, flat and outlined."""
    place = Place(place.x, place.y + 0.14 * place.size, place.size, place.facing)
    canvas.line(place.at(BIRD_LEGS), LINE, 0.012)
    for shape, tip in ((BIRD_FAR_WING, BIRD_FAR_TIP), (BIRD_NEAR_WING, BIRD_NEAR_TIP)):
        outline(canvas, smooth(place.at(shape)), (250, 248, 240), 0.011)
        canvas.polygon(place.at(tip), LINE)
    outline(canvas, smooth(place.at(BIRD_BODY)), (250, 248, 240), 0.011)
    canvas.line(smooth(place.at(BIRD_NECK)), LINE, 0.05 * place.size)
    canvas.disc(place.spot(*BIRD_HEAD), 0.036 * place.size, (250, 248, 240), LINE, 0.008)
    canvas.disc(place.spot(0.40, -0.105), 0.022 * place.size, RED)
    canvas.polygon(place.at(BIRD_BEAK), (210, 160, 60))


def _moon(canvas: Canvas, place: Place, _mood: Mood, rng: np.random.Generator) -> None:
    """One flat pale disc."""
    canvas.disc((place.x, place.y), place.size, vary((248, 240, 206), rng), LINE, 0.009)
    if rng.random() < 0.4:
        y = place.y + place.size * rng.uniform(0.1, 0.6)
        canvas.line([(place.x - 0.2, y), (place.x + 0.14, y)], mix(FOAM, LINE, 0.35), 0.024)


PAINTERS = {
    "mountains": _mountains,
    "river": _river,
    "pine": _pine,
    "bamboo": _bamboo,
    "bird": _bird,
    "moon": _moon,
}
"""Subject to the function that paints it."""
