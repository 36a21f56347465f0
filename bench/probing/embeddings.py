"""Networks that see pictures: CLIP-like checkpoints of transformers, and the shipped atelier-probe.

Nothing here knows of runs: a network prepares a picture (in any thread), embeds a batch, and where
it has a text side embeds texts too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from bench.checkpoints import folder_revision
from bench.errors import RequestError
from bench.files import file_hash

ATELIER = "atelier-probe"
"""The shipped network, for pictures of the atelier's painter and models alone."""

Embeddings = npt.NDArray[np.float32]
Prepared = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Network:
    """What sees pictures; embeddings are unit vectors, but for those of a network with `head`."""

    name: str
    revision: str
    dtype: str
    """Of its weights as they look: `float32`, on a GPU `float16`."""
    prepare: Callable[[Image.Image], Prepared]
    """Turns a picture into what one row of a batch holds; safe in threads."""
    see: Callable[[Sequence[Prepared]], Embeddings]
    """Embeds a batch, shape (n, width)."""
    read: Callable[[Sequence[str]], Embeddings] | None = None
    """Embeds texts in the same space, shape (n, width); None without a text side. A text that is
    too long for it is a RequestError."""
    scale: float = 1.0
    """What cosines are multiplied by to be logits."""
    head: Callable[[Embeddings], npt.NDArray[np.float64]] | None = None
    """Probabilities of `traditions` from embeddings, where the network was trained to tell them."""
    traditions: tuple[str, ...] = ()


def load_network(name: str, revision: str | None = None, device: str = "") -> Network:
    """Return the network that `name` means: `atelier-probe`, a checkpoint's folder, or a hub id.

    Raises:
        RequestError: it is not there, its code is its own, its weights are pickled, or it has no
            picture side of CLIP's kind.
    """
    if name == ATELIER:
        return _atelier()
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return _clip_like(name, revision, torch.device(device))


def _atelier() -> Network:
    from bench.atelier import probe  # noqa: PLC0415 - only where it is asked for

    network, manners = probe.load_probe()

    def see(batch: Sequence[Prepared]) -> Embeddings:
        with torch.inference_mode():
            found: Embeddings = network.embed(torch.cat([one["pixels"] for one in batch])).numpy()
        return found

    return Network(
        name=ATELIER,
        revision=file_hash(probe.FILE),
        dtype="float32",
        prepare=lambda image: {"pixels": probe.prepare(image)},
        see=see,
        head=lambda embeddings: probe.probabilities(network, embeddings),
        traditions=manners,
    )


def _clip_like(name: str, revision: str | None, device: torch.device) -> Network:
    import transformers  # noqa: PLC0415 - seconds to import

    folder = Path(name)
    if folder.is_dir():
        _refuse_own_code(folder)
    elif name.count("/") != 1 or name.startswith((".", "/")):
        raise RequestError(
            f"no probe network {name!r}: give {ATELIER!r}, the folder of a CLIP-like checkpoint, or "
            "its hub id"
        )
    fixed: dict[str, Any] = {"trust_remote_code": False, "revision": revision or "main"}
    with _quiet(transformers), _said_in_a_sentence(name):
        model = transformers.AutoModel.from_pretrained(
            name, use_safetensors=True, dtype=torch.float32, **fixed
        )
        processor = transformers.AutoImageProcessor.from_pretrained(name, **fixed)
    if not hasattr(model, "get_image_features"):
        raise RequestError(
            f"{name} is a {type(model).__name__}, which has no picture side of CLIP's kind: give a "
            "CLIP, SigLIP or Chinese-CLIP checkpoint"
        )
    model = model.to(device).eval()
    if device.type == "cuda":
        model = model.half()
    read = None
    if hasattr(model, "get_text_features"):
        with _quiet(transformers), _said_in_a_sentence(name):
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, **fixed)
        read = _reader(name, model, tokenizer, device)
    commit = getattr(model.config, "_commit_hash", None)
    return Network(
        name=folder.resolve().name if folder.is_dir() else name,
        revision=folder_revision(folder) if folder.is_dir() else commit or revision or "",
        dtype=str(model.dtype).removeprefix("torch."),
        prepare=lambda image: dict(processor(images=image.convert("RGB"), return_tensors="pt")),
        see=_seer(model, device),
        read=read,
        scale=float(model.logit_scale.detach().exp()) if hasattr(model, "logit_scale") else 100.0,
    )


def _seer(model: Any, device: torch.device) -> Callable[[Sequence[Prepared]], Embeddings]:
    def see(batch: Sequence[Prepared]) -> Embeddings:
        together = {
            part: torch.cat([torch.as_tensor(one[part]) for one in batch]).to(device)
            for part in batch[0]
        }
        if device.type == "cuda":
            together["pixel_values"] = together["pixel_values"].half()
        with torch.inference_mode():
            return _unit(model.get_image_features(**together))

    return see


def _reader(
    name: str, model: Any, tokenizer: Any, device: torch.device
) -> Callable[[Sequence[str]], Embeddings]:
    config = getattr(model.config, "text_config", model.config)
    length = min(int(config.max_position_embeddings), 512)
    # SigLIP learned from texts padded in full
    padding = "max_length" if model.config.model_type.startswith("siglip") else True

    def read(texts: Sequence[str]) -> Embeddings:
        uncut = tokenizer(list(texts), verbose=False)["input_ids"]
        for text, whole in zip(texts, uncut, strict=True):
            if len(whole) > length:
                raise RequestError(
                    f"{name} takes {length} tokens of a text, and {text[:40]!r}… in probe.yaml has "
                    f"{len(whole)}: shorten it"
                )
        tokens = tokenizer(
            list(texts), padding=padding, truncation=True, max_length=length, return_tensors="pt"
        )
        with torch.inference_mode():
            return _unit(model.get_text_features(**tokens.to(device)))

    return read


def _unit(found: Any) -> Embeddings:
    features = found if isinstance(found, torch.Tensor) else found.pooler_output
    features = features.float()
    whole: Embeddings = (features / features.norm(dim=-1, keepdim=True)).cpu().numpy()
    return whole


def _refuse_own_code(folder: Path) -> None:
    """Refuse a folder whose configuration names code of its own, or which has none."""
    file = folder / "config.json"
    if not file.is_file():
        raise RequestError(f"{folder} has no config.json: it is no checkpoint of transformers")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RequestError(f"{file} is not JSON: {error}") from error
    if "auto_map" in content:
        raise RequestError(f"{folder} needs code of its own, which is never run: choose another")


@contextmanager
def _said_in_a_sentence(name: str) -> Iterator[None]:
    """Turn whatever transformers raises over a checkpoint into one sentence."""
    try:
        yield
    except (OSError, ValueError, ImportError, KeyError, RuntimeError) as error:
        text = " ".join(str(error).split())
        if "trust_remote_code" in text:
            text = "it needs code of its own, which is never run: choose another"
        raise RequestError(f"the probe network {name!r} cannot be loaded: {text[:240]}") from error


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Keep its bars and its word about torchvision off the terminal: pictures are read by Pillow."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
