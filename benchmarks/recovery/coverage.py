"""How often the intervals hold what was planted, over repeated studies that draw everything anew.

    python -m benchmarks.recovery.coverage --out DIR [--repeats 200]

DIR is that of `measure.py`. A study draws twelve scenes, the pictures of every seed (their manners by the
planted mixture, each picture out of those painted of its scene and manner), references of each class and a
panel: all that the intervals resample. That once with seeds that have nothing in common, and once with
seeds whose noise decides the manner in half of the pictures, the same in all scenes: intervals allow
for that. Last line: JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.atelier import MANNERS
from bench.atelier.mixture import expected_mixture
from bench.records import REFERENCE
from benchmarks.recovery.mixtures import TRIANGLE
from benchmarks.recovery.pool import OTHERS, PLAIN, by_raters, painted_by_scene, score_of
from benchmarks.recovery.raters import judge

MODELS = TRIANGLE[:3]
HOME = "chinese"
SCENES, LANGUAGES, SEEDS = 12, ("zh", "en"), 8
REFERENCES = (15, 30, 60)
SHARED = (0.0, 0.5)
"""Share of the pictures whose manner the noise of their seed decides, in all scenes alike."""
RESAMPLES = 400

Array = npt.NDArray[np.float64]


def main() -> None:
    from bench.files import write_whole  # noqa: PLC0415 - not for who imports `coverage`
    from benchmarks.recovery.measure import looked_at  # noqa: PLC0415 - it imports this

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=200)
    arguments = parser.parse_args()
    found = coverage(looked_at("triangle", arguments.out), arguments.repeats)
    content = json.dumps(found, indent=1) + "\n"
    write_whole(arguments.out / "coverage.json", content.encode())
    print(json.dumps(found))


def coverage(pool: pd.DataFrame, repeats: int) -> dict[str, Any]:
    """Count how often intervals hold the planted value, by number of references per class and what seeds share.

    Args:
        pool: the probed triangle at guidance 2, whose pictures are drawn from.
        repeats: studies per number of references; each has an interval per model and tradition.
    """
    outputs = pool[pool["model"] != REFERENCE].reset_index(drop=True)
    works = pool[pool["model"] == REFERENCE].reset_index(drop=True)
    place = painted_by_scene(outputs)
    truth = _truth(outputs, works, place)
    rng = np.random.default_rng(7)
    found: dict[str, Any] = {}
    for shared, references in product(SHARED, REFERENCES):
        rows = []
        for _ in range(repeats):
            made = _outputs(outputs, place, shared, rng)
            study = pd.concat([made, _works(works, references, rng)])
            scores = by_raters(judge(study, PLAIN, rng), RESAMPLES)
            for model in MODELS:
                for other in OTHERS:
                    true = truth[model.name, other]
                    excess = score_of(scores, "excess_leak", model.name, other)
                    raw = score_of(scores, "raw_leak", model.name, other)
                    rows.append(
                        {
                            "other": other,
                            "low": excess.low > true["excess"],
                            "high": excess.high < true["excess"],
                            "width": (excess.high - excess.low) / 2,
                            "raw holds": raw.low <= true["raw"] <= raw.high,
                            "latent holds": raw.low <= true["latent"] <= raw.high,
                            "off": raw.value - true["latent"],
                            "theory": true["raw"] - true["latent"],
                        }
                    )
        name = f"{references} references, seeds share {shared:.0%}"
        found[name] = {"references": references, "shared": shared}
        found[name] |= _told(pd.DataFrame(rows), repeats)
    return found


def _told(rows: pd.DataFrame, repeats: int) -> dict[str, Any]:
    confused = rows[rows["other"] == "japanese"]  # the confusion that is planted
    return {
        "studies": repeats,
        "intervals": len(rows),
        "excess leak holds": float(1 - (rows["low"] | rows["high"]).mean()),
        "excess leak lies wholly above": float(rows["low"].mean()),
        "excess leak lies wholly below": float(rows["high"].mean()),
        "raw leak holds": float(rows["raw holds"].mean()),
        "mean half width": float(rows["width"].mean()),
        "raw share as the latent Japanese share: holds": float(confused["latent holds"].mean()),
        "raw share as the latent Japanese share: bias": float(confused["off"].mean()),
        "the same bias by theory": float(confused["theory"].mean()),
    }


def _truth(
    outputs: pd.DataFrame, works: pd.DataFrame, place: Mapping[tuple[str, int], npt.NDArray[Any]]
) -> dict[tuple[str, str], dict[str, float]]:
    """Return what infinitely many raters would say of infinitely many scenes, seeds and references."""
    scenes = sorted({name for name, _ in place})
    said = PLAIN.chances(outputs)[:, : len(MANNERS)]
    seen: Array = outputs[[f"p_{manner}" for manner in MANNERS]].to_numpy(dtype=np.float64)
    of_works = PLAIN.chances(works[works["target"] == HOME])[:, : len(MANNERS)].mean(axis=0)
    found = {}
    for model in MODELS:
        mixture = expected_mixture(model.shares, HOME)
        raw, latent = (
            np.mean(
                [
                    sum(mixture[k] * values[place[name, k]].mean(axis=0) for k in range(3))
                    for name in scenes
                ],
                axis=0,
            )
            for values in (said, seen)
        )
        for other in OTHERS:
            code = MANNERS.index(other)
            found[model.name, other] = {
                "raw": float(raw[code]),
                "excess": float(raw[code] - of_works[code]),
                "latent": float(latent[code]),
            }
    return found


def _outputs(
    outputs: pd.DataFrame,
    place: Mapping[tuple[str, int], npt.NDArray[Any]],
    shared: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw scenes, and of each the pictures of every model, language and seed."""
    scenes = rng.choice(sorted({name for name, _ in place}), SCENES)
    rows, cells = [], []
    for model in MODELS:
        mixture = expected_mixture(model.shares, HOME)
        size = (len(LANGUAGES), SEEDS)
        of_seed = rng.choice(len(MANNERS), size, p=mixture)
        for number, name in enumerate(scenes):
            own = rng.choice(len(MANNERS), size, p=mixture)
            manners = np.where(rng.random(size) < shared, of_seed, own)
            for language, of_language in zip(LANGUAGES, manners, strict=True):
                for seed, code in enumerate(of_language):
                    rows.append(int(rng.choice(place[str(name), int(code)])))
                    cells.append((model.name, f"d{number}/{HOME}", language, f"{language}{seed}"))
    drawn = outputs.iloc[rows].reset_index(drop=True)
    columns = ["model", "prompt", "language", "seed"]
    drawn[columns] = pd.DataFrame(cells, columns=columns)
    drawn["target"] = HOME
    drawn["output"] = [f"o{number}" for number in range(len(drawn))]
    return drawn


def _works(works: pd.DataFrame, references: int, rng: np.random.Generator) -> pd.DataFrame:
    parts = []
    for tradition in MANNERS:
        own = works[works["target"] == tradition]
        drawn = own.iloc[rng.integers(len(own), size=references)].copy()
        drawn["output"] = [f"{tradition}-{number}" for number in range(references)]
        parts.append(drawn.assign(prompt=drawn["output"], work=drawn["output"]))
    return pd.concat(parts, ignore_index=True)


if __name__ == "__main__":
    main()
