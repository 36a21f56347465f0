"""Scores to a report, with the pictures and the names that it shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.records import REFERENCE, Score
from bench.scoring import study_tables

if TYPE_CHECKING:
    from leaderboard.pictures import LowPicture, Picture, Pictures


def write_report(
    scores: Sequence[Score], studies: Sequence[Path], out: Path, runs: Sequence[Path] = ()
) -> Path:
    """Write `scores.csv`, `scores.parquet` and the page into `out`; return the page's path."""
    from leaderboard.pictures import Pictures
    from leaderboard.site import write_site

    shown: list[Picture] = []
    lowest: list[LowPicture] = []
    for study in studies:
        found = _pictures(study, out)
        shown += found.shown
        lowest += found.lowest
    labels = run_labels(runs) | report_labels(studies)
    return write_site(scores, out, labels=labels, pictures=Pictures(shown, lowest))


def _pictures(study: Path, out: Path) -> Pictures:
    """Copy the pictures that the report shows, and return them with their names."""
    import shutil

    from bench.join import picture, read_key, showcase
    from leaderboard.lowest import lowest_scenes
    from leaderboard.pictures import LowPicture, Picture, Pictures
    from raters.export import captions
    from raters.study import study_id, weights

    told, name = captions(study), study_id(study)
    (out / "pictures").mkdir(parents=True, exist_ok=True)

    def copied(file: Path, model: str, prompt: str) -> Picture:
        shutil.copyfile(file, out / "pictures" / file.name)
        return Picture(f"pictures/{file.name}", model, prompt, told.get(file.stem, {}), name)

    lowest = [
        LowPicture(
            copied(picture(study, low.item), low.model, low.prompt),
            low.value,
            low.item_value,
            low.n_values,
        )
        for low in lowest_scenes(study_tables(study)["ratings"], weights=weights(study))
        # of answers there is no picture of their own
        if picture(study, low.item).is_file()
    ]
    return Pictures([copied(*found) for found in showcase(study, read_key(study))], lowest)


def report_labels(studies: Sequence[Path]) -> dict[str, dict[str, str]]:
    """Return what reports call the criteria, and the references where they are not real works."""
    from bench.join import foils_of, read_key
    from raters.study import criterion_labels, tradition_labels

    keys = {study: read_key(study) for study in studies}
    labels = {name: label for study in studies for name, label in criterion_labels(study).items()}
    for study, key in keys.items():
        labels |= tradition_labels(study, more=foils_of(key))
    if any(key["synthetic"].any() for key in keys.values()):
        labels[REFERENCE] = {"en": "stand-in pictures", "zh": "程序画作"}
    return labels


def run_labels(runs: Sequence[Path]) -> dict[str, dict[str, str]]:
    """Return what pages call traditions and scales of runs that were probed, judged, or hold answers."""
    from bench.judging.names import scale_labels
    from bench.probing.texts import probe_labels
    from bench.questions import forced_choice
    from bench.suites import load_suite

    labels: dict[str, dict[str, str]] = {}
    for run in runs:
        labels |= scale_labels(run)
        if (run / "suite.yaml").is_file():
            suite = load_suite(str(run / "suite.yaml"))
            choice = forced_choice(suite.questions)
            labels |= dict(choice.choices) if choice else probe_labels(suite)
    return labels
