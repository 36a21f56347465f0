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

from bench.probing import faults, video
from bench.probing.diversity import vendi, vendi_of_samples
from bench.probing.embeddings import Embeddings, Network
from bench.probing.items import Item
from bench.probing.names import TOLD
from bench.probing.style_tables import Way, style_rows, ways_to_tell
from bench.suites import Suite

FAULTS, VIDEO = "faults", "video"
_REFERENCE_SAMPLES = 200
_SEED = 5


@dataclass(frozen=True)
class Tables:
    """`probes.parquet`, `diversity.parquet`, and what `probe.json` says of the probes."""

    probes: pd.DataFrame
    diversity: pd.DataFrame
    report: Mapping[str, Any]


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
    styles: list[Way] = []
    if network is not None:
        report |= {"network": network.name, "revision": network.revision}
        seen = _rows_of(outputs, embedded)
        shown = _rows_of(works, embedded)
        styles, report["not_computed"] = ways_to_tell(
            network, seen, works, shown, suite=suite, texts=texts
        )
        for way in styles:
            rows += style_rows(way, outputs, works, seen)
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
    styles: Sequence[Way],
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
