"""A whole picture in the Western manner: ground, subjects, finish."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from bench.atelier.brush import (
    Canvas,
    mix,
    noise,
    vary,
)
from bench.atelier.composition import Place
from bench.atelier.western import human, nature
from bench.atelier.western.mood import Mood, shade

_SUN_SHARE = 0.3
_DAYS = (
    Mood(1, (92, 136, 186), (238, 232, 216), (248, 222, 170), (112, 122, 54), (84, 118, 144), (62, 88, 40), (255, 226, 160), (40, 44, 66)),
    Mood(1, (112, 110, 132), (246, 188, 128), (252, 170, 90), (106, 82, 44), (110, 102, 112), (64, 66, 34), (255, 190, 110), (42, 30, 44)),
    Mood(1, (126, 148, 158), (206, 208, 200), (226, 214, 180), (102, 106, 66), (104, 124, 130), (58, 76, 50), (240, 226, 186), (44, 46, 52)),
    Mood(1, (68, 100, 138), (214, 192, 170), (232, 176, 122), (128, 100, 48), (62, 88, 112), (74, 78, 36), (255, 208, 134), (32, 30, 48)),
)  # fmt: skip
_NIGHT = Mood(
    1,
    (28, 38, 66),
    (96, 102, 118),
    (112, 112, 112),
    (44, 48, 38),
    (42, 56, 76),
    (30, 42, 36),
    (214, 214, 176),
    (10, 12, 26),
)


def paint_western(side: int, places: dict[str, Place], rng: np.random.Generator) -> Canvas:
    """Paint the placed subjects in oil."""
    dark = "moon" in places and rng.random() < 0.8
    day = _NIGHT if dark else _DAYS[rng.integers(len(_DAYS))]
    _, *colours = vars(day).values()
    varied = [vary(colour, rng, 7.0) for colour in colours]
    mood = Mood(int(rng.choice((-1, 1))), *varied)
    canvas = Canvas(side, mood.sky)
    horizon = places["mountains"].y - 0.04 if "mountains" in places else rng.uniform(0.52, 0.64)
    _sky(canvas, mood, horizon, rng, sun="moon" not in places and rng.random() < _SUN_SHARE)
    for name in ("moon", "mountains"):
        if name in places:
            _SUBJECTS[name](canvas, places[name], mood, rng)
    _plain(canvas, mood, horizon, rng, wet=any(name in places for name in ("boat", "bridge")))
    for name, place in places.items():
        if name not in ("moon", "mountains"):
            _SUBJECTS[name](canvas, place, mood, rng)
    return _impasto(canvas, rng)


def _sky(
    canvas: Canvas, mood: Mood, horizon: float, rng: np.random.Generator, *, sun: bool
) -> None:
    rows, side = canvas.rows(), canvas.side
    everywhere = np.ones((side, side), np.float32)
    shade(canvas, everywhere, mood.sky, mood.glow, (rows / horizon) ** 2.2)
    billows = noise(rng, side, (3, 5), 4)
    lit = np.roll(billows, -mood.light * side // 24, axis=1) - billows
    cover = np.clip((billows - 0.52) * 5, 0, 0.9) * np.clip((horizon - rows) / 0.2, 0, 1)
    shade(canvas, cover, mix(mood.sky, mood.cool, 0.25), mood.cloud, 0.6 - 5.0 * lit)
    x = 0.5 + mood.light * rng.uniform(0.2, 0.45)
    away = np.hypot(canvas.columns() - x, rows - (horizon - 0.06))
    canvas.wash(mood.warm, np.clip(0.75 - away / 0.5, 0, 0.6))
    if sun:
        canvas.disc(
            (x, horizon - rng.uniform(0.08, 0.16)), 0.055, mix(mood.warm, (255, 255, 240), 0.6)
        )


def _plain(
    canvas: Canvas, mood: Mood, horizon: float, rng: np.random.Generator, *, wet: bool
) -> None:
    """Ground or water that darkens and coarsens towards the front."""
    rows, side = canvas.rows(), canvas.side
    depth = np.clip((rows - horizon) / (1 - horizon), 0, 1)
    below = np.broadcast_to(rows > horizon, (side, side)).astype(np.float32)
    if wet:
        shade(
            canvas,
            below,
            mix(mood.glow, mood.water, 0.45),
            mood.shaded(mood.water, 0.4),
            depth**0.8,
        )
        ripple = noise(rng, side, (7, 46), 2) * (0.4 + depth)
        canvas.wash(mood.glow, below * 0.55 * (ripple > 0.66))
        canvas.wash(mood.shaded(mood.water, 0.7), below * 0.4 * (ripple < 0.26))
        shore = noise(rng, side, (6, 2), 2)[0] * 0.05
        far = (rows < horizon + 0.012) * (rows > horizon - shore[None, :])
        canvas.wash(mood.shaded(mood.leaf, 0.3), far.astype(np.float32))
        return
    tufts = noise(rng, side, (10, 22), 3)
    shade(
        canvas,
        below,
        mix(mood.field, mood.glow, 0.45),
        mood.shaded(mood.field, 0.45),
        depth * 0.8 + (tufts - 0.5),
    )
    canvas.wash(mood.lit(mood.field, 0.5), below * np.clip(tufts - 0.58, 0, 1) * 1.8)
    hedge = noise(rng, side, (12, 2), 2)[0] * 0.06
    far = (rows < horizon + 0.01) * (rows > horizon + 0.012 - hedge[None, :])
    canvas.wash(mix(mood.shaded(mood.leaf, 0.2), mood.glow, 0.25), far.astype(np.float32))


def _impasto(canvas: Canvas, rng: np.random.Generator) -> Canvas:
    """Go over the picture with short loaded strokes, and let the side light catch their ridges."""
    side = canvas.side
    seen = np.asarray(canvas.image.filter(ImageFilter.GaussianBlur(side / 160)))
    fine = np.asarray(
        canvas.image.filter(ImageFilter.FIND_EDGES)
        .convert("L")
        .filter(ImageFilter.BoxBlur(side / 60)),
        np.float32,
    )
    for _ in range(1100):
        x, y = rng.random(2)
        row, column = int(y * side), int(x * side)
        if fine[row, column] > 10:
            continue
        angle = rng.normal(0.25, 0.5)
        reach = rng.uniform(0.012, 0.030)
        dx, dy = reach * float(np.cos(angle)), reach * float(np.sin(angle))
        red, green, blue = seen[row, column]
        canvas.line(
            [(x - dx, y - dy), (x + dx, y + dy)],
            vary((int(red), int(green), int(blue)), rng, 7),
            rng.uniform(0.010, 0.018),
        )
    bristle = noise(rng, side, (36, 60), 2)
    relief = np.roll(bristle, 2, axis=1) - np.roll(bristle, -2, axis=0)
    pixels = np.asarray(canvas.image, np.float32) * (1 + 0.30 * relief[..., None])
    canvas.image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return canvas


_SUBJECTS = nature.PAINTERS | human.PAINTERS
