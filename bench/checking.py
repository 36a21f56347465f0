"""`pinlu check`: a developer's gate before a release, from two models to one page and a verdict."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import ConflictError, RequestError, WorkError
from bench.files import write_whole
from bench.records import NEUTRAL, Prompt
from bench.request import Request

if TYPE_CHECKING:
    from bench.suites import Suite
    from leaderboard.compare import Verdict

MOST_SEEDS = 16
LEAST_SEEDS = 4
"""As many as a verdict needs (`leaderboard.drawing.LEAST_SEEDS`): the noise of a seed is shared."""
SCENE_VARIANCE, SEED_VARIANCE, OUTPUT_VARIANCE = 0.02, 0.02, 0.15
"""Of the difference of two models' leaks, per scene, seed and output: first guesses, for shares near a
quarter; the page says what was reached."""
_SHOWN = 6
_THUMBNAIL = 192


@dataclass(frozen=True)
class Checked:
    """What a check found, and where its page lies."""

    model: str
    baseline: str
    verdicts: Sequence[Verdict]
    seconds: Mapping[str, float]
    """Device seconds per output by model."""
    asked: float
    planned: float
    reached: float
    """Half the width of the leak difference's interval: what was asked, what was planned, what came."""
    faults: Sequence[str]
    page: Path


def planned_half_width(scenes: int, languages: int, seeds: int) -> float:
    """Return the half-width of a 95 % interval for the leak difference of two models.

    Var = 2 [σ²_scene / S + σ²_seed / K + σ²_output / (S L K)] with S scenes, L languages, K seeds; the
    first part has S − 1 degrees of freedom, the rest K − 1, Student's t those of both (Satterthwaite).
    """
    from scipy.stats import t as student

    of_scenes = 2 * SCENE_VARIANCE / scenes
    of_seeds = 2 * (SEED_VARIANCE / seeds + OUTPUT_VARIANCE / (scenes * languages * seeds))
    variance = of_scenes + of_seeds
    free = of_scenes**2 / max(scenes - 1, 1) + of_seeds**2 / max(seeds - 1, 1)
    return float(student.ppf(0.975, variance**2 / free)) * math.sqrt(variance)


def planned_seeds(scenes: int, languages: int, precision: float) -> int:
    """Return the least number of seeds that the precision needs, at most `MOST_SEEDS`."""
    for seeds in range(LEAST_SEEDS, MOST_SEEDS):
        if planned_half_width(scenes, languages, seeds) <= precision:
            return seeds
    return MOST_SEEDS


def check(
    model: str,
    baseline: str,
    suite: str,
    *,
    out: Path,
    precision: float = 0.15,
    seeds: Sequence[int] = (),
    languages: Sequence[str] = (),
    limit: int | None = None,
    arguments: Mapping[str, Any] | None = None,
    network: str | None = None,
    references: Path | None = None,
) -> Checked:
    """Generate what the precision needs, probe it, compare, and write the page into `out`.

    Args:
        model: as for `pinlu generate`.
        baseline: likewise.
        suite: by name or path.
        out: folder for the run (`run/`), the verdicts (`check.json`) and the pages.
        precision: half-width wanted for the leak difference's 95 % interval.
        seeds: of every prompt, in the place of as many, from 0, as the precision needs.
        languages: of the prompts; by default all that the suite has in every prompt.
        limit: only the first so many prompts.
        arguments: of the models' call.
        network: what sees, as for `pinlu probe`.
        references: a folder of reference works, as for `pinlu probe`.

    Raises:
        RequestError: a model, the suite or the network cannot be had; or both models are one.
        WorkError: outputs could not be made.
    """
    from bench.generate import generate
    from bench.models import load_models
    from bench.probing.run import Probing, probe
    from bench.probing.texts import probe_labels
    from bench.suites import load_suite
    from leaderboard.gate import half_width

    if not 0 < precision < 1:
        raise RequestError(f"--precision {precision} is no share between 0 and 1")
    found = load_suite(suite)
    try:
        ours, theirs = (spec.id for spec in load_models([model, baseline]))
    except ConflictError as error:
        raise RequestError(f"a check wants two models: {error}") from error
    spoken = tuple(languages or found.languages)
    asked = _asked(found, limit)
    scenes = len({prompt.scene for prompt in asked if prompt.target == found.home})
    if not scenes:
        raise RequestError(f"the suite {found.name} asks nothing of {found.home!r}")
    drawn = tuple(seeds) or tuple(range(planned_seeds(scenes, len(spoken), precision)))
    run = out / "run"
    request = Request(
        suite=suite,
        models=(model, baseline),
        languages=spoken,
        seeds=drawn,
        targets=tuple(sorted({prompt.target for prompt in asked}, key=(found.home, NEUTRAL).index)),
        limit=limit,
        arguments=arguments,
    )
    made = generate(request, run)
    if made.failed:
        raise WorkError(f"{made.failed} outputs could not be made, see {run / 'failures.jsonl'}")
    seen = probe(run, Probing(network=network, references=references))
    verdicts = _verdicts(run, ours, theirs, found)
    checked = Checked(
        ours,
        theirs,
        verdicts,
        _seconds(run),
        precision,
        planned_half_width(scenes, len(spoken), len(drawn)),
        half_width(verdicts, "leak"),
        seen.faults,
        out / "index.html",
    )
    plan = {"scenes": scenes, "seeds": len(drawn), "labels": probe_labels(found)}
    _write(checked, run, out, found.name, plan)
    return checked


def _asked(suite: Suite, limit: int | None) -> list[Prompt]:
    """Return what is asked of both models: the home tradition, and what names none."""
    targets = (suite.home, NEUTRAL)
    return [prompt for prompt in suite.prompts.values() if prompt.target in targets][:limit]


def _verdicts(run: Path, model: str, baseline: str, suite: Suite) -> Sequence[Verdict]:
    """Return what a probed run says of every measure."""
    import numpy as np

    from bench.probing.names import DIVERSITY, PROBES
    from leaderboard.gate import gate
    from leaderboard.probes import read_probes
    from leaderboard.sources import read_source

    diversity = run / DIVERSITY
    return gate(
        read_probes(run / PROBES),
        read_source(diversity).frame if diversity.is_file() else None,
        model=model,
        baseline=baseline,
        home=suite.home,
        rng=np.random.default_rng(0),
        others=[name for name in suite.traditions if name != suite.home],
    )


def _seconds(run: Path) -> dict[str, float]:
    """Return the mean device seconds per output of each model."""
    from bench.manifest import read_outputs

    spent: dict[str, list[float]] = {}
    for row in read_outputs(run):
        if row.get("seconds") is not None:
            spent.setdefault(row["model"], []).append(float(row["seconds"]))
    return {name: sum(values) / len(values) for name, values in spent.items()}


def _write(checked: Checked, run: Path, out: Path, suite: str, plan: Mapping[str, Any]) -> None:
    from bench.probing.names import REPORT
    from leaderboard.compare import to_record
    from leaderboard.gate_page import write_gate_page

    report = json.loads((run / REPORT).read_text(encoding="utf-8"))
    records = [to_record(verdict) for verdict in checked.verdicts]
    content = json.dumps(records, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    write_whole(out / "check.json", content.encode())
    write_gate_page(
        checked.verdicts,
        out,
        facts={
            "model": checked.model,
            "baseline": checked.baseline,
            "suite": suite,
            "network": report["network"],
            "asked": checked.asked,
            "planned": checked.planned,
            "reached": checked.reached,
            "seconds": checked.seconds,
            "has_references": any("accuracy" in one for one in report["probes"]),
            **plan,
        },
        pictures=_side_by_side(run, checked.model, checked.baseline),
    )


def _side_by_side(run: Path, model: str, baseline: str) -> list[dict[str, str]]:
    """Return a few prompts with both models' pictures as data URIs; of clips there are none."""
    from bench.manifest import read_outputs

    rows = {
        (row["model"], row["prompt"], row["language"], row["seed"]): row
        for row in read_outputs(run)
        if row["frames"] is None
    }
    cells = [key[1:] for key in rows if key[0] == model and (baseline, *key[1:]) in rows]
    by_prompt: dict[str, list[tuple[str, str, int]]] = {}
    for cell in cells:
        by_prompt.setdefault(cell[0], []).append(cell)
    shown = []
    for number, of_prompt in enumerate(list(by_prompt.values())[:_SHOWN]):
        # each prompt with the next cell: the noise of a seed is shared by all prompts
        cell = of_prompt[number % len(of_prompt)]
        ours, theirs = (rows[name, *cell] for name in (model, baseline))
        shown.append(
            {
                "text": ours["text"],
                "ours": _uri(run / ours["file_name"]),
                "theirs": _uri(run / theirs["file_name"]),
            }
        )
    return shown


def _uri(file: Path) -> str:
    from PIL import Image

    with Image.open(file) as image:
        small = image.convert("RGB")
        small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=88)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
