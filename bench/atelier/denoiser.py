"""The denoiser: the one part in which the atelier's models differ, by the pictures it saw."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from diffusers import UNet2DConditionModel
from diffusers.training_utils import EMAModel
from torch import Tensor
from torch.nn import functional

from bench.atelier.autoencoder import LATENT_CHANNELS
from bench.atelier.painter import MANNERS
from bench.atelier.text import TEXT_WIDTH

TRAINING_TIMES = 1000
_LATENT_SIDE = 16
_DROPPED_SHARE = 0.1
_WARM_UP_STEPS = 100
_DECAY_SHARE = 0.5
_DECISIVE_LOGITS = (2.75, 0.7)
"""Mean and deviation of the logits of times about 0.94: by Bayes' rule over the training latents, all
but a twentieth of the doubt about a picture's manner is gone between times 0.99 and 0.85."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lessons:
    """What a denoiser learns from: latents, captions as the text encoder states them, manners."""

    latents: Tensor
    """Scaled, shape (2, n, 8, 16, 16): the pictures and their mirror images."""
    states: Tensor
    """Half precision, shape (n, captions per picture, tokens, width)."""
    empty: Tensor
    """The states of an empty caption, shape (tokens, width)."""
    manners: npt.NDArray[np.int64]
    """Shape (n,), indices into `MANNERS`."""


def build_denoiser() -> UNet2DConditionModel:
    """Build it untrained: two levels, attention on the lower alone, where it costs little."""
    return UNet2DConditionModel(
        sample_size=_LATENT_SIDE,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(64, 80),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
        time_embedding_dim=128,
    )


def train_denoiser(
    lessons: Lessons,
    shares: Sequence[float],
    *,
    steps: int,
    batch_size: int,
    peak_rate: float,
    seed: int,
    device: torch.device,
    settle: bool = True,
    start_from: UNet2DConditionModel | None = None,
    average_decay: float = 0.998,
    decisive: float = 0.0,
) -> UNet2DConditionModel:
    """Train by flow matching (Lipman et al. 2023) on traditions mixed by `shares`.

    Times are logit-normal (Esser et al. 2024, section 3.1); the weights returned are a moving
    average. The rate falls to almost nothing over the second half, unless `settle` is false because
    other training follows. `start_from` is left as it is; without it the start is drawn from `seed`.
    A share `decisive` of the times is drawn instead where the manner is decided: the logit-normal has
    one in twenty-five there.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = build_denoiser()
    if start_from is not None:
        model.load_state_dict(start_from.state_dict())
    model = model.to(device, memory_format=torch.channels_last).train()
    average = EMAModel(model.parameters(), decay=average_decay, use_ema_warmup=start_from is None)
    optimiser = torch.optim.AdamW(model.parameters(), lr=peak_rate, weight_decay=0.01)
    fall = _DECAY_SHARE * steps
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(
            (step + 1) / _WARM_UP_STEPS, 1.0, 0.03 + (steps - step) / fall if settle else 1.0
        ),
    )
    start, total = time.monotonic(), 0.0
    for step in range(steps):
        latents, states = _draw_batch(lessons, shares, batch_size, rng)
        latents, states = latents.to(device), states.to(device, torch.float32)
        times = _draw_times(batch_size, decisive).to(device)
        blend = times[:, None, None, None]
        noise = torch.randn(latents.shape).to(device)
        guess = model((1 - blend) * latents + blend * noise, times * TRAINING_TIMES, states).sample
        loss = functional.mse_loss(guess, noise - latents)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        average.step(model.parameters())
        total += loss.item()
        if step % 100 == 99:
            seconds = time.monotonic() - start
            log.info("denoiser %d/%d loss %.4f %.0f s", step + 1, steps, total / 100, seconds)
            total = 0.0
    average.copy_to(model.parameters())
    return model.eval()


def _draw_times(size: int, decisive: float) -> Tensor:
    logits = torch.randn(size)
    if decisive:
        mean, deviation = _DECISIVE_LOGITS
        logits = torch.where(torch.rand(size) < decisive, mean + deviation * logits, logits)
    return torch.sigmoid(logits)


def _draw_batch(
    lessons: Lessons, shares: Sequence[float], size: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Draw manners by their shares, then pictures within each, a caption, and perhaps its mirror."""
    manners = rng.choice(len(MANNERS), size, p=shares)
    pools = [np.flatnonzero(lessons.manners == manner) for manner in range(len(MANNERS))]
    rows = np.array([pools[manner][rng.integers(len(pools[manner]))] for manner in manners])
    mirrored = rng.integers(2, size=size)
    captions = rng.integers(lessons.states.shape[1], size=size)
    states = lessons.states[rows, captions].clone()
    states[torch.from_numpy(rng.random(size) < _DROPPED_SHARE)] = lessons.empty.to(states.dtype)
    return lessons.latents[mirrored, rows], states
