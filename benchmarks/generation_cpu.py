"""How fast the harness generates on a CPU, against two ways to call the same pipelines by hand.

    python benchmarks/generation_cpu.py [--rounds N] [--families flux pixart wan]

The tiny FLUX-, PixArt- and Wan-like checkpoints of the tests, with random weights, at the tests' size
(32 × 32 pixels, clips of 5 frames) and the families' usual 28, 20 and 50 steps; 16 prompts in Chinese
and English, 8 seeds each, batches of 16. So small, a batch saves calls rather than arithmetic: real
models on a CPU gain less from batches.

- the plain loop: `pipe(prompt)` for one job after another, each picture saved as PNG by PIL's
  defaults (each clip as H.264 by our encoder);
- the batched calls: the same batches through the same pipeline, one after the other, and the same
  files by the same encoders; no hash, no manifest, no flush to the disk, nothing to resume by;
- the harness: `generate` from the loaded model to the last row.

In each round calls and harness are timed side by side, in an order that changes from round to round,
then the loop, and ratios are taken within the round, after calls that nobody times. Beside the wall
time stands the processor's, of all threads: other work on the machine changes it little. Given are
the medians. The last line is JSON: wanted are 2.5 and more for the loop, 1.10 and less for the calls.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from bench import clips, pipelines
from bench.fast import for_batch
from bench.generate import generate
from bench.keeper import Keeper
from bench.media import encode_png
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
    parser.add_argument("--rounds", type=int, default=5)
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
                ),
                flush=True,
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
    of_rounds: list[dict[str, Times]] = []
    for number in range(rounds):
        run, out = place / f"run-{family}-{number}", place / "by-hand"
        pipeline = loaded(folder)
        work: dict[str, Callable[[], Times]] = {
            "calls": partial(batched_calls, pipeline, jobs, arguments, out),
            "harness": partial(harness, suite, path, run),
        }
        if not number:  # what a process does once is nobody's
            work["calls"]()
        order = list(work) if number % 2 else list(work)[::-1]
        work["loop"] = partial(plain_loop, pipeline, jobs, arguments, out)
        of_rounds.append({name: work[name]() for name in [*order, "loop"]})
        shutil.rmtree(run)

    def middle(value: Callable[[dict[str, Times]], float]) -> float:
        return statistics.median(map(value, of_rounds))

    return {
        "outputs": len(jobs),
        "rounds": rounds,
        **{name: middle(lambda one, n=name: one[n][0]) for name in ("calls", "harness", "loop")},
        "times_the_loop": middle(lambda one: one["loop"][0] / one["harness"][0]),
        "times_the_calls": middle(lambda one: one["harness"][0] / one["calls"][0]),
        "cpu_times_the_loop": middle(lambda one: one["loop"][1] / one["harness"][1]),
        "cpu_times_the_calls": middle(lambda one: one["harness"][1] / one["calls"][1]),
        "cpu_milliseconds_per_output": {
            name: middle(lambda one, n=name: 1000 * one[n][1] / len(jobs))
            for name in ("calls", "harness")
        },
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


def batched_calls(pipeline: Any, jobs: list[Any], arguments: dict[str, Any], out: Path) -> Times:
    out.mkdir(exist_ok=True)
    began, busy = time.perf_counter(), time.process_time()
    for start in range(0, len(jobs), BATCH):
        some = jobs[start : start + BATCH]
        generators = [torch.Generator("cpu").manual_seed(seed) for _, seed in some]
        written = [text for text, _ in some]
        made = pipeline(prompt=written, generator=generators, **for_batch(arguments, len(some)))
        outputs = np.asarray(made.frames if hasattr(made, "frames") else made.images)
        for number, one in enumerate((outputs * 255).round().astype(np.uint8), start=start):
            if one.ndim == 4:
                clips.write_h264(out / f"{number}.mp4", one, 8)
            else:
                (out / f"{number}.png").write_bytes(encode_png(one))
    return time.perf_counter() - began, time.process_time() - busy


def harness(suite: Path, model: Path, run: Path) -> Times:
    """Return the time from the loaded model until the last row is written, by both clocks."""
    request = Request(
        str(suite), (str(model),), ("zh", "en"), tuple(range(SEEDS)), batch_size=BATCH
    )
    load, settle = pipelines.load, Keeper.settle
    began, ended = [0.0, 0.0], [0.0, 0.0]

    def note(clocks: list[float]) -> None:
        clocks[:] = time.perf_counter(), time.process_time()

    def loading(*arguments: Any) -> Any:
        pipeline = load(*arguments)
        note(began)
        return pipeline

    def settling(keeper: Keeper) -> None:
        settle(keeper)
        note(ended)  # what follows measures the device and counts operations, once for a model

    pipelines.load, Keeper.settle = loading, settling  # type: ignore[method-assign]
    try:
        done = generate(request, run)
    finally:
        pipelines.load, Keeper.settle = load, settle  # type: ignore[method-assign]
    if done.failed or done.made != 2 * SCENES * SEEDS:
        raise SystemExit(f"the harness did not make everything: {done}")
    return ended[0] - began[0], ended[1] - began[1]


if __name__ == "__main__":
    main()
