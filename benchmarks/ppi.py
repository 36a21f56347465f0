"""How often intervals from raters and probe together hold the planted share, and how wide they are.

    python benchmarks/ppi.py [--repeats 200] [--judge | --excess 8x100 | --excess 20x200]

Two models of known mixtures, 30 scenes of 4 seeds, six raters who err once in ten, a quarter of the
outputs judged; the probe confuses as `tests/leaderboard/test_probes.py` says. The baseline is the
judged outputs alone. The test of the rectifier is run on two equal models too: its size. With `--judge` the same of a model as judge and the mean of a scale: two models of
30 scenes and two seeds, eight raters on half of the outputs, a judge that flatters one model by 1.2
steps. With `--excess` the excess leak too, in the population of `tests/leaderboard/coverage.py` with
raters and scenes as given, 60 references a tradition, half of the outputs judged, raters who differ in how
sharply they see (SD 0, .4 and .8 logits), with and without a habit of saying Japanese (SD 1 logit); the
probe says what most raters would, a third of the time next to nothing. Last line: JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.records import REFERENCE
from leaderboard.judge_ppi import combine_ratings
from leaderboard.probe_ppi import combine
from leaderboard.probes import check_probes
from tests.leaderboard import coverage, test_judges
from tests.leaderboard.test_probes import judged, pick, table

TRUTH = {"a": 0.9 * 0.35 + 0.1 / 3, "b": 0.9 * 0.1 + 0.1 / 3}
MIXES = {"a": [0.65, 0.35, 0.0], "b": [0.9, 0.1, 0.0]}
EQUAL = {"a": [0.9, 0.1, 0.0], "b": [0.9, 0.1, 0.0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--judge", action="store_true", help="of a judge's means on a scale")
    parser.add_argument("--excess", choices=["8x100", "20x200"], help="of the excess leak")
    options = parser.parse_args()
    repeats = options.repeats
    if options.excess:
        raters, scenes = map(int, options.excess.split("x"))
        lines: list[dict[str, str | float]] = []
        for severity in (0.0, 0.4, 0.8):
            for habit in (0.0, 1.0):
                design = coverage.Design(raters, scenes, severity, habit=habit)
                lines += excess(design, repeats)
        print(json.dumps(lines))
        return
    if options.judge:
        print(json.dumps(judge(repeats)))
        return
    rng, rng_equal = np.random.default_rng(11), np.random.default_rng(13)
    held, alone_held, widths, rejected, rejected_equal = [], [], [], 0, 0
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
        frame = table(rng_equal, EQUAL, scenes=30)
        ratings = judged(rng_equal, frame, 0.25)
        both = combine(ratings, check_probes(frame, "t"))
        rejected_equal += pick(both, "rectifier_p", "", "japanese").value < 0.05
    found = {
        "repeats": repeats,
        "intervals": len(held),
        "held": float(np.mean(held)),
        "held by the judged alone": float(np.mean(alone_held)),
        "width relative to the judged alone": float(np.mean(widths)),
        "rectifier test rejects at 5 %": rejected / repeats,
        "the same of equal models": rejected_equal / repeats,
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


def excess(design: coverage.Design, repeats: int) -> Iterator[dict[str, str | float]]:
    """Yield, of each model and both leaks, how often intervals held what is true of the population."""
    true = leaks_of_all(design)
    found: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for rng in np.random.default_rng(6).spawn(repeats):
        outputs, works = coverage.attributed(replace(design, scenes=2 * design.scenes), rng)
        ratings = coverage.table_of_attributions(outputs, works)
        ratings = ratings.assign(suite="s", language="en", seed="0")
        probes = seen_by_probe(ratings, rng)
        # the second half of the scenes is left to the probe
        scene = pd.to_numeric(ratings["prompt"], errors="coerce")
        kept = ratings[(ratings["model"] == REFERENCE) | (scene < design.scenes)]
        for score in combine(kept, probes, home=coverage.LABELS[0]):
            if (score.metric, score.model) in true and score.group == coverage.LABELS[1]:
                key = (score.metric, score.model)
                found.setdefault(key, []).append((score.value, score.low, score.high))
    for (metric, model), scores in sorted(found.items()):
        value, low, high = np.array([one for one in scores if np.isfinite(one[1])]).T
        truth = true[metric, model]
        line: dict[str, str | float] = {
            "design": f"{design.raters} x {design.scenes}",
            "severity": design.severity,
            "habit": design.habit,
            "measure": f"{metric} {model}",
            "true": round(truth, 4),
            "intervals": len(value),
            "held": round(float(np.mean((low <= truth) & (truth <= high))), 4),
            "truth above": round(float(np.mean(truth > high)), 4),
            "stated error over true": round(float(np.mean(high - low) / 3.92 / np.std(value)), 3),
        }
        print(json.dumps(line), flush=True)
        yield line


def leaks_of_all(design: coverage.Design) -> dict[tuple[str, str], float]:
    """Return raw and excess leaks of the population, by metric and model, by Gauss and Hermite."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()

    def chance(middle: float, spread: float) -> float:
        return float(weights @ (1 / (1 + np.exp(-middle - spread * nodes))))

    sharp = chance(np.log(coverage.RIGHT / (1 - coverage.RIGHT)), design.severity)
    turned = chance(-2.0, design.habit) if design.habit else 0.0
    # of five mistakes three are Japanese for Chinese, or the reverse
    chinese = 0.6 * (1 - sharp) + sharp * turned
    japanese = sharp + 0.6 * (1 - sharp) * turned
    found = {}
    for model, leak in zip(coverage.MODELS[:2], coverage.LEAK, strict=True):
        painted = chance(np.log(leak / (1 - leak)), 0.6)
        raw = painted * japanese + (1 - painted) * chinese
        found["raw_leak", model], found["excess_leak", model] = raw, raw - chinese
    return found


def seen_by_probe(ratings: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return what a probe says of the outputs: what most raters say, blurred."""
    outputs = ratings[ratings["model"] != REFERENCE].drop_duplicates("item")
    japanese = (ratings["attribution"] == coverage.LABELS[1]).groupby(ratings["item"]).mean()
    most = japanese.reindex(outputs["item"]).to_numpy(dtype=np.float64) > 0.5
    clear = np.where(rng.random(len(outputs)) < 2 / 3, 0.5, 0.1)
    chance = np.clip(0.25 + clear * most + rng.normal(0, 0.1, len(outputs)), 0, 1)
    columns = ["model", "prompt", "target", "language", "seed", "suite", "stratum", "genre"]
    columns += ["diagnosticity", "work"]
    told = outputs[columns].assign(output=outputs["item"], kind="style", probe="p")
    told = told.assign(home=coverage.LABELS[0], p_japanese=chance, p_chinese=1 - chance)
    return check_probes(told, "planted")


if __name__ == "__main__":
    main()
