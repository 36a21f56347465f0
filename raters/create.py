"""Making a study folder: candidates, cleaned copies, the sealed key, the plan, the protocol."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sqlalchemy import insert

from bench.errors import ConflictError, RequestError
from bench.reading import find_config
from bench.records import SCHEMA, Rubric, Stimulus
from bench.rubrics import RubricFile, load_rubric
from raters import tables as t
from raters.config import StudyFile, load_config
from raters.design import blocks, drawn_anchors
from raters.material import items_of, pairs_of, scales_for
from raters.plan import PLANNED, Shown, store_blocks
from raters.protocol import CANNOT_TELL, OTHER, Protocol, write_protocol
from raters.selection import selected, with_scales
from raters.sources import Candidate, Sources, read_references, read_runs
from raters.stimuli import SEALED, write_key, write_stimuli
from raters.summary import plan_summary, seconds_table, summarise, warnings_of
from raters.tables import note, now
from raters.tasks import LONGEST_SESSION, Block, Item, Pair, Rules, seconds_of
from raters.training import explanation_of, read_examples
from raters.waves import read_anchors


@dataclass(frozen=True, slots=True)
class Material:
    """What a study shows: single items with their names, pairs, and training pictures.

    `candidates` and `items` are in one order; `examples` come in the order of the config.
    """

    sources: Sources
    candidates: list[Candidate]
    items: list[Item]
    pairs: list[Pair]
    scales: dict[str, list[str]]
    examples: list[Candidate]
    explained: dict[str, dict[str, Any]]

    @property
    def names(self) -> list[str]:
        """The opaque names of the candidates, in their order."""
        return [item.id for item in self.items]


def create(
    config: Path | str,
    runs: Sequence[Path],
    *,
    references: Path | None,
    out: Path,
    anchors: Path | None = None,
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
    material = _gathered(
        file,
        find_config("studies", str(config)).parent,
        runs,
        rubric=rubric,
        references=references,
        anchors=anchors,
        rng=rng,
    )
    rules = _rules(file, material)
    # in the order of the opaque names, so that the plan does not follow the runs' order
    items = sorted(material.items, key=lambda item: item.id)
    pairs = sorted(material.pairs, key=lambda pair: (pair.first, pair.second))
    planned = blocks(items, pairs, rules, rng)
    plan = plan_summary(planned, items, pairs, rules)
    _refuse_over_budget(file, plan)
    protocol = _protocol(file, rubric=rubric, material=material, rules=rules, planned=planned)
    warnings = [*material.sources.warnings, *warnings_of(material.candidates, protocol, plan)]
    everything = [*material.candidates, *material.examples]
    names = [*material.names, *material.explained]
    with _folder(out) as study:
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
        _write_sealed(file, material.sources, summary, study)
        write_protocol(protocol, study)
        _write_database(study, protocol, material, stimuli, rules=rules, planned=planned, rng=rng)
    return summary


def _gathered(
    file: StudyFile,
    folder: Path,
    runs: Sequence[Path],
    *,
    rubric: Rubric,
    references: Path | None,
    anchors: Path | None,
    rng: np.random.Generator,
) -> Material:
    # The seed is public, and must not unseal a study of people. Where raters are simulated there
    # is nobody to be blinded, and a study made twice is the same.
    naming = np.random.default_rng([file.seed, 2] if file.simulated else None)
    sources = read_runs(runs, file.languages)
    examples = read_examples(file, folder, sources, rubric)
    candidates = selected(sources.outputs, file.select, sources.home, rng)
    earlier = read_anchors(anchors, sources, file.languages) if anchors is not None else []
    if references is not None:
        # what explains, or is an anchor already, is not asked as if it were new
        without = {one.sha256 for one in examples} | {one.key["prompt"] for one in earlier}
        candidates += read_references(
            references,
            sources,
            file.languages,
            limit=file.references.per_tradition,
            without=without,
            rng=rng,
        )
    there = {one.key["key"] for one in earlier if one.kind == "output"}
    candidates = [one for one in candidates if one.key["key"] not in there or not one.key["key"]]
    candidates += earlier
    for name, targets in (
        ("scales.targets", file.scales.targets),
        ("pairs.targets", file.pairs.targets if file.pairs else None),
    ):
        _refuse_unknown(name, targets, candidates)
    scaled = with_scales(candidates, file.scales, sources.home, rng)
    names = [naming.bytes(8).hex() for _ in range(len(candidates) + len(examples))]
    items = items_of(candidates, names[: len(candidates)], scaled, naming)
    wanted = max(file.anchors - len(earlier), 0)
    if file.anchors > len(items):
        raise RequestError(
            f"anchors: {file.anchors} are asked for, and there are {len(items)} items"
        )
    fresh = items[: len(items) - len(earlier)]
    drawn = {item.id for item in items[len(fresh) :]} | drawn_anchors(fresh, wanted, rng)
    items = [replace(item, anchor=item.id in drawn) for item in items]
    scales = {
        item.id: scales_for(candidate, rubric) if item.scaled else []
        for candidate, item in zip(candidates, items, strict=True)
    }
    # a genre of which no scale is asked leaves nothing for phase two
    items = [replace(item, scaled=bool(scales[item.id])) for item in items]
    explained = {
        name: explanation_of(example)
        for name, example in zip(names[len(candidates) :], file.training, strict=True)
    }
    scales |= {name: list(told["scales"] or {}) for name, told in explained.items()}
    pairs = pairs_of(candidates, items, file, sources.home) if file.pairs else []
    return Material(sources, candidates, items, pairs, scales, examples, explained)


def _rules(file: StudyFile, material: Material) -> Rules:
    each = file.single.raters_per_item
    return Rules(
        raters=file.raters,
        raters_per_item=each,
        scales_per_item=file.scales.raters_per_item or each,
        votes_per_pair=file.pairs.votes_per_pair if file.pairs else 0,
        repeats=file.repeats,
        warm_ups=(file.warm_ups.first, file.warm_ups.later),
        attention=file.attention,
        detections=file.detections if file.ask.human else 0,
        training=tuple(material.explained),
        sessions=file.sessions,
        seconds=seconds_table(file, material.sources.modality),
        scale_count={name: len(asked) for name, asked in material.scales.items()},
    )


def _refuse_over_budget(file: StudyFile, plan: Mapping[str, Any]) -> None:
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


def _refuse_unknown(
    name: str, targets: Sequence[str] | None, candidates: Sequence[Candidate]
) -> None:
    there = {candidate.target for candidate in candidates}
    for target in targets or ():
        if target not in there:
            raise RequestError(
                f"{name}: no picture has {target!r}; there are: {', '.join(sorted(there))}"
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
    }
    return RubricFile.model_validate(content).model_dump(mode="json")


@contextmanager
def _folder(out: Path) -> Iterator[Path]:
    """Give a folder beside `out` that takes its name when all went well, and else is removed."""
    temporary = out.parent / f".{out.name}.{os.getpid()}.tmp"
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise RequestError(f"cannot write into {out.parent}: {error.strerror}") from error
    try:
        yield temporary
        temporary.rename(out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _write_sealed(
    file: StudyFile, sources: Sources, summary: Mapping[str, Any], study: Path
) -> None:
    """Keep what was asked, the runs' models and the summary sealed: the protocol names no model."""
    asked = {
        "schema": SCHEMA,
        "config": file.model_dump(mode="json"),
        "runs": [dict(run) for run in sources.runs],
    }
    for name, content in (("sources.yaml", asked), ("summary.yaml", dict(summary))):
        text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
        (study / SEALED / name).write_text(text, encoding="utf-8")


def _write_database(
    study: Path,
    protocol: Protocol,
    material: Material,
    stimuli: Sequence[Stimulus],
    *,
    rules: Rules,
    planned: Sequence[Block],
    rng: np.random.Generator,
) -> None:
    captions = [candidate.caption for candidate in (*material.candidates, *material.examples)]
    training = [Item(name, f"training {name}"[:16], "", "") for name in material.explained]
    rows = [
        {
            "id": stimulus.id,
            "file": stimulus.file,
            "width": stimulus.width,
            "height": stimulus.height,
            "sha256": stimulus.sha256,
            "seconds": stimulus.seconds,
            "captions": dict(caption),
            "scales": material.scales[stimulus.id],
            "anchor": item.anchor,
            "scene": item.scene,
            "maker": item.maker,
            "asked": item.asked,
        }
        for caption, stimulus, item in zip(
            captions, stimuli, [*material.items, *training], strict=True
        )
    ]
    engine = t.open_engine(study / t.DATABASE)
    with t.writing(engine) as connection:
        t.metadata.create_all(connection)
        connection.execute(
            insert(t.meta),
            [
                {"key": "schema", "value": str(SCHEMA)},
                {"key": "study", "value": protocol.study},
                {"key": "created_at", "value": now()},
            ],
        )
        connection.execute(insert(t.stimulus), sorted(rows, key=lambda row: str(row["id"])))
        store_blocks(
            connection,
            planned,
            first=0,
            stimuli={
                item.id: Shown(item.scene, material.scales[item.id])
                for item in (*material.items, *training)
            },
            explained=material.explained,
            rules=rules,
            labels=protocol.traditions,
            rubric_hash=protocol.rubric_hash,
            rng=rng,
        )
        note(connection, "created", protocol.hash)
    engine.dispose()
