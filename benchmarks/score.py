"""All scores of a study and its page: 12 models × 200 prompts × 8 criteria, 100,000 responses.

Ratings, votes and attributions in memory to scores.csv, figures and page on disk. There is no
peer; the baseline is the promise of a minute on two cores. The last line is JSON.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.records import REFERENCE
from leaderboard.scoring import score
from leaderboard.site import write_site
from leaderboard.tables import check_attributions, check_ratings, check_votes

Codes = NDArray[np.int64]

MODELS, PROMPTS, CRITERIA, PER_ITEM, RATERS, REFERENCES = 12, 200, 8, 4, 30, 60
TRADITIONS = ("chinese", "japanese", "western")
PROMISED = 60.0


def main() -> None:
    rng = np.random.default_rng(0)
    items = MODELS * PROMPTS
    model, prompt = np.divmod(np.arange(items), PROMPTS)
    who = np.argsort(rng.random((items, RATERS)), axis=1)[:, :PER_ITEM]
    tables = {"ratings": _ratings(rng, model, prompt, who), "votes": _votes(rng)}
    tables["attributions"] = _attributions(rng, model, prompt, who)
    responses = sum(len(table) for table in tables.values())
    start = time.perf_counter()
    scores = score(tables, rng=rng)
    scored = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        write_site(scores, Path(folder))
        whole = time.perf_counter() - start
    print(f"{responses} answers, {len(scores)} scores: {scored:.1f} s; with the page {whole:.1f} s")
    result = {"answers": responses, "scores": len(scores), "scored": scored, "whole": whole}
    print(json.dumps({**result, "ratio": PROMISED / whole}))


def _names(prefix: str, codes: Codes) -> list[str]:
    return [f"{prefix}{code}" for code in codes.ravel().tolist()]


def _ratings(rng: np.random.Generator, model: Codes, prompt: Codes, who: Codes) -> pd.DataFrame:
    shape = (len(model), PER_ITEM, CRITERIA)
    true = 3 + 0.1 * (model - MODELS / 2) / 2 + rng.normal(0, 0.5, len(model))
    given = true[:, None, None] + rng.normal(0, 0.3, RATERS)[who][:, :, None]
    value = np.clip(np.rint(given + rng.normal(0, 0.7, shape)), 1, 5)
    item, place, scale = np.indices(shape)
    frame = pd.DataFrame(
        {
            "rater": _names("r", who[item, place]),
            "item": _names("i", item),
            "criterion": _names("c", scale),
            "value": value.ravel(),
            "model": _names("m", model[item]),
            "prompt": [f"s{code}/chinese" for code in prompt[item].ravel()],
        }
    )
    return check_ratings(frame, "simulated")


def _votes(rng: np.random.Generator) -> pd.DataFrame:
    n = PROMPTS * 40
    left = rng.integers(0, MODELS, n)
    right = (left + rng.integers(1, MODELS, n)) % MODELS
    frame = pd.DataFrame(
        {
            "rater": _names("r", rng.integers(0, RATERS, n)),
            "prompt": [f"s{code}/chinese" for code in rng.integers(0, PROMPTS, n)],
            "left": _names("m", left),
            "right": _names("m", right),
            "winner": rng.choice(["left", "right", "tie", "both_bad"], n, p=[0.4, 0.35, 0.2, 0.05]),
        }
    )
    return check_votes(frame, "simulated")


def _attributions(
    rng: np.random.Generator, model: Codes, prompt: Codes, who: Codes
) -> pd.DataFrame:
    given = rng.choice([*TRADITIONS, "other"], who.size, p=[0.6, 0.2, 0.15, 0.05])
    outputs = pd.DataFrame(
        {
            "rater": _names("r", who),
            "item": _names("i", np.repeat(np.arange(len(model)), PER_ITEM)),
            "model": _names("m", np.repeat(model, PER_ITEM)),
            "prompt": [f"s{code}/chinese" for code in np.repeat(prompt, PER_ITEM)],
            "target": "chinese",
            "attribution": given,
        }
    )
    works = np.arange(3 * REFERENCES).repeat(PER_ITEM)
    true = np.array(TRADITIONS)[works % 3]
    right = rng.random(len(works)) < 0.85
    references = pd.DataFrame(
        {
            "rater": _names("r", np.tile(np.arange(PER_ITEM), 3 * REFERENCES)),
            "item": _names("w", works),
            "model": REFERENCE,
            "prompt": "",
            "target": true,
            "attribution": np.where(right, true, "other"),
        }
    )
    return check_attributions(pd.concat([outputs, references], ignore_index=True), "simulated")


if __name__ == "__main__":
    main()
