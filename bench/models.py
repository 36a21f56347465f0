"""Model specs: which checkpoint, pinned to which revision, called how."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import Field

from bench.errors import ConflictError, RequestError
from bench.files import file_hash, write_whole
from bench.reading import ROOT, FileModel, check, read_yaml
from bench.records import Modality, ModelSpec

MODEL_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"

_PIPELINE_LIBRARIES = {"diffusers", "transformers"}


class ModelFile(FileModel):
    """A YAML in `configs/models/`. `source`: a hub id, or a folder relative to the file."""

    model: str = Field(pattern=MODEL_ID_PATTERN)
    source: str
    revision: str = ""
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
    note: str = ""


def load_model(name: str, pinned: Mapping[str, str] = MappingProxyType({})) -> ModelSpec:
    """Return the spec that `name` means.

    `name` is an id in `configs/models/`, the path of such a YAML, the folder of a checkpoint that
    diffusers can load, or a hub id (`owner/name`). Without a revision of its own a hub model is
    taken at that in `pinned` (by source: what a run began with), else at the hub's newest.

    Raises:
        RequestError: it is none of these, or the checkpoint cannot be used; says why.
        FileFormatError: the YAML breaks the schema.
    """
    path = Path(name)
    known = ROOT / "configs" / "models" / f"{name}.yaml"
    if path.is_dir():
        return _pinned(ModelFile(model=_base_name(path), source=str(path.resolve())), path)
    if path.suffix in {".yaml", ".yml"} and path.is_file():
        return _from_yaml(path, pinned)
    if known.is_file():
        return _from_yaml(known, pinned)
    if name.count("/") == 1 and not name.startswith((".", "/")):
        spec = ModelFile(model=name.split("/")[1], source=name)
        return _record(spec, name, pinned.get(name) or newest_revision(name))
    there = ", ".join(list_models()) or "none"
    raise RequestError(
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


def newest_revision(hub_id: str) -> str:
    """Return the commit that the hub calls newest.

    Raises:
        RequestError: the hub cannot be reached, or has no such model.
    """
    from huggingface_hub import HfApi  # noqa: PLC0415 - only needed for models on the hub

    try:
        revision = HfApi().model_info(hub_id).sha
    except Exception as error:
        raise RequestError(
            f"the hub did not answer for {hub_id!r}: {' '.join(str(error).split())[:200]}"
        ) from error
    if not revision:
        raise RequestError(f"the hub names no revision of {hub_id!r}")
    return revision


def add_model(hub_id: str, out: Path) -> Path:
    """Write a spec of a hub model into `out`, pinned to the newest revision; return its path.

    Raises:
        RequestError: the hub cannot be reached, or has no such model.
        ConflictError: the spec is there already.
    """
    import yaml  # noqa: PLC0415 - reading goes by bench.reading; writing is rare

    name = hub_id.rsplit("/", maxsplit=1)[-1]
    path = out / f"{name}.yaml"
    if path.exists():
        raise ConflictError(f"{path} is there already; remove it to pin the model anew")
    spec = {"model": name, "source": hub_id, "revision": newest_revision(hub_id)}
    out.mkdir(parents=True, exist_ok=True)
    write_whole(path, yaml.safe_dump(spec, sort_keys=False).encode())
    return path


def folder_revision(folder: Path) -> str:
    """Return the hash of what decides a checkpoint's pixels: its files, without cards and dotfiles.

    Hashes of large files are cached by path, size and time.
    """
    total = hashlib.sha256()
    with _hash_cache() as cache:
        for file in sorted(_checkpoint_files(folder)):
            stat = file.stat()
            place = f"{file.resolve()}:{stat.st_size}:{stat.st_mtime_ns}"
            if place not in cache:
                cache[place] = file_hash(file)
            total.update(f"{file.relative_to(folder).as_posix()}\0{cache[place]}\n".encode())
    return total.hexdigest()


def check_folder(folder: Path) -> str:
    """Return the pipeline class of a checkpoint's folder.

    Raises:
        RequestError: no `model_index.json`, or code of its own that would have to be trusted.
    """
    index = folder / "model_index.json"
    if not index.is_file():
        raise RequestError(f"{folder} has no model_index.json: it is not a diffusers checkpoint")
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RequestError(f"{index} is not JSON: {error}") from error
    name = content.get("_class_name") if isinstance(content, dict) else None
    if isinstance(name, list):
        _refuse_remote_code(folder, f"its pipeline is {name[0]}.py")
    if not isinstance(name, str):
        raise RequestError(f"{index} names no pipeline class")
    for part, value in content.items():
        if part.startswith("_") or not isinstance(value, list) or not any(value):
            continue
        if value[0] not in _PIPELINE_LIBRARIES and (folder / part / f"{value[0]}.py").is_file():
            _refuse_remote_code(folder, f"its {part} is {value[0]}.py")
        config = folder / part / "config.json"
        if config.is_file() and "auto_map" in config.read_text(encoding="utf-8"):
            _refuse_remote_code(folder, f"its {part} has an auto_map")
    return name


def _refuse_remote_code(folder: Path, why: str) -> None:
    raise RequestError(
        f"{folder} needs code of its own to be trusted ({why}): Pinlu runs no code from checkpoints"
    )


def _from_yaml(path: Path, pinned: Mapping[str, str]) -> ModelSpec:
    file = check(read_yaml(path), ModelFile, path)
    folder = path.parent / file.source
    if folder.is_dir():
        return _pinned(file, folder)
    if file.source.startswith((".", "/")) or file.source.count("/") != 1:
        raise RequestError(f"{path}: source {file.source!r} is no folder and no hub id")
    revision = file.revision or pinned.get(file.source) or newest_revision(file.source)
    return _record(file, file.source, revision)


def _pinned(file: ModelFile, folder: Path) -> ModelSpec:
    check_folder(folder)
    revision = folder_revision(folder)
    if file.revision and file.revision != revision:
        raise ConflictError(
            f"the checkpoint {folder} has the content {revision[:12]}, not the {file.revision[:12]} "
            "that its spec pins"
        )
    return _record(file, str(folder.resolve()), revision)


def _record(file: ModelFile, source: str, revision: str) -> ModelSpec:
    content = file.model_dump(exclude={"model", "source", "revision", "note"})
    return ModelSpec(id=file.model, source=source, revision=revision, **content)


def _base_name(folder: Path) -> str:
    return folder.resolve().name


def _checkpoint_files(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        inside = file.relative_to(folder).parts
        if (
            file.is_file()
            and file.suffix != ".md"
            and not any(part.startswith(".") for part in inside)
        ):
            yield file


@contextmanager
def _hash_cache() -> Iterator[dict[str, str]]:
    """File hashes by path, size and time, kept in the user's cache folder where it can be written."""
    path = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pinlu" / "hashes.json"
    try:
        hashes: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        hashes = {}
    before = len(hashes)
    yield hashes
    if len(hashes) > before:
        # a cache that cannot be written costs time, nothing else
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps(hashes).encode())
