"""Measures planted models by the whole chain and says how well their truth is found.

    python -m benchmarks.recovery.measure --out DIR [--trained RUN]

Paints the sets of `painted.py` into DIR (what is there is kept), probes them, lets simulated raters
with habits and noise judge them blind beside references, and writes `results.json` and the figures.
`--trained` adds a run of trained models (`generate.py`).
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
from bench.probing.run import probe
from bench.records import REFERENCE, Score
from benchmarks.recovery.figures import write_figures
from benchmarks.recovery.mixtures import TRIANGLE
from benchmarks.recovery.painted import GUIDANCE, SETS, make_references, make_run
from benchmarks.recovery.raters import Panel, judge
from leaderboard.probes import as_attributions, as_probe, check_probes
from leaderboard.style import style

RESAMPLES = 200
PROBE = "trained:atelier-probe"
LINEAR = "linear:atelier-probe"
OTHERS = ("japanese", "western")
PLAIN = Panel()
HABIT = Panel(habit={"japanese": 0.3})
"""Three answers in ten are "Japanese" whatever is shown."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--trained", type=Path, help="a run of trained models")
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
    triangle = redrawn(triangle, np.random.default_rng(4))
    results["triangle"]["probe"] = recovered(by_probe(triangle), truth, guidance=1.0)
    plain = by_raters(judge(triangle, PLAIN, np.random.default_rng(1)))
    results["triangle"]["raters"] = recovered(plain, truth, guidance=1.0)
    _keep(results, out)
    if arguments.trained:
        rows = looked_at_run(arguments.trained, out / "references")
        results["triangle"]["trained, probe"] = recovered(by_probe(rows), shares_of_names(rows))
        judged = by_raters(judge(rows, PLAIN, np.random.default_rng(3)))
        results["triangle"]["trained, raters"] = recovered(judged, shares_of_names(rows))
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
    results["coverage"] = coverage(triangle, arguments.repeats)
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
    probe(run, network="atelier-probe", references=references)
    rows = check_probes(pd.read_parquet(run / "probes.parquet"), str(run))
    return rows[rows["probe"] == by].reset_index(drop=True)


def redrawn(pool: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return models without guidance, twice the seeds, of pictures drawn from the pool that was painted.

    With guidance 2 a perfect model of most mixtures leaks less than two pictures in a hundred, which no
    order can be read from; without it leaks run from 2 to 40 in a hundred.
    """
    outputs = pool[pool["model"] != REFERENCE].reset_index(drop=True)
    manner = true_manners(outputs)
    scene = outputs["prompt"].str.partition("/")[0]
    place = {
        (name, code): np.flatnonzero((scene == name) & (manner == code))
        for name in sorted(set(scene))
        for code in range(len(MANNERS))
    }
    asked = outputs[["prompt", "target", "language", "seed"]].drop_duplicates()
    parts = []
    for one in TRIANGLE:
        for half in range(2):
            drawn = []
            for prompt, target in zip(asked["prompt"], asked["target"], strict=True):
                shares = expected_mixture(one.shares, None if target == "none" else target)
                code = int(rng.choice(len(MANNERS), p=shares))
                drawn.append(int(rng.choice(place[prompt.partition("/")[0], code])))
            rows = outputs.iloc[drawn].reset_index(drop=True)
            for column in ("prompt", "target", "language"):
                rows[column] = asked[column].to_numpy()
            rows["seed"] = asked["seed"].to_numpy() + f"-{half}"
            rows["output"] = [f"{one.name}-{half}-{number}" for number in range(len(rows))]
            parts.append(rows.assign(model=one.name))
    return pd.concat([*parts, pool[pool["model"] == REFERENCE]], ignore_index=True)


def true_manners(outputs: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return the manner in which each picture of the triangle was painted, as `painted.py` drew it."""
    names = [one.name for one in SETS["triangle"]]
    found = []
    for row in outputs.itertuples():
        place = names.index(str(row.model))
        key = (place, *str(row.prompt).encode(), *str(row.language).encode(), int(str(row.seed)))
        mixture = SETS["triangle"][place].mixture[str(row.target)]
        found.append(int(np.random.default_rng(key).choice(len(MANNERS), p=mixture)))
    return np.array(found, dtype=np.int64)


def by_probe(rows: pd.DataFrame) -> list[Score]:
    found = style(
        as_attributions(rows, "s"),
        home="chinese",
        rng=np.random.default_rng(0),
        resamples=RESAMPLES,
        known=MANNERS,
    )
    return [as_probe(score, "probe") for score in found]


def by_raters(attributions: pd.DataFrame, resamples: int = RESAMPLES) -> list[Score]:
    rng = np.random.default_rng(0)
    return style(attributions, home="chinese", rng=rng, resamples=resamples, known=MANNERS)


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
    itself, of which a leak is not a function alone.
    """
    found: dict[str, Any] = {}
    for place, other in enumerate(MANNERS):
        if other not in OTHERS:
            continue
        rows = []
        for model, shares in truth.items():
            asked = expected_mixture(shares, "chinese", guidance)
            leak = _one(scores, "excess_leak", model, other)
            default = _one(scores, "neutral_default", model, other)
            rows.append(
                {
                    "model": model,
                    "share": shares[place],
                    "expected": float(asked[place]),
                    "balance": (shares[place] - shares[0]) / (shares[place] + shares[0]),
                    "leak": leak.value,
                    "leak_low": leak.low,
                    "leak_high": leak.high,
                    "raw": _one(scores, "raw_leak", model, other).value,
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
            _one(habit, metric, one.name, "japanese").value
            - _one(plain, metric, one.name, "japanese").value
            for one in TRIANGLE
        ]
        reach = [
            _one(plain, metric, one.name, "japanese").high
            - _one(plain, metric, one.name, "japanese").low
            for one in TRIANGLE
        ]
        moved[metric] = {
            "mean change": float(np.mean(away)),
            "standard error": float(np.std(away, ddof=1) / np.sqrt(len(away))),
            "mean half width": float(np.nanmean(reach) / 2),
        }
    return moved


def coverage(rows: pd.DataFrame, repeats: int) -> dict[str, Any]:
    """Draw studies from three models' pool and count how often the intervals hold the pool's value.

    A study draws twelve scenes with their seeds and R references of each class from the pool, and a panel of six
    raters anew. What it should find is what infinitely many such raters would say of the whole pool.
    """
    chosen = [one.name for one in TRIANGLE[:3]]
    pool = rows[rows["model"].isin([*chosen, REFERENCE])]
    pool = pool[pool["target"].isin(["chinese"]) | (pool["model"] == REFERENCE)]
    chance = PLAIN.chances(pool)
    asked = (pool["model"] != REFERENCE).to_numpy()
    home = (pool["target"] == "chinese").to_numpy()
    rng = np.random.default_rng(7)
    found: dict[str, Any] = {}
    for references in (15, 30, 60):
        held, whole = 0, 0
        raw_held: list[bool] = []
        raw_off, theory, widths = [], [], []
        for _ in range(repeats):
            study = judge(_drawn(pool, references, rng), PLAIN, rng)
            scores = by_raters(study, resamples=100)
            for model in chosen:
                of_model = (pool["model"] == model).to_numpy()
                for other in OTHERS:
                    column = chance[:, MANNERS.index(other)]
                    raw = float(column[of_model].mean())
                    true = raw - float(column[home & ~asked].mean())
                    latent = float(pool.loc[of_model, f"p_{other}"].mean())
                    excess = _one(scores, "excess_leak", model, other)
                    leak = _one(scores, "raw_leak", model, other)
                    whole += 1
                    held += excess.low <= true <= excess.high
                    if other == "japanese":  # the confusion that is planted
                        raw_held.append(leak.low <= latent <= leak.high)
                        raw_off.append(leak.value - latent)
                        theory.append(raw - latent)
                    widths.append((excess.high - excess.low) / 2)
        found[str(references)] = {
            "studies": repeats,
            "intervals": whole,
            "excess leak holds": held / whole,
            "mean half width": float(np.nanmean(widths)),
            "raw share as the latent Japanese share: holds": float(np.mean(raw_held)),
            "raw share as the latent Japanese share: bias": float(np.mean(raw_off)),
            "the same bias by theory": float(np.mean(theory)),
        }
    return found


def _drawn(pool: pd.DataFrame, references: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw scenes with replacement under new names, and references of each class."""
    outputs = pool[pool["model"] != REFERENCE]
    scene = outputs["prompt"].str.partition("/")[0]
    parts = []
    for number, name in enumerate(rng.choice(sorted(set(scene)), 12)):
        own = outputs[scene == name].copy()
        own["prompt"] = f"d{number}/chinese"
        own["output"] = own["output"] + f"-{number}"
        parts.append(own)
    works = pool[pool["model"] == REFERENCE]
    for tradition in MANNERS:
        own = works[works["target"] == tradition]
        drawn = own.iloc[rng.integers(len(own), size=references)].copy()
        drawn["output"] = [f"{tradition}-{number}" for number in range(references)]
        parts.append(drawn.assign(prompt=drawn["output"], work=drawn["output"]))
    return pd.concat(parts, ignore_index=True)


def leaks(scores: Sequence[Score]) -> dict[str, dict[str, float]]:
    models = sorted({score.model for score in scores} - {"", REFERENCE})
    found = {}
    for model in models:
        score = _one(scores, "excess_leak", model, "japanese")
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


def _one(scores: Sequence[Score], metric: str, model: str, group: str) -> Score:
    (found,) = [s for s in scores if (s.metric, s.model, s.group) == (metric, model, group)]
    return found


if __name__ == "__main__":
    main()
