"""What share of a probe's wall time is forward passes, and how that compares with doing it in series.

    python benchmarks/probe.py [--pictures 96] [--side 768]

A CLIP of ViT-B/32's shape with random weights looks at pictures of noise and shapes. The baseline
reads, decodes and embeds one batch after the other in one thread. Last line: JSON.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from pathlib import Path

import numpy as np
import transformers
from PIL import Image

from bench.importing import import_outputs
from bench.media import encode_png
from bench.probing.embeddings import Network, load_network
from bench.probing.items import Item, batched, read_picture
from bench.probing.run import probe
from bench.records import ModelSpec
from tests.bench.probing.material import suite, tiny_network

BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=96)
    parser.add_argument("--side", type=int, default=768)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        network_folder = _network(folder / "vit-b-32")
        run = _run(folder, arguments.pictures, arguments.side)
        done = probe(run, network=str(network_folder), batch_size=BATCH)
        seconds = _in_series(load_network(str(network_folder)), run)
    found = {
        "pictures": arguments.pictures,
        "side": arguments.side,
        "forward share of the wall time": done.forward_seconds / done.looking_seconds,
        "pictures per second": arguments.pictures / done.looking_seconds,
        "speed against one thread in series": seconds / done.looking_seconds,
    }
    print(json.dumps(found))


def _network(folder: Path) -> Path:
    """Write a CLIP of ViT-B/32's vision tower with random weights; its text side is tiny."""
    tiny_network("clip", folder)
    config = transformers.CLIPConfig.from_pretrained(folder)
    config.vision_config = transformers.CLIPVisionConfig()
    transformers.CLIPModel(config).save_pretrained(folder)
    transformers.CLIPImageProcessorPil().save_pretrained(folder)
    return folder


def _run(folder: Path, pictures: int, side: int) -> Path:
    given = folder / "given"
    given.mkdir()
    rng = np.random.default_rng(0)
    for number in range(pictures):
        small = Image.fromarray(rng.integers(0, 255, (side // 6, side // 6, 3), np.uint8))
        pixels = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC))
        name = f"scene-{number % 4}--chinese--en--{number // 4}.png"
        (given / name).write_bytes(encode_png(pixels))
    import_outputs(given, ModelSpec("one", "", "1"), folder / "run", suite=suite(folder / "suite"))
    return folder / "run"


def _in_series(network: Network, run: Path) -> float:
    from bench.manifest import read_outputs  # noqa: PLC0415 - the baseline alone

    items = [Item(run / row["file_name"], row["sha256"], row) for row in read_outputs(run)]
    began = time.perf_counter()
    for some in batched(items, BATCH):
        network.see([network.prepare(Image.fromarray(read_picture(item))) for item in some])
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
