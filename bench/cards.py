"""The dataset card of a run: what lies in it, in words and one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import manifest
from bench.speedups import described

IMPORTED = "imported"
"""What `run.yaml` names as the pipeline class of a model whose outputs were made elsewhere."""


def still_to_make(content: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> int:
    """Return how many planned outputs have no row yet, by `run.yaml` and the manifest."""
    elsewhere = {one["id"] for one in content["models"] if one.get("pipeline") == IMPORTED}
    there = sum(row["model"] not in elsewhere for row in rows)
    return max((content.get("planned") or 0) - there, 0)


def write_run_card(run: Path) -> None:
    """Write `README.md` of a run from its `run.yaml` and the rows of its manifest."""
    content, rows = manifest.read_run(run), manifest.read_outputs(run)
    elsewhere = {one["id"] for one in content["models"] if one["pipeline"] == IMPORTED}
    made = sum(row["model"] not in elsewhere for row in rows)
    suite = content["suite"]
    lines = [
        f"Made by Pinlu with suite `{suite['name']}`, version {suite['version']}, content hash",
        f"`{suite['hash'][:12]}`: {made} of {content['planned']} planned outputs"
        + (f", and {len(rows) - made} that were made elsewhere." if elsewhere else "."),
        "",
        "| model | revision | outputs | suspect | licence |",
        "| --- | --- | --- | --- | --- |",
    ]
    for model in content["models"]:
        mine = [row for row in rows if row["model"] == model["id"]]
        suspect = sum(row["status"] == "suspect" for row in mine)
        revision = model["revision"][:12] + (", imported" if model["id"] in elsewhere else "")
        lines.append(
            f"| {model['id']} | {revision} | {len(mine)} | {suspect} | "
            f"{model['licence'] or 'not stated'} |"
        )
    for model in content["models"]:
        if said := described(model.get("speedups") or {}):
            lines += [
                "",
                f"**{model['id']} was made faster at the cost of other pictures: {said}.**",
            ]
    texts = content["modality"] == "understanding"
    lines += [
        "",
        "`run.yaml` says what was asked and under which versions, `suite.yaml` is the suite as it",
        "was. Rows hold the answers; `works.jsonl` says which pictures were shown, none is in here."
        if texts
        else 'was. The noise of an output comes from `torch.Generator("cpu").manual_seed(seed)`.',
    ]
    text = "\n".join(lines)
    manifest.write_card(run, title=run.resolve().name, text=text, files=not texts)
