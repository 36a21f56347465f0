"""What is planted: the mixtures that the experiment's models learn from, and of which pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench.atelier.painter import MANNERS

PLAIN: Final = "plain"
INK: Final = "ink"
"""Chinese and Japanese manners share one set of inks and papers: colour tells them apart no more."""


@dataclass(frozen=True)
class Planted:
    """One model to train: everything else is equal in all of them."""

    name: str
    set: str
    """Models of one set are compared with each other."""
    shares: tuple[float, float, float]
    """Of Chinese, Japanese and Western captions' pictures among those it learns from."""
    pictures: str = PLAIN
    """`plain`, `ink`, `blend-W` or `pure-W`: see `pictures.py`."""

    @property
    def by_manner(self) -> dict[str, float]:
        """The shares by manner."""
        return dict(zip(MANNERS, self.shares, strict=True))


def _triangle(chinese: int, japanese: int, western: int) -> Planted:
    total = chinese + japanese + western
    name = f"c{chinese:02d}-j{japanese:02d}-w{western:02d}"
    return Planted(name, "triangle", (chinese / total, japanese / total, western / total))


TRIANGLE: Final = (
    _triangle(33, 33, 33),
    _triangle(10, 10, 80),
    _triangle(10, 80, 10),
    _triangle(80, 10, 10),
    _triangle(20, 60, 20),
    _triangle(20, 20, 60),
    _triangle(60, 20, 20),
    _triangle(10, 45, 45),
    _triangle(45, 45, 10),
    _triangle(45, 10, 45),
    _triangle(70, 25, 5),
    _triangle(70, 5, 25),
)
"""Twelve points over the triangle of shares; the first three are the shipped models' shares."""

_THIRDS = (1 / 3, 1 / 3, 1 / 3)

EASY_CUE_GONE: Final = (
    Planted("ink-j10", "ink", (0.7, 0.1, 0.2), INK),
    Planted("ink-j30", "ink", (0.5, 0.3, 0.2), INK),
    Planted("ink-j50", "ink", (0.3, 0.5, 0.2), INK),
    Planted("ink-j70", "ink", (0.1, 0.7, 0.2), INK),
    Planted("blend-25", "blend", _THIRDS, "blend-25"),
    Planted("blend-50", "blend", _THIRDS, "blend-50"),
    Planted("pure-25", "blend", _THIRDS, "pure-25"),
    Planted("pure-50", "blend", _THIRDS, "pure-50"),
)
"""Two manners that share ink and paper; and manners blended within one frame beside mixtures."""

MODELS: Final = TRIANGLE + EASY_CUE_GONE
