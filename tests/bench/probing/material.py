"""Small runs for the tests of probes: the painter's pictures under models' names, and tiny networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import transformers
from PIL import Image

from bench.atelier import MANNERS, draw_subjects, paint
from bench.files import append_rows, file_hash
from bench.importing import import_outputs
from bench.records import ModelSpec
from tests.conftest import write_yaml
from tests.tiny import VOCABULARY, tokenizer

SIDE = 64
TRADITIONS = ("chinese", "japanese", "western")


def suite(folder: Path, scenes: int = 4, without_neutral: tuple[str, ...] = ()) -> str:
    """A suite with a `probe.yaml` beside it; the named scenes have no version without a tradition."""
    folder.mkdir(parents=True, exist_ok=True)
    prompts = {
        target: {"zh": f"一幅画 {target}", "en": f"a painting {target}"}
        for target in (*TRADITIONS, "none")
    }
    traditional = {target: prompts[target] for target in TRADITIONS}
    content = {
        "suite": "painted",
        "version": 1,
        "modality": "image",
        "home": "chinese",
        "traditions": list(TRADITIONS),
        "scenes": [
            {"id": name, "prompts": traditional if name in without_neutral else prompts}
            for name in (f"scene-{number}" for number in range(scenes))
        ],
    }
    write_yaml(folder / "suite.yaml", content)
    texts = {name: {"en": [f"a {name} painting"]} for name in (*TRADITIONS, "other")}
    write_yaml(folder / "probe.yaml", {"ensembles": texts})
    return str(folder)


def painted_run(
    folder: Path,
    manners: dict[str, dict[str, str]],
    *,
    seeds: int = 2,
    scenes: int = 4,
    targets: tuple[str, ...] = ("chinese", "none"),
    without_neutral: tuple[str, ...] = (),
) -> Path:
    """A run of models that paint, for a target, in the manner that `manners` says."""
    name = suite(folder / "suite", scenes, without_neutral)
    run = folder / "run"
    for number, (model, by_target) in enumerate(manners.items()):
        given = folder / f"made-{model}"
        given.mkdir()
        for scene in range(scenes):
            for target in targets:
                for seed in range(seeds):
                    rng = np.random.default_rng((number, scene, targets.index(target), seed))
                    picture = paint(by_target[target], draw_subjects(rng), rng, SIDE)
                    picture.save(given / f"scene-{scene}--{target}--en--{seed}.png")
        spec = ModelSpec(model, "", "1")
        done = import_outputs(given, spec, run, suite=name if number == 0 else None)
        assert not done.refused, done.refused
    return run


def references(folder: Path, per_tradition: int = 8) -> Path:
    """A folder of the painter's pictures as reference works."""
    folder.mkdir()
    rng = np.random.default_rng(3)
    rows = []
    for number in range(per_tradition * len(MANNERS)):
        manner = MANNERS[number % len(MANNERS)]
        file = folder / f"work-{number}.png"
        paint(manner, draw_subjects(rng), rng, SIDE).save(file)
        told = {"file_name": file.name, "id": f"work-{number}", "tradition": manner}
        rows.append({**told, "sha256": file_hash(file), "synthetic": True})
    append_rows(folder / "metadata.jsonl", rows)
    return folder


def tiny_network(kind: str, folder: Path) -> Path:
    """A checkpoint of a real class with random weights, saved as the hub has them."""
    text: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 64,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
    vision: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": 32,
        "patch_size": 8,
    }
    if kind == "clip":
        config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
        model, looks = transformers.CLIPModel(config), transformers.CLIPImageProcessorPil
        size: dict[str, Any] = {
            "size": {"shortest_edge": 32},
            "crop_size": {"height": 32, "width": 32},
        }
    elif kind == "siglip":
        config = transformers.SiglipConfig(
            text_config=text | {"projection_size": 32}, vision_config=vision
        )
        model, looks = transformers.SiglipModel(config), transformers.SiglipImageProcessorPil
        size = {"size": {"height": 32, "width": 32}}
    elif kind == "siglip2-naflex":
        # patches of the picture's own proportions, as many as there is room for
        wide = {name: value for name, value in vision.items() if name != "image_size"}
        config = transformers.Siglip2Config(
            text_config=text | {"projection_size": 32, "vocab_size": 400},
            vision_config=wide | {"num_patches": 64},
        )
        model, looks = transformers.Siglip2Model(config), transformers.Siglip2ImageProcessorPil
        size = {"patch_size": 8, "max_num_patches": 24}
    else:
        config = transformers.ChineseCLIPConfig(
            text_config=text, vision_config=vision, projection_dim=16
        )
        model = transformers.ChineseCLIPModel(config)
        looks = transformers.ChineseCLIPImageProcessorPil
        size = {"size": {"height": 32, "width": 32}, "crop_size": {"height": 32, "width": 32}}
    model.save_pretrained(folder)
    looks(**size).save_pretrained(folder)
    tokens = _by_bytes() if kind == "siglip2-naflex" else tokenizer(64)
    tokens.save_pretrained(folder)
    return folder


def _by_bytes() -> transformers.Siglip2Tokenizer:
    """A tokenizer of SigLIP 2's class that knows ASCII and takes everything else byte by byte."""
    known = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁"]
    known += [f"<0x{number:02X}>" for number in range(256)] + [chr(code) for code in range(33, 127)]
    vocabulary = {token: place for place, token in enumerate(known)}
    return transformers.Siglip2Tokenizer(vocab=vocabulary, merges=[], model_max_length=64)


def noise(seed: int, side: int = SIDE) -> Image.Image:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (12, 12, 3), np.uint8))
    return small.resize((side, side), Image.Resampling.BICUBIC)
