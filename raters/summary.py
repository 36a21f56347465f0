"""What `study new` tells: counts, hours per rater, and the cues that remain in the pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bench.records import Stimulus
from raters.design import Block
from raters.protocol import Protocol
from raters.sources import Candidate

SECONDS = {"attribution": 15.0, "scale": 10.0, "pair": 20.0}
"""First guesses of the time per task (a scale is a quarter of four), until a pilot gives better."""

SESSION_SECONDS = 1500.0
"""Usable seconds of a session of 30 minutes."""


def summarise(
    protocol: Protocol,
    *,
    candidates: Sequence[Candidate],
    stimuli: Sequence[Stimulus],
    pairs: int,
    planned: Sequence[Block],
    scales: Mapping[str, Collection[str]],
) -> dict[str, Any]:
    """Return what an organiser wants to know before the first invitation."""
    seconds = [seconds_of(block, scales) for block in planned]
    singles = [sum(task.kind != "pair" for task in block) for block in planned]
    duels = [sum(task.kind == "pair" for task in block) for block in planned]
    sizes = Counter((stimulus.width, stimulus.height) for stimulus in stimuli)
    cues = Counter(candidate.cue for candidate in candidates if candidate.cue)
    (size, most), *_ = sizes.most_common(1)
    if most < len(stimuli):
        cues["another size or shape than most"] = len(stimuli) - most
    kinds = Counter(candidate.kind for candidate in candidates)
    return {
        "study": protocol.study,
        "simulated": protocol.simulated,
        "outputs": kinds["output"],
        "suspect": sum(candidate.key["status"] == "suspect" for candidate in candidates),
        "references": kinds["reference"],
        "stand_ins": sum(bool(candidate.key["synthetic"]) for candidate in candidates),
        "with_scales": sum(bool(asked) for asked in scales.values()),
        "pairs": pairs,
        "size": list(size),
        "raters": len(planned),
        "singles_per_rater": [min(singles), max(singles)],
        "pairs_per_rater": [min(duels), max(duels)],
        "hours_per_rater": round(max(seconds) / 3600, 2),
        "sessions_per_rater": int(-(-max(seconds) // SESSION_SECONDS)),
        "cues": dict(cues),
    }


def seconds_of(block: Block, scales: Mapping[str, Collection[str]]) -> float:
    """Return how long a block takes, by the table of seconds per task."""
    total = 0.0
    for task in block:
        if task.kind == "pair":
            total += SECONDS["pair"]
        else:
            total += SECONDS["attribution"]
            total += SECONDS["scale"] * len(scales[task.stimuli[0]])
    return total
