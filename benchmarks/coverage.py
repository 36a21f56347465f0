"""How often nominal 95 % intervals hold the planted truth: the tables of docs/validation.md.

`python benchmarks/coverage.py [REPETITIONS [MEASURE …]]` (500 of all where not said, as in `600
of_means`) from the root of the checkout; one thread, half an hour. The populations are in
`tests/leaderboard/coverage.py`. Each line is printed when it is known; the last line is JSON.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.leaderboard.coverage import (
    MEASURES,
    Design,
    of_alpha,
    of_equal,
    of_equal_votes,
    of_joint,
    of_levels,
    of_means,
    of_scales,
    of_schools,
    of_style,
    of_votes,
    repetitions,
)


def _name(design: Design) -> str:
    return f"{design.raters} × {design.scenes}, SD {design.severity:g}"


PANELS = ((8, 100), (20, 200))
SEVERITIES = (0.0, 0.4)
USUAL = [Design(*panel, severity) for panel in PANELS for severity in SEVERITIES]
SMALL = {
    "4 raters × 24 scenes": Design(4, 24, 0.4, references=30),
    "the same, tastes SD .35": Design(4, 24, 0.4, taste=0.35),
    "24 × 48, 6 raters per item": Design(24, 48, 0.4, per_item=6),
    "12 × 40, 3 per item": Design(12, 40, 0.4, per_item=3),
    "6 × 100, 3 per item": Design(6, 100, 0.4, per_item=3),
    "5 × 20, two seeds, SD .5": Design(5, 20, 0.4, seeds=2, seed_spread=0.5),
    "5 × 20, four seeds, SD .2": Design(5, 20, 0.4, seeds=4, seed_spread=0.2),
    "5 × 20, four seeds, SD .5": Design(5, 20, 0.4, seeds=4, seed_spread=0.5),
}
SHARED = {
    f"20 × 24, rater × scene SD {spread:g}, model × scene SD {own:g}": Design(
        20, 24, 0.4, rater_scene=spread, model_scene=own
    )
    for own in (0.1, 0.5)
    for spread in (0.0, 0.7, 1.0)
}
"""What a rater finds in a scene, whichever model painted it."""
FOUND = {
    f"{_name(design)}, rater × output SD .7": replace(design, rater_output=0.7)
    for design in (Design(8, 100, 0.4), Design(20, 24, 0.4, model_scene=0.1))
}
"""What a rater finds in one output, in their rating and in their vote."""
TWELVE = {
    f"12 models, {_name(design)}": replace(
        design, quality=tuple(3.6 - 1 / 11 * k for k in range(12)), votes=6
    )
    for design in (Design(8, 30, 0.4), Design(12, 100, 0.4))
}
"""More contrasts of two readings than raters or, nearly, scenes can tell the covariance of."""
OF_EQUAL = [name for name in SMALL if "seeds" not in name]
"""For seeds that are always the same ones the models are not equal."""
RESAMPLES, SIZE = 300, 400


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    start = time.perf_counter()
    wanted = [measure for measure in MEASURES if measure.__name__ in sys.argv[2:]] or MEASURES
    jobs = [(name, SMALL[name], of_equal) for name in OF_EQUAL]
    jobs += [(name, design, of_equal) for name, design in SHARED.items()]
    jobs += [(name, design, of_means) for name, design in SMALL.items()]
    for of in (of_means, of_votes, of_alpha):
        jobs += [(_name(design), design, of) for design in USUAL]
    first = next(iter(SMALL))
    jobs.append((first, SMALL[first], of_votes))
    jobs += [(name, SMALL[name], of_levels) for name in (first, "24 × 48, 6 raters per item")]
    jobs += [(name, SMALL[name], of_equal_votes) for name in (first, "24 × 48, 6 raters per item")]
    jobs += [(name, design, of_joint) for name, design in {**TWELVE, **FOUND}.items()]
    for of in (of_joint, of_scales, of_equal, of_equal_votes):
        jobs += [(_name(design), design, of) for design in USUAL[1::2]]
    jobs += [(_name(design), design, of_style) for design in USUAL]
    jobs += [(first, SMALL[first], of_style), (_name(USUAL[1]), USUAL[1], of_schools)]
    table: dict[str, dict[str, float]] = {}
    for name, design, measure in jobs:
        if measure not in wanted:
            continue
        found = list(repetitions(measure, design, times, resamples=RESAMPLES, size=SIZE))
        for family in dict.fromkeys(family for held in found for family in held):
            given = [held[family] for held in found if family in held]
            share = sum(given) / len(given)
            table.setdefault(name, {})[family] = share
            print(f"{name} | {family} | {100 * share:.1f} % | {len(given)}", flush=True)
    seconds = time.perf_counter() - start
    print(f"{times} repetitions each, {RESAMPLES} resamples, {seconds:.0f} s")
    print(json.dumps({"repetitions": times, "seconds": round(seconds), "coverage": table}))


if __name__ == "__main__":
    main()
