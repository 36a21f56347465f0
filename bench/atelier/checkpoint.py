"""A finished model: a plain diffusers folder with its model card."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline, UNet2DConditionModel

from bench.atelier.denoiser import TRAINING_TIMES, train_denoiser
from bench.atelier.mixture import CAPTION_NOISE, NAMELESS_SHARE
from bench.atelier.shared import Recipe, SharedParts

CHECKPOINTS = Path(__file__).parent / "checkpoints"
"""Where the shipped models lie."""


def train_model(
    parts: SharedParts,
    *,
    name: str,
    shares: dict[str, float],
    recipe: Recipe,
    out: Path,
    device: torch.device,
) -> Path:
    """Train the denoiser on a mixture and write the whole model to `out/name`."""
    denoiser = train_denoiser(
        parts.lessons,
        list(shares.values()),
        steps=recipe.steps,
        batch_size=recipe.batch_size,
        peak_rate=1e-3,
        seed=recipe.seed + 1,
        device=device,
        start_from=parts.base,
        average_decay=recipe.average_decay,
        decisive=recipe.decisive,
    )
    folder = out / name
    assemble(parts, denoiser, recipe.flow_shift).save_pretrained(folder)
    _drop_settings(folder / "vae" / "config.json")
    training = {
        "name": name,
        "shares": shares,
        "caption_noise": CAPTION_NOISE,
        "nameless_share": NAMELESS_SHARE,
        "recipe": asdict(recipe),
    }
    (folder / "training.json").write_text(json.dumps(training, indent=2) + "\n", encoding="utf-8")
    return folder


def assemble(
    parts: SharedParts, denoiser: UNet2DConditionModel, flow_shift: float = 1.0
) -> StableDiffusionPipeline:
    """Put the parts together, in half precision, as a pipeline that diffusers loads by itself."""
    return StableDiffusionPipeline(
        vae=deepcopy(parts.autoencoder).half(),
        text_encoder=deepcopy(parts.text_encoder).half(),
        tokenizer=parts.tokenizer,
        unet=denoiser.half(),
        scheduler=DPMSolverMultistepScheduler(
            num_train_timesteps=TRAINING_TIMES,
            use_flow_sigmas=True,
            flow_shift=flow_shift,
            prediction_type="flow_prediction",
            steps_offset=1,  # without effect here, but the pipeline warns of any other
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _drop_settings(file: Path) -> None:
    """Take out what `AutoencoderTiny` derives and would warn of, and where it was loaded from."""
    config = json.loads(file.read_text(encoding="utf-8"))
    for setting in ("block_out_channels", "_name_or_path"):
        config.pop(setting, None)
    file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load(folder: Path) -> StableDiffusionPipeline:
    """Load a checkpoint in full precision, without its progress bar."""
    pipeline = StableDiffusionPipeline.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def read_training(folder: Path) -> dict[str, Any]:
    """Read what a checkpoint was trained on."""
    training: dict[str, Any] = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    return training
