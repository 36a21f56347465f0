"""How much faster all agreement of five criteria is than a thousand calls of one α on resamples.

The baseline is `krippendorff.alpha` on tables of resampled units; a few calls are timed and their
mean is scaled. Two ratios are printed: an interval for each of five criteria wants a thousand
resamples of each, and beside it a thousand calls in all. With `--large` the larger table instead:
`pinlu agreement` on a Parquet file, in a process of its own, with the memory that it takes. The
last line is JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import krippendorff
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leaderboard.agreement import agreement
from leaderboard.tables import check_ratings

RATERS, ITEMS, CRITERIA, CALLS, RESAMPLES = 30, 10_000, 5, 20, 1000
LARGE = (300, 100_000)
IDS = ("rater", "item", "criterion")

_MEASURED = """
import re, sys
from pathlib import Path
from bench.cli import main
main(["agreement", sys.argv[1], "--json"])
print(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""
"""Of this process alone (Linux): what `getrusage` says of a child has its parent's memory in it."""


def grid_of(raters: int, items: int, rng: np.random.Generator) -> NDArray[np.int8]:
    quality = rng.normal(3, 1, (items, 1)).astype(np.float32)
    noise = rng.standard_normal((items, raters), dtype=np.float32)
    return np.clip(np.rint(quality + np.float32(0.7) * noise), 1, 5).astype(np.int8)


def frame_of(grids: list[NDArray[np.int8]]) -> pd.DataFrame:
    """Return the grids as one table, one criterion each."""
    criteria = [f"c{code}" for code in range(len(grids))]
    items, raters = grids[0].shape
    item = np.tile(np.repeat(np.arange(items, dtype=np.int32), raters), len(grids))
    rater = np.tile(np.arange(raters, dtype=np.int16), items * len(grids))
    criterion = np.repeat(np.arange(len(grids), dtype=np.int8), items * raters)
    return pd.DataFrame(
        {
            "rater": pd.Categorical.from_codes(rater, [f"r{n}" for n in range(raters)]),
            "item": pd.Categorical.from_codes(item, [f"i{n}" for n in range(items)]),
            "criterion": pd.Categorical.from_codes(criterion, criteria),
            "value": np.concatenate([grid.ravel() for grid in grids]),
        }
    )


def large(rng: np.random.Generator) -> None:
    """Run `pinlu agreement` on the larger table and say how much memory its process took."""
    raters, items = LARGE
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.parquet"
        # text in every cell, as another program would have written it
        frame = frame_of([grid_of(raters, items, rng)]).astype(dict.fromkeys(IDS, "str"))
        frame.to_parquet(path)
        del frame
        command = [sys.executable, "-c", _MEASURED, str(path)]
        start = time.perf_counter()
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603 - our own
        seconds = time.perf_counter() - start
    *scores, last = done.stdout.decode().splitlines()
    most = int(last) * 1024 / 1e9
    print(f"{raters} raters × {items} items from Parquet: {seconds:.0f} s")
    print(
        f"{len(json.loads(chr(10).join(scores)))} scores; most memory of the process: {most:.2f} GB"
    )
    print(json.dumps({"seconds": seconds, "memory_gb": most}))


def main() -> None:
    rng = np.random.default_rng(0)
    if "--large" in sys.argv:
        large(rng)
        return
    grids = [grid_of(RATERS, ITEMS, rng) for _ in range(CRITERIA)]
    ratings = check_ratings(frame_of(grids), "the simulated ratings")
    agreement(ratings)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        agreement(ratings)
        times.append(time.perf_counter() - start)
    ours = float(np.median(times))

    start = time.perf_counter()
    for _ in range(CALLS):
        drawn = grids[0][rng.integers(0, ITEMS, ITEMS)]
        krippendorff.alpha(reliability_data=drawn.T, level_of_measurement="ordinal")
    baseline = (time.perf_counter() - start) / CALLS * RESAMPLES

    table = f"{RATERS} raters × {ITEMS} items"
    print(f"all agreement of {table} × {CRITERIA} criteria with intervals: {ours:.2f} s (median)")
    print(f"{RESAMPLES} calls of krippendorff.alpha, {table}, one criterion: {baseline:.1f} s")
    each, once = baseline * CRITERIA / ours, baseline / ours
    print(f"against {RESAMPLES} calls for each of the {CRITERIA} criteria: {each:.0f} ×")
    print(f"against {RESAMPLES} calls in all: {once:.0f} ×")
    print(json.dumps({"seconds": ours, "baseline": baseline, "each": each, "once": once}))


if __name__ == "__main__":
    main()
