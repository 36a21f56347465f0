"""Generates the recovery experiment's pictures, model by model, as `pinlu generate` does.

    python -m benchmarks.recovery.generate --models DIR --out RUN [--part 1/2]

DIR is a round of `train.py` (`round-1`). Every model gets the same prompts, seeds and noise; each scene
(asked for Chinese, each language) has seeds of its own, since one seed's noise favours one manner in all scenes: of the same
few seeds everywhere, hundreds of pictures tell no more than those few. Run again to go on; `--part 1/2`
makes every second model, in a run of its own.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from bench import manifest
from bench.generate import generate
from bench.request import Request
from bench.run import planned_run, settle
from bench.suites import load_suite
from benchmarks.recovery.mixtures import TRIANGLE

SUITE = "first-look"
BATCH_SIZE = 6
TIMES = 4
"""Batches of each scene asked for Chinese in each language, and for no tradition: 768 and 384
pictures of each model."""
ARGUMENTS = {"num_inference_steps": 12, "guidance_scale": 1.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="folder of the trained models")
    parser.add_argument("--out", type=Path, required=True, help="the run folder")
    parser.add_argument("--part", default="1/1", help="as 1/2: which share of the models")
    arguments = parser.parse_args()
    first, _, step = arguments.part.partition("/")
    some = TRIANGLE[int(first) - 1 :: int(step)]
    folders = [arguments.models / planted.name for planted in some]
    missing = [folder.name for folder in folders if not (folder / "planted.json").exists()]
    if missing:
        raise SystemExit(f"not trained yet: {', '.join(missing)}; train them, run again")
    models = tuple(map(str, folders))
    _plan(models, arguments.out)
    # all is planned: now what one model lacks is made while it is loaded
    for model in models:
        done = generate(next(requests((model,))), arguments.out)
        if done.failed:
            raise SystemExit(f"{done.failed} failed, see {arguments.out / 'failures.jsonl'}")


def _plan(models: tuple[str, ...], out: Path) -> None:
    """Settle every part of the run, for one thread: small models gain nothing by more."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    for request in requests(models):
        run = planned_run(request, out)
        out.mkdir(parents=True, exist_ok=True)
        with manifest.opened(out):
            settle(run, allow_mixed=False)
    os.sched_setaffinity(0, cores)


def requests(models: tuple[str, ...]) -> Iterator[Request]:
    """Yield what is asked of models: of each scene Chinese in either language, and neither tradition."""
    suite = load_suite(SUITE)
    for number, scene in enumerate(suite.scenes):
        ways = [(("chinese",), (language,)) for language in suite.languages]
        for place, (targets, languages) in enumerate([*ways, (("none",), suite.languages)]):
            seeds = BATCH_SIZE // len(languages)
            for time in range(TIMES):
                first = 1000 * number + 100 * place + time * seeds
                yield Request(
                    suite=SUITE,
                    models=models,
                    languages=tuple(languages),
                    seeds=tuple(range(first, first + seeds)),
                    targets=targets,
                    scenes=(scene,),
                    batch_size=BATCH_SIZE,
                    arguments=ARGUMENTS,
                )


if __name__ == "__main__":
    main()
