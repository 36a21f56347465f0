"""Making a study folder: candidates, cleaned copies, the sealed key, the plan, the protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ConflictError, RequestError
from bench.precision import Pilot
from bench.reading import find_config
from bench.records import SCHEMA, Rubric
from bench.rubrics import RubricFile, load_rubric
from raters.analyses import gathered_readings
from raters.config import StudyFile, load_config
from raters.database import new_database
from raters.design import blocks
from raters.material import Material, gathered, rules_for
from raters.plan import PLANNED
from raters.protocol import CANNOT_TELL, OTHER, Protocol, write_protocol
from raters.readings import Readings, empty_out, rules_of_readings, write_readings
from raters.sources import Sources
from raters.stimuli import SEALED, write_key, write_stimuli
from raters.summary import plan_summary, plan_warnings, summarise, warnings_of
from raters.tasks import LONGEST_SESSION, Block, Rules, seconds_of
from raters.writing import fill_database, study_folder, write_sealed


def create(
    config: Path | str,
    runs: Sequence[Path],
    *,
    references: Path | None,
    out: Path,
    anchors: Path | None = None,
    database: str | None = None,
    pilot: Pilot | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Make the study folder `out` and return a summary: counts, hours, the plan's check, warnings.

    The folder is written beside `out` and renamed when it is whole.

    Args:
        config: the study's YAML, or its name in `configs/studies/`.
        runs: run folders.
        references: a folder of works made by people.
        out: the study folder to make.
        anchors: an earlier study whose anchors are shown again.
        database: the URL of an empty PostgreSQL database; without it, SQLite in the folder.
        pilot: what an earlier study took and varied, in place of first guesses.
        advance: hears of every picture written.

    Raises:
        ConflictError: `out` exists, or the runs contradict each other.
        RequestError, FileFormatError: the request or a file is wrong, or the plan is over its
            budget; nothing is left behind.
    """
    file = load_config(config)
    rubric = load_rubric(file.rubric)
    if out.exists():
        raise ConflictError(f"{out} exists already: choose another folder, or remove it first")
    rng = np.random.default_rng([file.seed, 1])
    if file.analyses:
        readings = gathered_readings(file, runs, references, rubric=rubric)
        return _create_of_answers(file, empty_out(readings), out, database=database, rng=rng)
    material = gathered(
        file,
        find_config("studies", str(config)).parent,
        runs,
        rubric=rubric,
        references=references,
        anchors=anchors,
        rng=rng,
    )
    pilot = pilot or Pilot()
    rules = rules_for(file, material, pilot.seconds)
    # in the order of the opaque names, so that the plan does not follow the runs' order
    items = sorted(material.items, key=lambda item: item.id)
    pairs = sorted(material.pairs, key=lambda pair: (pair.first, pair.second))
    planned = blocks(items, pairs, rules, rng)
    plan = plan_summary(planned, items, pairs, rules, pilot.components)
    refuse_over_budget(file, plan)
    protocol = _protocol(file, rubric=rubric, material=material, rules=rules, planned=planned)
    foils = [name for name, most in file.references.foils.items() if most]
    found = warnings_of(material.candidates, protocol, plan, foils=foils)
    warnings = [*material.sources.warnings, *found]
    everything = [*material.candidates, *material.examples]
    names = [*material.names, *material.explained]
    with study_folder(out) as study:
        stimuli = write_stimuli(
            everything,
            names,
            study,
            modality=protocol.modality,
            mask=file.mask,
            advance=advance,
        )
        summary = summarise(
            protocol,
            candidates=material.candidates,
            stimuli=stimuli,
            items=items,
            pairs=pairs,
            plan=plan,
            warnings=warnings,
            masked=file.mask is not None,
        )
        (study / SEALED).mkdir(mode=0o700)
        shown_again = {item.id for item in items if item.anchor}
        write_key(material.candidates, material.names, study, anchors=shown_again)
        write_sealed(file, material.sources, summary, study)
        write_protocol(protocol, study)
        with new_database(study, database) as engine:
            fill_database(
                engine, protocol, material, stimuli, rules=rules, planned=planned, rng=rng
            )
    return summary


def _create_of_answers(
    file: StudyFile,
    readings: Readings,
    out: Path,
    *,
    database: str | None,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Make the folder of a study of answers: pairs of analyses beside the work, nothing else."""
    rules, material = rules_of_readings(file, readings), readings.material
    pairs = sorted(readings.pairs, key=lambda pair: (pair.first, pair.second))
    planned = blocks([], pairs, rules, rng)
    plan = plan_summary(planned, readings.items, pairs, rules)
    refuse_over_budget(file, plan)
    protocol = _protocol(
        file, rubric=readings.rubric, material=material, rules=rules, planned=planned
    )
    with study_folder(out) as study:
        stimuli = write_readings(readings, study)
        summary = summarise(
            protocol,
            candidates=material.candidates,
            stimuli=stimuli,
            items=readings.items,
            pairs=pairs,
            plan=plan,
            warnings=[*material.sources.warnings, *plan_warnings(plan)],
            masked=False,
        )
        write_key(material.candidates, material.names, study, anchors=())
        write_sealed(file, material.sources, summary, study)
        write_protocol(protocol, study)
        with new_database(study, database) as engine:
            fill_database(
                engine, protocol, material, stimuli, rules=rules, planned=planned, rng=rng
            )
    return summary


def refuse_over_budget(file: StudyFile, plan: Mapping[str, Any]) -> None:
    """Refuse a plan that asks for more hours than the config has, or too much at a sitting."""
    hours, budget = plan["hours_per_rater"], file.budget_hours
    advice = "take fewer scenes or models, fewer raters per item, or more raters"
    if budget is not None and hours > budget:
        raise RequestError(
            f"the plan takes {hours} hours of each rater, and budget_hours is {budget:g}: {advice}"
        )
    longest = plan["check"]["session_minutes"][1]
    if file.sessions is not None and longest > LONGEST_SESSION / 60:
        raise RequestError(
            f"a session of the plan takes {longest} minutes, and people look well for 30 at most: "
            f"give more sessions, or {advice}"
        )


def _protocol(
    file: StudyFile,
    *,
    rubric: Rubric,
    material: Material,
    rules: Rules,
    planned: Sequence[Block],
) -> Protocol:
    sources = material.sources
    counted = [[task for task in block if task.kind in PLANNED] for block in planned]
    return Protocol.model_validate(
        {
            "schema": SCHEMA,
            "study": file.study,
            "version": file.version,
            "simulated": file.simulated,
            "stand_ins": any(one.key["synthetic"] for one in material.candidates),
            "modality": sources.modality,
            "home": sources.home,
            "traditions": list(sources.traditions),
            "declared_labels": [one for one in file.labels if one not in _known(sources)],
            "languages": file.languages,
            "ask": file.ask.model_dump(),
            "debriefing": file.debriefing,
            "background": [question.model_dump() for question in file.background],
            "suites": dict(sources.suites),
            "plan": {
                "raters": rules.raters,
                "raters_per_item": rules.raters_per_item,
                "scales_per_item": rules.scales_per_item,
                "votes_per_pair": rules.votes_per_pair,
                "singles": max(sum(task.kind != "pair" for task in own) for own in counted),
                "scaled": max(sum(task.scales for task in own) for own in counted),
                "pairs": max(sum(task.kind == "pair" for task in own) for own in counted),
                "repeats": rules.repeats,
                "warm_ups": rules.warm_ups,
                "attention": rules.attention,
                "detections": rules.detections,
                "training": len(rules.training),
                "sessions": max(task.session for block in planned for task in block),
                "minutes": round(max(seconds_of(block, rules) for block in planned) / 60),
                "seconds": dict(rules.seconds),
            },
            "rubric_hash": rubric.hash,
            "rubric": _rubric_content(rubric),
        }
    )


def _known(sources: Sources) -> set[str]:
    return {*sources.traditions, OTHER, CANNOT_TELL}


def _rubric_content(rubric: Rubric) -> dict[str, Any]:
    content = {
        "rubric": rubric.id,
        "version": rubric.version,
        "not_applicable": rubric.not_applicable,
        "scales": [asdict(scale) for scale in rubric.scales],
        "weights": dict(rubric.weights) or None,
    }
    return RubricFile.model_validate(content).model_dump(mode="json")
