"""A checkpoint's folder: whether it may be loaded, of which class it is, and what its content is."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.errors import NotHereError, RequestError
from bench.files import file_hash, write_whole

_PICKLES = {".bin", ".ckpt", ".pt", ".pth", ".pkl"}
_PIPELINE_LIBRARIES = {"diffusers", "transformers"}


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
    """Return the pipeline class of a checkpoint's folder, or the class that reads pictures and text.

    Raises:
        NotHereError: no `model_index.json`, and no `config.json` that names a class: it may be copied by half.
        RequestError: it names no class, or code of its own that would have to be trusted.
    """
    index = folder / "model_index.json"
    if not index.is_file() and (single := _single_model(folder)):
        return single
    if not index.is_file():
        raise NotHereError(f"{folder} has no model_index.json: it is not a diffusers checkpoint")
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
    except ValueError as error:
        raise NotHereError(f"{index} is not JSON: {error}") from error
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


def _single_model(folder: Path) -> str:
    """Return the class that a folder of one transformers model names, "" where it is none."""
    path = folder / "config.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        name = str(content["architectures"][0])
    except (OSError, ValueError, LookupError, TypeError):
        return ""
    if "auto_map" in content:
        _refuse_remote_code(folder, "its config has an auto_map")
    return name


def refuse_pickles(folder: Path) -> None:
    """Refuse a part whose weights are pickled only: loading a pickle can run any code.

    Raises:
        RequestError: names the file, and how to allow it.
    """
    for part in [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]:
        pickles = [file for file in sorted(part.iterdir()) if file.suffix in _PICKLES]
        if pickles and not any(part.glob("*.safetensors")):
            raise RequestError(
                f"{folder} has pickled weights only ({pickles[0].relative_to(folder)}), which can run "
                "code when loaded: convert them to safetensors, or allow them by "
                "`pickled_weights: true` in a YAML of the model"
            )


def _refuse_remote_code(folder: Path, why: str) -> None:
    raise RequestError(
        f"{folder} needs code of its own to be trusted ({why}): Pinlu runs no code from checkpoints"
    )


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
