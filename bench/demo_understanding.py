"""The demo of understanding: two tiny readers, one of which was told a misreading; is it found?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from bench.demo import paint_references
from bench.errors import WorkError
from bench.records import Score
from bench.request import Request

MISTAKEN = {"atelier-reader": 0.0, "atelier-reader-mistaken": 0.4}
"""The share of Chinese pictures that each reader was told are Japanese."""

SUITE = "painting-understanding"
QUESTIONS = ("tradition",)
BATCH_SIZE = 32
SEED = 20
WORKS_PER_TRADITION = 20


def demo_understanding(out: Path) -> int:
    """Ask both readers about painted pictures into `out`; what is there already is gone on from.

    Leaves `works/`, `answers/` and `understanding/`; prints what was planted beside what was found.
    """
    from bench.reporting import score_answer_runs, write_report
    from bench.understanding.answering import answer
    from bench.understanding.asking import Asking

    began = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    print("1/3  painting works: a program's, and not those of any tradition", flush=True)
    works = paint_references(out / "works", per_tradition=WORKS_PER_TRADITION, seed=SEED + 1)
    print("2/3  asking: two readers, the same questions in Chinese and English", flush=True)
    run = out / "answers"
    asked = Request(SUITE, tuple(MISTAKEN), ("zh", "en"), (0, 1), batch_size=BATCH_SIZE)
    done = answer(asked, Asking(works, QUESTIONS), run)
    if done.failed:
        raise WorkError(f"{done.failed} jobs failed, see {run / 'failures.jsonl'}")
    print("3/3  holding the answers against what is known of the works", flush=True)
    scores = score_answer_runs([run], seed=SEED)
    page = write_report(scores, [], out / "understanding", [run])
    print(f"\n{compare_with_planted(scores)}\n\nReport: {page.resolve()}")
    print(f"Done in {time.monotonic() - began:.0f} s. Nobody judged these answers.")
    return 0


def compare_with_planted(scores: Sequence[Score]) -> str:
    """Return a table of the planted misreading beside the one found, and what follows."""
    found = {
        score.model: score
        for score in scores
        if score.metric == "home_called_other" and score.group == "japanese" and not score.slice
    }
    gaps = {score.model: score for score in scores if score.metric == "misreading_gap"}
    lines = ["Chinese works called Japanese (told in training → found in answers):"]
    for model, share in MISTAKEN.items():
        score = found[model]
        lines.append(
            f"  {model:<26}{share:.0%} → {score.value:.0%} [{score.low:.0%}, {score.high:.0%}]"
        )
    order = sorted(MISTAKEN, key=lambda model: gaps[model].value)
    worst = max(MISTAKEN, key=lambda model: MISTAKEN[model])
    verdict = "as it should" if order[-1] == worst else f"but {worst} was told the misreading"
    lines.append(f"  {order[-1]} misreads the home tradition most, {verdict}")
    return "\n".join(lines)
