"""`atelier-probe`: a tiny network that tells the painter's three manners apart.

It is for the demo, the tests and the recovery experiment; of any other picture it knows nothing.
`python -m bench.atelier probe` trains it and writes the file that is shipped.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from bench.atelier.dataset import TrainingSet
from bench.atelier.painter import MANNERS

FILE: Final = Path(__file__).with_name("atelier-probe.safetensors")
SIDE: Final = 64
WIDTHS: Final = (16, 32, 48, 64)
_BATCH = 64
_HELD_OUT = 0.1

log = logging.getLogger(__name__)


class MannerNetwork(nn.Module):
    """Four strided convolutions, a mean over the picture, one linear layer."""

    def __init__(self) -> None:
        """Begin untrained."""
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in WIDTHS:
            layers += [
                nn.Conv2d(before, width, 3, stride=2, padding=1),
                nn.GroupNorm(4, width),
                nn.SiLU(),
            ]
            before = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(WIDTHS[-1], len(MANNERS))

    def embed(self, pictures: Tensor) -> Tensor:
        """Map pictures (n, 3, 64, 64) in -1 to 1 to embeddings (n, 64)."""
        found: Tensor = self.body(pictures).mean(dim=(2, 3))
        return found

    def forward(self, pictures: Tensor) -> Tensor:
        """Return logits, shape (n, 3), in the order of `MANNERS`."""
        logits: Tensor = self.head(self.embed(pictures))
        return logits


def prepare(image: Image.Image) -> Tensor:
    """Bring a picture to the network's size: shape (1, 3, 64, 64), in -1 to 1."""
    small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    pixels = torch.from_numpy(np.array(small, np.float32)) / 127.5 - 1.0
    return pixels.permute(2, 0, 1)[None]


def load_probe(file: Path = FILE) -> tuple[MannerNetwork, tuple[str, ...]]:
    """Return the shipped network and the manners that it tells apart."""
    network = MannerNetwork()
    with safe_open(file, "pt") as stored:
        manners = tuple(json.loads(stored.metadata()["manners"]))
        network.load_state_dict({name: stored.get_tensor(name).float() for name in stored.keys()})  # noqa: SIM118 - no mapping
    return network.eval(), manners


def train_probe(
    training: TrainingSet, *, steps: int, seed: int, device: torch.device
) -> tuple[MannerNetwork, float]:
    """Train on the painter's pictures, blurred and shaded at random as a model's often are.

    Returns the network and its accuracy on a tenth of the pictures that it did not learn from.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pictures = torch.cat([prepare(Image.fromarray(one)) for one in training.pictures])
    manners = torch.from_numpy(training.manners)
    split = int(len(pictures) * (1 - _HELD_OUT))
    network = MannerNetwork().to(device).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    for step in range(steps):
        rows = torch.from_numpy(rng.integers(split, size=_BATCH))
        logits = network(_disturbed(pictures[rows], rng).to(device))
        loss = functional.cross_entropy(logits, manners[rows].to(device), label_smoothing=0.05)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 100 == 99:
            log.info("probe %d/%d loss %.4f", step + 1, steps, loss.item())
    network.eval()
    with torch.no_grad():
        guessed = network(pictures[split:].to(device)).argmax(1).cpu()
    return network, float((guessed == manners[split:]).float().mean())


def save_probe(network: MannerNetwork, accuracy: float, file: Path = FILE) -> None:
    """Write the network in half precision, with what it tells apart."""
    facts = {"manners": json.dumps(MANNERS), "held_out_accuracy": f"{accuracy:.4f}"}
    tensors = {name: part.half().contiguous() for name, part in network.state_dict().items()}
    save_file(tensors, file, metadata=facts)


def _disturbed(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirror half of them, soften some, shift their lightness, and add a little noise."""
    if rng.random() < 0.5:
        pictures = pictures.flip(-1)
    soft = functional.avg_pool2d(functional.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, 1)
    share = torch.from_numpy(rng.uniform(0, 1, (len(pictures), 1, 1, 1)).astype(np.float32))
    shift = torch.from_numpy(rng.normal(0, 0.1, (len(pictures), 3, 1, 1)).astype(np.float32))
    noise = torch.from_numpy(rng.normal(0, 0.04, pictures.shape).astype(np.float32))
    return pictures + share * (soft - pictures) + shift + noise


def probabilities(
    network: MannerNetwork, embeddings: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Return the manners' probabilities, shape (n, 3), from embeddings (n, 64)."""
    with torch.no_grad():
        found: npt.NDArray[np.float64] = (
            network.head(torch.from_numpy(embeddings)).softmax(1).double().numpy()
        )
    return found
