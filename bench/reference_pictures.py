"""A reference's picture: opened, cut to the models' shape, its inscription covered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from bench.media import plain_srgb
from bench.reference_files import Box, Wanted

LEAST_SIDE = 512
"""Pixels of the shorter side under which a file is refused: brushwork cannot be judged in it."""
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"}

_RING = 8
"""Pixels round a mask from which the colour that covers it is taken."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An opened file: upright, in sRGB, without metadata.

    `cut` is what is taken of it and `mask` what is covered, both in pixels; `scale` is how many
    times larger the derivative is than what was cut.
    """

    image: Image.Image
    cut: Box
    mask: Box | None
    scale: float

    @property
    def enlarged(self) -> str:
        """How the derivative's record says that it was enlarged, "" where it was not."""
        return f", enlarged {self.scale:.2f}×" if self.scale > 1 else ""

    @property
    def notes(self) -> list[str]:
        """What the user should know before the picture goes to raters."""
        notes = []
        if self.scale > 1:
            notes.append(f"is enlarged {self.scale:.2f}×: a larger file or a wider crop is better")
        if self.mask and (share := _overlap(self.mask, self.cut)) > 0.5:
            notes.append(f"the mask covers {share:.0%} of what is cut")
        return notes

    def derivative(self, size: tuple[int, int], *, masked: bool) -> Image.Image:
        """Return the picture for viewing, at `size` = (width, height) in pixels."""
        image = self.image
        if masked and self.mask:
            image = _covered(image, _whole(self.mask))
        return image.resize(size, Image.Resampling.LANCZOS, box=self.cut)


def opened(one: Wanted, size: tuple[int, int]) -> Picture | str:
    """Return the picture of a file, or why it cannot be taken."""
    if one.file.suffix.lower() not in SUFFIXES:
        return f"{one.file.suffix or 'no suffix'} is no picture's"
    try:
        with Image.open(one.file) as image:
            upright = plain_srgb(ImageOps.exif_transpose(image))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return f"does not decode: {error}"
    left, top, right, bottom = crop = _in_pixels(one.crop or (0, 0, 1, 1), upright)
    width, height = round(right - left), round(bottom - top)
    if min(width, height) < LEAST_SIDE:
        return f"{width}×{height} is too small, the shorter side wants {LEAST_SIDE}"
    cut, scale = _to_aspect(crop, size)
    mask = _in_pixels(one.mask, upright) if one.mask else None
    if mask and _overlap(mask, cut) <= 0:
        return "the mask lies outside what is cut"
    if mask and _overlap(mask, cut) >= 1:
        return "the mask covers all of what is cut"
    return Picture(upright, cut, mask, scale)


def _to_aspect(box: Box, size: tuple[int, int]) -> tuple[Box, float]:
    """Return the largest box of the size's aspect in the middle of `box`, and the scale to it."""
    left, top, right, bottom = box
    scale = max(size[0] / (right - left), size[1] / (bottom - top))
    width, height = min(size[0] / scale, right - left), min(size[1] / scale, bottom - top)
    left += (right - left - width) / 2
    top += (bottom - top - height) / 2
    return (left, top, min(left + width, right), min(top + height, bottom)), scale


def _overlap(mask: Box, cut: Box) -> float:
    """Return the share of `cut` that `mask` covers."""
    width = max(0.0, min(mask[2], cut[2]) - max(mask[0], cut[0]))
    height = max(0.0, min(mask[3], cut[3]) - max(mask[1], cut[1]))
    return (width / (cut[2] - cut[0])) * (height / (cut[3] - cut[1]))


def _covered(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """Cover a box with the median colour of the ring round it, as far as that lies in the image."""
    left, top, right, bottom = box
    begin, above = max(left - _RING, 0), max(top - _RING, 0)
    end, below = min(right + _RING, image.width), min(bottom + _RING, image.height)
    round_it = np.ones((below - above, end - begin), dtype=bool)
    round_it[top - above : bottom - above, left - begin : right - begin] = False
    ring = np.asarray(image.crop((begin, above, end, below)))[round_it]
    covered = image.copy()
    covered.paste(tuple(int(level) for level in np.median(ring, axis=0)), box)
    return covered


def _in_pixels(box: Box, image: Image.Image) -> Box:
    left, top, right, bottom = box
    width, height = image.size
    return round(left * width), round(top * height), round(right * width), round(bottom * height)


def _whole(box: Box) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    return round(left), round(top), round(right), round(bottom)
