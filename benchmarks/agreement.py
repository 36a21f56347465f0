"""How much faster α with its interval is, for five criteria, than a thousand calls on resamples.

The baseline is `krippendorff.alpha` on tables of resampled units; a few calls are timed and their
mean is scaled. On our side once α alone, from arrays of numbers as the baseline has them, and once
all agreement (α, AC2, shares, ICC, each without a rater) from a table with names. An interval for
each of five criteria wants a thousand resamples of each; a thousand calls in all are printed too. With `--large` the larger table instead:
`pinlu agreement` on a Parquet file, in a process of its own, with the memory that it takes. The
last line is JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import krippendorff
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leaderboard.agreement import agreement
from leaderboard.coefficients import alpha_and_variances
from leaderboard.coincidence import Ratings, grouped
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


def alphas(grids: list[NDArray[np.int8]]) -> None:
    """Compute α and both of its variances for each grid."""
    for grid in grids:
        items, raters = grid.shape
        unit = np.repeat(np.arange(items, dtype=np.int32), raters)
        rater = np.tile(np.arange(raters, dtype=np.int32), items)
        value = grid.ravel().astype(np.int32) - 1
        ratings = Ratings(unit, rater, value, np.arange(1.0, 6.0), items, raters)
        alpha_and_variances(ratings, grouped(ratings), "ordinal")


def median_of(work: Callable[[], object]) -> float:
    """Return the seconds that this takes, the median of three, warm."""
    work()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def main() -> None:
    rng = np.random.default_rng(0)
    if "--large" in sys.argv:
        large(rng)
        return
    grids = [grid_of(RATERS, ITEMS, rng) for _ in range(CRITERIA)]
    ratings = check_ratings(frame_of(grids), "the simulated ratings")
    alone, whole = median_of(lambda: alphas(grids)), median_of(lambda: agreement(ratings))

    start = time.perf_counter()
    for _ in range(CALLS):
        drawn = grids[0][rng.integers(0, ITEMS, ITEMS)]
        krippendorff.alpha(reliability_data=drawn.T, level_of_measurement="ordinal")
    baseline = (time.perf_counter() - start) / CALLS * RESAMPLES

    table = f"{RATERS} raters × {ITEMS} items"
    print(f"{RESAMPLES} calls of krippendorff.alpha, {table}, one criterion: {baseline:.1f} s")
    found = {"baseline": baseline}
    for name, seconds in (("α with its interval", alone), ("all agreement", whole)):
        each, once = baseline * CRITERIA / seconds, baseline / seconds
        print(
            f"{name}, {CRITERIA} criteria: {seconds:.2f} s, {each:.0f} × as fast as {RESAMPLES} "
            f"calls for each, {once:.0f} × as {RESAMPLES} calls in all"
        )
        found[name] = {"seconds": seconds, "each": each, "once": once}
    print(json.dumps(found, ensure_ascii=False))


if __name__ == "__main__":
    main()
