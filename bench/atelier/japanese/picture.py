"""A whole picture in the Japanese manner: ground, subjects, finish."""

from __future__ import annotations

import numpy as np

from bench.atelier.brush import (
    Canvas,
    mix,
    noise,
    vary,
)
from bench.atelier.composition import Place
from bench.atelier.japanese import human, nature
from bench.atelier.japanese.mood import FOAM, LINE, RED, Mood, lay_waves

_SUN_SHARE = 0.6
_MARGIN_SHARE = 0.4
_CARTOUCHE_SHARE = 0.35
_MOODS = (
    Mood((34, 66, 126), (226, 222, 200), (240, 196, 150), (38, 84, 146), (150, 166, 98), (44, 104, 84)),
    Mood((52, 108, 158), (238, 226, 196), (236, 152, 118), (66, 132, 168), (190, 172, 106), (62, 116, 74)),
    Mood((166, 72, 60), (246, 204, 148), (250, 228, 176), (44, 96, 132), (128, 140, 90), (52, 88, 78)),
    Mood((70, 84, 112), (206, 212, 206), (232, 214, 190), (84, 124, 146), (166, 170, 128), (70, 108, 96)),
    Mood((44, 120, 132), (232, 228, 190), (244, 206, 130), (36, 104, 122), (206, 178, 92), (40, 96, 66)),
)  # fmt: skip
_NIGHT = Mood(
    (18, 28, 66), (66, 94, 142), (132, 150, 172), (26, 56, 104), (74, 92, 96), (30, 66, 72)
)


def paint_japanese(side: int, places: dict[str, Place], rng: np.random.Generator) -> Canvas:
    """Paint the placed subjects as a colour print."""
    mood = _NIGHT if "moon" in places and rng.random() < 0.6 else _MOODS[rng.integers(len(_MOODS))]
    mood = Mood(*(vary(colour, rng, 7.0) for colour in vars(mood).values()))
    canvas = Canvas(side, mood.sky)
    horizon = places["mountains"].y if "mountains" in places else rng.uniform(0.56, 0.68)
    wet = any(name in places for name in ("boat", "bridge"))
    _sky(canvas, mood, horizon, rng, sun="moon" not in places and rng.random() < _SUN_SHARE)
    if "mountains" not in places:
        _plain(canvas, mood, horizon, rng, wet=wet)
    for name, place in places.items():
        _SUBJECTS[name](canvas, place, mood, rng)
        if name == "mountains":
            _plain(canvas, mood, horizon, rng, wet=wet)
    _finish(canvas, places, rng)
    return canvas


def _sky(
    canvas: Canvas, mood: Mood, horizon: float, rng: np.random.Generator, *, sun: bool
) -> None:
    """A dark band wiped out downwards, and a glow above the horizon, as a printer wipes the block."""
    rows = np.broadcast_to(canvas.rows(), (canvas.side, canvas.side))
    band = rng.uniform(0.10, 0.24)
    canvas.wash(mood.glow, np.clip((rows - horizon + 0.34) / 0.30, 0, 1))
    canvas.wash(mood.zenith, np.clip(1 - (rows - band * 0.4) / band, 0, 1))
    if sun:
        centre = (
            float(rng.choice((rng.uniform(0.15, 0.35), rng.uniform(0.65, 0.85)))),
            rng.uniform(0.17, 0.40),
        )
        canvas.disc(centre, rng.uniform(0.08, 0.13), vary(RED, rng))
    if rng.random() < 0.5:
        pale = mix(mood.sky, (255, 250, 238), 0.6)
        for _ in range(int(rng.integers(1, 4))):
            x, y, reach = (
                rng.uniform(0, 1),
                rng.uniform(0.2, horizon - 0.08),
                rng.uniform(0.15, 0.35),
            )
            for shift, row in ((0.0, 0.0), (rng.uniform(-0.1, 0.1), 0.035)):
                canvas.line(
                    [(x - reach + shift, y + row), (x + reach * 0.6 + shift, y + row)], pale, 0.028
                )


def _plain(
    canvas: Canvas, mood: Mood, horizon: float, rng: np.random.Generator, *, wet: bool
) -> None:
    """The flat field below the horizon: sea where something floats, land elsewhere."""
    field = [(0.0, horizon), (1.0, horizon), (1.0, 1.0), (0.0, 1.0)]
    canvas.polygon(field, mood.sea if wet else mood.land)
    rows = np.broadcast_to(canvas.rows(), (canvas.side, canvas.side))
    below = rows > horizon
    deep = mix(mood.sea if wet else mood.land, LINE, 0.45)
    canvas.wash(deep, below * np.clip((rows - 0.80) / 0.25, 0, 1))
    canvas.wash(
        mix(mood.sea if wet else mood.land, FOAM, 0.6),
        below * np.clip(1 - (rows - horizon) / 0.12, 0, 1),
    )
    canvas.line([(0, horizon), (1, horizon)], LINE, 0.008)
    if wet:
        for level in np.linspace(horizon + 0.07, 0.98, 4):
            lay_waves(canvas, float(level), 0.05 + 0.06 * (float(level) - horizon), mood, rng)


def _finish(canvas: Canvas, places: dict[str, Place], rng: np.random.Generator) -> None:
    """Wood grain, and perhaps a cartouche and a paper margin."""
    grain = noise(rng, canvas.side, (40, 4), 2)
    canvas.wash((246, 240, 220), 0.16 * grain)
    if rng.random() < _CARTOUCHE_SHARE:
        left = places["moon"].x > 0.5 if "moon" in places else rng.random() < 0.5
        x, top = (0.09 if left else 0.91), rng.uniform(0.07, 0.12)
        box = [(x - 0.032, top), (x + 0.032, top), (x + 0.032, top + 0.19), (x - 0.032, top + 0.19)]
        canvas.polygon(box, (238, 222, 170) if rng.random() < 0.6 else RED, LINE, 0.008)
        for row in np.linspace(top + 0.03, top + 0.16, 4):
            canvas.line([(x - 0.014, row), (x + 0.014, row + rng.normal(0, 0.006))], LINE, 0.009)
    if rng.random() < _MARGIN_SHARE:
        frame = [(0.018, 0.018), (0.982, 0.018), (0.982, 0.982), (0.018, 0.982)]
        canvas.polygon(frame, None, (240, 234, 214), 0.040)
        canvas.polygon([(0.04, 0.04), (0.96, 0.04), (0.96, 0.96), (0.04, 0.96)], None, LINE, 0.006)


_SUBJECTS = nature.PAINTERS | human.PAINTERS
