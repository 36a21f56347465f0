"""Who judges a run, what is asked of them, and on what: a judge is entered before it is asked.

Imports torch through `bench.understanding.asking` where the model runs here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import manifest
from bench.errors import ConflictError, RequestError, WorkError
from bench.judging.names import REPLIES, REPORT, read_report, write_report
from bench.judging.questions import LANGUAGES, How, Judged, questions_of
from bench.probing.items import Item, hold_to_hash, items_of_run
from bench.records import ModelSpec, Rubric
from bench.rubrics import load_rubric
from bench.suites import Suite, load_suite
from bench.understanding.asking import settled_models, with_environment
from bench.understanding.served import Server

BATCH_SIZE = 8
_SETTLED = ("revision", "pipeline", "dtype", "arguments", "rubric", "rubric_hash")
"""What of a judge may not change within a run."""


@dataclass(frozen=True, slots=True)
class Judging:
    """What is asked of a judge.

    `model` is named as for generate, or with a `server` by what that calls it; `pairs` of each two
    models are shown at most, None for all. `price` is that of a million tokens in and out.
    """

    model: str
    rubric: str
    languages: tuple[str, ...] = ("en",)
    seeds: tuple[int, ...] = (0,)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    pairs: int | None = None
    server: Server | None = None
    price: tuple[float, float] | None = None
    batch_size: int = BATCH_SIZE


@dataclass(frozen=True, slots=True)
class Seat:
    """A judge that is ready, and what it is to judge: `entry` is what `judge.json` says of it."""

    suite: Suite
    outputs: Sequence[Item]
    rubric: Rubric
    spec: ModelSpec
    entry: Mapping[str, Any]
    report: dict[str, Any]


def judge_of(run: Path, asked: Judging) -> Seat:
    """Find out who is to judge what.

    Raises:
        RequestError: no such model, rubric or language; the run holds no pictures.
    """
    content = manifest.read_run(run)
    if content["modality"] != "image":
        raise RequestError(f"judges look at pictures, and {run} holds {content['modality']}")
    suite = load_suite(str(run / "suite.yaml"))
    outputs = items_of_run(run, suite)
    rubric = load_rubric(asked.rubric)
    for language in asked.languages:
        if language not in LANGUAGES:
            raise RequestError(f"judges are asked in {' or '.join(LANGUAGES)}, not in {language!r}")
    report = read_report(run)
    models, classes = settled_models(
        [asked.model],
        asked.server,
        asked.arguments,
        asked.seeds,
        before=list(report["judges"].values()),
    )
    ((name, spec),) = models.items()
    entry = {
        "judge": name,
        "source": manifest.published_source(spec.source),
        "revision": spec.revision,
        "pipeline": classes[name],
        "dtype": dict(spec.dtype),
        "arguments": dict(spec.arguments),
        "rubric": rubric.id,
        "rubric_hash": rubric.hash,
        "scales": {scale.id: dict(scale.label) for scale in rubric.scales},
    }
    return Seat(suite, outputs, rubric, spec, entry, report)


def take_seat(run: Path, there: Seat, asked: Judging) -> tuple[list[Item], list[Judged], list[str]]:
    """Enter a judge into the run; the caller holds it.

    Returns:
        The outputs whose files are whole, the questions about them, and a sentence for each other.

    Raises:
        ConflictError: it has judged this run by another rubric, revision or decoding.
    """
    _settle(run, there.report, there.entry)
    whole, lost = _whole(there.outputs)
    decides = ("judge", "revision", "pipeline", "dtype", "arguments")
    how = How(
        there.rubric,
        asked.languages,
        asked.seeds,
        asked.pairs,
        {key: there.entry[key] for key in decides},
    )
    return whole, questions_of(whole, there.suite, how), lost


def enter_environment(
    run: Path, judge: str, environment: Mapping[str, Any] | None, *, allow_mixed: bool
) -> list[dict[str, Any]]:
    """Enter into `judge.json` on what a judge is asked now; return all environments so far.

    Raises:
        ConflictError: it was asked on another device or under other versions before, and `allow_mixed`
            is not given.
    """
    report = read_report(run)
    entry = with_environment(
        report["judges"][judge], environment, f"{judge} has judged {run}", allow_mixed=allow_mixed
    )
    report["judges"][judge] = entry
    write_report(run, report)
    return [entry["environment"], *entry["mixed"]]


def threads_of(seat: Seat) -> int | None:
    """Return with how many threads a judge began, None where it begins now."""
    first = seat.report["judges"].get(seat.spec.id, {}).get("environment")
    return int(first["threads"]) if first else None


def _settle(run: Path, report: dict[str, Any], entry: Mapping[str, Any]) -> None:
    """Enter a judge, after refusing one that is not what it was."""
    before = report["judges"].get(entry["judge"])
    for name in _SETTLED:
        if before and before[name] != entry[name]:
            raise ConflictError(
                f"{entry['judge']} has judged {run} with {name} {before[name]!r}, now {entry[name]!r} "
                f"is asked: give the judge another name, or move {REPLIES} and {REPORT} aside"
            )
    report["judges"][entry["judge"]] = {**(before or {}), **entry}
    write_report(run, report)


def _whole(outputs: Sequence[Item]) -> tuple[list[Item], list[str]]:
    """Return the outputs whose files are what they were, and a sentence for each of the others."""
    whole, lost = [], []
    for item in outputs:
        try:
            hold_to_hash(item)
        except WorkError as error:
            lost.append(str(error))
        else:
            whole.append(item)
    return whole, lost
