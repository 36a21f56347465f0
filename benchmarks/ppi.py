"""How often intervals from raters and probe together hold the planted share, and how wide they are.

    python benchmarks/ppi.py [--repeats 200] [--judge]

Two models of known mixtures, 30 scenes of 4 seeds, six raters who err once in ten, a quarter of the
outputs judged; the probe confuses as `tests/leaderboard/test_probes.py` says. The baseline is the
judged outputs alone. With `--judge` the same of a model as judge and the mean of a scale: two models of
30 scenes and two seeds, eight raters on half of the outputs, a judge that flatters one model by 1.2
steps. Last line: JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from leaderboard.judge_ppi import combine_ratings
from leaderboard.probe_ppi import combine
from leaderboard.probes import check_probes
from tests.leaderboard import test_judges
from tests.leaderboard.test_probes import judged, pick, table

TRUTH = {"a": 0.9 * 0.35 + 0.1 / 3, "b": 0.9 * 0.1 + 0.1 / 3}
MIXES = {"a": [0.65, 0.35, 0.0], "b": [0.9, 0.1, 0.0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--judge", action="store_true", help="of a judge's means on a scale")
    options = parser.parse_args()
    repeats = options.repeats
    if options.judge:
        print(json.dumps(judge(repeats)))
        return
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


def judge(repeats: int) -> dict[str, float]:
    """Return coverage and relative width for the mean of a scale by raters and a judge."""
    rng = np.random.default_rng(12)
    truth = {}
    for model, quality in test_judges.QUALITY.items():
        spread = (0.3**2 + 0.5**2 + 0.2**2 + 0.5**2) ** 0.5  # scene, output, rater, rating
        drawn = quality + rng.normal(0, spread, 400_000)
        truth[model] = float(np.clip(np.rint(drawn), 1, 5).mean())
    held, alone_held, widths, flattered = [], [], [], []
    for _ in range(repeats):
        outputs = test_judges.truth(rng)
        said = test_judges.judged(outputs, rng, bias={"fine": 0.0, "poor": 1.2})
        some = outputs[outputs["seed"] == "0"]
        ratings = test_judges.rated(some, rng, raters=8)
        both = combine_ratings(ratings, said)
        only = combine_ratings(ratings, said[said["output"].isin(set(some["output"]))])
        for model, true in truth.items():
            one, other = (
                next(s for s in scores if (s.metric, s.model) == ("mean_score", model))
                for scores in (both, only)
            )
            held.append(one.low <= true <= one.high)
            alone_held.append(other.low <= true <= other.high)
            widths.append((one.high - one.low) / (other.high - other.low))
        of_scale = said[(said["kind"] == "scale") & (said["model"] == "poor")]
        flattered.append(float(of_scale["value"].mean()) - truth["poor"])
    return {
        "repeats": repeats,
        "intervals": len(held),
        "held": float(np.mean(held)),
        "held by the rated alone": float(np.mean(alone_held)),
        "width relative to the rated alone": float(np.mean(widths)),
        "the judge alone is off by": float(np.mean(flattered)),
    }


if __name__ == "__main__":
    main()
