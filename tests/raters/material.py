"""A small study on real pictures: a run folder, references and a config, all written here."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image, PngImagePlugin

from bench.suites import load_suite
from raters.simulated import Look

MODELS = ("zebra-diffusion", "okapi-flow", "quagga-dit")
SCENES = ("heron", "bridge", "pine")
TARGETS = ("chinese", "japanese", "none")
RUN_NAME = "run-of-march-hare"

RUBRIC = {
    "rubric": "small",
    "version": 1,
    "scales": [
        {
            "id": name,
            "label": {"zh": zh, "en": en},
            "question": {"zh": f"{zh}如何？", "en": f"How is the {en.lower()}?"},
            "anchors": {
                1: {"zh": "杂乱", "en": "a muddle"},
                3: {"zh": "尚可", "en": "passable"},
                5: {"zh": "自如", "en": "at ease"},
            },
        }
        for name, zh, en in (("ink", "笔墨", "Brush"), ("form", "形色", "Form"))
    ],
}


def suite_content() -> dict[str, Any]:
    manner = {
        "chinese": ("中国水墨画", "a Chinese ink painting"),
        "japanese": ("日本浮世绘", "a Japanese woodblock print"),
        "western": ("西方油画", "a Western oil painting"),
        "none": ("一幅画", "a picture"),
    }
    thing = {
        "heron": ("苇中白鹭", "a heron"),
        "bridge": ("小桥流水", "a bridge"),
        "pine": ("孤松", "a pine"),
    }
    return {
        "suite": "tiny",
        "version": 1,
        "modality": "image",
        "home": "chinese",
        "traditions": ["chinese", "japanese", "western"],
        "scenes": [
            {
                "id": scene,
                "genre": "landscape",
                "prompts": {
                    target: {"zh": f"{zh}：{thing[scene][0]}", "en": f"{en} of {thing[scene][1]}"}
                    for target, (zh, en) in manner.items()
                },
            }
            for scene in SCENES
        ],
    }


def picture(seed: int, size: tuple[int, int], warmth: float) -> Image.Image:
    """Noise on a ground: `warmth` in [0, 1] is what the simulated raters look at."""
    rng = np.random.default_rng(seed)
    ground = np.array([120 + 120 * warmth, 150, 240 - 120 * warmth])
    pixels = ground + rng.normal(0, 12, (size[1], size[0], 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def look(image: Image.Image) -> Look:
    red, _, blue = np.asarray(image, dtype=float).mean(axis=(0, 1)) / 255
    warmth = float(np.clip((red - blue + 0.47) / 0.94, 0, 1))
    return Look({"chinese": warmth, "japanese": (1 - warmth) / 2}, quality=warmth)


def save(image: Image.Image, path: Path, note: str) -> str:
    """Save a PNG that tells its maker in its metadata, as many tools do; return the SHA-256."""
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", note)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, pnginfo=info)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_run(
    run: Path,
    *,
    models: tuple[str, ...] = MODELS,
    revision: str = "c0ffee" * 6,
    languages: tuple[str, ...] = ("zh", "en"),
    seeds: tuple[int, ...] = (0, 1),
) -> Path:
    run.mkdir(parents=True)
    (run / "suite.yaml").write_text(yaml.safe_dump(suite_content(), allow_unicode=True))
    suite = load_suite(str(run / "suite.yaml"))
    header = {
        "schema": 1,
        "run": run.name,
        "modality": "image",
        "suite": {"name": suite.name, "hash": suite.hash, "home": suite.home},
        "models": [{"id": model, "revision": revision} for model in models],
    }
    (run / "run.yaml").write_text(yaml.safe_dump(header))
    rows = []
    for number, model in enumerate(models):
        for scene in SCENES:
            for target in TARGETS:
                for language in languages:
                    for seed in seeds:
                        text = suite.prompts[f"{scene}/{target}"].text[language]
                        key = hashlib.sha256(
                            f"{model}{scene}{target}{language}{seed}".encode()
                        ).hexdigest()
                        name = f"outputs/{key}.png"
                        image = picture(int(key[:8], 16), (48, 48), 0.9 - 0.35 * number)
                        sha256 = save(image, run / name, f"made by {model}")
                        rows.append(
                            {
                                "file_name": name, "key": key, "model": model,
                                "prompt": f"{scene}/{target}", "language": language,
                                "text": text, "seed": seed, "width": 48, "height": 48,
                                "frames": None, "fps": None, "sha256": sha256,
                                "pixel_sha256": "0" * 64, "status": "ok",
                                "suite": suite.name, "suite_hash": suite.hash,
                            }
                        )  # fmt: skip
    write_rows(run, rows)
    return run


def write_rows(folder: Path, rows: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text(text, encoding="utf-8")


def write_references(folder: Path, *, each: int = 3) -> Path:
    rows = []
    for number, tradition in enumerate(("chinese", "japanese", "western")):
        for index in range(each):
            name = f"{tradition}-{index}.png"
            image = picture(1000 + 10 * number + index, (60, 40), 1 - number / 2)
            sha256 = save(image, folder / name, f"scanned from {tradition}")
            rows.append(
                {
                    "file_name": name, "id": f"museum-{tradition}-{index}",
                    "tradition": tradition, "genre": "landscape", "medium": "ink",
                    "period": "song", "stratum": "hanging-scroll", "sha256": sha256,
                    "synthetic": True, "caption": {"zh": "一幅山水", "en": "a landscape"},
                }
            )  # fmt: skip
    write_rows(folder, rows)
    return folder


def write_config(folder: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rubric = folder / "small.yaml"
    rubric.write_text(yaml.safe_dump(RUBRIC, allow_unicode=True), encoding="utf-8")
    content = {
        "study": "tiny-study",
        "version": 1,
        "rubric": str(rubric),
        "seed": 3,
        "raters": 6,
        "single": {"raters_per_item": 2},
        "pairs": {"votes_per_pair": 2},
        "ask": {"traces": False, "recognised": False, "human": False, "flags": False},
        "repeats": 0,
        "warm_ups": {"first": 0, "later": 0},
        **changes,
    }
    path = folder / "study-config.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return path


UNSPEAKABLE = (
    *MODELS,
    RUN_NAME,
    "c0ffee",
    "museum-",
    "hanging-scroll",
    "outputs/",
    "tiny/",
    ".png",
)
"""What no rater may ever receive."""
