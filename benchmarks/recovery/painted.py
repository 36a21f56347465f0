"""Models that are known to the last picture: the painter itself, painting by a planted mixture.

A perfectly trained model of given shares would answer a request by Bayes' rule
(`bench.atelier.mixture.expected_mixture`); these "models" do, by drawing the manner of each picture
and painting it. They enter a run by `pinlu import`, as closed models do. What training and sampling
add is seen in the trained ones (`train.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from bench.atelier import MANNERS, SUBJECTS, paint
from bench.atelier.mixture import expected_mixture
from bench.files import append_rows, file_hash
from bench.importing import import_outputs
from bench.records import NEUTRAL, ModelSpec
from bench.suites import load_suite
from benchmarks.recovery.mixtures import TRIANGLE
from benchmarks.recovery.pictures import CHINESE, JAPANESE, blended, inked

SIDE = 64
GUIDANCE = 2.0
SUITE = "first-look"
SEEDS = {"chinese": range(4), "none": range(3), "japanese": range(1), "western": range(1)}


@dataclass(frozen=True)
class Painted:
    """One planted model: what it paints when asked for each target, and how."""

    name: str
    mixture: Mapping[str, npt.NDArray[np.float64]]
    """Target → shares of the manners."""
    ink: bool = False
    blend: float = 0.0
    """Share of the frame, where Chinese is asked for, that is in the Japanese manner."""
    blur: float = 0.0
    """Radius in pixels."""


def by_shares(name: str, shares: tuple[float, float, float], **more: float) -> Painted:
    """Return the model that a perfect training on `shares` would give."""
    asked = {manner: expected_mixture(shares, manner, GUIDANCE) for manner in MANNERS}
    return Painted(name, asked | {NEUTRAL: expected_mixture(shares, None)}, **more)  # type: ignore[arg-type]


def _leaking(name: str, share: float, **more: float) -> Painted:
    """Return a model that leaks `share` towards Japanese when Chinese is asked for, and only then."""
    pure = {manner: np.eye(3)[place] for place, manner in enumerate(MANNERS)}
    pure["chinese"] = np.array([1 - share, share, 0.0])
    return Painted(name, pure | {NEUTRAL: np.full(3, 1 / 3)}, **more)  # type: ignore[arg-type]


SETS: Mapping[str, tuple[Painted, ...]] = {
    "triangle": tuple(by_shares(one.name, one.shares) for one in TRIANGLE),
    "ink": tuple(
        by_shares(f"ink-j{round(100 * japanese)}", (0.8 - japanese, japanese, 0.2), ink=True)
        for japanese in (0.1, 0.3, 0.5, 0.7)
    ),
    "blend": (
        _leaking("pure-00", 0.0),
        _leaking("pure-25", 0.25),
        _leaking("pure-50", 0.5),
        _leaking("blend-25", 0.0, blend=0.25),
        _leaking("blend-50", 0.0, blend=0.5),
    ),
    "quality": (
        _leaking("sharp", 0.25),
        _leaking("soft", 0.25, blur=1.0),
        _leaking("blurred", 0.25, blur=2.0),
    ),
}


def make_run(name: str, folder: Path) -> Path:
    """Paint a set's pictures and import them into `folder/run`; what is there is kept.

    The triangle is asked for everything, the other sets for Chinese alone.
    """
    run = folder / "run"
    if (run / "run.yaml").is_file():
        return run
    suite = load_suite(SUITE)
    for place, model in enumerate(SETS[name]):
        given = folder / f"made-{model.name}"
        given.mkdir(parents=True, exist_ok=True)
        asked = [
            one for one in suite.prompts.values() if name == "triangle" or one.target == "chinese"
        ]
        for prompt in asked:
            for language, seeds in ((one, SEEDS[prompt.target]) for one in suite.languages):
                for seed in seeds:
                    key = (place, *prompt.id.encode(), *language.encode(), seed)
                    rng = np.random.default_rng(key)
                    scene = prompt.id.replace("/", "--")
                    picture = _picture(model, prompt.target, prompt.tags, rng)
                    picture.save(given / f"{scene}--{language}--{seed}.png")
        spec = ModelSpec(model.name, "", "painted", origin="the atelier's painter")
        done = import_outputs(given, spec, run, suite=SUITE if place == 0 else None)
        if done.refused:
            raise SystemExit("\n".join(done.refused))
    return run


def _picture(
    model: Painted, target: str, tags: tuple[str, ...], rng: np.random.Generator
) -> Image.Image:
    subjects = [tag for tag in tags if tag in SUBJECTS][:3] or ["mountains"]
    manner = int(rng.choice(3, p=model.mixture[target]))
    state = int(rng.integers(2**31))
    picture = _painted(manner, subjects, state)
    if model.blend and target == "chinese":
        other = _painted(JAPANESE, subjects, state)
        picture = blended(_painted(CHINESE, subjects, state), other, model.blend, rng)
    if model.ink and manner in {CHINESE, JAPANESE}:
        picture = inked(picture, rng)
    image = Image.fromarray(picture)
    return image.filter(ImageFilter.GaussianBlur(model.blur)) if model.blur else image


def _painted(manner: int, subjects: list[str], state: int) -> npt.NDArray[np.uint8]:
    rng = np.random.default_rng(state)
    return np.asarray(paint(MANNERS[manner], subjects, rng, SIDE), np.uint8)


def make_references(folder: Path, per_tradition: int, *, ink: bool = False) -> Path:
    """Paint reference works, in ink and paper alike where the set is; what is there is kept."""
    if (folder / "metadata.jsonl").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(per_tradition * 3):
        manner = number % 3
        rng = np.random.default_rng((99, number))
        subjects = [
            str(one) for one in rng.choice(SUBJECTS, int(rng.integers(1, 4)), replace=False)
        ]
        picture = _painted(manner, subjects, int(rng.integers(2**31)))
        if ink and manner in {CHINESE, JAPANESE}:
            picture = inked(picture, rng)
        file = folder / f"work-{number:03d}.png"
        Image.fromarray(picture).save(file)
        told = {"file_name": file.name, "id": f"work-{number:03d}", "tradition": MANNERS[manner]}
        rows.append({**told, "sha256": file_hash(file), "synthetic": True})
    append_rows(folder / "metadata.jsonl", rows)
    return folder
