"""What share of a probe's wall time is forward passes, and what it holds in memory.

    python benchmarks/probe.py [--pictures 96] [--side 768] [--network vit-b-32 | atelier-probe]

A CLIP of ViT-B/32's shape with random weights, or atelier-probe, looks at pictures of noise. The
baseline reads, decodes and embeds one batch after the other in one thread. Memory is the process's
peak less what it held when the pictures lay ready: run with 1,000 and with 10,000 of them, it says
whether pictures pile up. Last line: JSON.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import transformers
from PIL import Image

from bench.importing import import_outputs
from bench.media import encode_png
from bench.probing.embeddings import ATELIER, Network, load_network
from bench.probing.items import Item, read_picture
from bench.probing.run import Probing, probe
from bench.records import ModelSpec
from tests.bench.probing.material import suite, tiny_network

BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=96)
    parser.add_argument("--side", type=int, default=768)
    parser.add_argument("--no-baseline", action="store_true", help="leave the series out")
    parser.add_argument("--network", choices=["vit-b-32", ATELIER], default="vit-b-32")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        name = ATELIER
        if arguments.network != ATELIER:
            name = str(_network(folder / arguments.network))
        run = _run(folder, arguments.pictures, arguments.side)
        load_network(name)
        held = _peak_megabytes()
        done = probe(run, Probing(network=name, batch_size=BATCH))
        peak = _peak_megabytes()
        seconds = float("nan")
        if not arguments.no_baseline:
            seconds = _in_series(load_network(name), run)
    found = {
        "network": arguments.network,
        "pictures": arguments.pictures,
        "side": arguments.side,
        "forward share of the wall time": done.forward_seconds / done.looking_seconds,
        "pictures per second": arguments.pictures / done.looking_seconds,
        "speed against one thread in series": None
        if arguments.no_baseline
        else seconds / done.looking_seconds,
        "peak memory, MB": peak,
        "of that since the pictures lay ready, MB": peak - held,
        "pictures decoded together, MB": arguments.pictures * arguments.side**2 * 3 / 2**20,
    }
    print(json.dumps(found))


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


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
    for start in range(0, len(items), BATCH):
        some = items[start : start + BATCH]
        network.see([network.prepare(Image.fromarray(read_picture(item))) for item in some])
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
