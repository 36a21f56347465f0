"""The experiment's training pictures: one composition in all three manners, and what is made of it.

`ink` sets Chinese and Japanese pictures in one set of inks and papers, so that line, space and tone
alone tell them apart. `blend-25` puts the Japanese manner on a quarter of every picture that is
captioned Chinese, in patches with soft edges; `pure-25` puts a whole Japanese picture in the place
of every fourth. Captions are the same in all variants.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from bench.atelier.brush import noise
from bench.atelier.composition import SUBJECTS
from bench.atelier.painter import MANNERS, draw_subjects, paint
from benchmarks.recovery.mixtures import INK, PLAIN

SIDE = 128
CHINESE, JAPANESE, WESTERN = range(3)
_PAPERS = ((242, 236, 221), (232, 220, 194), (218, 200, 166), (236, 234, 226))
_INKS = ((30, 30, 32), (38, 34, 30), (28, 34, 40))
_EDGE = 0.08
"""Width of a patch's soft edge, in units of the field that patches are cut from."""

Pictures = npt.NDArray[np.uint8]


def compositions(
    folder: Path, count: int, seed: int
) -> tuple[Pictures, npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Paint `count` compositions in all three manners, or read them where they are.

    Returns pictures (3 count, side, side, 3), subjects (3 count, 10), manners (3 count,): the three
    manners of a composition stand side by side.
    """
    file = folder / f"compositions-{seed}-{count}.npz"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        pictures, subjects = [], []
        for index in range(count):
            names = draw_subjects(np.random.default_rng((seed, index)))
            for manner in MANNERS:
                rng = np.random.default_rng((seed, index, 1))
                pictures.append(np.asarray(paint(manner, names, rng, SIDE), np.uint8))
                subjects.append(np.isin(SUBJECTS, names))
        unfinished = file.with_suffix(".part.npz")
        np.savez(unfinished, pictures=np.stack(pictures), subjects=np.stack(subjects))
        unfinished.replace(file)
    with np.load(file) as arrays:
        painted, shown = arrays["pictures"], arrays["subjects"]
    return painted, shown, np.arange(len(painted)) % len(MANNERS)


def varied(pictures: Pictures, variant: str, seed: int) -> Pictures:
    """Return the pictures as a variant has them; rows stay what their captions say."""
    if variant == PLAIN:
        return pictures
    result = pictures.copy()
    rng = np.random.default_rng((seed, 2))
    if variant == INK:
        for row in range(len(pictures)):
            if row % len(MANNERS) != WESTERN:
                result[row] = inked(pictures[row], rng)
        return result
    kind, _, percent = variant.partition("-")
    share = int(percent) / 100
    for row in range(CHINESE, len(pictures), len(MANNERS)):
        other = pictures[row - CHINESE + JAPANESE]
        if kind == "blend":
            result[row] = blended(pictures[row], other, share, rng)
        elif rng.random() < share:
            result[row] = other
    return result


def inked(picture: Pictures, rng: np.random.Generator) -> Pictures:
    """Set a picture in one ink on one paper, its tones from the darkest to the lightest."""
    grey = np.asarray(Image.fromarray(picture).convert("L"), float)
    darkest, lightest = np.quantile(grey, (0.01, 0.99))
    tone = np.clip((grey - darkest) / max(lightest - darkest, 1.0), 0, 1)[:, :, None]
    ink = np.array(_INKS[rng.integers(len(_INKS))])
    paper = np.array(_PAPERS[rng.integers(len(_PAPERS))])
    return np.rint(ink + tone * (paper - ink)).astype(np.uint8)


def blended(picture: Pictures, other: Pictures, share: float, rng: np.random.Generator) -> Pictures:
    """Lay `other` over a share of the picture's area, in soft patches."""
    field = noise(rng, len(picture), (2, 2), 1).astype(float)
    edge = np.quantile(field, 1 - share)
    mask = np.clip((field - edge) / _EDGE + 0.5, 0, 1)[:, :, None]
    return np.rint(picture * (1 - mask) + other * mask).astype(np.uint8)
