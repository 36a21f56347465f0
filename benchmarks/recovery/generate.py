"""Generates the recovery experiment's pictures, model by model, as `pinlu generate` does.

    python -m benchmarks.recovery.generate --models DIR --out RUN [--wait]

Every model gets the same prompts, seeds and noise. Run again to go on; `--wait` lets it follow a
training that is still under way.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from bench.generate import generate
from bench.request import Request
from benchmarks.recovery.mixtures import TRIANGLE

SEEDS = {
    ("chinese",): {"zh": range(4), "en": range(4, 8)},
    ("none",): {"zh": range(3), "en": range(4, 7)},
    ("japanese", "western"): {"zh": range(1), "en": range(4, 5)},
}
"""Targets → language → seeds: the noise of a seed is shared by all prompts, so each language has its own."""
STEPS = 10
BATCH_SIZE = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="folder of the trained models")
    parser.add_argument("--out", type=Path, required=True, help="the run folder")
    parser.add_argument("--wait", action="store_true", help="wait for models still in training")
    arguments = parser.parse_args()
    ready: list[str] = []
    for planted in TRIANGLE:
        folder = arguments.models / planted.name
        while not (folder / "planted.json").exists():
            if not arguments.wait:
                print(f"{planted.name} is not trained yet: train it, run again")
                return
            time.sleep(10)
        ready.append(str(folder))
        generate_all(ready, arguments.out)


def generate_all(models: list[str], out: Path) -> None:
    """Make what is missing of every request, for the models that are there."""
    for targets, seeds_of in SEEDS.items():
        for language, seeds in seeds_of.items():
            asked = Request(
                suite="first-look",
                models=tuple(models),
                languages=(language,),
                seeds=tuple(seeds),
                targets=targets,
                batch_size=BATCH_SIZE,
                arguments={"num_inference_steps": STEPS},
            )
            done = generate(asked, out)
            if done.failed:
                raise SystemExit(f"{done.failed} jobs failed, see {out / 'failures.jsonl'}")


if __name__ == "__main__":
    main()
