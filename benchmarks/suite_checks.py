"""How long a suite of 100,000 scenes takes to check, against reading its YAML alone.

    python benchmarks/suite_checks.py [SCENES]

Prints the seconds and the ratio; the last line is JSON.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path

from bench.reading import read_yaml
from bench.suite_checks import check_suite
from bench.suites import load_suite

HEADER = (
    "suite: large\nversion: 1\nmodality: image\nhome: chinese\ntraditions: [chinese]\nscenes:\n"
)
SCENE = """  - id: scene-{number}
    genre: landscape
    stratum: ink
    diagnosticity: distinct
    prompts:
      chinese: {{en: "{english}", zh: "{chinese}"}}
"""


def main() -> None:
    scenes = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rng = random.Random(1)  # noqa: S311 - filler text
    words = [
        "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 9))) for _ in range(3000)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.yaml"
        with path.open("w", encoding="utf-8") as file:
            file.write(HEADER)
            for number in range(scenes):
                english = " ".join(rng.choices(words, k=20))
                chinese = "".join(chr(rng.randint(0x4E00, 0x8000)) for _ in range(40))
                file.write(SCENE.format(number=number, english=english, chinese=chinese))
        began = time.perf_counter()
        read_yaml(path)
        read = time.perf_counter() - began
        began = time.perf_counter()
        faults = check_suite(load_suite(str(path))).faults
        checked = time.perf_counter() - began
    print(f"{scenes} scenes: read {read:.1f} s, loaded and checked {checked:.1f} s")
    result = {"scenes": scenes, "read_s": round(read, 2), "check_s": round(checked, 2)}
    print(json.dumps(result | {"ratio": round(checked / read, 2), "faults": len(faults)}))


if __name__ == "__main__":
    main()
