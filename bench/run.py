"""Settling a run: what is asked, joined to what the folder holds, resolved into `run.yaml`.

Imports torch through `bench.pipelines`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from bench import clips, manifest, pipelines
from bench.environments import differs, environment_of
from bench.errors import ConflictError, FileFormatError, RequestError, perhaps_elsewhere
from bench.files import write_whole
from bench.kinds import as_it_stands, makes
from bench.models import load_models
from bench.plan import Part, call_arguments, plan
from bench.records import Batch, ModelSpec
from bench.request import Request
from bench.shapes import check_shapes
from bench.speedups import check_speedups
from bench.suites import Suite, load_suite, only_grew, select
from bench.tuning import DEFAULT_BATCH_SIZE, Tuning, choose, stored

_COUNTS = {"num_inference_steps", "num_frames", "width", "height"}
"""Arguments of a call that count something."""

_NO_PIXELS = {"source", "licence", "origin", "languages", "pickled_weights"}
"""Fields of a spec that decide no pixel: a run may go on when they are corrected."""


@dataclass(frozen=True, slots=True)
class Run:
    """A planned run: what it asks, cut into batches, and the content of `run.yaml`.

    `asked` are the models of the present request: what others still lack waits for theirs, since
    only a checkpoint that is named has been looked at anew. `tunings` say how each model is run.
    """

    folder: Path
    suite: Suite
    models: Mapping[str, ModelSpec]
    tunings: Mapping[str, Tuning]
    batches: Sequence[Batch]
    content: Mapping[str, Any]
    asked: frozenset[str]


def planned_run(request: Request, folder: Path) -> Run:
    """Resolve a request, join it to what the run was asked before, and cut the whole into batches.

    Nothing is written: this is also what a dry run shows.

    Raises:
        RequestError: an unknown suite, model, language or argument.
        ConflictError: the request contradicts what the run was made with.
    """
    suite = load_suite(request.suite)
    if request.video_master and suite.modality != "video":
        raise RequestError(f"--video-master is for clips; suite {suite.name} asks for images")
    existing = manifest.read_run(folder) if (folder / "run.yaml").exists() else None
    models = _resolved_models(request, suite, existing)
    asked = frozenset(models)
    classes = {name: pipelines.pipeline_class(spec) for name, spec in models.items()}
    part = _part_asked(request, models)
    prompts = select(
        suite, part.languages, targets=part.targets, limit=part.limit, scenes=part.scenes
    )
    for name, spec in models.items():
        check_shapes(spec, classes[name], {prompt.frames for prompt in prompts})
    settled = _Settled(
        [part], request.batch_size or DEFAULT_BATCH_SIZE, request.video_master or "", {}
    )
    if existing:
        settled = _settled_before(folder, existing, request, suite, models)
        models = {content["id"]: _spec_from(content) for content in existing["models"]} | models
        classes = {content["id"]: content["pipeline"] for content in existing["models"]} | classes
    tunings = dict(settled.tunings)
    for name in asked - tunings.keys():
        tunings[name] = _tuning(models[name], suite, part, request, settled.batch_size)
    dtypes = {name: spec.dtype for name, spec in models.items()}
    sizes = {name: tuning.batch_size for name, tuning in tunings.items()}

    def batches_of(parts: Sequence[Part]) -> list[Batch]:
        return plan(
            suite, parts, models=models, pipelines=classes, dtypes=dtypes, batch_sizes=sizes
        )

    parts = settled.parts
    batches = batches_of(parts)
    if part not in parts:
        more = batches_of([*parts, part])
        if len(more) > len(batches):
            parts, batches = [*parts, part], more
    known = {one["id"]: one for one in existing["models"]} if existing else {}
    content: dict[str, Any] = {
        "run": folder.resolve().name,
        "modality": suite.modality,
        "suite": suite.as_dict(),
        "batch_size": settled.batch_size,
        "video_master": settled.video_master,
        "planned": sum(len(batch.jobs) for batch in batches),
        "parts": [part.as_dict() for part in parts],
        "models": [
            _model_content(spec, classes[name], tunings[name], known.get(name, {}))
            for name, spec in models.items()
        ],
        "environment": existing["environment"] if existing else None,
        "mixed": existing["mixed"] if existing else [],
    }
    return Run(folder, suite, models, tunings, batches, content, asked)


class _Settled(NamedTuple):
    """What a run was begun with, and what goes on so."""

    parts: Sequence[Part]
    batch_size: int
    video_master: str
    tunings: Mapping[str, Tuning]


def _part_asked(request: Request, models: Mapping[str, ModelSpec]) -> Part:
    return Part(
        tuple(models),
        request.languages,
        request.seeds,
        request.targets,
        request.limit,
        request.scenes,
    )


def _settled_before(
    folder: Path,
    existing: Mapping[str, Any],
    request: Request,
    suite: Suite,
    models: Mapping[str, ModelSpec],
) -> _Settled:
    """Return what an existing run was begun with.

    Raises:
        ConflictError: the request contradicts it.
    """
    manifest.require_keys(folder, existing, ("parts", "batch_size", "environment", "mixed"))
    parts = _parts_before(folder, existing, suite)
    _check_same(existing, models, request.batch_size)
    batch_size = existing["batch_size"]
    if not existing["parts"]:  # a run begun by an import has no batches yet
        batch_size = request.batch_size or DEFAULT_BATCH_SIZE
    before = existing.get("video_master", "")
    if request.video_master not in {None, before}:
        raise ConflictError(
            f"run {existing['run']} was begun {f'with {before}' if before else 'without'} "
            "masters: give another --out, or leave --video-master as it was"
        )
    return _Settled(parts, batch_size, before, _tunings_of(existing))


def _model_content(
    spec: ModelSpec, pipeline: str, tuning: Tuning, known: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what `run.yaml` says of a model; `known` is what it said before."""
    # told by a file of the checkpoint, which may lie elsewhere when it is asked
    atelier = known.get("atelier") or (Path(spec.source) / "training.json").is_file()
    return {
        **_spec_content(spec),
        "pipeline": pipeline,
        **({"atelier": True} if atelier else {}),
        "path": pipelines.path_of(pipeline),
        "tuning": asdict(tuning),
    }


def run_on_disk(folder: Path, asked: frozenset[str]) -> Run:
    """Return a run that was settled, from its folder alone: what a worker needs, and who drives it.

    Raises:
        FileFormatError: `run.yaml` or `suite.yaml` is not what a run writes, or they do not agree.
    """
    content = manifest.read_run(folder)
    manifest.require_keys(folder, content, ("parts", "batch_size", "environment", "planned"))
    suite = load_suite(str(folder / "suite.yaml"))
    if suite.hash != content["suite"]["hash"]:
        raise FileFormatError(f"{folder / 'suite.yaml'} is not the suite that run.yaml names")
    models = {one["id"]: _spec_from(one) for one in content["models"]}
    tunings = _tunings_of(content)
    batches = plan(
        suite,
        [Part.from_dict(part) for part in content["parts"]],
        models=models,
        pipelines={one["id"]: one["pipeline"] for one in content["models"]},
        dtypes={name: spec.dtype for name, spec in models.items()},
        batch_sizes={name: tuning.batch_size for name, tuning in tunings.items()},
    )
    if sum(len(batch.jobs) for batch in batches) != content["planned"]:
        raise FileFormatError(f"{folder / 'run.yaml'} plans another number of outputs than it says")
    del content["schema"]
    return Run(folder, suite, models, tunings, batches, content, asked)


def settle(run: Run, *, allow_mixed: bool) -> Run:
    """Fix device, threads and versions, and write `run.yaml`, `suite.yaml` and a first card.

    Raises:
        ConflictError: the run was begun under others, and `allow_mixed` is not given; or it has
            been added to since it was planned.
    """
    folder, first = run.folder, run.content["environment"]
    there = manifest.read_run(folder)["parts"] if (folder / "run.yaml").exists() else []
    planned = [_asked_of(part) for part in run.content["parts"]]
    if planned[: len(there)] != [_asked_of(part) for part in there]:
        raise ConflictError(f"{folder} has been added to by another process: run again")
    threads = pipelines.settle_threads(first["threads"] if first else None)
    environment = environment_of(threads)
    content = {**run.content, "environment": first or environment}
    if first and environment not in [first, *content["mixed"]]:
        if not allow_mixed:
            raise ConflictError(differs(folder, first, environment))
        content["mixed"] = [*content["mixed"], environment]
    if not first:
        manifest.write_card(folder, title=content["run"], text="A Pinlu run, not finished.")
    text = yaml.safe_dump(dict(run.suite.content), allow_unicode=True, sort_keys=False).encode()
    suite = folder / "suite.yaml"
    if not first:
        write_whole(suite, text)
    manifest.write_run(folder, content)
    if suite.read_bytes() != text:  # the suite has grown, and the plan says so first
        write_whole(suite, text)
    return replace(run, content=content)


def _asked_of(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name != "scenes"}


def with_environment(run: Run, environment: Mapping[str, Any]) -> Run:
    """Return the run with one more environment that made some of it, recorded in `run.yaml`."""
    content = dict(run.content)
    if environment in [content["environment"], *content["mixed"]]:
        return run
    content["mixed"] = [*content["mixed"], dict(environment)]
    manifest.write_run(run.folder, content)
    return replace(run, content=content)


def _resolved_models(
    request: Request, suite: Suite, existing: Mapping[str, Any] | None
) -> dict[str, ModelSpec]:
    if suite.modality not in {"image", "video"}:
        raise RequestError(
            f"suite {suite.name} asks for {suite.modality}; pictures and clips can be generated"
        )
    models = {}
    before = (existing or {}).get("models", ())
    pinned = {content["source"]: content["revision"] for content in before}
    dtypes = {content["id"]: content.get("dtype", {}) for content in before}
    for spec in load_models(list(request.models), pinned):
        with perhaps_elsewhere(unread=True):
            name = pipelines.pipeline_class(spec)
        modality = makes(name)
        if modality != suite.modality:
            raise RequestError(
                f"model {spec.id} makes {modality}s, suite {suite.name} asks for {suite.modality}s"
            )
        if modality == "video" and not spec.fps:
            raise RequestError(
                f"model {spec.id} says no frames per second: give it a YAML with fps (and frames)"
            )
        settled = replace(
            spec,
            modality=modality,
            # what a spec leaves open stays as the run was begun
            dtype=pipelines.settle_dtype(
                spec if spec.dtype else replace(spec, dtype=dtypes.get(spec.id, {}))
            ),
            arguments={
                **as_it_stands(name),
                **spec.arguments,
                **(request.arguments or {}),
            },
            speedups={**spec.speedups, **(request.speedups or {})},
        )
        asked = call_arguments(settled)
        check_speedups(spec.id, name, settled.speedups, asked)
        for argument in _COUNTS & asked.keys():
            count = asked[argument]
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise RequestError(
                    f"model {spec.id}: {argument} must be a whole number from 1 on, not {count!r}"
                )
        if modality == "video" and (
            why := clips.check_size(asked.get("width", 0), asked.get("height", 0))
        ):
            raise RequestError(f"model {spec.id}: {why}")
        models[spec.id] = settled
    return models


def _parts_before(folder: Path, existing: Mapping[str, Any], suite: Suite) -> list[Part]:
    """Return what the run was asked before; of a suite that has grown, for the scenes it had."""
    parts = [Part.from_dict(content) for content in existing["parts"]]
    if existing["suite"]["hash"] == suite.hash:
        return parts
    kept = folder / "suite.yaml"
    if kept.is_file():
        before = load_suite(str(kept))
        if before.hash == existing["suite"]["hash"] and only_grew(before, suite):
            return [replace(part, scenes=part.scenes or before.scenes) for part in parts]
    raise ConflictError(
        f"run {existing['run']} was made with another text of suite {existing['suite']['name']}, "
        "and more than scenes were added: give another --out"
    )


def _check_same(
    existing: Mapping[str, Any], models: Mapping[str, ModelSpec], batch_size: int | None
) -> None:
    name = existing["run"]
    sizes = {one: tuning.batch_size for one, tuning in _tunings_of(existing).items()}
    for had in [sizes.get(model, existing["batch_size"]) for model in models if existing["parts"]]:
        if batch_size not in {None, had}:
            raise ConflictError(
                f"run {name} has batches of {had}, and batches are never cut anew: "
                "leave out --batch-size, or give another --out"
            )
    for content in existing["models"]:
        spec = models.get(content["id"])
        if spec is None:
            continue
        before = _spec_content(_spec_from(content))
        for field, value in _spec_content(spec).items():
            if field not in _NO_PIXELS and value != before[field]:
                raise ConflictError(
                    f"run {name} has model {spec.id} with {field} {before[field]!r}, now "
                    f"{value!r} is asked: give another --out"
                )


def _tuning(spec: ModelSpec, suite: Suite, part: Part, request: Request, batch_size: int) -> Tuning:
    """Return how a model new to the run is run: as asked, else as measured, else by default.

    A model with a device map is not compiled: it would be on one device and not on several.
    """
    measured = stored(spec, pipelines.device_kind())
    if spec.device_map:
        measured = [one for one in measured if not one.tuning.compile]
    if request.batch_size or not measured:
        return Tuning(batch_size)
    prompts = select(suite, part.languages, targets=part.targets, limit=part.limit)
    return choose(measured, len(prompts) * len(part.languages) * len(part.seeds))


def _tunings_of(existing: Mapping[str, Any]) -> dict[str, Tuning]:
    usual = {"batch_size": existing["batch_size"]}
    return {one["id"]: Tuning(**one.get("tuning", usual)) for one in existing["models"]}


def _spec_content(spec: ModelSpec) -> dict[str, Any]:
    content = asdict(spec)
    content["languages"] = list(spec.languages)
    return {
        name: dict(value) if isinstance(value, Mapping) else value
        for name, value in content.items()
    }


def _spec_from(content: Mapping[str, Any]) -> ModelSpec:
    further = {"pipeline", "path", "tuning", "atelier"}
    own = {name: value for name, value in content.items() if name not in further}
    return ModelSpec(**{**own, "languages": tuple(content["languages"])})
