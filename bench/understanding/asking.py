"""Settling a run of understanding: what is asked, joined to what the folder holds, into `run.yaml`.

Imports torch through `bench.understanding.reader` where models run here.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import manifest
from bench.errors import ConflictError, RequestError, perhaps_elsewhere
from bench.models import MODEL_ID_PATTERN, load_models, read_model_file
from bench.records import ModelSpec
from bench.request import Request
from bench.suites import Suite, load_suite
from bench.understanding.decoding import MAPPINGS, refuse_idle_seeds, settled_arguments
from bench.understanding.importing import suite_entry, write_suite
from bench.understanding.jobs import Asked, AskedPart, asked_of, chosen_questions
from bench.understanding.served import Server
from bench.understanding.works import Work, read_works, works_of, write_works

SERVED = "openai"
"""What `run.yaml` names as the class of a model that a server ran."""

BATCH_SIZE = 8


@dataclass(frozen=True, slots=True)
class Asking:
    """What a run of understanding wants beside a request.

    `works` is a folder of works; `questions` are ids, all where it is empty. With a `server` the
    models are its own. `price` is that of a million tokens in and out, in any one currency.
    """

    works: Path
    questions: tuple[str, ...] = ()
    server: Server | None = None
    price: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class AskedRun:
    """A planned run: its works, models and jobs by (part, model), and the content of `run.yaml`.

    `here` are the works that can be shown now; `models` are those of the present request.
    """

    folder: Path
    suite: Suite
    works: Sequence[Work]
    here: Mapping[str, Work]
    models: Mapping[str, ModelSpec]
    jobs: Mapping[tuple[int, str], Sequence[Asked]]
    content: Mapping[str, Any]

    def now(self, model: str) -> list[list[Asked]]:
        """Return a model's jobs, part by part, that can be worked off now.

        What was asked of a picture that has been exchanged since waits for that picture.
        """
        return [
            [
                job
                for job in jobs
                if job.work in self.here and self.here[job.work].pixel_sha256 == job.picture
            ]
            for (_, name), jobs in self.jobs.items()
            if name == model
        ]


def planned_answers(request: Request, asking: Asking, folder: Path) -> AskedRun:
    """Resolve a request and join it to what the run was asked before. Nothing is written.

    Raises:
        RequestError: an unknown suite, model, question, language or argument; no works.
        ConflictError: the request contradicts what the run was made with.
    """
    suite = load_suite(request.suite)
    existing = manifest.read_run(folder) if (folder / "run.yaml").exists() else None
    if existing and existing["suite"]["hash"] != suite.hash:
        raise ConflictError(
            f"run {existing['run']} was made with another text of suite "
            f"{existing['suite']['name']}: give another --out"
        )
    with perhaps_elsewhere():
        works = read_works(asking.works, suite)[: request.limit]
    chosen_questions(suite, asking.questions)
    for language in request.languages:
        if language not in suite.languages:
            raise RequestError(
                f"suite {suite.name} has no questions in {language!r}; it has: "
                f"{', '.join(suite.languages)}"
            )
    models, classes = settled_models(
        request.models,
        asking.server,
        request.arguments or {},
        request.seeds,
        before=(existing or {}).get("models", ()),
    )
    entries = {entry["id"]: entry for entry in (existing or {}).get("models", ())}
    for name, spec in models.items():
        entry = {**entry_of(spec), "pipeline": classes[name]}
        _refuse_change(folder, entries.get(name), entry)
        entries[name] = {**entries.get(name, {}), **entry}
    part = AskedPart(
        tuple(models),
        request.languages,
        request.seeds,
        asking.questions,
        {work.id: work.pixel_sha256 for work in works},
    )
    parts = [AskedPart.from_dict(one) for one in (existing or {}).get("parts", ())]
    parts += [] if part in parts else [part]
    every = {(work.id, work.pixel_sha256): work for work in [*works_of(folder), *works]}
    content = {
        "run": folder.resolve().name,
        "modality": suite.modality,
        "suite": suite_entry(suite),
        "batch_size": request.batch_size or (existing or {}).get("batch_size") or BATCH_SIZE,
        "video_master": "",
        "planned": 0,
        "parts": [one.as_dict() for one in parts],
        "models": list(entries.values()),
        "environment": (existing or {}).get("environment"),
        "mixed": (existing or {}).get("mixed", []),
    }
    jobs = _jobs(suite, parts, list(every.values()), entries)
    content["planned"] = sum(bool(job.picture) for some in jobs.values() for job in some)
    here = {work.id: work for work in works}
    return AskedRun(folder, suite, list(every.values()), here, models, jobs, content)


def asked_run_on_disk(folder: Path, asked: Iterable[Asked]) -> AskedRun:
    """Return a run that was settled, from its folder alone, with the works that some jobs show."""
    content = manifest.read_run(folder)
    works = works_of(folder)
    shown = {(job.work, job.picture) for job in asked}
    return AskedRun(
        folder,
        load_suite(str(folder / "suite.yaml")),
        works,
        {work.id: work for work in works if (work.id, work.pixel_sha256) in shown},
        {entry["id"]: spec_from(entry) for entry in content["models"]},
        {},
        content,
    )


def settle_answers(
    run: AskedRun, environment: Mapping[str, Any] | None, *, allow_mixed: bool
) -> AskedRun:
    """Write `run.yaml`, `suite.yaml`, `works.jsonl` and a first card; return the run as settled.

    Args:
        run: the plan.
        environment: device, threads and versions where models run here; None where a server does.
        allow_mixed: go on under others than the run was begun with, and record it.

    Raises:
        ConflictError: the run was begun under others, and `allow_mixed` is not given.
    """
    content = with_environment(
        run.content, environment, f"{run.folder} was made", allow_mixed=allow_mixed
    )
    if not (run.folder / "suite.yaml").exists():
        write_suite(run.folder, run.suite)
        manifest.write_card(
            run.folder, title=content["run"], text="A Pinlu run, not finished.", files=False
        )
    write_works(run.works, run.folder)
    manifest.write_run(run.folder, content)
    return replace(run, content=content)


def with_environment(
    content: Mapping[str, Any],
    environment: Mapping[str, Any] | None,
    what: str,
    *,
    allow_mixed: bool,
) -> dict[str, Any]:
    """Return what `run.yaml` or a report says, with an environment named in it that takes part now.

    Args:
        content: `environment` is the first, where there is one; in `mixed` are the others.
        environment: None where a server does the work.
        what: "RUN was made", for the sentence.
        allow_mixed: take another environment than those that are named.

    Raises:
        ConflictError: it is another, and `allow_mixed` is not given.
    """
    first, mixed = content.get("environment"), list(content.get("mixed", ()))
    if environment and not first:
        first = dict(environment)
    elif environment and environment not in [first, *mixed]:
        if not allow_mixed:
            raise ConflictError(
                f"{what} on another device or under other versions: what comes now may differ; "
                "--allow-mixed goes on anyway"
            )
        mixed.append(dict(environment))
    return {**content, "environment": first, "mixed": mixed}


def environment_here(threads: int | None = None) -> dict[str, Any]:
    """Return what answers depend on beside the plan: device, threads (as asked) and versions."""
    from bench import pipelines  # noqa: PLC0415 - torch, only where models run here

    return {
        "device": pipelines.device_kind(),
        "threads": pipelines.settle_threads(threads),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in ("torch", "transformers", "numpy")},
    }


def settled_models(
    names: Sequence[str],
    server: Server | None,
    arguments: Mapping[str, Any],
    seeds: Sequence[int],
    *,
    before: Sequence[Mapping[str, Any]] = (),
) -> tuple[dict[str, ModelSpec], dict[str, str]]:
    """Return vision–language models by id, arguments and dtype settled, and the class of each.

    Args:
        names: as the command line takes them; with a server its own names.
        server: who runs them; None: they run here.
        arguments: over those of the specs.
        seeds: several are refused where decoding is greedy.
        before: entries of `run.yaml`: a model of the hub keeps its revision.

    Raises:
        RequestError: a model is unknown or turns no pictures into text; a wrong argument.
    """
    if server:
        specs = [served_spec(name) for name in names]
        classes = dict.fromkeys((spec.id for spec in specs), SERVED)
    else:
        from bench import pipelines  # noqa: PLC0415 - torch, only where models run here
        from bench.understanding.reader import architecture  # noqa: PLC0415 - torch

        pinned = {entry["source"]: entry["revision"] for entry in before}
        loaded = load_models(list(names), pinned)
        specs = [replace(spec, dtype=pipelines.settle_dtype(spec)) for spec in loaded]
        with perhaps_elsewhere(unread=True):
            classes = {spec.id: architecture(spec) for spec in specs}
    settled = {}
    for spec in specs:
        own = settled_arguments(spec, arguments)
        refuse_idle_seeds(spec, own, seeds)
        settled[spec.id] = replace(spec, modality="understanding", arguments=own)
    return settled, classes


def served_spec(name: str) -> ModelSpec:
    """Return the spec of a model that a server runs: by a YAML's id, or by the server's own name.

    Raises:
        RequestError: the name can be no model's.
    """
    import re  # noqa: PLC0415 - one pattern

    file = read_model_file(name)
    if file:
        own = {key: value for key, value in file.arguments.items() if key not in MAPPINGS}
        return ModelSpec(
            file.model, file.source, "served", arguments=own, languages=file.languages,
            licence=file.licence, origin=file.origin,
        )  # fmt: skip
    own_id = name.rsplit("/", maxsplit=1)[-1].replace(":", "-")
    if not re.fullmatch(MODEL_ID_PATTERN, own_id):
        raise RequestError(f"{name!r} is no model's name")
    return ModelSpec(own_id, name, "served")


def _jobs(
    suite: Suite,
    parts: Sequence[AskedPart],
    works: Sequence[Work],
    entries: Mapping[str, Mapping[str, Any]],
) -> dict[tuple[int, str], list[Asked]]:
    """Return the jobs by (part, model); what an earlier part asks for is not asked for again."""
    how = {
        name: {key: entry[key] for key in ("revision", "pipeline", "dtype", "arguments")}
        for name, entry in entries.items()
    }
    seen: set[str] = set()
    found: dict[tuple[int, str], list[Asked]] = {}
    for number, part in enumerate(parts):
        for job in asked_of(suite, part, works, how):
            if job.key not in seen:
                seen.add(job.key)
                found.setdefault((number, job.model), []).append(job)
    return found


def entry_of(spec: ModelSpec) -> dict[str, Any]:
    """Return a spec as plain data."""
    content = asdict(spec)
    plain = {key: dict(value) for key, value in content.items() if isinstance(value, Mapping)}
    return {**content, **plain, "languages": list(spec.languages)}


def spec_from(entry: Mapping[str, Any]) -> ModelSpec:
    """Return the spec of what `entry_of` returned."""
    own = {name: value for name, value in entry.items() if name != "pipeline"}
    return ModelSpec(**{**own, "languages": tuple(entry["languages"])})


def _refuse_change(folder: Path, before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> None:
    for field in ("revision", "dtype", "arguments", "pipeline"):
        if before and before[field] != now[field]:
            raise ConflictError(
                f"run {folder.name} has model {now['id']} with {field} {before[field]!r}, now "
                f"{now[field]!r} is asked: give another --out"
            )
