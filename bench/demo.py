"""The demo: the whole main job on the embedded models, offline, with simulated raters.

It ends by comparing what was found with what is known: the three models differ only in the share
of each tradition among their training pictures.
"""

from __future__ import annotations

import functools
import http.server
import threading
import time
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import WorkError
from bench.files import append_rows, file_hash, read_rows
from bench.progress import progress
from bench.records import SIMULATED, Score
from bench.request import Request

if TYPE_CHECKING:
    from PIL.Image import Image

    from raters.simulated import Look

MODELS = ("atelier-balanced", "atelier-west", "atelier-japan")
SEEDS = {
    ("chinese",): {"zh": range(8), "en": range(8, 16)},
    ("none",): {"zh": range(4), "en": range(8, 12)},
    ("japanese", "western"): {"zh": range(2), "en": range(8, 10)},
}
"""Targets → language → seeds. In models this small the noise of a seed decides much of the manner,
and all prompts share it: so there are many seeds where the headline is computed, and each language
has its own."""
_NAMES = {
    "mountains": ("远山", "mountains in the distance"),
    "river": ("一条河", "a river"),
    "boat": ("一叶小船", "a small boat"),
    "pine": ("一株松", "a pine"),
    "bamboo": ("几竿竹", "some bamboo"),
    "bird": ("一只飞鸟", "a bird in flight"),
    "moon": ("一轮月", "the moon"),
    "house": ("一间屋", "a house"),
    "bridge": ("一座桥", "a bridge"),
    "figure": ("一个人", "a figure"),
}
REFERENCES_PER_TRADITION = 60
BATCH_SIZE = 32
SEED = 20


def demo(out: Path, *, serve: bool = False, port: int = 7860) -> int:
    """Run the main job into `out`; what is there already is kept and gone on from.

    Leaves `references/`, `run/`, `study/` and `report/`; prints the headline, the check against
    the known training shares, and where the page lies.
    """
    from bench.probing.embeddings import ATELIER
    from bench.probing.run import Probing, probe
    from bench.reporting import report_labels, write_report
    from bench.scoring import costs_of, probes_of, score_studies
    from leaderboard.tabulate import headline

    began = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    _say("1/5  painting references: they stand in for works made by people")
    references = paint_references(out / "references")
    _say("2/5  generating: three models, the same prompts, seeds and noise")
    run = _generate(out / "run")
    _say("3/5  making the study: opaque names, cleaned copies, balanced blocks, a sealed key")
    study = _study(run, references, out / "study")
    _say("4/5  rating: simulated raters look at the pixels, and at nothing else")
    _simulate(study)
    _say("5/5  scoring: names are joined here, and only here")
    scores = score_studies([study], seed=SEED)
    scores += costs_of(run, scores)
    probe(run, Probing(network=ATELIER, references=references))
    scores += probes_of(run, seed=SEED)
    page = write_report(scores, [study], out / "report", [run])
    print(f"\n{headline(scores, labels=report_labels([study]))}\n\n{compare_with_truth(scores)}\n")
    print(f"Leaderboard: {page.resolve()}")
    print(
        f"Done in {time.monotonic() - began:.0f} s. The raters are simulated, except visitors who use the room."
    )
    if serve:
        _serve(study, page, port)
    return 0


def paint_references(
    folder: Path, *, per_tradition: int = REFERENCES_PER_TRADITION, seed: int = SEED
) -> Path:
    """Paint the stand-ins for human-made works, with captions written like prompts."""
    import numpy as np

    from bench.atelier.painter import MANNERS, draw_subjects, paint

    if (folder / "metadata.jsonl").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    rows = []
    total = per_tradition * len(MANNERS)
    with progress("paint", "pictures", total) as bar:
        for number in range(total):
            manner = MANNERS[number % len(MANNERS)]
            subjects = draw_subjects(rng)
            name = f"painted-{number:03d}.png"
            paint(manner, subjects, rng).save(folder / name)
            rows.append(
                {
                    "file_name": name,
                    "id": f"painted-{number:03d}",
                    "tradition": manner,
                    "genre": "painting",
                    "medium": "drawn by a program",
                    "period": "",
                    "stratum": "painting",
                    "sha256": file_hash(folder / name),
                    "synthetic": True,
                    "caption": _caption(subjects),
                }
            )
            bar.advance(1)
    append_rows(folder / "metadata.jsonl", rows)
    return folder


def _caption(subjects: Sequence[str]) -> dict[str, str]:
    """Say what a painted picture shows, as a prompt without a tradition would."""
    chinese, english = zip(*(_NAMES[subject] for subject in subjects), strict=True)
    return {"zh": f"绘画一幅：{'、'.join(chinese)}。", "en": f"A painting: {', '.join(english)}."}


def look_at_pixels() -> Callable[[Image], Look]:
    """Return the simulated raters' eye: a picture's manner and crispness, from its pixels alone."""
    import numpy as np

    from bench.atelier.manner import crispness, fit
    from bench.atelier.painter import MANNERS
    from raters.simulated import Look

    classifier = fit(np.random.default_rng(SEED))

    def look(image: Image) -> Look:
        chances = classifier.predict([image])[0]
        shares = dict(zip(MANNERS, map(float, chances), strict=True))
        return Look(traditions=shares, quality=crispness(image))

    return look


def compare_with_truth(scores: Sequence[Score]) -> str:
    """Return a table of the true training shares beside the excess leak that the raters found."""
    from bench.atelier.mixture import SHARES

    found = {
        (score.model, score.group): score
        for score in scores
        if score.metric == "excess_leak" and score.criterion == "manner" and not score.slice
    }
    probed = {
        (score.model, score.group): score
        for score in scores
        if score.metric == "excess_leak" and score.source == "probe" and not score.slice
        if score.criterion == "trained:atelier-probe"
    }
    others = sorted({group for _, group in found})
    told = "share in training → excess leak by simulated raters, by the probe"
    lines = [f"Known truth beside what was found ({told}):"]
    for model in MODELS:
        cells = []
        for other in others:
            leak = found[model, other]
            cell = f"{other} {SHARES[model][other]:.0%} → {leak.value:+.2f}"
            seen = probed.get((model, other))
            cells.append(f"{cell}, {seen.value:+.2f}" if seen else cell)
        lines.append(f"  {model:<18}" + "   ".join(cells))
    for other in others:
        order = sorted(MODELS, key=lambda model: found[model, other].value)
        most = max(MODELS, key=lambda model: SHARES[model][other])
        verdict = "as it should" if order[-1] == most else f"but {most} was trained on most of it"
        lines.append(f"  towards {other}, {order[-1]} leaks most, {verdict}")
    return "\n".join(lines)


def _generate(folder: Path) -> Path:
    from bench.generate import generate

    for targets, seeds_of in SEEDS.items():
        for language, seeds in seeds_of.items():
            asked = Request(
                suite="first-look",
                models=MODELS,
                languages=(language,),
                seeds=tuple(seeds),
                targets=targets,
                batch_size=BATCH_SIZE,
            )
            wanted = " and ".join(targets).replace("none", "no tradition")
            _say(f"     asked for {wanted}, in {language}, {len(seeds)} seeds")
            done = generate(asked, folder)
            if done.failed:
                raise WorkError(f"{done.failed} jobs failed, see {folder / 'failures.jsonl'}")
    return folder


def _study(run: Path, references: Path, out: Path) -> Path:
    from raters.study import create

    if not out.exists():
        total = len(list(read_rows(run / "metadata.jsonl"))) + 3 * REFERENCES_PER_TRADITION
        with progress("clean", "pictures", total) as bar:
            create("demo", [run], references=references, out=out, advance=bar.advance)
    return out


def _simulate(study: Path) -> None:
    import numpy as np

    from raters.simulated import simulate
    from raters.study import status

    state = status(study)
    there = sum(rater["group"] == SIMULATED for rater in state["raters"])
    wanted = state["planned"] - there
    if wanted > 0:
        with progress("rate", "raters", wanted) as bar:
            rng = np.random.default_rng([SEED, there])
            simulate(study, look=look_at_pixels(), rng=rng, count=wanted, advance=bar.advance)


def _serve(study: Path, page: Path, port: int) -> None:
    """Open the leaderboard and a room for the visitor, who joins as one more rater."""
    from raters.room import serve
    from raters.study import invite

    handler = functools.partial(_QuietHandler, directory=str(page.parent))
    board = http.server.ThreadingHTTPServer(("127.0.0.1", port + 1), handler)
    threading.Thread(target=board.serve_forever, daemon=True).start()
    (link,) = invite(study, 1, base_url=f"http://127.0.0.1:{port}")
    print(f"Leaderboard: http://127.0.0.1:{port + 1}/\nRating room: {link}\nCtrl-C ends both.")
    webbrowser.open(f"http://127.0.0.1:{port + 1}/")
    webbrowser.open(link)
    serve(study, host="127.0.0.1", port=port)


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the terminal belongs to the demo."""


def _say(text: str) -> None:
    print(text, flush=True)
