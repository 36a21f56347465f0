"""How fast the harness generates on a CPU, against two ways to call the same pipelines by hand.

    python benchmarks/generation_cpu.py [--rounds N]

The tiny FLUX-, PixArt- and Wan-like checkpoints of the tests, with random weights, at the tests' size
(32 × 32 pixels, clips of 5 frames) and the families' usual 28, 20 and 50 steps; 16 prompts in Chinese
and English, 8 seeds each, batches of 16. So small, a batch saves calls rather than arithmetic: real
models on a CPU gain less from batches. Three times are taken in turn, the best of each:

- the plain loop: `pipe(prompt)` for one job after another, each picture saved as PNG by PIL's
  defaults (each clip as H.264 by our encoder);
- the batched calls: the same batches through the same pipeline, and nothing else: no file, no hash;
- the harness: `generate` from the loaded model to the last row, files and manifest included.

Beside the wall time stands the processor's, of all threads: other work on the machine changes it
little. The last line is JSON: per family the ratios, wanted are 2.5 and more for the loop, 1.10 and
less for the calls.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from bench import clips, pipelines
from bench.fast import for_batch
from bench.generate import generate
from bench.records import ModelSpec
from bench.request import Request
from tests import tiny, tiny_video

SEEDS, SCENES, BATCH = 8, 8, 16
Times = tuple[float, float]
"""Seconds of the wall's clock and of the processor."""
FAMILIES: dict[str, tuple[Any, dict[str, Any]]] = {
    family: (module, module.FAMILIES[family][1] | {"num_inference_steps": steps})
    for family, module, steps in [("flux", tiny, 28), ("pixart", tiny, 20), ("wan", tiny_video, 50)]
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--families", nargs="*", default=list(FAMILIES))
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as place:
        for family in options.families:
            results[family] = of_family(family, Path(place), options.rounds)
            print(
                "{}: plain loop {loop:.1f} s, batched calls {calls:.1f} s, harness {harness:.1f} s: "
                "{times_the_loop:.2f} × the loop, {times_the_calls:.2f} of the calls' time; of the "
                "processor's {cpu_times_the_loop:.2f} × and {cpu_times_the_calls:.2f}".format(
                    family, **results[family]
                )
            )
    good = all(
        one["times_the_loop"] >= 2.5 and one["times_the_calls"] <= 1.10 for one in results.values()
    )
    versions = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    print(json.dumps({"families": results, "goals_met": good, **versions}))


def of_family(family: str, place: Path, rounds: int) -> dict[str, float]:
    module, arguments = FAMILIES[family]
    folder = module.save(family, place / f"tiny-{family}")
    suite = suite_file(place / f"{family}.yaml", "video" if module is tiny_video else "image")
    spec = {
        "model": family,
        "source": str(folder),
        "arguments": arguments,
        "modality": "video" if module is tiny_video else "image",
        "fps": 8 if module is tiny_video else None,
    }
    path = place / f"model-{family}.yaml"
    path.write_text(yaml.safe_dump(spec), encoding="utf-8")
    jobs = [(text, seed) for text in texts() for seed in range(SEEDS)]
    best = {
        what + name: float("inf") for what in ("", "cpu_") for name in ("loop", "calls", "harness")
    }
    for number in range(rounds):
        pipeline = loaded(folder)
        run = place / f"run-{family}-{number}"
        taken = {
            "calls": batched_calls(pipeline, jobs, arguments),
            "loop": plain_loop(pipeline, jobs, arguments, place / "loop"),
            "harness": harness(suite, path, run),
        }
        for name, (wall, processor) in taken.items():
            best[name] = min(best[name], wall)
            best[f"cpu_{name}"] = min(best[f"cpu_{name}"], processor)
        shutil.rmtree(run)
    return best | {
        "outputs": len(jobs),
        "times_the_loop": best["loop"] / best["harness"],
        "times_the_calls": best["harness"] / best["calls"],
        "cpu_times_the_loop": best["cpu_loop"] / best["cpu_harness"],
        "cpu_times_the_calls": best["cpu_harness"] / best["cpu_calls"],
    }


def texts() -> list[str]:
    chinese = [f"一幅中国画：秋江孤舟，远山{number}重" for number in range(SCENES)]
    english = [f"a Chinese painting of a lone boat, {number} hills" for number in range(SCENES)]
    return [text for pair in zip(chinese, english, strict=True) for text in pair]


def suite_file(path: Path, modality: str) -> Path:
    written = texts()
    scenes = [
        {
            "id": f"boat-{number}",
            "genre": "landscape",
            "prompts": {"chinese": {"zh": written[2 * number], "en": written[2 * number + 1]}},
        }
        for number in range(SCENES)
    ]
    header = {"suite": "boats", "version": 1, "modality": modality, "home": "chinese"}
    content = {**header, "traditions": ["chinese", "japanese"], "scenes": scenes}
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return path


def loaded(folder: Path) -> Any:
    return pipelines.load(ModelSpec("m", str(folder), "r"), {"default": "float32"})


def plain_loop(pipeline: Any, jobs: list[Any], arguments: dict[str, Any], out: Path) -> Times:
    out.mkdir(exist_ok=True)
    began, busy = time.perf_counter(), time.process_time()
    for number, (text, seed) in enumerate(jobs):
        generator = torch.Generator("cpu").manual_seed(seed)
        made = pipeline(prompt=text, generator=generator, output_type="np", **arguments)
        if hasattr(made, "frames"):
            frames = (np.asarray(made.frames[0]) * 255).round().astype(np.uint8)
            clips.write_h264(out / f"{number}.mp4", frames, 8)
        else:
            pixels = (made.images[0] * 255).round().astype(np.uint8)
            Image.fromarray(pixels).save(out / f"{number}.png")
    return time.perf_counter() - began, time.process_time() - busy


def batched_calls(pipeline: Any, jobs: list[Any], arguments: dict[str, Any]) -> Times:
    began, busy = time.perf_counter(), time.process_time()
    for start in range(0, len(jobs), BATCH):
        some = jobs[start : start + BATCH]
        generators = [torch.Generator("cpu").manual_seed(seed) for _, seed in some]
        written = [text for text, _ in some]
        pipeline(prompt=written, generator=generators, **for_batch(arguments, len(some)))
    return time.perf_counter() - began, time.process_time() - busy


def harness(suite: Path, model: Path, run: Path) -> Times:
    request = Request(
        str(suite), (str(model),), ("zh", "en"), tuple(range(SEEDS)), batch_size=BATCH
    )
    load, begun = pipelines.load, [0.0]

    def noted(*arguments: Any) -> Any:
        pipeline = load(*arguments)
        begun[0] = time.process_time()
        return pipeline

    pipelines.load = noted
    try:
        done = generate(request, run)
    finally:
        pipelines.load = load
    busy = time.process_time() - begun[0]
    if done.failed or done.made != 2 * SCENES * SEEDS:
        raise SystemExit(f"the harness did not make everything: {done}")
    return float(done.speed[0]["seconds"]), busy


if __name__ == "__main__":
    main()
