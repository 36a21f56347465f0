"""Outlines that several manners fill in their own way, in a subject's own coordinates."""

from __future__ import annotations

from bench.atelier.brush import Point

# A crane in flight, facing right; 1 is about beak to tail
BIRD_BODY: list[Point] = [
    (-0.30, 0.05), (-0.12, -0.05), (0.06, -0.08), (0.18, -0.03), (0.10, 0.07), (-0.08, 0.09),
]  # fmt: skip
BIRD_NECK: list[Point] = [(0.15, -0.02), (0.25, -0.01), (0.33, -0.07), (0.40, -0.07)]
BIRD_HEAD: Point = (0.41, -0.075)
BIRD_BEAK: list[Point] = [(0.43, -0.10), (0.43, -0.055), (0.56, -0.06)]
BIRD_LEGS: list[Point] = [(-0.20, 0.06), (-0.50, 0.10)]
BIRD_NEAR_WING: list[Point] = [
    (0.13, -0.04), (0.10, -0.22), (-0.06, -0.46), (-0.24, -0.56), (-0.34, -0.50),
    (-0.36, -0.38), (-0.30, -0.22), (-0.16, -0.04),
]  # fmt: skip
BIRD_NEAR_TIP: list[Point] = [
    (-0.06, -0.46), (-0.24, -0.56), (-0.34, -0.50), (-0.36, -0.38), (-0.31, -0.24), (-0.20, -0.36),
]  # fmt: skip
BIRD_FAR_WING: list[Point] = [
    (0.12, -0.06), (0.20, -0.24), (0.36, -0.42), (0.30, -0.46), (0.16, -0.40), (0.02, -0.20),
]  # fmt: skip
BIRD_FAR_TIP: list[Point] = [(0.28, -0.33), (0.36, -0.42), (0.30, -0.46), (0.16, -0.40)]

# A hull of length 1 whose waterline is at 0
SKIFF: list[Point] = [
    (-0.50, -0.15), (-0.34, -0.06), (0.0, -0.03), (0.34, -0.06), (0.50, -0.16), (0.36, 0.02),
    (0.2, 0.07), (-0.2, 0.07), (-0.36, 0.02),
]  # fmt: skip
