"""What all three manners paint with: a canvas in unit coordinates, colours, noise and ridges.

The unit square is the picture: x runs right, y runs down, and widths are shares of the side.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Point = tuple[float, float]
Field = npt.NDArray[np.float32]


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Go from `first` (share 0) to `second` (share 1) in a straight line through RGB."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def vary(colour: Colour, rng: np.random.Generator, spread: float = 8.0) -> Colour:
    """Move the lightness by a normal deviate of `spread` levels, and the hue by a third of that."""
    shift = rng.normal(0.0, spread) + rng.normal(0.0, spread / 3, 3)
    red, green, blue = np.clip(np.add(colour, shift), 0, 255).astype(int)
    return int(red), int(green), int(blue)


def choose(rng: np.random.Generator, options: Sequence[Colour]) -> Colour:
    """Pick one colour and vary it a little."""
    return vary(options[int(rng.integers(len(options)))], rng, 6.0)


def smooth(points: Sequence[Point], per_piece: int = 8) -> list[Point]:
    """Run a Catmull-Rom curve through `points`, with `per_piece` points between two of them."""
    knots = np.asarray([points[0], *points, points[-1]], dtype=float)
    steps = np.linspace(0.0, 1.0, per_piece, endpoint=False)[:, None]
    pieces = []
    for before, start, end, after in zip(knots, knots[1:], knots[2:], knots[3:], strict=False):
        pieces.append(
            0.5
            * (
                2 * start
                + (end - before) * steps
                + (2 * before - 5 * start + 4 * end - after) * steps**2
                + (3 * start - before - 3 * end + after) * steps**3
            )
        )
    pieces.append(knots[-1:])
    return [(float(x), float(y)) for x, y in np.concatenate(pieces)]


def ribbon(points: Sequence[Point], widths: Sequence[float]) -> list[Point]:
    """Outline a brush stroke along `points` whose width runs through `widths` from end to end."""
    path = np.asarray(points, dtype=float)
    along = np.gradient(path, axis=0)
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / length[:, None]
    stations = np.linspace(0.0, 1.0, len(widths))
    half = np.interp(np.linspace(0.0, 1.0, len(path)), stations, widths)[:, None] / 2
    outline = np.concatenate([path + normal * half, (path - normal * half)[::-1]])
    return [(float(x), float(y)) for x, y in outline]


def noise(rng: np.random.Generator, side: int, cells: tuple[int, int], octaves: int = 1) -> Field:
    """Draw a smooth random field, shape (side, side), values about 0 to 1.

    `cells` is the number of bumps across and down; each further octave doubles it at half strength.
    """
    total = np.zeros((side, side), np.float32)
    weight = 1.0
    across, down = cells
    for _ in range(octaves):
        grid = rng.random((down + 1, across + 1), dtype=np.float32)
        total += weight * np.asarray(
            Image.fromarray(grid).resize((side, side), Image.Resampling.BICUBIC)
        )
        weight, across, down = weight / 2, across * 2, down * 2
    return total / np.float32(2.0 - 2.0 * weight)


def ridge(
    rng: np.random.Generator, side: int, peaks: Sequence[tuple[float, float, float]], rough: float
) -> Field:
    """Draw the heights of a mountain ridge over x, shape (side,), in shares of the side.

    `peaks` are (x, height, half width); `rough` is the size of the ridge's irregularity.
    """
    x = np.linspace(0.0, 1.0, side, dtype=np.float32)
    height = np.zeros(side, np.float32)
    for centre, top, half_width in peaks:
        slope = 1.0 - np.abs(x - centre) / half_width
        height = np.maximum(height, top * np.sign(slope) * np.abs(slope) ** 0.85)
    for cells, share in ((9, 0.5), (21, 0.3), (55, 0.2)):
        knots = rng.random(cells) - 0.5
        bumps = np.interp(x, np.linspace(0.0, 1.0, cells), knots)
        height += (rough * share * 2) * bumps.astype(np.float32)
    return height


class Canvas:
    """A square picture addressed in unit coordinates.

    `image` may be replaced by a filtered copy of itself; all later drawing goes to the new one.
    """

    def __init__(self, side: int, ground: Colour) -> None:
        """Begin a picture of `side` pixels, filled with `ground`."""
        self.side = side
        self.image = Image.new("RGB", (side, side), ground)

    def polygon(
        self,
        points: Sequence[Point],
        fill: Colour | None,
        outline: Colour | None = None,
        width: float = 0.0,
    ) -> None:
        """Fill a closed shape, and go round it with `outline` where one is given."""
        scaled = self._scaled(points)
        draw = ImageDraw.Draw(self.image)
        if fill is not None:
            draw.polygon(scaled, fill=fill)
        if outline is not None:
            draw.line([*scaled, scaled[0], scaled[1]], outline, self._pixels(width), joint="curve")

    def line(self, points: Sequence[Point], colour: Colour, width: float) -> None:
        """Draw an open line of even width."""
        draw = ImageDraw.Draw(self.image)
        draw.line(self._scaled(points), colour, self._pixels(width), joint="curve")

    def stroke(self, points: Sequence[Point], widths: Sequence[float], colour: Colour) -> None:
        """Draw a smooth brush stroke through `points` whose width runs through `widths`."""
        self.polygon(ribbon(smooth(points), widths), colour)

    def disc(
        self,
        centre: Point,
        radius: float,
        fill: Colour | None,
        outline: Colour | None = None,
        width: float = 0.0,
    ) -> None:
        """Draw a disc."""
        (x, y), r = self._scaled([centre])[0], radius * self.side
        ImageDraw.Draw(self.image).ellipse(
            (x - r, y - r, x + r, y + r), fill, outline, self._pixels(width)
        )

    def stencil(self, points: Sequence[Point], soften: float = 0.0) -> Field:
        """Return the coverage (0 to 1) of a closed shape, its edge blurred by `soften`."""
        cover = Image.new("L", (self.side, self.side), 0)
        ImageDraw.Draw(cover).polygon(self._scaled(points), fill=255)
        if soften > 0:
            cover = cover.filter(ImageFilter.GaussianBlur(soften * self.side))
        return np.asarray(cover, np.float32) / np.float32(255)

    def wash(self, colour: Colour, cover: Field) -> None:
        """Lay a colour through `cover` (0 to 1, shape (side, side))."""
        mask = Image.fromarray((np.clip(cover, 0.0, 1.0) * 255).astype(np.uint8))
        self.image.paste(colour, (0, 0), mask)

    def lay(self, pixels: Field, cover: Field) -> None:
        """Lay coloured pixels (0 to 255, shape (side, side, 3)) through `cover`."""
        source = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        mask = Image.fromarray((np.clip(cover, 0.0, 1.0) * 255).astype(np.uint8))
        self.image.paste(source, (0, 0), mask)

    def rows(self) -> Field:
        """Return each pixel row's y, shape (side, 1)."""
        return np.linspace(0.0, 1.0, self.side, dtype=np.float32)[:, None]

    def columns(self) -> Field:
        """Return each pixel column's x, shape (1, side)."""
        return np.linspace(0.0, 1.0, self.side, dtype=np.float32)[None, :]

    def _scaled(self, points: Sequence[Point]) -> list[Point]:
        return [(x * self.side, y * self.side) for x, y in points]

    def _pixels(self, width: float) -> int:
        return max(1, round(width * self.side))
