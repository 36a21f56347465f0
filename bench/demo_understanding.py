"""The demo of understanding: two tiny readers, one told a misreading; do answers and raters show it?"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.demo import look_at_pixels, paint_references
from bench.errors import WorkError
from bench.progress import progress
from bench.records import SIMULATED, Score
from bench.request import Request

if TYPE_CHECKING:
    from PIL.Image import Image

    from raters.simulated_readings import Read

MISTAKEN = {"atelier-reader": 0.0, "atelier-reader-mistaken": 0.4}
"""The share of Chinese pictures that each reader was told are Japanese."""

OWN = {"atelier-reader": 0.06, "atelier-reader-mistaken": 0.49}
"""The probability with which each reader calls a Chinese picture Japanese, mean of both languages: what
answers must show in the long run (`python benchmarks/misreading.py`)."""

SUITE = "painting-understanding"
QUESTIONS = ("tradition",)
"""The forced choice with its reasons. Of longer answers such small readers lose the thread."""
BATCH_SIZE = 32
SEED = 20
WORKS_PER_TRADITION = 20
MERITS = {"right": 0.75, "unsaid": 0.45, "wrong": 0.15}
"""What an analysis is worth to the simulated raters, by what it says of the tradition."""
_SENTENCE = re.compile(r"\S[^。.]*[。.]?")


def demo_understanding(out: Path) -> int:
    """Ask both readers about painted pictures into `out`; what is there already is gone on from.

    Leaves `works/`, `answers/`, `readings/` (a study, its raters simulated) and `understanding/`;
    prints what was planted beside what was found, in the answers and by the raters.
    """
    from bench.reporting import write_report
    from bench.scoring import score_answer_runs, score_studies

    began = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    _say("1/4  painting works: a program's, and not those of any tradition")
    works = paint_references(out / "works", per_tradition=WORKS_PER_TRADITION, seed=SEED + 1)
    _say("2/4  asking: two readers, the same questions in Chinese and English")
    run = _ask(works, out / "answers")
    _say("3/4  judging: simulated raters read two unnamed analyses beside each picture")
    study = _judged(run, works, out / "readings")
    _say(
        "4/4  holding the answers against what is known of the works, and joining the raters' names"
    )
    scores = score_answer_runs([run], seed=SEED) + score_studies([study], seed=SEED)
    page = write_report(scores, [study], out / "understanding", [run])
    print(f"\n{compare_with_planted(scores)}\n\nReport: {page.resolve()}")
    print(f"Done in {time.monotonic() - began:.0f} s. Its raters are simulated.")
    return 0


def _ask(works: Path, run: Path) -> Path:
    from bench.understanding.answering import answer
    from bench.understanding.asking import Asking

    asked = Request(SUITE, tuple(MISTAKEN), ("zh", "en"), (0, 1), batch_size=BATCH_SIZE)
    done = answer(asked, Asking(works, QUESTIONS), run)
    if done.failed:
        raise WorkError(f"{done.failed} jobs failed, see {run / 'failures.jsonl'}")
    return run


def _judged(run: Path, works: Path, out: Path) -> Path:
    """Make the study of both readers' answers, have simulated raters do it, and close it."""
    import numpy as np

    from raters.simulated import simulate
    from raters.study import create, lock, status

    if not out.exists():
        create("demo-understanding", [run], references=works, out=out)
    state = status(out)
    there = sum(rater["group"] == SIMULATED for rater in state["raters"])
    wanted = state["planned"] - there
    if wanted > 0:
        with progress("rate", "raters", wanted) as bar:
            rng = np.random.default_rng([SEED, there])
            simulate(out, read=read_beside(), rng=rng, count=wanted, advance=bar.advance)
    if state["locked_at"] is None:
        lock(out, "all simulated raters are through")
    return out


def read_beside() -> Read:
    """Return the simulated raters' eye for a text: whose work it says that the picture is.

    They see the picture's pixels, as those of the other demo do, and hold the text to that: a
    sentence that names another tradition is wrong.
    """
    from bench.atelier.reader.answers import NAMES
    from raters.simulated_readings import Fault, Reading

    look = look_at_pixels()

    def read(image: Image, sections: Sequence[Mapping[str, Any]]) -> Reading:
        shares = look(image).traditions
        true = max(shares, key=lambda name: shares[name])
        right, faults = False, []
        for number, section in enumerate(sections):
            for sentence in _SENTENCE.finditer(section["text"]):
                called = {
                    tradition
                    for names in NAMES.values()
                    for tradition, name in names.items()
                    if name in sentence.group()
                }
                right |= true in called
                if called - {true}:
                    faults.append(Fault(number, *sentence.span()))
        merit = MERITS["wrong"] if faults else MERITS["right" if right else "unsaid"]
        return Reading(merit, tuple(faults))

    return read


def compare_with_planted(scores: Sequence[Score]) -> str:
    """Return a table of the planted misreading beside the one found, and what follows."""
    lines = [
        "Chinese works called Japanese (told in training; by the reader's own odds → found in answers):"
    ]
    found = {
        score.model: score
        for score in scores
        if score.metric == "home_called_other" and score.group == "japanese" and not score.slice
    }
    for model, share in MISTAKEN.items():
        score = found[model]
        lines.append(
            f"  {model:<26}{share:.0%}; {OWN[model]:.0%} → {score.value:.0%} "
            f"[{score.low:.0%}, {score.high:.0%}]"
        )
    gaps = {score.model: score.value for score in scores if score.metric == "misreading_gap"}
    lines.append(f"  {_verdict(gaps, 'misreads the home tradition most')}")
    marked = {
        score.model: score
        for score in scores
        if score.metric == "marked_characters_per_1000" and score.criterion == "wrong"
    }
    if marked:
        lines.append("Characters that simulated raters marked as wrong, per 1,000 that they read:")
        for model in MISTAKEN:
            score = marked[model]
            lines.append(f"  {model:<26}{score.value:.0f} [{score.low:.0f}, {score.high:.0f}]")
        rates = {model: score.value for model, score in marked.items()}
        lines.append(f"  {_verdict(rates, 'is marked most')}")
    return "\n".join(lines)


def _verdict(values: Mapping[str, float], most: str) -> str:
    highest = max(values, key=lambda model: values[model])
    worst = max(MISTAKEN, key=lambda model: MISTAKEN[model])
    said = "as it should" if highest == worst else f"but {worst} was told the misreading"
    return f"{highest} {most}, {said}"


def _say(text: str) -> None:
    print(text, flush=True)
