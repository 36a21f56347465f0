"""Whether the host's memory stays flat while 2,000 outputs are made.

    python benchmarks/generation_memory.py [OUTPUTS]

A tiny Stable-Diffusion-like checkpoint, 64 × 64 pixels, 1 step, batches of 8. The resident memory of
the process is read at each tenth of the run, and a line is fitted from the second tenth on (until
then caches and thread pools fill). The last line is JSON; flat means that the line rises by less than
2 % over the run: single readings differ by as much.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bench import generate as generation
from bench.keeper import Keeper
from bench.request import Request
from tests import tiny

SCENES = 10


def main() -> None:
    outputs = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with tempfile.TemporaryDirectory() as place:
        checkpoint = tiny.save("stable-diffusion", Path(place) / "tiny-sd")
        suite = Path(place) / "suite.yaml"
        suite.write_text(yaml.safe_dump(content(), allow_unicode=True), encoding="utf-8")
        request = Request(
            str(suite),
            (str(checkpoint),),
            ("zh", "en"),
            tuple(range(-(-outputs // (2 * SCENES)))),
            arguments={"num_inference_steps": 1, "height": 64, "width": 64},
            batch_size=8,
        )
        seen: list[tuple[int, int]] = []

        class Watching(Keeper):
            def keep(self, *arguments: Any) -> None:
                super().keep(*arguments)
                if self.made >= len(seen) * outputs / 10:
                    seen.append((self.made, resident()))

        generation.Keeper = Watching
        done = generation.generate(request, Path(place) / "run")
    for made, size in seen:
        print(f"{made:>6} outputs: {size / 2**20:.1f} MiB")
    made, sizes = np.array(seen[2:], dtype=float).T
    slope = np.polyfit(made, sizes, 1)[0]
    growth = slope * (made[-1] - made[0]) / sizes[0]
    result = {"outputs": done.made, "first_mib": sizes[0] / 2**20, "last_mib": sizes[-1] / 2**20}
    result |= {"growth": round(float(growth), 5), "flat": bool(abs(growth) < 0.02)}
    print(json.dumps(result | {"bytes_per_output": round(float(slope), 1)}))


def content() -> dict[str, Any]:
    scenes = [
        {
            "id": f"boat-{number}",
            "genre": "landscape",
            "prompts": {"chinese": {"zh": f"秋江孤舟{number}", "en": f"a lone boat, {number}"}},
        }
        for number in range(SCENES)
    ]
    head = {"suite": "boats", "version": 1, "modality": "image", "home": "chinese"}
    return {**head, "traditions": ["chinese", "japanese"], "scenes": scenes}


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
