"""Where things stand in a picture: the same for all manners, so that layout betrays none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.atelier.brush import Point

SUBJECTS = (
    "mountains",
    "river",
    "boat",
    "pine",
    "bamboo",
    "bird",
    "moon",
    "house",
    "bridge",
    "figure",
)
"""The ten things that the atelier can paint."""

FAR_TO_NEAR = (
    "moon",
    "mountains",
    "river",
    "bridge",
    "house",
    "boat",
    "pine",
    "bamboo",
    "figure",
    "bird",
)
"""The order of painting: what comes later covers what came before."""

_STANDING = ("bridge", "house", "boat", "pine", "bamboo", "figure")
# Range of the size (height, or width where a thing is wider than high) and of the foot's y
_SIZES = {
    "bridge": (0.66, 0.84),
    "house": (0.44, 0.56),
    "boat": (0.50, 0.64),
    "pine": (0.66, 0.80),
    "bamboo": (0.86, 1.00),
    "figure": (0.40, 0.52),
}
_FEET = {
    "bridge": (0.74, 0.82),
    "house": (0.74, 0.84),
    "boat": (0.76, 0.86),
    "pine": (0.86, 0.94),
    "bamboo": (0.95, 1.00),
    "figure": (0.88, 0.96),
}


@dataclass(frozen=True)
class Place:
    """A subject's foot, its size in shares of the side, and the way it faces (1 right, -1 left)."""

    x: float
    y: float
    size: float
    facing: int

    def at(self, points: Sequence[Point]) -> list[Point]:
        """Move points from the subject's own coordinates (foot at the origin) onto the picture."""
        return [(self.x + self.facing * self.size * u, self.y + self.size * v) for u, v in points]

    def spot(self, u: float, v: float) -> Point:
        """Move one point, as `at` does."""
        return self.x + self.facing * self.size * u, self.y + self.size * v


def arrange(subjects: Sequence[str], rng: np.random.Generator) -> dict[str, Place]:
    """Give each subject its place, in the order of painting."""
    crowd = [name for name in _STANDING if name in subjects]
    slots = list(rng.permutation(_slots(len(crowd), rng)))
    shrink = (1.0, 1.0, 0.86, 0.72)[len(crowd)]
    places = {}
    for name in FAR_TO_NEAR:
        if name not in subjects:
            continue
        facing = int(rng.choice((-1, 1)))
        if name in _STANDING:
            size = rng.uniform(*_SIZES[name]) * shrink
            places[name] = Place(slots.pop(), rng.uniform(*_FEET[name]), size, facing)
        else:
            places[name] = _free_place(name, places, facing, rng, crowded=bool(crowd))
    return places


def _slots(count: int, rng: np.random.Generator) -> list[float]:
    centres = {0: [], 1: [0.5], 2: [0.28, 0.72], 3: [0.2, 0.5, 0.8]}[count]
    spread = 0.16 if count == 1 else 0.04
    return [centre + rng.uniform(-spread, spread) for centre in centres]


def _free_place(
    name: str, taken: dict[str, Place], facing: int, rng: np.random.Generator, *, crowded: bool
) -> Place:
    """Place what needs no ground of its own: moon, mountains, river, bird."""
    if name == "moon":
        x = rng.uniform(0.62, 0.84) if rng.random() < 0.5 else rng.uniform(0.16, 0.38)
        return Place(x, rng.uniform(0.17, 0.28), rng.uniform(0.10, 0.145), facing)
    if name == "mountains":
        return Place(0.5, rng.uniform(0.62, 0.72), rng.uniform(0.36, 0.52), facing)
    if name == "river":
        return Place(rng.uniform(0.35, 0.65), rng.uniform(0.50, 0.60), 1.0, facing)
    size = rng.uniform(0.42, 0.52) if crowded else rng.uniform(0.54, 0.72)
    y = rng.uniform(0.26, 0.34) if crowded else rng.uniform(0.38, 0.52)
    x = rng.uniform(0.35, 0.65)
    if "moon" in taken:
        x = 1.0 - taken["moon"].x
    return Place(x, y, size, facing)
