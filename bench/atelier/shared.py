"""The parts that all models share, each made once and kept in a folder: run again to go on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextModel, PreTrainedTokenizerFast

from bench.atelier.autoencoder import encode_all, refine_decoder, train_autoencoder
from bench.atelier.captions import LANGUAGES, caption
from bench.atelier.composition import SUBJECTS
from bench.atelier.dataset import TrainingSet, load_training_set
from bench.atelier.denoiser import Lessons, train_denoiser
from bench.atelier.mixture import noisy_tradition
from bench.atelier.painter import MANNERS
from bench.atelier.text import tokenize, train_text_encoder, train_tokenizer

_CAPTIONS_PER_PICTURE = 3
_ENCODING_BATCH = 128

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """All numbers that decide a model but the mixture of its traditions: equal for all models."""

    seed: int = 0
    pictures: int = 12_000
    autoencoder_steps: int = 3000
    decoder_steps: int = 2200
    """Steps of the decoder alone, after the latents are settled."""
    captions: int = 40_000
    """How many the tokenizer learns from."""
    text_steps: int = 1400
    text_batch_size: int = 96
    base_steps: int = 1500
    """Steps of the common start, on equal shares."""
    steps: int = 1000
    """Steps on the model's own mixture."""
    batch_size: int = 64
    average_decay: float = 0.998
    """Of the moving average of weights that is kept."""
    decisive: float = 0.0
    """Share of the noise levels drawn where the manner is decided, see `train_denoiser`."""
    flow_shift: float = 1.0
    """Of the sampler's noise levels towards the high ones (Esser et al. 2024, equation 23)."""


@dataclass(frozen=True)
class SharedParts:
    """What the models have in common, and what their denoisers learn from."""

    autoencoder: AutoencoderTiny
    tokenizer: PreTrainedTokenizerFast
    text_encoder: CLIPTextModel
    lessons: Lessons
    base: UNet2DConditionModel


def prepare_shared_parts(folder: Path, recipe: Recipe, device: torch.device) -> SharedParts:
    """Load the shared parts from `folder`; make and keep those that are not there yet."""
    pictures = load_training_set(folder, recipe.pictures, recipe.seed)
    autoencoder = _autoencoder(folder / "autoencoder", pictures, recipe, device)
    tokenizer, text_encoder = _text_parts(folder, recipe, device)
    latents = scaled_latents(folder / "latents.safetensors", pictures, autoencoder, device)
    captions = partial(training_captions, pictures, recipe.seed)
    states = caption_states(
        folder / "states.safetensors", captions, tokenizer, text_encoder, device
    )
    lessons = Lessons(
        latents=latents,
        states=states[:-1].unflatten(0, (-1, _CAPTIONS_PER_PICTURE)),
        empty=states[-1],
        manners=pictures.manners,
    )
    base = _base(folder / "base", lessons, recipe, device)
    return SharedParts(autoencoder, tokenizer, text_encoder, lessons, base)


def _autoencoder(
    folder: Path, pictures: TrainingSet, recipe: Recipe, device: torch.device
) -> AutoencoderTiny:
    if not (folder / "config.json").exists():
        model = train_autoencoder(
            pictures.pictures, steps=recipe.autoencoder_steps, seed=recipe.seed, device=device
        )
        refine_decoder(
            model, pictures.pictures, steps=recipe.decoder_steps, seed=recipe.seed, device=device
        )
        model.save_pretrained(folder)
    return AutoencoderTiny.from_pretrained(folder).to(device).eval()


def _text_parts(
    folder: Path, recipe: Recipe, device: torch.device
) -> tuple[PreTrainedTokenizerFast, CLIPTextModel]:
    if not (folder / "tokenizer" / "tokenizer.json").exists():
        train_tokenizer(recipe.seed, recipe.captions).save_pretrained(folder / "tokenizer")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer")
    if not (folder / "text_encoder" / "config.json").exists():
        encoder, head = train_text_encoder(
            tokenizer,
            steps=recipe.text_steps,
            batch_size=recipe.text_batch_size,
            seed=recipe.seed,
            device=device,
        )
        save_file(head.state_dict(), folder / "caption_head.safetensors")
        encoder.save_pretrained(folder / "text_encoder")
    return tokenizer, CLIPTextModel.from_pretrained(folder / "text_encoder").to(device).eval()


def scaled_latents(
    file: Path, pictures: TrainingSet, autoencoder: AutoencoderTiny, device: torch.device
) -> Tensor:
    """Encode the pictures and their mirror images to scaled latents, shape (2, n, 8, 16, 16)."""
    if not file.exists():
        mirrored = np.ascontiguousarray(pictures.pictures[:, :, ::-1])
        latents = [encode_all(autoencoder, side, device) for side in (pictures.pictures, mirrored)]
        save_file({"latents": torch.stack(latents) * autoencoder.config.scaling_factor}, file)
    latents_there: Tensor = load_file(file)["latents"]
    return latents_there


def training_captions(pictures: TrainingSet, seed: int) -> list[str]:
    """Write each picture's captions: its subjects truly, its tradition with noise."""
    rng = np.random.default_rng(seed)
    names = np.array(SUBJECTS)
    return [
        caption(
            [str(name) for name in names[subjects]],
            noisy_tradition(int(manner), rng),
            str(rng.choice(LANGUAGES)),
            rng,
        )
        for manner, subjects in zip(pictures.manners, pictures.subjects, strict=True)
        for _ in range(_CAPTIONS_PER_PICTURE)
    ]


@torch.no_grad()
def caption_states(
    file: Path,
    captions: Callable[[], list[str]],
    tokenizer: PreTrainedTokenizerFast,
    text_encoder: CLIPTextModel,
    device: torch.device,
) -> Tensor:
    """State captions, and last an empty one, in half precision: shape (n + 1, tokens, width)."""
    if not file.exists():
        texts = [*captions(), ""]
        parts = [
            text_encoder(ids.to(device)).last_hidden_state.half().cpu()
            for ids in tokenize(tokenizer, texts).split(_ENCODING_BATCH)
        ]
        save_file({"states": torch.cat(parts)}, file)
    states: Tensor = load_file(file)["states"]
    return states


def _base(
    folder: Path, lessons: Lessons, recipe: Recipe, device: torch.device
) -> UNet2DConditionModel:
    if not (folder / "config.json").exists():
        train_denoiser(
            lessons,
            [1 / len(MANNERS)] * len(MANNERS),
            steps=recipe.base_steps,
            batch_size=recipe.batch_size,
            peak_rate=1.5e-3,
            seed=recipe.seed,
            device=device,
            settle=False,
        ).save_pretrained(folder)
    return UNet2DConditionModel.from_pretrained(folder).to(device)
