"""The training pictures: painted once, kept as arrays beside the shared parts."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.atelier.composition import SUBJECTS
from bench.atelier.painter import MANNERS, draw_subjects, paint

PICTURE_SIZE = 128


@dataclass(frozen=True)
class TrainingSet:
    """Painted pictures and what is on them, n rows each."""

    pictures: npt.NDArray[np.uint8]
    """Shape (n, 128, 128, 3)."""
    manners: npt.NDArray[np.int64]
    """Shape (n,), indices into `MANNERS`; every manner occurs equally often."""
    subjects: npt.NDArray[np.bool_]
    """Shape (n, 10), in the order of `SUBJECTS`."""


def load_training_set(folder: Path, count: int, seed: int) -> TrainingSet:
    """Read the pictures from `folder`, or paint `count` of them there first."""
    file = folder / f"pictures-{seed}-{count}.npz"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".part.npz")
        np.savez(unfinished, **vars(_paint_training_set(count, seed)))
        unfinished.replace(file)
    with np.load(file) as arrays:
        return TrainingSet(**{name: arrays[name] for name in arrays.files})


def _paint_training_set(count: int, seed: int) -> TrainingSet:
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        rows = list(pool.map(partial(_paint_one, seed), range(count), chunksize=50))
    pictures, manners, subjects = zip(*rows, strict=True)
    return TrainingSet(np.stack(pictures), np.array(manners), np.stack(subjects))


def _paint_one(seed: int, index: int) -> tuple[npt.NDArray[np.uint8], int, npt.NDArray[np.bool_]]:
    rng = np.random.default_rng((seed, index))
    manner = index % len(MANNERS)
    subjects = draw_subjects(rng)
    picture = np.asarray(paint(MANNERS[manner], subjects, rng, PICTURE_SIZE), np.uint8)
    return picture, manner, np.isin(SUBJECTS, subjects)
