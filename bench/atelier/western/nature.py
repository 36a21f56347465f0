"""Mountains, water, plants, birds and the moon, in the Western manner."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.atelier.brush import (
    Canvas,
    Point,
    choose,
    mix,
    noise,
    ridge,
    smooth,
    vary,
)
from bench.atelier.composition import Place
from bench.atelier.silhouettes import (
    BIRD_BEAK,
    BIRD_BODY,
    BIRD_FAR_TIP,
    BIRD_FAR_WING,
    BIRD_HEAD,
    BIRD_NEAR_TIP,
    BIRD_NEAR_WING,
    BIRD_NECK,
)
from bench.atelier.western.mood import Mood, lay_bank, model, shade


def _mountains(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """Rock with lit and shaded faces, blue with distance, snow on the highest."""
    rows, side = canvas.rows(), canvas.side
    for layer in range(2):
        near = layer * 0.5 + 0.3
        peaks = [
            (
                rng.uniform(0.0, 1.0),
                place.size * (1.55 - 1.1 * near) * rng.uniform(0.7, 1.1),
                rng.uniform(0.26, 0.42),
            )
            for _ in range(3)
        ]
        crest = place.y - ridge(rng, side, peaks, 0.06)[None, :]
        depth = rows - crest
        inside = (depth > 0).astype(np.float32)
        rock = noise(rng, side, (11, 9), 4)
        face = (np.roll(rock, 4, axis=1) - np.roll(rock, -4, axis=1)) * mood.light * 7
        slope = np.gradient(crest[0])[None, :] * mood.light * 0.35
        amount = 0.45 + face + np.clip(slope, -0.35, 0.35)
        stone = mix(mix((112, 98, 92), mood.leaf, 0.45 * near), mood.sky, 0.34 - 0.3 * near)
        shade(canvas, inside, mood.shaded(stone, 0.45 + 0.15 * near), mood.lit(stone, 0.45), amount)
        if layer == 0:
            snow = (
                inside * (depth + (rock - 0.5) * 0.30 < 0.06) * (crest < place.y - place.size * 0.6)
            )
            shade(canvas, snow, mix((206, 216, 236), mood.sky, 0.5), (255, 250, 240), amount)
        haze = np.clip((rows - place.y + 0.20) / 0.30, 0, 0.65) * inside
        canvas.wash(mood.glow, haze * (0.9 - near * 0.7))


def _river(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """A stream in perspective that mirrors the sky."""
    rows, columns, side = canvas.rows(), canvas.columns(), canvas.side
    top = 0.60
    depth = np.clip((rows - top) / (1 - top), 0, 1)
    middle = place.x + 0.17 * place.facing * np.sin(depth * rng.uniform(5.0, 7.0))
    half = 0.05 + 0.27 * depth
    reach = np.abs(columns - middle) / half
    cover = np.clip((1.0 - reach) * 14, 0, 1) * (rows > top)
    verge = np.clip((1.16 - reach) * 10, 0, 1) * (rows > top)
    canvas.wash(mood.shaded(mood.field, 0.7), verge * 0.8)
    shade(
        canvas,
        cover,
        mix(mood.glow, (255, 255, 255), 0.25),
        mix(mood.water, mood.sky, 0.4),
        depth**0.7,
    )
    ripple = noise(rng, side, (9, 40), 2)
    canvas.wash(mix(mood.cloud, (255, 255, 255), 0.4), cover * (ripple > 0.66) * 0.7)
    canvas.wash(mood.shaded(mood.water), cover * (ripple < 0.30) * 0.5)


def _dabs(
    canvas: Canvas,
    place: Place,
    crown: Sequence[tuple[float, float, float]],
    mood: Mood,
    rng: np.random.Generator,
) -> None:
    """Build foliage from many dabs, each lit by where it stands on its clump (u, v, radius)."""
    dabs = []
    for u, v, radius in crown:
        for _ in range(24):
            angle, share = rng.uniform(0, 2 * np.pi), float(np.sqrt(rng.random()))
            du, dv = share * float(np.cos(angle)), share * float(np.sin(angle))
            dabs.append(
                (
                    u + du * radius,
                    v + dv * radius * 0.8,
                    0.55 * du * mood.light * place.facing - 0.55 * dv,
                )
            )
    for u, v, light in sorted(dabs, key=lambda dab: dab[2]):
        if light > 0:
            tone = mood.lit(mood.leaf, 0.55 * light)
        else:
            tone = mood.shaded(mood.leaf, 0.35 - 0.6 * light)
        canvas.disc(place.spot(u, v), rng.uniform(0.020, 0.034) * place.size, vary(tone, rng, 7))


def _pine(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """A tall cone of lit clumps round a reddish trunk."""
    lay_bank(canvas, place, mood, 0.26)
    trunk = smooth([(0.0, 0.01), (0.03, -0.3), (-0.02, -0.6), (0.02, -0.9)])
    canvas.polygon(
        place.at(
            [(u - 0.035 * (1.1 + v), v) for u, v in trunk]
            + [(u + 0.035 * (1.1 + v), v) for u, v in trunk[::-1]]
        ),
        mood.shaded((124, 78, 50), 0.5),
    )
    glint = [(u + 0.016 * mood.light * place.facing, v) for u, v in trunk]
    canvas.line(place.at(glint), mood.lit((150, 92, 58), 0.5), 0.014)
    tiers = np.linspace(-0.26, -0.98, 6)
    crown = [
        (
            side * 0.55 * float(1.06 + tier) * 0.42,
            float(tier) + rng.uniform(-0.02, 0.02),
            0.035 + 0.17 * float(1.0 + tier),
        )
        for tier in tiers
        for side in (-1.0, 0.0, 1.0)
    ]
    _dabs(canvas, place, crown, mood, rng)


def _bamboo(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """Round canes, each with its light and its dark side."""
    cane = mix((150, 152, 74), mood.leaf, rng.uniform(0.1, 0.4))
    for stalk in range(int(rng.integers(2, 4))):
        x = -0.17 + 0.17 * stalk + rng.uniform(-0.03, 0.03)
        lean, half = rng.uniform(-0.08, 0.08), rng.uniform(0.028, 0.038)
        joints = np.linspace(0.05, -1.0, 6)
        model(
            canvas,
            place.at(
                [
                    (x - half, 0.05),
                    (x + half, 0.05),
                    (x - lean + half, -1.0),
                    (x - lean - half, -1.0),
                ]
            ),
            cane,
            mood,
        )
        for joint in joints[1:]:
            u = x + lean * joint
            canvas.line(
                place.at([(u - half * 1.2, joint), (u + half * 1.2, joint)]),
                mood.shaded(cane, 0.6),
                0.010,
            )
            if joint < -0.25:
                _leaves(canvas, place.spot(u, joint), place.size, mood, rng)


def _leaves(canvas: Canvas, root: Point, size: float, mood: Mood, rng: np.random.Generator) -> None:
    side = float(rng.choice((-1.0, 1.0)))
    for angle in rng.uniform(-0.4, 1.2, 6):
        reach = size * rng.uniform(0.14, 0.26)
        tip = (
            root[0] + side * reach * float(np.cos(angle)),
            root[1] + reach * float(np.sin(angle)),
        )
        bend = ((root[0] + tip[0]) / 2, (root[1] + tip[1]) / 2 - 0.02)
        tone = (
            mood.lit(mood.leaf, 0.5)
            if side == mood.light and angle < 0.5
            else mood.shaded(mood.leaf, rng.uniform(0.0, 0.5))
        )
        canvas.stroke([root, bend, tip], (0.008, 0.038, 0.004), vary(tone, rng, 8))


def _bird(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """A heavy goose, its far wing in shadow."""
    place = Place(place.x, place.y + 0.14 * place.size, place.size, place.facing)
    plume = choose(rng, ((140, 128, 120), (104, 100, 106), (160, 128, 98), (238, 232, 222)))
    canvas.polygon(smooth(place.at(BIRD_FAR_WING)), mood.shaded(plume, 0.5))
    canvas.polygon(place.at(BIRD_FAR_TIP), mood.shaded((70, 66, 70), 0.5))
    body = smooth(place.at(BIRD_BODY))
    top = min(y for _, y in body)
    down = (canvas.rows() - top) / (0.17 * place.size)
    shade(canvas, canvas.stencil(body), mood.lit(plume, 0.4), mood.shaded(plume, 0.4), down)
    model(canvas, smooth(place.at(BIRD_NEAR_WING)), mood.lit(plume, 0.1), mood)
    for share in (0.3, 0.5, 0.7):
        canvas.line(
            place.at(
                [
                    (0.06 - 0.2 * share, -0.08 - 0.1 * share),
                    (-0.30 + 0.1 * share, -0.28 - 0.2 * share),
                ]
            ),
            mood.shaded(plume, 0.4),
            0.008,
        )
    canvas.polygon(smooth(place.at(BIRD_NEAR_TIP)), mood.shaded((82, 78, 80), 0.3))
    canvas.stroke(
        place.at(BIRD_NECK),
        (0.09 * place.size, 0.05 * place.size, 0.045 * place.size),
        mix(plume, mood.cool, 0.15),
    )
    canvas.disc(place.spot(*BIRD_HEAD), 0.038 * place.size, mood.lit(plume, 0.2))
    canvas.polygon(place.at(BIRD_BEAK), (216, 140, 50))


def _moon(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """A modelled globe that lights the clouds about it."""
    away = np.hypot(canvas.columns() - place.x, canvas.rows() - place.y)
    canvas.wash(mood.warm, np.clip(0.85 - away / (3.2 * place.size), 0, 0.75))
    ball = np.clip((place.size - away) * canvas.side / 3, 0, 1)
    craters = noise(rng, canvas.side, (22, 22), 2)
    glow = 1.05 - 0.55 * away / place.size + 0.5 * (craters - 0.5)
    shade(canvas, ball, (206, 190, 150), (255, 252, 232), glow)


PAINTERS = {
    "mountains": _mountains,
    "river": _river,
    "pine": _pine,
    "bamboo": _bamboo,
    "bird": _bird,
    "moon": _moon,
}
"""Subject to the function that paints it."""
