"""A million votes of fifty models: intervals and simultaneous ranks, against one point estimate.

Both start from the same Python lists. The baselines are `evalica.newman` (Newman's fixed point with
ties) and `evalica.bradley_terry`, which give strengths without intervals. The last line is JSON.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import evalica
import numpy as np

from bench.records import Score
from leaderboard.ranking import ranked
from leaderboard.votes import votes_from_lists

VOTES, MODELS, SCENES, RATERS, RUNS = 1_000_000, 50, 1_000, 300, 3


def main() -> None:
    rng = np.random.default_rng(0)
    first = rng.integers(0, MODELS, VOTES)
    second = (first + rng.integers(1, MODELS, VOTES)) % MODELS
    strength = np.linspace(-1, 1, MODELS)
    ahead = 1 / (1 + np.exp(strength[second] - strength[first]))
    won = np.where(rng.random(VOTES) < 0.2, 2, np.where(rng.random(VOTES) < ahead, 0, 1))
    names = [f"model-{code}" for code in range(MODELS)]
    left, right = [names[code] for code in first], [names[code] for code in second]
    winner = [("left", "right", "tie")[code] for code in won]
    verdict = [(evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw)[code] for code in won]
    prompt = [f"s{code}/home" for code in rng.integers(0, SCENES, VOTES)]
    rater = [f"r{code}" for code in rng.integers(0, RATERS, VOTES)]

    def ours() -> list[Score]:
        votes = votes_from_lists(left, right, winner, prompt, rater)
        return list(ranked(votes, Score(), np.random.default_rng(1)))

    scores = ours()
    off = max(
        abs(score.value - strength[names.index(score.model)])
        for score in scores
        if score.metric == "strength"
    )
    seconds = {
        "ours": _fastest(ours),
        "newman": _fastest(lambda: evalica.newman(left, right, verdict)),
        "bradley_terry": _fastest(lambda: evalica.bradley_terry(left, right, verdict)),
    }
    print(f"{VOTES} votes, {MODELS} models, {SCENES} scenes, {RATERS} raters; best of {RUNS}")
    print(f"strengths, differences, ranks, P(first), 1000 resamples: {seconds['ours']:.2f} s")
    print(f"largest distance of a strength from the truth: {off:.3f}")
    for name in ("newman", "bradley_terry"):
        print(f"evalica.{name}, strengths alone: {seconds[name]:.2f} s")
    print(json.dumps({**seconds, "ratio": seconds["newman"] / seconds["ours"]}))


def _fastest(work: Callable[[], Any]) -> float:
    """Return the least wall time of a few runs."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
