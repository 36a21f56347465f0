"""How much faster all agreement of five criteria is than a thousand calls of one α on resamples.

The baseline is `krippendorff.alpha` on tables of resampled units; a few calls are timed and their
mean is scaled. With `--large` the larger table too, with the memory that it takes. The last line
is JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import krippendorff
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leaderboard.agreement import agreement
from leaderboard.tables import check_ratings

RATERS, ITEMS, CRITERIA, CALLS, RESAMPLES = 30, 10_000, 5, 10, 1000
LARGE = (300, 100_000)


def grid_of(raters: int, items: int, rng: np.random.Generator) -> NDArray[np.int8]:
    quality = rng.normal(3, 1, (items, 1)).astype(np.float32)
    noise = rng.standard_normal((items, raters), dtype=np.float32)
    return np.clip(np.rint(quality + np.float32(0.7) * noise), 1, 5).astype(np.int8)


def table_of(grids: list[NDArray[np.int8]]) -> pd.DataFrame:
    """Return the grids as one checked table, one criterion each."""
    frames = []
    for criterion, grid in enumerate(grids):
        items, raters = grid.shape
        item = pd.Categorical.from_codes(
            np.repeat(np.arange(items, dtype=np.int32), raters), [f"i{n}" for n in range(items)]
        )
        rater = pd.Categorical.from_codes(
            np.tile(np.arange(raters, dtype=np.int16), items), [f"r{n}" for n in range(raters)]
        )
        frames.append(
            pd.DataFrame(
                {"rater": rater, "item": item, "criterion": f"c{criterion}", "value": grid.ravel()}
            )
        )
    return check_ratings(pd.concat(frames, ignore_index=True), "the simulated ratings")


def main() -> None:
    rng = np.random.default_rng(0)
    if "--large" in sys.argv:
        raters, items = LARGE
        start = time.perf_counter()
        ratings = table_of([grid_of(raters, items, rng)])
        checked = time.perf_counter() - start
        agreement(ratings)
        seconds = time.perf_counter() - start
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{raters} raters × {items} items: {seconds:.0f} s, of which {checked:.0f} s to check"
        )
        print(f"most memory of the process: {most:.2f} GiB")
        print(json.dumps({"seconds": seconds, "memory_gib": most}))
        return
    grids = [grid_of(RATERS, ITEMS, rng) for _ in range(CRITERIA)]
    ratings = table_of(grids)
    agreement(ratings)
    start = time.perf_counter()
    agreement(ratings)
    ours = time.perf_counter() - start

    start = time.perf_counter()
    for _ in range(CALLS):
        drawn = grids[0][rng.integers(0, ITEMS, ITEMS)]
        krippendorff.alpha(reliability_data=drawn.T, level_of_measurement="ordinal")
    baseline = (time.perf_counter() - start) / CALLS * RESAMPLES

    table = f"{RATERS} raters × {ITEMS} items"
    print(f"all agreement of {table} × {CRITERIA} criteria with intervals: {ours:.2f} s")
    print(f"{RESAMPLES} calls of krippendorff.alpha, {table}, one criterion: {baseline:.1f} s")
    ratio, each = baseline / ours, baseline * CRITERIA / ours
    print(f"ratio {ratio:.0f}, criterion by criterion {each:.0f}")
    print(json.dumps({"seconds": ours, "baseline": baseline, "ratio": ratio, "each": each}))


if __name__ == "__main__":
    main()
