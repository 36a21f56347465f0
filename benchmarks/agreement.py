"""How much faster one α with its two-way jackknife interval is than a thousand calls on resamples.

The baseline is `krippendorff.alpha` on tables of resampled units; a few calls are timed and their
mean is scaled. The last line is JSON.
"""

from __future__ import annotations

import json
import time

import krippendorff
import numpy as np
import pandas as pd

from leaderboard.agreement import agreement
from leaderboard.tables import check_ratings

RATERS, ITEMS, CALLS, RESAMPLES = 30, 10_000, 10, 1000


def main() -> None:
    rng = np.random.default_rng(0)
    quality = rng.normal(3, 1, (ITEMS, 1))
    grid = np.clip(np.rint(quality + rng.normal(0, 0.7, (ITEMS, RATERS))), 1, 5)
    item, rater = np.indices(grid.shape)
    frame = pd.DataFrame(
        {
            "rater": rater.ravel().astype(str),
            "item": item.ravel().astype(str),
            "criterion": "quality",
            "value": grid.ravel(),
        }
    )
    ratings = check_ratings(frame, "the simulated ratings")

    agreement(ratings)
    start = time.perf_counter()
    agreement(ratings)
    ours = time.perf_counter() - start

    start = time.perf_counter()
    for _ in range(CALLS):
        drawn = grid[rng.integers(0, ITEMS, ITEMS)]
        krippendorff.alpha(reliability_data=drawn.T, level_of_measurement="ordinal")
    baseline = (time.perf_counter() - start) / CALLS * RESAMPLES

    print(f"all agreement of {RATERS} raters × {ITEMS} items with intervals: {ours:.2f} s")
    print(f"{RESAMPLES} calls of krippendorff.alpha on resampled units: {baseline:.1f} s")
    print(json.dumps({"seconds": ours, "baseline": baseline, "ratio": baseline / ours}))


if __name__ == "__main__":
    main()
