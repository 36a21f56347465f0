"""Clips with one known fault each: what every measure says, by kind of clip, fault and amount.

    python -m benchmarks.recovery.clips [--clips 3]

The measures are those of `pinlu probe`, on exact frames; atelier-probe looks. Last line: JSON.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from PIL import Image

from bench.probing import video
from bench.probing.embeddings import ATELIER, Network, load_network
from tests.bench.probing.planted_clips import FAULTS, Frame, clip, painted_clip

KINDS = {"noise": clip, "painted": painted_clip}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=3, help="of each kind, fault and amount")
    clips = parser.parse_args().clips
    network = load_network(ATELIER)
    found = []
    for kind, make in KINDS.items():
        for fault, amounts in FAULTS.items():
            for amount in amounts:
                seen = [measured(make(fault, amount, seed), network) for seed in range(clips)]
                means = {name: float(np.mean([one[name] for one in seen])) for name in seen[0]}
                found.append({"kind": kind, "fault": fault, "amount": amount, **means})
                print("| " + " | ".join(_cell(value) for value in found[-1].values()) + " |")
    print(json.dumps(found))


def measured(frames: list[Frame], network: Network) -> dict[str, float]:
    """Return every measure of one clip."""
    found = video.measure([video.small_copy(frame) for frame in frames])
    assert found is not None  # noqa: S101 - there are frames enough
    chosen = [frames[number] for number in video.seen_frames(len(frames))]
    as_they_are, levelled = (
        network.see([network.prepare(Image.fromarray(frame)) for frame in some])
        for some in (chosen, video.level_colours(chosen))
    )
    assert network.head is not None  # noqa: S101 - atelier-probe was trained to tell
    return {
        "background": found.background_steadiness,
        "subject": video.subject_steadiness(levelled),
        "flicker": found.flicker,
        "motion": found.motion,
        "drift": video.style_drift(network.head(as_they_are)),
    }


def _cell(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
