"""Paints pictures by program in three manners, so that a model's truth can be known.

The paintings train the atelier's models, and stand in for human-made works in the demo.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from bench.atelier.brush import Canvas
from bench.atelier.chinese.picture import paint_chinese
from bench.atelier.composition import SUBJECTS, Place, arrange
from bench.atelier.japanese.picture import paint_japanese
from bench.atelier.western.picture import paint_western
from bench.errors import RequestError

MANNERS = ("chinese", "japanese", "western")
"""The three manners, in the order that every array of shares or probabilities follows."""

_OVERSAMPLING = 3
_MOST_SUBJECTS = 3

_PAINTERS: dict[str, Callable[[int, dict[str, Place], np.random.Generator], Canvas]] = {
    "chinese": paint_chinese,
    "japanese": paint_japanese,
    "western": paint_western,
}


def paint(
    manner: str, subjects: Sequence[str], rng: np.random.Generator, size: int = 128
) -> Image.Image:
    """Paint one picture.

    Args:
        manner: one of `MANNERS`.
        subjects: one to three different names out of `SUBJECTS`.
        rng: decides composition, palette and light; the same state paints the same picture.
        size: the side in pixels; drawn larger and reduced.

    Raises:
        RequestError: on an unknown manner or subject, a repeated one, or a wrong number of them.
    """
    if manner not in _PAINTERS:
        raise RequestError(f"unknown manner {manner!r}: choose from {', '.join(MANNERS)}")
    unknown = [name for name in subjects if name not in SUBJECTS]
    if unknown:
        raise RequestError(f"unknown subject {unknown[0]!r}: choose from {', '.join(SUBJECTS)}")
    if not 1 <= len(set(subjects)) == len(subjects) <= _MOST_SUBJECTS:
        raise RequestError(f"a picture has one to three different subjects, not {list(subjects)}")
    canvas = _PAINTERS[manner](size * _OVERSAMPLING, arrange(subjects, rng), rng)
    return canvas.image.resize((size, size), Image.Resampling.LANCZOS)


def draw_subjects(rng: np.random.Generator) -> tuple[str, ...]:
    """Draw one to three different subjects at random."""
    count = int(rng.choice((1, 2, 3), p=(0.45, 0.35, 0.20)))
    return tuple(str(name) for name in rng.choice(SUBJECTS, count, replace=False))
