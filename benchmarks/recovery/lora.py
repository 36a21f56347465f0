"""The experiment that would prove the construct: a real model given a known lean, judged by people.

    python -m benchmarks.recovery.lora --base owner/model --ukiyo-e DIR --out DIR

From one open text-to-image checkpoint (a U-Net of Stable Diffusion's kind) and a folder of public-domain
ukiyo-e prints, it trains one LoRA on the attention of the denoiser and writes four checkpoints with the
LoRA at 0, ¼, ½ and 1. Captions name no tradition, so what is learned is a default. Then:

    pinlu generate --suite chinese-aesthetics --models DIR/lora-000,DIR/lora-025,DIR/lora-050,DIR/lora-100 …
    pinlu probe, pinlu study new confirmatory, pinlu rate, pinlu score --with-probe

What would count: panels that know the tradition rank the four by excess leak towards Japanese, in this
order, and the leak at 0 is that of the base. Not run here: it wants weights, a GPU and people.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

STRENGTHS = (0.0, 0.25, 0.5, 1.0)
RANK = 16
CAPTION = "a picture"
_PROJECTIONS = ("to_q", "to_k", "to_v")


class LowRank(nn.Module):
    """A linear layer, left as it is, and a learned product of two thin matrices beside it.

    Hu et al. (2022), "LoRA", equation 3; the second matrix begins at zero.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(requires_grad=False)
        self.down = nn.Linear(layer.in_features, RANK, bias=False)
        self.up = nn.Linear(RANK, layer.out_features, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, states: Tensor) -> Tensor:
        found: Tensor = self.layer(states) + self.up(self.down(states))
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True, help="hub id or folder of the base checkpoint")
    parser.add_argument("--ukiyo-e", type=Path, required=True, help="folder of pictures")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--device", default="cuda")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    pipeline = StableDiffusionPipeline.from_pretrained(
        arguments.base, use_safetensors=True, safety_checker=None, requires_safety_checker=False
    ).to(device)
    layers = insert(pipeline.unet, device)
    files = sorted(
        file
        for file in arguments.ukiyo_e.iterdir()
        if file.suffix.lower() in {".png", ".jpg", ".jpeg", ".webp"}
    )
    if not files:
        raise SystemExit(f"{arguments.ukiyo_e} holds no pictures")
    train(pipeline, layers, files, steps=arguments.steps, size=arguments.size, device=device)
    for strength in STRENGTHS:
        folder = arguments.out / f"lora-{round(100 * strength):03d}"
        write(pipeline, layers, strength, folder)
        facts = {"base": arguments.base, "strength": strength, "steps": arguments.steps}
        (folder / "planted.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def insert(unet: nn.Module, device: torch.device) -> dict[str, LowRank]:
    """Put a low-rank part beside every projection of attention; freeze all else."""
    unet.requires_grad_(requires_grad=False)
    found: dict[str, LowRank] = {}
    for name, module in list(unet.named_modules()):
        for projection in _PROJECTIONS:
            layer = getattr(module, projection, None)
            if isinstance(layer, nn.Linear):
                found[f"{name}.{projection}"] = LowRank(layer).to(device)
                setattr(module, projection, found[f"{name}.{projection}"])
    return found


def train(
    pipeline: StableDiffusionPipeline,
    layers: dict[str, LowRank],
    files: list[Path],
    *,
    steps: int,
    size: int,
    device: torch.device,
) -> None:
    """Minimise the denoising loss on the pictures, under one caption that names nothing."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    parameters = [part for one in layers.values() for part in (one.down.weight, one.up.weight)]
    optimiser = torch.optim.AdamW(parameters, lr=1e-4)
    tokens = pipeline.tokenizer(
        CAPTION, padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids
    with torch.no_grad():
        states = pipeline.text_encoder(tokens.to(device)).last_hidden_state
    times = pipeline.scheduler.config.num_train_timesteps
    alphas = pipeline.scheduler.alphas_cumprod.to(device)
    for step in range(steps):
        picture = _read(files[int(rng.integers(len(files)))], size, rng).to(device)
        with torch.no_grad():
            latents = pipeline.vae.encode(picture).latent_dist.sample()
            latents = latents * pipeline.vae.config.scaling_factor
        noise = torch.randn_like(latents)
        at = torch.randint(0, times, (1,), device=device)
        share = alphas[at][:, None, None, None]
        noisy = share.sqrt() * latents + (1 - share).sqrt() * noise
        loss = functional.mse_loss(pipeline.unet(noisy, at, states).sample, noise)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if step % 100 == 99:
            print(f"{step + 1}/{steps} loss {loss.item():.4f}", flush=True)


@torch.no_grad()
def write(
    pipeline: StableDiffusionPipeline, layers: dict[str, LowRank], strength: float, folder: Path
) -> None:
    """Write a plain checkpoint with the low-rank parts added at a strength, and put all back."""
    parents = {}
    for name, one in layers.items():
        parent = pipeline.unet.get_submodule(name.rpartition(".")[0])
        projection = name.rpartition(".")[2]
        before = one.layer.weight.clone()
        one.layer.weight += strength * one.up.weight @ one.down.weight
        parents[name] = (parent, projection, before)
        setattr(parent, projection, one.layer)
    pipeline.save_pretrained(folder)
    for name, (parent, projection, before) in parents.items():
        layers[name].layer.weight.copy_(before)
        setattr(parent, projection, layers[name])


def _read(file: Path, size: int, rng: np.random.Generator) -> Tensor:
    with Image.open(file) as image:
        picture = image.convert("RGB")
    side = min(picture.size)
    left = int(rng.integers(picture.width - side + 1))
    top = int(rng.integers(picture.height - side + 1))
    box = (left, top, left + side, top + side)
    cut = picture.resize((size, size), Image.Resampling.LANCZOS, box)
    pixels = torch.from_numpy(np.array(cut, np.float32)) / 127.5 - 1
    return pixels.permute(2, 0, 1)[None]


if __name__ == "__main__":
    main()
