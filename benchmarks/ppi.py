"""How often intervals from raters and probe together hold the planted share, and how wide they are.

    python benchmarks/ppi.py [--repeats 200]

Two models of known mixtures, 30 scenes of 4 seeds, six raters who err once in ten, a quarter of the
outputs judged; the probe confuses as `tests/leaderboard/test_probes.py` says. The baseline is the
judged outputs alone. Last line: JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from leaderboard.ppi import combine
from leaderboard.probes import check_probes
from tests.leaderboard.test_probes import judged, pick, table

TRUTH = {"a": 0.9 * 0.35 + 0.1 / 3, "b": 0.9 * 0.1 + 0.1 / 3}
MIXES = {"a": [0.65, 0.35, 0.0], "b": [0.9, 0.1, 0.0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=200)
    repeats = parser.parse_args().repeats
    rng = np.random.default_rng(11)
    held, alone_held, widths, rejected = [], [], [], 0
    for _ in range(repeats):
        frame = table(rng, MIXES, scenes=30)
        ratings = judged(rng, frame, 0.25)
        both = combine(ratings, check_probes(frame, "t"))
        only = check_probes(frame[frame["output"].isin(set(ratings["item"]))], "t")
        alone = combine(ratings, only)
        rejected += pick(both, "rectifier_p", "", "japanese").value < 0.05
        for model, truth in TRUTH.items():
            one, other = (pick(s, "raw_leak", model, "japanese") for s in (both, alone))
            held.append(one.low <= truth <= one.high)
            alone_held.append(other.low <= truth <= other.high)
            widths.append((one.high - one.low) / (other.high - other.low))
    found = {
        "repeats": repeats,
        "intervals": len(held),
        "held": float(np.mean(held)),
        "held by the judged alone": float(np.mean(alone_held)),
        "width relative to the judged alone": float(np.mean(widths)),
        "rectifier test rejects at 5 %": rejected / repeats,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
