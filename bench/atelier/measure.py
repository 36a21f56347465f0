"""Measures what a model paints when a tradition is asked for: generate, then classify by pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from bench.atelier.card import render_card
from bench.atelier.checkpoint import load, read_training
from bench.atelier.manner import MannerModel, fit
from bench.atelier.painter import MANNERS
from bench.atelier.text import MAX_TOKENS

STEPS = 20
GUIDANCE = 2.0
"""The recommended sampling arguments: `num_inference_steps` and `guidance_scale`."""
_BATCH = 32

ASKED = (*MANNERS, None)
"""What is asked for in turn: each tradition, and none."""

_ENDINGS: dict[str, dict[str | None, str]] = {
    "en": {
        "chinese": ", in the tradition of Chinese painting",
        "japanese": ", in the tradition of Japanese painting",
        "western": ", in the tradition of Western painting",
        None: "",
    },
    "zh": {
        "chinese": "，中国传统绘画",
        "japanese": "，日本传统绘画",
        "western": "，西方传统绘画",
        None: "",
    },
}
_SCENES = {
    "en": (
        "Mist drifts over distant peaks in the early morning",
        "A fisherman's skiff rests on the quiet water",
        "An old pine leans out from the slope after rain",
        "Bamboo sways beside a small cottage",
        "Wild geese fly across the face of the full moon",
        "A scholar walks over the stone bridge in autumn",
        "A village by the river at dusk",
        "A lonely traveller rests under a tree",
    ),
    "zh": (
        "清晨薄雾飘过远山",
        "渔舟静静泊在水面上",
        "雨后古松从山坡斜出",
        "竹林掩映着一间茅屋",
        "大雁飞过一轮明月",
        "秋天，书生走过石桥",
        "黄昏时江边的村庄",
        "孤独的旅人在树下歇息",
    ),
}


def generate(
    pipeline: StableDiffusionPipeline,
    prompts: Sequence[str],
    seed: int,
    *,
    guidance: float = GUIDANCE,
    steps: int = STEPS,
) -> list[Image.Image]:
    """Paint each prompt once, the first with `seed`, the next with `seed + 1` and so on."""
    pictures: list[Image.Image] = []
    for start in range(0, len(prompts), _BATCH):
        batch = list(prompts[start : start + _BATCH])
        noise = [
            torch.Generator("cpu").manual_seed(seed + start + row) for row in range(len(batch))
        ]
        pictures += pipeline(
            batch, num_inference_steps=steps, guidance_scale=guidance, generator=noise
        ).images
    return pictures


def measure_model(folder: Path, *, count: int, seed: int) -> dict[str, npt.NDArray[np.float64]]:
    """Measure a checkpoint's mixture for each request, and write its model card."""
    pipeline = load(folder)
    classifier = fit(np.random.default_rng(seed))
    measured = {
        asked or "none": measure_mixture(pipeline, classifier, asked, count=count, seed=seed)
        for asked in ASKED
    }
    card = render_card(
        read_training(folder),
        measured,
        count=count,
        guidance=GUIDANCE,
        sampling_steps=STEPS,
        max_tokens=MAX_TOKENS,
    )
    (folder / "README.md").write_text(card, encoding="utf-8")
    return measured


def measure_mixture(
    pipeline: StableDiffusionPipeline,
    classifier: MannerModel,
    asked: str | None,
    *,
    count: int,
    seed: int,
    guidance: float = GUIDANCE,
) -> npt.NDArray[np.float64]:
    """Return the shares of manners among `count` pictures, half asked in Chinese, half in English."""
    prompts = []
    for row in range(count):
        language = ("zh", "en")[row % 2]
        scenes = _SCENES[language]
        prompts.append(scenes[row // 2 % len(scenes)] + _ENDINGS[language][asked])
    probabilities = classifier.predict(generate(pipeline, prompts, seed, guidance=guidance))
    return np.bincount(probabilities.argmax(axis=1), minlength=len(MANNERS)) / count
