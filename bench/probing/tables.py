"""The tables of a probed run, from what was seen of each file: one row per output and probe."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.probing import faults, style, video
from bench.probing.diversity import vendi, vendi_of_samples
from bench.probing.embeddings import Embeddings, Network
from bench.probing.items import Item
from bench.probing.names import TOLD
from bench.suites import Suite

STYLE, FAULTS, VIDEO = "style", "faults", "video"
CHANCE = "p_"
"""What the columns of style probabilities begin with: `p_chinese`, `p_other` …"""
_REFERENCE_SAMPLES = 200
_SEED = 5


@dataclass(frozen=True)
class Tables:
    """`probes.parquet`, `diversity.parquet`, and what `probe.json` says of the probes."""

    probes: pd.DataFrame
    diversity: pd.DataFrame
    report: Mapping[str, Any]


@dataclass(frozen=True)
class _Style:
    """A way to tell styles from embeddings: probabilities of `classes`."""

    probe: str
    classes: tuple[str, ...]
    outputs: npt.NDArray[np.float64]
    references: npt.NDArray[np.float64]
    facts: Mapping[str, Any]


def tables(
    outputs: Sequence[Item],
    works: Sequence[Item],
    facts: Mapping[str, npt.NDArray[Any]],
    embedded: Mapping[str, Embeddings],
    *,
    network: Network | None,
    suite: Suite,
    texts: Mapping[str, Sequence[str]] | None,
) -> Tables:
    """Make the tables.

    Args:
        outputs: of the run.
        works: the references.
        facts: by file hash, what needs no network.
        embedded: by file hash, what the network saw: (width,), of clips (2, frames, width).
        network: None where none looked.
        suite: whose traditions are told apart.
        texts: class → prompt ensemble, for zero-shot.
    """
    rows: list[dict[str, Any]] = []
    pictures = [item for item in outputs if item.frames is None]
    rows += _fault_rows(pictures, facts)
    report: dict[str, Any] = {"schema": 1, "network": "", "revision": "", "probes": []}
    diversity = pd.DataFrame(columns=["kind", "model", "prompt", "language", "n", "vendi"])
    styles: list[_Style] = []
    if network is not None:
        report |= {"network": network.name, "revision": network.revision}
        seen = _rows_of(outputs, embedded)
        shown = _rows_of(works, embedded)
        styles, report["not_computed"] = _styles(
            network, seen, works, shown, suite=suite, texts=texts
        )
        for way in styles:
            rows += _style_rows(way, outputs, works, seen)
            report["probes"].append({"probe": way.probe, **way.facts})
        diversity = _diversity(outputs, works, embedded, suite.home)
        diversity["network"] = network.name
    rows += _video_rows(outputs, facts, embedded, styles)
    probes = pd.DataFrame(rows, columns=None if rows else [*TOLD, "kind", "probe"])
    return Tables(probes, diversity, report)


def _rows_of(
    items: Sequence[Item], embedded: Mapping[str, Embeddings]
) -> list[npt.NDArray[np.float32]]:
    """Return per item what the network saw of it as it is: (1, width), of a clip (frames, width)."""
    found = []
    for item in items:
        one = embedded[item.sha256]
        if one.ndim == 1:
            found.append(one[None])
        else:
            found.append(one[0][np.isfinite(one[0]).all(axis=1)])
    return found


def _styles(
    network: Network,
    seen: Sequence[npt.NDArray[np.float32]],
    works: Sequence[Item],
    shown: Sequence[npt.NDArray[np.float32]],
    *,
    suite: Suite,
    texts: Mapping[str, Sequence[str]] | None,
) -> tuple[list[_Style], dict[str, str]]:
    """Return every way to tell styles that there is, and why the others are not."""
    styles: list[_Style] = []
    not_computed: dict[str, str] = {}
    codes = np.array([suite.traditions.index(work.row["target"]) for work in works], dtype=np.int64)
    flat = np.concatenate(seen) if seen else np.empty((0, 0), np.float32)
    works_flat = np.concatenate([one[:1] for one in shown]) if shown else flat[:0]
    # works that do not tell traditions apart teach and judge no probe: they are told like outputs
    tell = np.array([work.row["diagnosticity"] in {"", "distinct"} for work in works], dtype=bool)

    def add(
        method: str,
        classes: Sequence[str],
        told: npt.NDArray[np.float64],
        held_out: npt.NDArray[np.float64],
        more: Mapping[str, Any],
    ) -> None:
        facts = dict(more)
        facts |= _confusion_facts(held_out[tell], codes[tell], suite.traditions, classes)
        name = f"{method}:{network.name}"
        styles.append(_Style(name, tuple(classes), told, held_out, facts))

    if network.head is not None:
        order = [network.traditions.index(name) for name in suite.traditions]
        head = network.head
        told, held_out = (
            head(one)[:, order] if len(one) else np.empty((0, len(order)))
            for one in (flat, works_flat)
        )
        add("trained", suite.traditions, told, held_out, {})
    if network.read is None:
        not_computed["zero-shot"] = f"{network.name} has no text side"
    elif texts is None:
        not_computed["zero-shot"] = (
            f"the suite {suite.name} has no probe.yaml: name one with --texts"
        )
    else:
        ensembles = [network.read(list(of_class)) for of_class in texts.values()]
        told, held_out = (
            style.zero_shot(one, ensembles, network.scale)
            if len(one)
            else np.empty((0, len(texts)))
            for one in (flat, works_flat)
        )
        number = {name: len(of_class) for name, of_class in texts.items()}
        add("zero-shot", tuple(texts), told, held_out, {"texts": number})
    telling = [work for work, one in zip(works, tell, strict=True) if one]
    lacking = _lacking(telling, codes[tell], suite)
    if lacking:
        not_computed["linear"] = lacking
    elif len(flat):
        groups = [str(work.row["work"]) for work in telling]
        fitted = style.fit_linear_head(works_flat[tell], codes[tell], groups=groups, seed=_SEED)
        held_out = fitted.head.predict(works_flat)
        held_out[tell] = fitted.held_out
        more = {
            "temperature": fitted.head.temperature,
            "penalty": fitted.penalty,
            "folds": style.FOLDS,
        }
        add("linear", suite.traditions, fitted.head.predict(flat), held_out, more)
    return styles, not_computed


def _lacking(works: Sequence[Item], codes: npt.NDArray[np.int64], suite: Suite) -> str:
    """Say why no head can be fitted on the references, "" where it can."""
    if not works:
        return "no references"
    for place, tradition in enumerate(suite.traditions):
        number = len(
            {work.row["work"] for work, code in zip(works, codes, strict=True) if code == place}
        )
        if number < style.LEAST_PER_CLASS:
            least = style.LEAST_PER_CLASS
            return f"{number} references of {tradition}: a head wants {least} of each tradition"
    return ""


def _confusion_facts(
    told: npt.NDArray[np.float64],
    codes: npt.NDArray[np.int64],
    traditions: Sequence[str],
    classes: Sequence[str],
) -> dict[str, Any]:
    """Return confusion, accuracy and calibration on references, for the report; empty without any."""
    if not len(told):
        return {}
    matrix = style.confusion(told, codes, len(traditions))
    places = np.array([list(classes).index(traditions[code]) for code in codes])
    curve = style.calibration(told, places)
    return {
        "references": len(told),
        "accuracy": float((told.argmax(axis=1) == places).mean()),
        "confusion": {
            tradition: {
                name: None if np.isnan(value) else round(float(value), 4)
                for name, value in zip(classes, row, strict=True)
            }
            for tradition, row in zip(traditions, matrix, strict=True)
        },
        "calibration": [dict(one) for one in curve],
        "calibration_error": style.calibration_error(curve),
    }


def _style_rows(
    way: _Style,
    outputs: Sequence[Item],
    works: Sequence[Item],
    seen: Sequence[npt.NDArray[np.float32]],
) -> list[dict[str, Any]]:
    """Return a row per item; of a clip the mean over its frames."""
    rows, place = [], 0
    chances = []
    for own in seen:
        chances.append(way.outputs[place : place + len(own)].mean(axis=0))
        place += len(own)
    for item, chance in [
        *zip(outputs, chances, strict=True),
        *zip(works, way.references, strict=True),
    ]:
        told = {f"{CHANCE}{name}": float(p) for name, p in zip(way.classes, chance, strict=True)}
        rows.append({**item.row, "kind": STYLE, "probe": way.probe, **told})
    return rows


def _fault_rows(
    pictures: Sequence[Item], facts: Mapping[str, npt.NDArray[Any]]
) -> list[dict[str, Any]]:
    rows = []
    by_model: dict[str, list[Item]] = defaultdict(list)
    for item in pictures:
        by_model[item.row["model"]].append(item)
    for own in by_model.values():
        found = np.stack([facts[item.sha256] for item in own])
        scenes = [str(item.row["prompt"]).partition("/")[0] for item in own]
        keys = [str(item.row["output"]) for item in own]
        doubles = faults.near_duplicates(found, scenes, keys)
        marks = faults.repeated_corners(found)
        for item, one, double, mark in zip(own, found, doubles, marks, strict=True):
            rows.append(
                {
                    **item.row,
                    "kind": FAULTS,
                    "probe": FAULTS,
                    "blank": bool(one[0]),
                    "duplicate_of": double,
                    "watermark": mark,
                    "watermark_known": len(own) >= faults.LEAST_OUTPUTS,
                }
            )
    return rows


def _video_rows(
    outputs: Sequence[Item],
    facts: Mapping[str, npt.NDArray[Any]],
    embedded: Mapping[str, Embeddings],
    styles: Sequence[_Style],
) -> list[dict[str, Any]]:
    """Return a row per clip; the drift is that of the last way to tell styles (linear, where fitted)."""
    rows, place = [], 0
    for item in outputs:
        if item.frames is None:
            place += 1
            continue
        steady, flicker, motion, frames = facts[item.sha256]
        enough = frames >= video.LEAST_FRAMES
        row: dict[str, Any] = {
            **item.row,
            "kind": VIDEO,
            "probe": VIDEO,
            "background_steadiness": float(steady),
            "flicker": float(flicker),
            "motion": float(motion),
            "frames": int(frames),
            "frames_from": item.exact,
            "subject_steadiness": float("nan"),
            "style_drift": float("nan"),
        }
        if item.sha256 in embedded:
            levelled = embedded[item.sha256][1]
            levelled = levelled[np.isfinite(levelled).all(axis=1)]
            number = len(levelled)
            if enough:
                row["subject_steadiness"] = video.subject_steadiness(levelled)
            if enough and styles:
                path = styles[-1].outputs[place : place + number]
                row["style_drift"] = video.style_drift(path)
            place += number
        rows.append(row)
    return rows


def _diversity(
    outputs: Sequence[Item],
    works: Sequence[Item],
    embedded: Mapping[str, Embeddings],
    home: str,
) -> pd.DataFrame:
    """Return Vendi scores: of each prompt's seeds, of each prompt's models, of references as many.

    `kind` is within, between or references; `n` is the number of pictures of each score.
    """

    def vector(item: Item) -> npt.NDArray[np.float32]:
        one = embedded[item.sha256]
        if one.ndim == 1:
            return one
        whole: npt.NDArray[np.float32] = np.nanmean(one[0], axis=0)
        return whole

    def grouped(*columns: str) -> list[tuple[dict[str, Any], list[Item]]]:
        def key(item: Item) -> tuple[str, ...]:
            return tuple(str(item.row[column]) for column in columns)

        ordered = sorted(outputs, key=key)
        return [
            (dict(zip(columns, names, strict=True)), list(own))
            for names, own in groupby(ordered, key)
        ]

    rows: list[dict[str, Any]] = []
    for kind, columns in (
        ("within", ("model", "prompt", "target", "language")),
        ("between", ("prompt", "target", "language", "seed")),
    ):
        for told, own in grouped(*columns):
            n = len(own)
            value = vendi(np.stack([vector(item) for item in own])) if n > 1 else float("nan")
            rows.append({"kind": kind, **told, "n": n, "vendi": value})
    at_home = [vector(work) for work in works if work.row["target"] == home]
    rng = np.random.default_rng(_SEED)
    for size in sorted({int(row["n"]) for row in rows if row["n"] > 1}):
        if len(at_home) >= size:
            drawn = vendi_of_samples(np.stack(at_home), size, _REFERENCE_SAMPLES, rng)
            rows += [{"kind": "references", "n": size, "vendi": value} for value in drawn]
    return pd.DataFrame(rows).fillna(dict.fromkeys(("model", "prompt", "target", "language"), ""))
