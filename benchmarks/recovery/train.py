"""Trains the recovery experiment's models, one after the other: run again to go on.

    python -m benchmarks.recovery.train --out DIR [--rounds 2] [--device cuda]

All start from the shipped `atelier-balanced` (which learned from equal shares) and take the same
steps from the same seed, with the same pictures, captions and noise; the mixture alone differs.
Rounds are equal for all: `DIR/round-2` starts from `DIR/round-1`, once every model has that, so that
whenever it is stopped the last whole round holds models of one length of training.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from diffusers import AutoencoderTiny, UNet2DConditionModel
from transformers import CLIPTextModel, PreTrainedTokenizerFast

from bench.atelier.checkpoint import CHECKPOINTS, train_model
from bench.atelier.dataset import TrainingSet
from bench.atelier.denoiser import Lessons
from bench.atelier.shared import (
    Recipe,
    SharedParts,
    caption_states,
    scaled_latents,
    training_captions,
)
from benchmarks.recovery.mixtures import MODELS, Planted
from benchmarks.recovery.pictures import compositions, varied

COMMON_START = "atelier-balanced"
COMPOSITIONS = 1000
RECIPE = Recipe(
    seed=7,
    pictures=3 * COMPOSITIONS,
    steps=300,
    batch_size=32,
    average_decay=0.99,
    decisive=0.75,
    flow_shift=5.0,
)
"""Short on purpose: a night on two cores would do for 4,000 steps each. Three noise levels in four, and
half of the sampler's steps, lie where the manner is decided."""

log = logging.getLogger(__name__)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=RECIPE.steps, help="of one round")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--models", help="names, separated by commas; all without it")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    chosen = set(arguments.models.split(",")) if arguments.models else {one.name for one in MODELS}
    recipe = Recipe(**{**vars(RECIPE), "steps": arguments.steps})
    for number in range(1, arguments.rounds + 1):
        for planted in MODELS:
            if planted.name in chosen:
                train(planted, recipe, arguments.out, number, torch.device(arguments.device))


def train(planted: Planted, recipe: Recipe, out: Path, number: int, device: torch.device) -> None:
    """Train one round of a model unless it is there: its `planted.json` comes last."""
    folder = round_folder(out, number)
    done = folder / planted.name / "planted.json"
    if done.exists():
        return
    began = time.monotonic()
    parts = shared_parts(planted.pictures, recipe, out / "shared", device)
    if number > 1:
        before = round_folder(out, number - 1) / planted.name / "unet"
        parts = replace(parts, base=_denoiser(before, device))
    train_model(
        parts,
        name=planted.name,
        shares=planted.by_manner,
        recipe=replace(recipe, seed=recipe.seed + number - 1),
        out=folder,
        device=device,
    )
    seconds = round(time.monotonic() - began, 1)
    facts = {**vars(planted), "start": COMMON_START, "round": number, "seconds": seconds}
    done.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    log.info("%s done in %.0f s", planted.name, seconds)


def round_folder(out: Path, number: int) -> Path:
    """Return where the models of a round lie."""
    return out / f"round-{number}"


def _denoiser(folder: Path, device: torch.device) -> UNet2DConditionModel:
    found = UNet2DConditionModel.from_pretrained(
        folder, torch_dtype=torch.float32, local_files_only=True
    )
    return found.to(device)


def shared_parts(variant: str, recipe: Recipe, folder: Path, device: torch.device) -> SharedParts:
    """Load the shipped parts and encode the variant's pictures and captions, once each."""
    start = CHECKPOINTS / COMMON_START
    painted, shown, manners = compositions(folder, recipe.pictures // 3, recipe.seed)
    pictures = TrainingSet(varied(painted, variant, recipe.seed), manners, shown)
    full = {"torch_dtype": torch.float32, "local_files_only": True}
    autoencoder = AutoencoderTiny.from_pretrained(start / "vae", **full).to(device).eval()
    text_encoder = CLIPTextModel.from_pretrained(
        start / "text_encoder", dtype=torch.float32, local_files_only=True
    )
    text_encoder = text_encoder.to(device).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(start / "tokenizer")
    latents = scaled_latents(
        folder / f"latents-{variant}.safetensors", pictures, autoencoder, device
    )
    captions = partial(training_captions, pictures, recipe.seed)
    states = caption_states(
        folder / "states.safetensors", captions, tokenizer, text_encoder, device
    )
    lessons = Lessons(
        latents=latents,
        states=states[:-1].unflatten(0, (len(painted), -1)),
        empty=states[-1],
        manners=manners,
    )
    return SharedParts(
        autoencoder, tokenizer, text_encoder, lessons, _denoiser(start / "unet", device)
    )


if __name__ == "__main__":
    main()
