"""The autoencoder that all models share: 128-pixel pictures to 8 x 16 x 16 latents and back."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from diffusers import AutoencoderTiny
from torch import Tensor
from torch.nn import functional

LATENT_CHANNELS = 8
DOWNSAMPLING = 8
_WIDTH = 32
_LATENT_NOISE = 0.08
"""The decoder learns to bear latents that are a little off, as a denoiser's are."""
_LATENT_PENALTY = 2e-3
_PEAK_RATE = 2e-3
_BATCH_SIZE = 16
_MIRRORED_SHARE = 0.5

log = logging.getLogger(__name__)


def build_autoencoder() -> AutoencoderTiny:
    """Build it untrained.

    It works little at full resolution and has no normalisation layers: on a CPU it trains and
    decodes about five times as fast as an `AutoencoderKL` of its size.
    """
    return AutoencoderTiny(
        encoder_block_out_channels=(_WIDTH,) * 4,
        decoder_block_out_channels=(_WIDTH,) * 4,
        num_encoder_blocks=(0, 1, 2, 2),
        num_decoder_blocks=(3, 3, 2, 0),
        latent_channels=LATENT_CHANNELS,
    )


def train_autoencoder(
    pictures: npt.NDArray[np.uint8], *, steps: int, seed: int, device: torch.device
) -> AutoencoderTiny:
    """Train on pictures of shape (n, side, side, 3), and set the latents' scaling factor."""
    torch.manual_seed(seed)
    model = build_autoencoder().to(device, memory_format=torch.channels_last).train()
    _descend(model, pictures, steps=steps, seed=seed, device=device)
    rng = np.random.default_rng(seed)
    sample = encode_all(model, pictures[rng.integers(len(pictures), size=512)], device)
    model.register_to_config(scaling_factor=round(1.0 / float(sample.std()), 4))
    return model


def refine_decoder(
    model: AutoencoderTiny,
    pictures: npt.NDArray[np.uint8],
    *,
    steps: int,
    seed: int,
    device: torch.device,
) -> None:
    """Train the decoder on, in place; latents stay as they are, so a denoiser need not wait."""
    model.to(memory_format=torch.channels_last).train().encoder.requires_grad_(requires_grad=False)
    _descend(model, pictures, steps=steps, seed=seed + 1, device=device)


def _descend(
    model: AutoencoderTiny,
    pictures: npt.NDArray[np.uint8],
    *,
    steps: int,
    seed: int,
    device: torch.device,
) -> None:
    """Minimise the loss of pictures encoded, disturbed a little and decoded."""
    parameters = [part for part in model.parameters() if part.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=_PEAK_RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / 100, 0.02 + 0.98 * (1 - step / steps))
    )
    rng = np.random.default_rng(seed)
    start = time.monotonic()
    for step in range(steps):
        chosen = rng.integers(len(pictures), size=_BATCH_SIZE)
        target = to_tensor(pictures[chosen], device)
        if rng.random() < _MIRRORED_SHARE:
            target = target.flip(-1)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            latents = model.encode(target).latents
            noisy = latents + _LATENT_NOISE * torch.randn_like(latents)
            restored = model.decode(noisy).sample
        loss = _picture_loss(restored.float(), target)
        loss = loss + _LATENT_PENALTY * latents.float().square().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            seconds = time.monotonic() - start
            log.info("autoencoder %d/%d loss %.4f %.0f s", step, steps, loss.item(), seconds)
    model.eval()


@torch.no_grad()
def encode_all(
    model: AutoencoderTiny, pictures: npt.NDArray[np.uint8], device: torch.device
) -> Tensor:
    """Encode pictures (n, side, side, 3) to latents (n, 8, side/8, side/8), not yet scaled."""
    parts = [model.encode(to_tensor(part, device)).latents.cpu() for part in _chunks(pictures, 64)]
    return torch.cat(parts).contiguous()


def to_tensor(pictures: npt.NDArray[np.uint8], device: torch.device) -> Tensor:
    """Turn bytes (n, side, side, 3) into a channels-last tensor (n, 3, side, side) in -1 to 1."""
    tensor = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1.0
    return tensor.contiguous(memory_format=torch.channels_last)


def _picture_loss(restored: Tensor, target: Tensor) -> Tensor:
    """Absolute error of the pixels and, on two scales, of their gradients: edges stay crisp."""
    loss = functional.l1_loss(restored, target)
    for _ in range(2):
        for axis in (-1, -2):
            loss = loss + 0.5 * functional.l1_loss(restored.diff(dim=axis), target.diff(dim=axis))
        restored, target = functional.avg_pool2d(restored, 2), functional.avg_pool2d(target, 2)
    return loss


def _chunks(array: npt.NDArray[np.uint8], size: int) -> Iterator[npt.NDArray[np.uint8]]:
    for start in range(0, len(array), size):
        yield array[start : start + size]
