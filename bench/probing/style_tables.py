"""Every way to tell styles from what a network saw: how good it is on references, and its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.probing import style
from bench.probing.embeddings import Network
from bench.probing.items import Item
from bench.suites import Suite

STYLE = "style"
CHANCE = "p_"
"""What the columns of style probabilities begin with: `p_chinese`, `p_other` …"""
_SEED = 5


@dataclass(frozen=True)
class Way:
    """A way to tell styles from embeddings: probabilities of `classes`."""

    probe: str
    classes: tuple[str, ...]
    outputs: npt.NDArray[np.float64]
    references: npt.NDArray[np.float64]
    facts: Mapping[str, Any]


def ways_to_tell(
    network: Network,
    seen: Sequence[npt.NDArray[np.float32]],
    works: Sequence[Item],
    shown: Sequence[npt.NDArray[np.float32]],
    *,
    suite: Suite,
    texts: Mapping[str, Sequence[str]] | None,
) -> tuple[list[Way], dict[str, str]]:
    """Return every way to tell styles that there is, and why the others are not."""
    styles: list[Way] = []
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
        styles.append(Way(name, tuple(classes), told, held_out, facts))

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


def style_rows(
    way: Way,
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
