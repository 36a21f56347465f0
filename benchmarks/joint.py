"""Ratings and votes joined, against the ratings alone: whose error is smaller, whose interval holds.

`python benchmarks/joint.py [REPETITIONS]` (100 where not said) from the root of the checkout; one
thread, some minutes. Raters' biases move all models alike and would hide the rest, so there are
none here. Each line is printed when it is known; the last line is JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.records import Score
from leaderboard.joint import joint
from leaderboard.quality import mean_scores
from tests.leaderboard.coverage import (
    NAMES,
    Design,
    draw_outputs,
    judged,
    table_of_ratings,
    table_of_votes,
    voted,
)

DESIGNS = ((3, 30, 8), (6, 40, 8), (12, 30, 8), (12, 48, 8), (12, 100, 12))
"""Models, scenes, raters."""


def measured(models: int, scenes: int, raters: int, times: int) -> dict[str, float]:
    """Return errors, shares of intervals that hold, and how often p of agreement is under .05."""
    truth = dict(zip(NAMES, np.linspace(3.6, 2.6, models).tolist(), strict=False))
    design = Design(raters, scenes, 0.3, quality=tuple(truth.values()), votes=max(models // 2, 1))
    found: dict[str, list[Score]] = {"joint_score": [], "mean_score": []}
    p = []
    for rng in np.random.default_rng(12).spawn(times):
        outputs = draw_outputs(design, rng)
        ratings = table_of_ratings(judged(replace(design, severity=0.0), outputs, rng))
        votes = table_of_votes(voted(design, rng, outputs)).assign(criterion="c")
        scores = joint(ratings, votes, rng=rng, resamples=300)
        scores += list(mean_scores(ratings, Score(), rng, 300))
        p += [s.value for s in scores if s.metric == "rating_vote_fit"]
        for metric, kept in found.items():
            kept += [s for s in scores if s.metric == metric and np.isfinite(s.value)]
    result = {"p under .05": float(np.mean(np.array(p) < 0.05))}
    for metric, kept in found.items():
        errors = [s.value - truth[s.model] for s in kept]
        held = [s.low <= truth[s.model] <= s.high for s in kept]
        result[f"{metric} error"] = float(np.sqrt(np.mean(np.square(errors))))
        result[f"{metric} held"] = float(np.mean(held))
    return result


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    table = {}
    for design in DESIGNS:
        name = "{} models × {} scenes × {} raters".format(*design)
        found = measured(*design, times)
        table[name] = {key: round(value, 4) for key, value in found.items()}
        ratio = found["joint_score error"] / found["mean_score error"]
        print(
            f"{name}: joint held {100 * found['joint_score held']:.1f} %, error {ratio:.2f} times "
            f"that of the ratings alone (held {100 * found['mean_score held']:.1f} %); "
            f"p under .05 in {100 * found['p under .05']:.1f} %",
            flush=True,
        )
    print(json.dumps({"repetitions": times, "joint": table}))


if __name__ == "__main__":
    main()
