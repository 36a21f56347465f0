"""A whole picture in the Chinese manner: ground, subjects, finish."""

from __future__ import annotations

import numpy as np
from PIL import ImageFilter

from bench.atelier.brush import (
    Canvas,
    Colour,
    choose,
    noise,
)
from bench.atelier.chinese import human, nature
from bench.atelier.chinese.mood import Mood
from bench.atelier.composition import Place

_PAPERS: tuple[Colour, ...] = ((242, 236, 221), (232, 220, 194), (218, 200, 166), (236, 234, 226))
_INKS: tuple[Colour, ...] = ((30, 30, 32), (38, 34, 30), (28, 34, 40))
_TINTS: tuple[Colour, ...] = ((92, 128, 122), (160, 118, 78), (104, 122, 142))
_CINNABAR: Colour = (186, 44, 34)
_SEAL_SHARE = 0.7
_TINT_SHARE = 0.45


def paint_chinese(side: int, places: dict[str, Place], rng: np.random.Generator) -> Canvas:
    """Paint the placed subjects in ink."""
    paper = choose(rng, _PAPERS)
    ink = choose(rng, _INKS)
    tint = choose(rng, _TINTS) if rng.random() < _TINT_SHARE else ink
    mood = Mood(paper, ink, tint)
    canvas = Canvas(side, paper)
    _ground(canvas, mood, rng)
    for name, place in places.items():
        _SUBJECTS[name](canvas, place, mood, rng)
    canvas.image = canvas.image.filter(ImageFilter.GaussianBlur(side / 500))
    _grain(canvas, rng)
    if rng.random() < _SEAL_SHARE:
        _seal(canvas, places, rng)
    return canvas


def _ground(canvas: Canvas, mood: Mood, rng: np.random.Generator) -> None:
    mist = noise(rng, canvas.side, (2, 5), 2)
    canvas.wash(mood.wash(0.4), 0.55 * np.clip(mist - 0.5, 0, 1))


def _grain(canvas: Canvas, rng: np.random.Generator) -> None:
    fibres = noise(rng, canvas.side, (canvas.side // 3, canvas.side // 6))
    canvas.wash((120, 104, 76), 0.10 * fibres)


def _seal(canvas: Canvas, places: dict[str, Place], rng: np.random.Generator) -> None:
    half = rng.uniform(0.032, 0.045)
    left = rng.random() < 0.5 if "moon" not in places else places["moon"].x > 0.5
    x = rng.uniform(0.07, 0.12) if left else rng.uniform(0.88, 0.93)
    y = rng.uniform(0.08, 0.24) if rng.random() < 0.6 else rng.uniform(0.80, 0.92)
    box = [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]
    canvas.polygon(box, _CINNABAR)
    for offset in (-0.4, 0.3):
        column = x + offset * half
        canvas.line([(column, y - half * 0.6), (column, y + half * 0.6)], (240, 214, 196), 0.008)
    if rng.random() < 0.6 and y < 0.5:
        for row in range(int(rng.integers(3, 6))):
            foot = y + half + 0.03 + row * 0.045
            for _ in range(3):
                dx, dy = rng.uniform(-0.018, 0.018), rng.uniform(0.0, 0.026)
                tick = [
                    (x + dx - 0.01, foot + dy),
                    (x + dx + 0.012, foot + dy + rng.normal(0, 0.01)),
                ]
                canvas.line(tick, (40, 36, 34), 0.007)


_SUBJECTS = nature.PAINTERS | human.PAINTERS
