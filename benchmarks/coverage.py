"""How often nominal 95 % intervals hold the planted truth: the table of docs/validation.md.

`python benchmarks/coverage.py [REPETITIONS [MEASURE …]]` (1000 of all where not said, as in `600
of_means`) from the root of the checkout; one thread, some minutes. The populations are in `tests/leaderboard/coverage.py`. The last line is JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.leaderboard.coverage import MEASURES, Design, repetitions

PANELS = ((8, 100), (20, 200))
SEVERITIES = (0.0, 0.4)


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    start = time.perf_counter()
    table: dict[str, list[float]] = {}
    designs = [Design(*panel, severity) for panel in PANELS for severity in SEVERITIES]
    chosen = [measure for measure in MEASURES if measure.__name__ in sys.argv[2:]] or MEASURES
    for measure in chosen:
        for design in designs:
            found = list(repetitions(measure, design, times))
            for name in found[0]:
                share = sum(held[name] for held in found) / times
                table.setdefault(name, []).append(share)
    heads = [f"{d.raters} × {d.scenes}, SD {d.severity:g}" for d in designs]
    print(f"| Interval | {' | '.join(heads)} |")
    print(f"|---|{'---:|' * len(heads)}")
    for name, shares in table.items():
        print(f"| {name} | {' | '.join(f'{100 * share:.1f} %' for share in shares)} |")
    seconds = time.perf_counter() - start
    print(f"{times} repetitions each, {seconds:.0f} s")
    print(json.dumps({"repetitions": times, "seconds": round(seconds), "coverage": table}))


if __name__ == "__main__":
    main()
