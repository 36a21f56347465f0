"""Mountains, water, plants, birds and the moon, in the Chinese manner."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from bench.atelier.brush import (
    Canvas,
    mix,
    noise,
    ridge,
    smooth,
)
from bench.atelier.chinese.mood import Mood, lay_bank
from bench.atelier.composition import Place
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
    """Far to near ranks of peaks, each fading down into mist."""
    rows, side = canvas.rows(), canvas.side
    layers = int(rng.integers(2, 4))
    for layer in range(layers):
        near = (layer + 1) / layers
        count = int(rng.integers(2, 5))
        top = place.size * (1.35 - 0.55 * near)
        peaks = [
            (rng.uniform(0.0, 1.0), top * rng.uniform(0.65, 1.0), rng.uniform(0.14, 0.32))
            for _ in range(count)
        ]
        foot = place.y + 0.10 * near
        crest = foot - ridge(rng, side, peaks, 0.05)[None, :]
        depth = rows - crest
        inside = depth > 0
        strength = 0.34 + 0.50 * near
        # Texture strokes run down the rock, so the noise is stretched along the slope
        streaks = noise(rng, side, (46, 9), 2)
        fade = np.clip(np.exp(-np.maximum(depth, 0) / (0.16 + 0.10 * near)), 0, 1)
        mist = np.clip((foot + 0.06 - rows) / 0.16, 0, 1)
        body = inside * fade * mist * (0.35 + 0.95 * np.clip(streaks - 0.25, 0, 1))
        canvas.wash(mood.paper, inside * mist * 0.92)
        canvas.wash(mood.wash(0.95), strength * body)
        rough = noise(rng, side, (30, 30), 1)
        edge = inside * np.exp(-np.maximum(depth, 0) / 0.010) * (rough > 0.34)
        canvas.wash(mood.ink, strength * 1.05 * edge * mist)
        dry = inside * (streaks > 0.60) * fade * mist
        canvas.wash(mood.ink, 0.55 * strength * dry)


def _river(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """Bare paper between two washed banks, with a few lines for the current."""
    rows, columns = canvas.rows(), canvas.columns()
    depth = np.clip((rows - place.y) / (1.0 - place.y), 0, 1)
    bend = 0.17 * place.facing * np.sin(depth * rng.uniform(5.0, 7.0))
    middle = place.x + bend
    half = 0.06 + 0.26 * depth
    outside = np.clip((np.abs(columns - middle) - half) / 0.22, -1, 1)
    bank = np.clip((rows - place.y) / 0.12, 0, 1) * (outside > 0)
    tooth = noise(rng, canvas.side, (14, 40), 2)
    canvas.wash(mood.wash(0.8), 0.75 * bank * np.exp(-outside * 2.2) * (0.3 + 0.8 * tooth))
    edge = bank * np.exp(-outside / 0.06) * (tooth > 0.42)
    canvas.wash(mood.ink, 0.8 * edge)
    for _ in range(9):
        level = rng.uniform(0.08, 0.98)
        y = place.y + level * (1 - place.y)
        row = min(int(y * canvas.side), canvas.side - 1)
        x = float(middle[row, 0]) + rng.uniform(-0.5, 0.5) * float(half[row, 0])
        reach = rng.uniform(0.05, 0.12) * (0.5 + level)
        wave = [
            (x - reach, y),
            (x - reach / 3, y - 0.006),
            (x + reach / 3, y + 0.006),
            (x + reach, y),
        ]
        canvas.stroke(wave, (0.002, 0.008, 0.002), mood.tone(0.5))


def _pine(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """A crooked trunk with flat fans of needles."""
    lay_bank(canvas, place, mood, rng, 0.24)
    sway = rng.uniform(0.7, 1.2)
    trunk = [
        (0.0, 0.0),
        (0.06 * sway, -0.2),
        (-0.05 * sway, -0.42),
        (0.07 * sway, -0.64),
        (0.0, -0.88),
    ]
    canvas.stroke(place.at(trunk), (0.075, 0.055, 0.05, 0.035, 0.012), mood.tone(0.85))
    canvas.stroke(place.at(trunk), (0.04, 0.025, 0.02, 0.01, 0.004), mood.wash(0.55))
    tufts = [
        (-0.30, -0.40),
        (0.36, -0.50),
        (-0.26, -0.64),
        (0.28, -0.76),
        (0.02, -0.94),
        (-0.12, -0.84),
    ]
    for across, up in tufts[: int(rng.integers(5, 7))]:
        u, v = across * rng.uniform(0.8, 1.1), up + rng.uniform(-0.03, 0.03)
        canvas.stroke(
            place.at([(u * 0.1, v + 0.06), (u * 0.6, v + 0.05), (u, v)]),
            (0.022, 0.016, 0.008),
            mood.tone(0.85),
        )
        for du in (-0.11, -0.02, 0.08):
            _needles(canvas, place.spot(u + du, v + 0.01), 0.125 * place.size, mood, rng)


def _needles(
    canvas: Canvas, root: tuple[float, float], length: float, mood: Mood, rng: np.random.Generator
) -> None:
    x, y = root
    shade = [
        (x - length, y - length * 0.1),
        (x, y - length * 0.8),
        (x + length, y - length * 0.1),
        (x, y + length * 0.15),
    ]
    canvas.wash(mood.wash(0.9), 0.42 * canvas.stencil(shade, 0.012))
    for angle in np.linspace(np.pi * 0.97, np.pi * 0.03, 15) + rng.normal(0, 0.06, 15):
        reach = length * rng.uniform(0.8, 1.1)
        tip = (x + reach * float(np.cos(angle)), y - 0.75 * reach * float(np.sin(angle)))
        canvas.line([root, tip], mood.tone(rng.uniform(0.75, 1.0)), 0.005)


def _bamboo(canvas: Canvas, place: Place, mood: Mood, rng: np.random.Generator) -> None:
    """Jointed stalks in one breath each, leaves in drooping groups."""
    for stalk in range(int(rng.integers(2, 4))):
        x = -0.16 + 0.17 * stalk + rng.uniform(-0.03, 0.03)
        lean = rng.uniform(-0.10, 0.10)
        tone = mood.wash(rng.uniform(0.5, 0.9))
        joints = np.linspace(0.0, -1.0, int(rng.integers(5, 7)))
        for low, high in pairwise(joints):
            foot = (x + lean * low * low, low - 0.012)
            head = (x + lean * high * high, high + 0.012)
            canvas.stroke(place.at([foot, head]), (0.042, 0.030, 0.042), tone)
            canvas.line(
                place.at([(head[0] - 0.026, high), (head[0] + 0.026, high)]), mood.tone(0.95), 0.008
            )
            if low < -0.1 and rng.random() < 0.85:
                _leaves(canvas, place.spot(head[0], high), place.size, mood, rng)


def _leaves(
    canvas: Canvas, root: tuple[float, float], size: float, mood: Mood, rng: np.random.Generator
) -> None:
    side = float(rng.choice((-1.0, 1.0)))
    twig = (root[0] + side * 0.09 * size, root[1] - 0.05 * size)
    canvas.line([root, twig], mood.tone(0.8), 0.006)
    for _ in range(int(rng.integers(3, 6))):
        angle = np.pi / 2 - side * rng.uniform(-0.5, 1.25)
        reach = size * rng.uniform(0.16, 0.25)
        tip = (twig[0] + reach * float(np.cos(angle)), twig[1] + reach * float(np.sin(angle)))
        middle = ((twig[0] + tip[0]) / 2, (twig[1] + tip[1]) / 2 - 0.012)
        canvas.stroke(
            [twig, middle, tip], (0.006, 0.036, 0.016, 0.002), mood.tone(rng.uniform(0.7, 1.0))
        )


def _bird(canvas: Canvas, place: Place, mood: Mood, _rng: np.random.Generator) -> None:
    """A crane in a few strokes: pale washes, dark wing tips."""
    place = Place(place.x, place.y + 0.14 * place.size, place.size, place.facing)
    halo = canvas.stencil(place.at([(-0.5, 0.2), (-0.4, -0.6), (0.4, -0.5), (0.6, 0.1)]), 0.05)
    canvas.wash(mood.wash(0.5), 0.35 * halo)
    for shape in (BIRD_FAR_WING, BIRD_NEAR_WING, BIRD_BODY):
        canvas.polygon(smooth(place.at(shape)), mix(mood.paper, (255, 255, 252), 0.6))
        canvas.stroke(place.at([*shape, shape[0]]), (0.004, 0.012, 0.005, 0.012), mood.tone(0.8))
    for shape in (BIRD_FAR_TIP, BIRD_NEAR_TIP):
        canvas.polygon(place.at(shape), mood.tone(0.85))
    canvas.stroke(place.at(BIRD_LEGS), (0.010, 0.006), mood.tone(0.8))
    canvas.stroke(place.at(BIRD_NECK), (0.03, 0.02, 0.018), mood.tone(0.88))
    canvas.disc(place.spot(*BIRD_HEAD), 0.032 * place.size, mood.tone(0.9))
    canvas.polygon(place.at(BIRD_BEAK), mood.tone(0.75))


def _moon(canvas: Canvas, place: Place, mood: Mood, _rng: np.random.Generator) -> None:
    """Not drawn: left bare in a wash of cloud."""
    away = np.hypot(canvas.columns() - place.x, canvas.rows() - place.y)
    halo = np.clip(1.35 - away / (3.4 * place.size), 0, 1) * (away > place.size)
    canvas.wash(mood.wash(0.85), 0.62 * halo)
    canvas.disc((place.x, place.y), place.size, None, mood.tone(0.45), 0.006)


PAINTERS = {
    "mountains": _mountains,
    "river": _river,
    "pine": _pine,
    "bamboo": _bamboo,
    "bird": _bird,
    "moon": _moon,
}
"""Subject to the function that paints it."""
