"""Measures planted models by the whole chain and says how well their truth is found.

    python -m benchmarks.recovery.measure --out DIR [--trained RUN …]

Paints the sets of `painted.py` into DIR (what is there is kept), probes them, lets simulated raters
with habits and noise judge them blind beside references, and writes `results.json` and the figures.
`--trained` adds runs of trained models (`generate.py`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import spearmanr

from bench.atelier import MANNERS
from bench.atelier.mixture import expected_mixture
from bench.probing.run import Probing, probe
from bench.records import REFERENCE, Score
from benchmarks.recovery.coverage import coverage
from benchmarks.recovery.figures import write_figures
from benchmarks.recovery.mixtures import TRIANGLE
from benchmarks.recovery.painted import GUIDANCE, make_references, make_run
from benchmarks.recovery.pool import OTHERS, PLAIN, by_probe, by_raters, redrawn, score_of
from benchmarks.recovery.raters import Panel, judge
from leaderboard.probes import check_probes

PROBE = "trained:atelier-probe"
LINEAR = "linear:atelier-probe"
HABIT = Panel(habit={"japanese": 0.3})
"""Three answers in ten are "Japanese" whatever is shown."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--trained", type=Path, nargs="+", help="runs of trained models")
    parser.add_argument("--repeats", type=int, default=100, help="studies drawn for the coverage")
    arguments = parser.parse_args()
    out: Path = arguments.out
    triangle = looked_at("triangle", out)
    results: dict[str, Any] = {"triangle": {}, "sets": {}}
    truth = shares_of_names(triangle)
    results["at guidance 2"] = {
        "probe": recovered(by_probe(triangle), truth),
        "raters": recovered(by_raters(judge(triangle, PLAIN, np.random.default_rng(1))), truth),
    }
    pool = triangle
    triangle = redrawn(pool, np.random.default_rng(4))
    results["triangle"]["probe"] = recovered(by_probe(triangle), truth, guidance=1.0)
    plain = by_raters(judge(triangle, PLAIN, np.random.default_rng(1)))
    results["triangle"]["raters"] = recovered(plain, truth, guidance=1.0)
    _keep(results, out)
    if arguments.trained:
        runs = [looked_at_run(run, out / "references") for run in arguments.trained]
        rows = pd.concat(runs).drop_duplicates(["model", "output"], ignore_index=True)
        results["triangle"]["trained, probe"] = recovered(
            by_probe(rows), shares_of_names(rows), guidance=1.0
        )
        judged = by_raters(judge(rows, PLAIN, np.random.default_rng(3)))
        results["triangle"]["trained, raters"] = recovered(
            judged, shares_of_names(rows), guidance=1.0
        )
        _keep(results, out)
    for name in ("ink", "blend", "quality"):
        seen = looked_at(name, out)
        results["sets"][name] = {
            "probe": leaks(by_probe(seen)),
            "raters": leaks(by_raters(judge(seen, PLAIN, np.random.default_rng(2)))),
        }
        _keep(results, out)
    results["habit"] = habits(plain, by_raters(judge(triangle, HABIT, np.random.default_rng(1))))
    _keep(results, out)
    results["coverage"] = coverage(pool, arguments.repeats)
    _keep(results, out)
    print(json.dumps({name: results[name] for name in ("habit", "coverage", "sets")}))


def _keep(results: Mapping[str, Any], out: Path) -> None:
    """Write what is known so far, and the figures of it."""
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    write_figures(results, out)


def looked_at(name: str, out: Path) -> pd.DataFrame:
    """Paint and probe a set; return the rows of style of one probe."""
    ink = name == "ink"
    references = make_references(out / f"references{'-ink' * ink}", 60, ink=ink)
    # the linear head, fitted on the set's own references, where the shipped probe knows no ink
    return looked_at_run(make_run(name, out / name), references, LINEAR if ink else PROBE)


def looked_at_run(run: Path, references: Path, by: str = PROBE) -> pd.DataFrame:
    """Probe a run; return the rows of style of one probe."""
    probe(run, Probing(network="atelier-probe", references=references))
    rows = check_probes(pd.read_parquet(run / "probes.parquet"), str(run))
    return rows[rows["probe"] == by].reset_index(drop=True)


def shares_of_names(rows: pd.DataFrame) -> Mapping[str, tuple[float, float, float]]:
    there = set(rows["model"])
    return {one.name: one.shares for one in TRIANGLE if one.name in there}


def recovered(
    scores: Sequence[Score],
    truth: Mapping[str, tuple[float, float, float]],
    *,
    guidance: float = GUIDANCE,
) -> dict[str, Any]:
    """Hold excess leak and neutral default against the truth, per tradition.

    The truth of a neutral default is (s_l − s_C) / (s_l + s_C) of the training shares s; of a leak the
    share of l that a perfectly trained model paints when Chinese is asked for, and the training share
    itself, of which a leak is not a function alone. Beside the leak stands the corrected mixture, which
    takes the judge's confusions out of it.
    """
    found: dict[str, Any] = {}
    for place, other in enumerate(MANNERS):
        if other not in OTHERS:
            continue
        rows = []
        for model, shares in truth.items():
            asked = expected_mixture(shares, "chinese", guidance)
            leak = score_of(scores, "excess_leak", model, other)
            default = score_of(scores, "neutral_default", model, other)
            rows.append(
                {
                    "model": model,
                    "share": shares[place],
                    "expected": float(asked[place]),
                    "balance": (shares[place] - shares[0]) / (shares[place] + shares[0]),
                    "leak": leak.value,
                    "leak_low": leak.low,
                    "leak_high": leak.high,
                    "raw": score_of(scores, "raw_leak", model, other).value,
                    "mixture": score_of(scores, "corrected_mixture", model, other).value,
                    "default": default.value,
                    "default_low": default.low,
                    "default_high": default.high,
                }
            )
        frame = pd.DataFrame(rows)
        found[other] = {
            "models": len(frame),
            "leak against share": _spearman(frame, "share", "leak"),
            "leak against expected": _spearman(frame, "expected", "leak"),
            "mixture against expected": _spearman(frame, "expected", "mixture"),
            "default against balance": _spearman(frame, "balance", "default"),
            "default against share": _spearman(frame, "share", "default"),
            "line of leak on expected": _line(frame["expected"], frame["leak"]),
            "line of default on balance": _line(frame["balance"], frame["default"]),
            "rows": rows,
        }
    return found


def habits(plain: Sequence[Score], habit: Sequence[Score]) -> dict[str, Any]:
    """Return how far a habit of saying "Japanese" moves three indices towards Japanese, on average."""
    moved = {}
    for metric in ("choice_bias", "raw_leak", "excess_leak"):
        away = [
            score_of(habit, metric, one.name, "japanese").value
            - score_of(plain, metric, one.name, "japanese").value
            for one in TRIANGLE
        ]
        reach = [
            score_of(plain, metric, one.name, "japanese").high
            - score_of(plain, metric, one.name, "japanese").low
            for one in TRIANGLE
        ]
        moved[metric] = {
            "mean change": float(np.mean(away)),
            "standard error": float(np.std(away, ddof=1) / np.sqrt(len(away))),
            "mean half width": float(np.nanmean(reach) / 2),
        }
    return moved


def leaks(scores: Sequence[Score]) -> dict[str, dict[str, float]]:
    models = sorted({score.model for score in scores} - {"", REFERENCE})
    found = {}
    for model in models:
        score = score_of(scores, "excess_leak", model, "japanese")
        found[model] = {"value": score.value, "low": score.low, "high": score.high}
    return found


def _spearman(frame: pd.DataFrame, first: str, second: str) -> float:
    known = frame[[first, second]].dropna()
    return float(spearmanr(known[first], known[second]).statistic)


def _line(true: pd.Series, found: pd.Series) -> dict[str, float]:
    """Return slope and intercept of the calibration line, with intervals drawn over models."""
    known = pd.DataFrame({"true": true, "found": found}).dropna()
    rng = np.random.default_rng(0)
    fits: list[npt.NDArray[np.float64]] = []
    for draw in range(1001):
        rows = known if draw == 0 else known.iloc[rng.integers(len(known), size=len(known))]
        if len(set(rows["true"])) > 1:
            fits.append(np.polyfit(rows["true"], rows["found"], 1))
    low, high = np.quantile(np.stack(fits[1:]), [0.025, 0.975], axis=0)
    names = ("slope", "intercept")
    told = dict(zip(names, map(float, fits[0]), strict=True))
    told |= {f"{name}_low": float(value) for name, value in zip(names, low, strict=True)}
    return told | {f"{name}_high": float(value) for name, value in zip(names, high, strict=True)}


if __name__ == "__main__":
    main()
