"""Studies and runs to scores: here what the rooms hold and what the scorer does are joined."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import RequestError
from bench.records import Score

if TYPE_CHECKING:
    from numpy.random import Generator
    from pandas import DataFrame

    from bench.precision import Pilot


def score_studies(studies: Sequence[Path], *, seed: int = 0, by: Sequence[str] = ()) -> list[Score]:
    """Export each study masked, join its names, and score it."""
    import numpy as np

    from bench.join import asked_speedups, declared_languages
    from leaderboard.marks import for_studies, speedup_scores
    from leaderboard.scoring import score
    from leaderboard.weighting import weight_scores
    from raters.study import levels, study_id, weights

    rng = np.random.default_rng(seed)
    scores: list[Score] = []
    ids = Counter(study_id(study) for study in studies)
    if twice := [name for name, count in ids.items() if count > 1]:
        raise RequestError(f"two of the studies are called {twice[0]!r}: score them one by one")
    for study in studies:
        weighed = weights(study)
        tables = study_tables(study)
        found = score(
            tables,
            levels=levels(study),
            rng=rng,
            by=by,
            weights=weighed or None,
            declared=declared_languages(study),
        )
        scores += found + weight_scores(found, weighed) + _protocol(study) + _marked(study, rng)
        scores += for_studies(speedup_scores(asked_speedups(study)), found)
    return scores


def score_answer_runs(
    runs: Sequence[Path], *, seed: int = 0, by: Sequence[str] = ()
) -> list[Score]:
    """Hold the answers of runs of understanding against what is known of the works, and score them.

    Raises:
        RequestError: a run is not one of understanding, or has no answers.
    """
    import numpy as np
    import pandas as pd

    from bench.cards import still_to_make
    from bench.manifest import read_outputs, read_run
    from bench.suites import load_suite
    from bench.understanding.facts import Graded, graded, read_periods
    from bench.understanding.works import works_of
    from leaderboard.answers import flag_scores, missing_score, score_answers

    rng = np.random.default_rng(seed)
    scores: list[Score] = []
    for run in runs:
        content = read_run(run)
        if content["modality"] != "understanding":
            raise RequestError(
                f"{run} holds {content['modality']}s: give a study, or --run for costs"
            )
        rows = read_outputs(run)
        if not rows:
            raise RequestError(f"{run} has no answers yet: run pinlu generate")
        missing = missing_answers(run)
        suite = load_suite(str(run / "suite.yaml"))
        held = graded(rows, suite, works_of(run), read_periods(run))
        table = pd.DataFrame(held, columns=pd.Index(Graded._fields))
        name = str(content["run"])
        found = score_answers(
            table, home=suite.home, traditions=suite.traditions, rng=rng, study=name, by=by
        )
        found += flag_scores(pd.DataFrame(rows), study=name)
        if missing:
            found = [
                replace(one, method="; ".join(part for part in (one.method, missing) if part))
                for one in found
            ]
            found.append(missing_score(still_to_make(content, rows), content["planned"], name))
        scores += found
    return scores


def missing_answers(run: Path) -> str:
    """Return what to say of a run of answers that is not finished, "" of one that is."""
    from bench.cards import still_to_make
    from bench.manifest import read_outputs, read_run

    content = read_run(run)
    missing = still_to_make(content, read_outputs(run))
    planned = content.get("planned")
    verb = "is" if missing == 1 else "are"
    return f"{missing} of {planned} planned answers {verb} not there yet" if missing else ""


def is_run(path: Path) -> bool:
    """Say whether a folder is a run, and no study."""
    return (path / "run.yaml").is_file()


def _protocol(study: Path) -> list[Score]:
    """Return how the study was done, as scores, so that a page made of them can report it."""
    from leaderboard.weighting import FROM_STUDY
    from raters.study import status, study_id

    state = status(study)
    facts = {name: state[name] for name in ("planned", "invited", "finished", "withdrawn")}
    facts |= state["plan"]
    name = study_id(study)
    return [
        Score(study=name, source=FROM_STUDY, metric="protocol", group=fact, value=float(number))
        for fact, number in facts.items()
        if isinstance(number, int | float)
    ]


def _marked(study: Path, rng: Generator) -> list[Score]:
    """Return what was marked in answers, of a study of answers."""
    from bench.join import reveal
    from leaderboard.passages import passages
    from leaderboard.selection import is_simulated, say_simulated
    from raters.export import tables
    from raters.study import study_id

    masked = tables(study)
    if masked["passages"].empty:
        return []
    named = reveal({"passages": masked["passages"]}, opened_key(study, "score"))["passages"]
    found = passages(named, rng=rng, study=study_id(study))
    return say_simulated(found) if is_simulated(named) else found


def study_tables(study: Path) -> dict[str, DataFrame]:
    """Return a study's checked tables with their names joined."""
    from bench.join import foils_of, reveal
    from leaderboard.tables import (
        check_attributions,
        check_detections,
        check_ratings,
        check_votes,
    )
    from raters.export import tables
    from raters.study import attribution_labels

    key = opened_key(study, "score")
    named = reveal(tables(study), key)
    where, labels = str(study), [*attribution_labels(study), *foils_of(key)]
    return {
        "ratings": check_ratings(named["ratings"], where),
        "votes": check_votes(named["votes"], where),
        "attributions": check_attributions(named["attributions"], where, labels=labels),
        "detections": check_detections(named["detections"], where),
    }


def learned(study: Path) -> Pilot:
    """Return what a study teaches the plan of the next; its key stays sealed.

    The variances are means over the criteria of which all three can be told apart.
    """
    from math import isfinite

    from bench.precision import Components, Pilot
    from leaderboard.planning import variance_components
    from raters.pilot import coded_ratings, observed_seconds

    found = []
    for _, rows in coded_ratings(study).groupby("criterion"):
        part = variance_components(rows)
        own = [part[name] for name in ("model:prompt", "model:rater", "residual")]
        if all(map(isfinite, own)):
            found.append([max(one, 0.0) for one in own])
    means = [sum(own) / len(found) for own in zip(*found, strict=True)]
    components = Components(*means) if means else None
    return Pilot(seconds=observed_seconds(study), components=components)


def costs_of(source: Path, scores: Sequence[Score]) -> list[Score]:
    """Return what the models of each study cost, by a run or a table model,seconds,status.

    By a run also how fast they were made to work, and which were made faster at the cost of their
    pictures.
    """
    import pandas as pd

    from bench.files import read_rows
    from bench.manifest import read_failures, read_outputs, read_run
    from bench.speed import SPEED
    from bench.speedups import described
    from leaderboard.costs import check_costs, costs_of_studies, read_costs
    from leaderboard.marks import for_studies, speedup_scores
    from leaderboard.sources import Source
    from leaderboard.speed import speed_scores

    if not source.is_dir():
        return costs_of_studies(read_costs(source), scores)
    models = read_run(source)["models"]
    speedups = {one["id"]: described(one.get("speedups") or {}) for one in models}
    found = speed_scores(list(read_rows(source / SPEED)), str(source / SPEED))
    rows = [
        {"model": row["model"], "seconds": row.get("seconds"), "status": row["status"]}
        for row in read_outputs(source)
    ]
    rows += [
        {"model": row["model"], "seconds": None, "status": "failed"}
        for row in read_failures(source)
    ]
    frame = pd.DataFrame(rows, columns=pd.Index(["model", "seconds", "status"]))
    return costs_of_studies(check_costs(Source(str(source), frame)), scores) + for_studies(
        [*found, *speedup_scores(speedups)], scores
    )


def probes_of(run: Path, *, seed: int = 0, by: Sequence[str] = ()) -> list[Score]:
    """Return what probes saw in a run, under the run's name; empty where it was not probed."""
    import numpy as np

    from bench.manifest import read_run
    from bench.probing.names import DIVERSITY, PROBES, is_probed
    from leaderboard.probes import probe_scores, read_probes
    from leaderboard.sources import read_source

    if not is_probed(run):
        return []
    diversity = run / DIVERSITY
    return probe_scores(
        read_probes(run / PROBES),
        read_source(diversity).frame if diversity.is_file() else None,
        study=str(read_run(run)["run"]),
        rng=np.random.default_rng(seed),
        by=by,
    )


def judges_of(run: Path, *, seed: int = 0, by: Sequence[str] = ()) -> list[Score]:
    """Return what judges said of a run, under the run's name; empty where none has judged it."""
    import numpy as np

    from bench.judging.names import TABLE
    from bench.manifest import read_run
    from leaderboard.judgements import read_judgements
    from leaderboard.judges import judge_scores

    if not (run / TABLE).is_file():
        return []
    rng = np.random.default_rng(seed)
    study = str(read_run(run)["run"])
    return judge_scores(read_judgements(run / TABLE), study=study, rng=rng, by=by)


def combined_with_probe(studies: Sequence[Path], run: Path, *, seed: int = 0) -> list[Score]:
    """Return what raters and a run's probes and judges say together (PPI++), study by study.

    Of judges also how far they agree with each group of raters.
    """
    import numpy as np

    from bench.judging.names import TABLE
    from bench.probing.names import PROBES, is_probed
    from leaderboard.judge_agreement import agreement_with_raters
    from leaderboard.judge_ppi import combine_ratings
    from leaderboard.judgements import read_judgements
    from leaderboard.probe_ppi import combine
    from leaderboard.probes import read_probes

    judged = (run / TABLE).is_file()
    scores: list[Score] = []
    for study in studies:
        tables = study_tables(study)
        if is_probed(run) or not judged:
            scores += combine(tables["attributions"], read_probes(run / PROBES))
        if judged:
            judgements = read_judgements(run / TABLE)
            rng = np.random.default_rng(seed)
            scores += combine_ratings(tables["ratings"], judgements)
            scores += agreement_with_raters(tables["ratings"], judgements, rng=rng)
    return scores


def opened_key(study: Path, reason: str, *, log: bool = True) -> DataFrame:
    """Return a study's key, after noting in its audit log that it was opened and why."""
    from bench.join import read_key
    from raters.study import unblind

    key = read_key(study)
    if log and not unblind(study, reason)["locked"]:
        _say_open(study)
    return key


@cache
def _say_open(study: Path) -> None:
    """Say once, however often a command opens the key, that the study is not closed."""
    sys.stderr.write(
        f"pinlu: {study} is not closed: its models are named before that, which the report will "
        "state as a deviation; pinlu study lock closes it\n"
    )


def log(study: Path, action: str, detail: str) -> None:
    """Add a line to a study's audit log."""
    from raters.folder import open_study
    from raters.tables import note, writing

    with open_study(study) as (_, engine), writing(engine) as connection:
        note(connection, action, detail)
