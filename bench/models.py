"""Model specs: which checkpoint, pinned to which revision, called how."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field

from bench.checkpoints import check_folder, folder_revision, refuse_pickles
from bench.errors import ConflictError, NotHereError, RequestError
from bench.files import write_whole
from bench.reading import ROOT, FileModel, check, read_yaml
from bench.records import Modality, ModelSpec
from bench.speedups import described

MODEL_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


_NOT_OF_A_SPEC = {"model", "source", "revision", "pipeline", "unchecked", "note"}


class ModelFile(FileModel):
    """A YAML in `configs/models/`.

    `source`: a hub id, or a folder relative to the file. Without a `revision` a run takes the
    hub's newest when it begins, and records it. `pipeline`: the class that the checkpoint names.
    `pickled_weights`: load weights that can run code. `speedups`: step caches and FP8 weights, which
    change pictures (`bench.speedups`). `unchecked`: what of this file its writer
    could not hold against the publisher's own words. `device_map`: where a worker has several
    devices, `balanced` lays the model's parts over them, `auto` its denoiser's layers.
    `context_parallel: 2`: a worker with two devices has both at work on each output.
    """

    model: str = Field(pattern=MODEL_ID_PATTERN)
    source: str
    revision: str = ""
    pipeline: str = ""
    modality: Modality = "image"
    dtype: dict[str, str] = Field(default_factory=dict)
    arguments: dict[str, Any] = Field(default_factory=dict)
    width: int | None = Field(default=None, ge=1)
    height: int | None = Field(default=None, ge=1)
    frames: int | None = Field(default=None, ge=1)
    fps: float | None = Field(default=None, gt=0)
    languages: tuple[str, ...] = ()
    licence: str = ""
    origin: str = ""
    pickled_weights: bool = False
    device_map: Literal["", "balanced", "auto"] = ""
    context_parallel: int = Field(default=1, ge=1, le=64)
    speedups: dict[str, Any] = Field(default_factory=dict)
    unchecked: tuple[str, ...] = ()
    note: str = ""


def read_model_file(name: str) -> ModelFile | None:
    """Return the content of the YAML that `name` means (an id or a path); None where it is no YAML.

    Nothing is looked for on the hub or in a checkpoint.

    Raises:
        FileFormatError: the YAML breaks the schema.
    """
    path = _yaml_of(name)
    return check(read_yaml(path), ModelFile, path) if path else None


def _yaml_of(name: str) -> Path | None:
    path = Path(name)
    known = ROOT / "configs" / "models" / f"{name}.yaml"
    if path.suffix in {".yaml", ".yml"} and path.is_file():
        return path
    return known if known.is_file() and not path.is_dir() else None


def load_model(name: str, pinned: Mapping[str, str] = MappingProxyType({})) -> ModelSpec:
    """Return the spec that `name` means.

    `name` is an id in `configs/models/`, the path of such a YAML, the folder of a checkpoint that
    diffusers can load, or a hub id (`owner/name`). Without a revision of its own a hub model is
    taken at that in `pinned` (by source: what a run began with), else at the hub's newest.

    Raises:
        RequestError: it is none of these, or the checkpoint cannot be used; says why.
        NotHereError: an absolute path where nothing is, a folder that is no checkpoint here or another than
            its spec pins, or the hub does not answer: another host may have it.
        FileFormatError: the YAML breaks the schema.
    """
    path = Path(name)
    if path.is_dir():
        return _pinned(ModelFile(model=_base_name(path), source=str(path.resolve())), path)
    if spec_path := _yaml_of(name):
        return _from_yaml(spec_path, pinned)
    if name.count("/") == 1 and not name.startswith((".", "/")):
        spec = ModelFile(model=name.split("/")[1], source=name)
        return _record(spec, name, pinned.get(name) or newest_revision(name))
    there = ", ".join(list_models()) or "none"
    kind = NotHereError if path.is_absolute() else RequestError
    raise kind(
        f"no model named {name!r}: give an id in configs/models ({there}), the path of such a YAML, "
        "a checkpoint's folder, or a hub id"
    )


def load_models(
    names: list[str], pinned: Mapping[str, str] = MappingProxyType({})
) -> list[ModelSpec]:
    """Return the specs of several models; `pinned` as in `load_model`.

    Raises:
        ConflictError: two of them have one id.
    """
    specs: dict[str, ModelSpec] = {}
    for name in names:
        spec = load_model(name, pinned)
        if spec.id in specs:
            raise ConflictError(
                f"two models are called {spec.id!r} ({specs[spec.id].source} and {spec.source}): "
                "give one of them another id by a YAML of its own"
            )
        specs[spec.id] = spec
    return list(specs.values())


def list_models() -> list[str]:
    """Return the ids of the specs in `configs/models/`."""
    return sorted(file.stem for file in (ROOT / "configs" / "models").glob("*.yaml"))


def as_written(name: str) -> ModelSpec | None:
    """Return the spec that a YAML of a hub model states, unpinned where it states no revision.

    None where `name` means no such YAML. The hub is not asked.
    """
    file = read_model_file(name)
    if file is None or not _is_hub_id(file.source):
        return None
    return _record(file, file.source, file.revision)


def describe(name: str) -> list[str]:
    """Return what `pinlu models` says of a model: one line, then its arguments and note.

    A YAML is described as it stands, the hub is not asked.
    """
    file = read_model_file(name)
    spec = as_written(name) or load_model(name)
    size = f"{spec.width}×{spec.height}" if spec.width and spec.height else "its own size"
    if spec.modality == "understanding":
        size = "reads pictures"
    clip = f", {spec.frames} frames at {spec.fps:g} a second" if spec.frames and spec.fps else ""
    unchecked = f"; unchecked: {', '.join(file.unchecked)}" if file and file.unchecked else ""
    first = (
        f"{spec.id}: {spec.modality}, {size}{clip}, revision {spec.revision[:12] or 'not pinned'}, "
        f"{', '.join(spec.languages) or 'languages not stated'}, "
        f"{spec.licence or 'licence not stated'}{unchecked}"
    )
    more = [f"{argument}: {value!r}" for argument, value in spec.arguments.items()]
    more += [f"speed-ups: {said}"] if (said := described(spec.speedups)) else []
    more += [f"over several devices: {spec.device_map}"] if spec.device_map else []
    if spec.context_parallel > 1:
        more += [f"context-parallel over {spec.context_parallel} devices"]
    more += [file.note] if file and file.note else []
    return [first, *(f"  {line}" for line in more)]


def newest_revision(hub_id: str) -> str:
    """Return the commit that the hub calls newest; without the hub, that of the local cache.

    A cluster's computing nodes often see no network: what was downloaded before serves there, and
    its commit is as exact.

    Raises:
        RequestError: the hub has no such model, and the cache has none.
        NotHereError: it cannot be reached, or gives it to other accounts only; another host may have it.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache  # noqa: PLC0415 - slow to import
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError  # noqa: PLC0415

    try:
        revision = HfApi().model_info(hub_id).sha
    except Exception as error:
        cached = try_to_load_from_cache(hub_id, "model_index.json")
        if isinstance(cached, str):
            return Path(cached).parent.name
        if isinstance(error, GatedRepoError):
            raise NotHereError(
                f"the hub gives {hub_id!r} only to accounts that were granted it: ask for it on its page "
                "there, and log in by `hf auth login`"
            ) from error
        if isinstance(error, RepositoryNotFoundError):
            raise RequestError(
                f"the hub has no model {hub_id!r}, or none that this account may see"
            ) from error
        raise NotHereError(
            f"the hub did not answer for {hub_id!r}: {' '.join(str(error).split())[:200]}"
        ) from error
    if not revision:
        raise RequestError(f"the hub names no revision of {hub_id!r}")
    return revision


def add_model(name: str, out: Path) -> Path:
    """Write a spec of a hub model into `out`, pinned to the newest revision; return its path.

    `name` is a hub id, or that of a spec in `configs/models/` which names one: then the rest of
    that spec is kept.

    Raises:
        RequestError: the hub cannot be reached, or has no such model.
        ConflictError: the spec is there already.
    """
    import yaml  # noqa: PLC0415 - reading goes by bench.reading; writing is rare

    known = read_model_file(name)
    if known is None:
        spec: dict[str, Any] = {"model": name.rsplit("/", maxsplit=1)[-1], "source": name}
    elif _is_hub_id(known.source):
        spec = known.model_dump(mode="json", exclude_defaults=True)
        spec["unchecked"] = [what for what in known.unchecked if what != "revision"]
    else:
        raise RequestError(f"{name} is a folder, pinned by its content: only hub models are added")
    path = out / f"{spec['model']}.yaml"
    if path.exists():
        raise ConflictError(f"{path} is there already; remove it to pin the model anew")
    spec["revision"] = newest_revision(spec["source"])
    out.mkdir(parents=True, exist_ok=True)
    write_whole(path, yaml.safe_dump(spec, allow_unicode=True, sort_keys=False).encode())
    return path


def _from_yaml(path: Path, pinned: Mapping[str, str]) -> ModelSpec:
    file = check(read_yaml(path), ModelFile, path)
    folder = path.parent / file.source
    if folder.is_dir():
        return _pinned(file, folder)
    if not _is_hub_id(file.source):
        kind = NotHereError if Path(file.source).is_absolute() else RequestError
        raise kind(f"{path}: source {file.source!r} is no folder and no hub id")
    revision = file.revision or pinned.get(file.source) or newest_revision(file.source)
    return _record(file, file.source, revision)


def _is_hub_id(source: str) -> bool:
    return source.count("/") == 1 and not source.startswith((".", "/"))


def _pinned(file: ModelFile, folder: Path) -> ModelSpec:
    name = check_folder(folder)
    if file.pipeline not in {"", name}:
        raise ConflictError(f"{folder} is of class {name}, its spec says {file.pipeline}")
    if not file.pickled_weights:
        refuse_pickles(folder)
    revision = folder_revision(folder)
    if file.revision and file.revision != revision:
        raise NotHereError(
            f"the checkpoint {folder} has the content {revision[:12]}, not the {file.revision[:12]} "
            "that its spec pins"
        )
    return _record(file, str(folder.resolve()), revision)


def _record(file: ModelFile, source: str, revision: str) -> ModelSpec:
    content = file.model_dump(exclude=_NOT_OF_A_SPEC)
    return ModelSpec(id=file.model, source=source, revision=revision, **content)


def _base_name(folder: Path) -> str:
    return folder.resolve().name
