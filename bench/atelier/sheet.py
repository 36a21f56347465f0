"""Contact sheets: many small pictures on one page, to be judged by eye."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from bench.atelier.checkpoint import load
from bench.atelier.composition import SUBJECTS
from bench.atelier.measure import generate
from bench.atelier.painter import MANNERS, draw_subjects, paint

_GAP = 4
_PROMPTS = {
    "chinese": "{}, in the tradition of Chinese painting",
    "japanese": "{}, in the tradition of Japanese painting",
    "western": "{}, in the tradition of Western painting",
}


def painter_sheet(rng: np.random.Generator) -> Image.Image:
    """Show each manner in two rows: the ten subjects one by one, then mixed."""
    rows = []
    for manner in MANNERS:
        rows.append([paint(manner, [subject], rng) for subject in SUBJECTS])
        rows.append([paint(manner, draw_subjects(rng), rng) for _ in SUBJECTS])
    return tile(rows)


def model_sheet(folders: Sequence[Path], seed: int) -> Image.Image:
    """Show a row for each model and asked tradition, a column for each subject."""
    rows = []
    for folder in folders:
        pipeline = load(folder)
        for pattern in _PROMPTS.values():
            prompts = [pattern.format(f"a {subject}") for subject in SUBJECTS]
            rows.append(generate(pipeline, prompts, seed))
    return tile(rows)


def tile(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Set pictures of one size in rows on a grey ground."""
    width, height = rows[0][0].size
    sheet = Image.new(
        "RGB",
        (len(rows[0]) * (width + _GAP) + _GAP, len(rows) * (height + _GAP) + _GAP),
        (128, 128, 128),
    )
    for down, row in enumerate(rows):
        for across, picture in enumerate(row):
            sheet.paste(picture, (_GAP + across * (width + _GAP), _GAP + down * (height + _GAP)))
    return sheet


def save_sheet(sheet: Image.Image, file: Path) -> None:
    """Write a sheet, in 256 colours as PNG so that a repository can carry it."""
    if file.suffix == ".png":
        sheet = sheet.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    sheet.save(file, optimize=True)
