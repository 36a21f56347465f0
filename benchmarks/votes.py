"""A million votes of fifty models: intervals and simultaneous ranks, against one point estimate.

Both start from the same Python lists. The baselines are `evalica.newman` (Newman's fixed point with
ties) and `evalica.bradley_terry`, which give strengths without intervals. The last line is JSON.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import evalica
import numpy as np
from numpy.typing import NDArray

from bench.records import Score
from leaderboard.ranking import ranked
from leaderboard.tables import WINNERS
from leaderboard.votes import Votes

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
        votes = from_lists(left, right, winner, prompt, rater)
        return list(ranked(votes, Score(), np.random.default_rng(1)))

    scores = ours()
    off = max(
        abs(score.value - strength[names.index(score.model)])
        for score in scores
        if score.metric == "strength"
    )
    taken = {
        "ours": _fastest(ours),
        "newman": _fastest(lambda: evalica.newman(left, right, verdict)),
        "bradley_terry": _fastest(lambda: evalica.bradley_terry(left, right, verdict)),
    }
    seconds = {name: wall for name, (wall, _) in taken.items()}
    print(f"{VOTES} votes, {MODELS} models, {SCENES} scenes, {RATERS} raters; best of {RUNS}")
    print(f"strengths, differences, ranks, P(first), 1000 resamples: {seconds['ours']:.2f} s")
    print(f"largest distance of a strength from the truth: {off:.3f}")
    for name in ("newman", "bradley_terry"):
        print(f"evalica.{name}, strengths alone: {seconds[name]:.2f} s")
    of_processor = taken["newman"][1] / taken["ours"][1]
    print(f"newman over ours: {seconds['newman'] / seconds['ours']:.2f} by the clock,", end=" ")
    print(f"{of_processor:.2f} of the processor's time, which others on the cores disturb less")
    ratios = {"ratio": seconds["newman"] / seconds["ours"], "ratio_of_processor": of_processor}
    print(json.dumps({**seconds, **ratios}))


def from_lists(
    left: Sequence[str],
    right: Sequence[str],
    winner: Sequence[str],
    prompt: Sequence[str],
    rater: Sequence[str],
) -> Votes:
    """Return lists of equal length as codes, as `votes_of` does of a checked table."""
    (lefts, mine), (rights, theirs) = _encoded(left), _encoded(right)
    models = sorted({*mine, *theirs})
    place = {name: code for code, name in enumerate(models)}
    words, prompts, raters = _encoded(winner), _encoded(prompt), _encoded(rater)
    scenes = [f"\n{name.partition('/')[0]}" for name in prompts[1]]
    names, scene_of_prompt = np.unique(scenes, return_inverse=True)
    return Votes(
        left=np.array([place[name] for name in mine])[lefts],
        right=np.array([place[name] for name in theirs])[rights],
        winner=np.array([WINNERS.index(word) for word in words[1]])[words[0]],
        prompt=prompts[0],
        rater=raters[0],
        models=models,
        scene_of_prompt=scene_of_prompt,
        suite_of_prompt=np.zeros(len(prompts[1]), dtype=np.int64),
        suites=[""],
        raters=raters[1],
        seed=np.full(len(left), -1, dtype=np.int64),
        scenes=[str(name) for name in names],
    )


def _encoded(cells: Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
    index: defaultdict[str, int] = defaultdict(count().__next__)
    numbers = np.fromiter(map(index.__getitem__, cells), np.int64, count=len(cells))
    return numbers, list(index)


def _fastest(work: Callable[[], Any]) -> tuple[float, float]:
    """Return the least wall time of a few runs, and the least time of the processor."""
    times = []
    for _ in range(RUNS):
        start, busy = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - start, time.process_time() - busy))
    walls, processor = zip(*times, strict=True)
    return min(walls), min(processor)


if __name__ == "__main__":
    main()
