"""P.910 Annex E on 5,000 items × 50 raters: ours against `sureal`, and how near each is to the truth.

The last line is JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import time
import warnings
from types import SimpleNamespace

import numpy as np
from sureal import P910AnnexEModel
from sureal.dataset_reader import RawDatasetReader

from leaderboard.severity import fit_severity

ITEMS, RATERS, RUNS = 5_000, 50, 3


def main() -> None:
    rng = np.random.default_rng(0)
    quality = rng.normal(3, 1, (ITEMS, 1))
    spread = rng.uniform(0.4, 1.4, RATERS)
    given = quality + rng.normal(0, 0.4, RATERS) + spread * rng.normal(0, 1, (ITEMS, RATERS))
    item, rater = (part.ravel() for part in np.indices(given.shape))
    value = given.ravel()

    ours = []
    for _ in range(RUNS):
        start = time.perf_counter()
        fit = fit_severity(item, rater, value, small_panel=False)
        ours.append(time.perf_counter() - start)

    videos = [
        {"content_id": 0, "asset_id": place, "os": list(row), "path": str(place)}
        for place, row in enumerate(given)
    ]
    first = [{"content_id": 0, "content_name": "a", "path": "a"}]
    data = SimpleNamespace(
        ref_videos=first, dis_videos=videos, ref_score=5.0, dataset_name="d", yuv_fmt="yuv420p",
        width=1, height=1,
    )  # fmt: skip
    start = time.perf_counter()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        theirs = P910AnnexEModel(RawDatasetReader(data)).run_modeling()
    baseline = time.perf_counter() - start

    def error(found: np.typing.ArrayLike) -> float:
        away = np.asarray(found) - quality[:, 0]
        return float((away - away.mean()).std())

    apart = float(np.abs(fit.quality - theirs["quality_scores"]).max())
    print(f"{ITEMS} items × {RATERS} raters; best of {RUNS} of ours, one of sureal")
    print(f"ours {min(ours):.3f} s, sureal {baseline:.2f} s; largest difference {apart:.1e}")
    print(f"error: ours {error(fit.quality):.4f}, sureal {error(theirs['quality_scores']):.4f},")
    print(f"plain mean {error(given.mean(axis=1)):.4f}")
    print(json.dumps({"ours": min(ours), "sureal": baseline, "ratio": baseline / min(ours)}))


if __name__ == "__main__":
    main()
