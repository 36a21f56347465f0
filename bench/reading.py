"""Reading YAML once, into a typed object; unknown keys, duplicate keys and bad values are errors."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from bench.errors import FileFormatError, RequestError

ROOT = Path(__file__).resolve().parent.parent
"""Where `prompts/` and `configs/` lie, in a checkout and in an installed wheel alike."""

ID_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"
"""What scenes, suites and works may be called: it stands in file names and in addresses."""
_IN_WORDS = {
    ID_PATTERN: "write lower-case letters, digits and single hyphens",
    r"^[a-z0-9-]+$": "write lower-case letters, digits and hyphens",
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$": "write letters, digits, '.', '_' and '-', a letter or digit "
    "first",
}
"""What a pattern of the schemas asks for, said to who writes the file."""


class FileModel(BaseModel):
    """Base of the file schemas: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _UniqueKeyLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A safe loader that refuses a key given twice: plain YAML would keep the last, silently."""


def _mapping_with_unique_keys(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in result:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} is given twice", key_node.start_mark
            )
        result[key] = loader.construct_object(value_node, deep=True)
    return result


_UniqueKeyLoader.add_constructor(
    yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_with_unique_keys
)

Schema = TypeVar("Schema", bound=BaseModel)


def read_yaml(path: Path) -> Any:
    """Return the plain content of one YAML file.

    Raises:
        RequestError: the file cannot be read.
        FileFormatError: the file is not UTF-8, is no YAML, or gives a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{path} is not UTF-8: save it as UTF-8") from error
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error}") from error
    try:
        return yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise FileFormatError(
            f"{path} is not valid YAML: {' '.join(str(error).split())}"
        ) from error


def check(content: Any, schema: type[Schema], path: Path) -> Schema:
    """Turn plain content into `schema`.

    Raises:
        FileFormatError: names the file, the place in it, the fault and the value.
    """
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = _place(content, first["loc"])
        if first["type"] == "extra_forbidden":
            fault = "unknown key"
        else:
            wanted = first["msg"].removeprefix("Value error, ")
            if first["type"] == "string_pattern_mismatch":
                wanted = _IN_WORDS.get(first["ctx"]["pattern"], wanted)
            fault = f"{wanted} (found {str(first['input'])[:80]!r})"
        more = f"; {error.error_count() - 1} more" if error.error_count() > 1 else ""
        raise FileFormatError(f"{path}: {place}: {fault}{more}") from error


def _place(content: Any, location: tuple[int | str, ...]) -> str:
    """Return a place such as `scenes.3 ('boat').stratum`: an entry with an id goes by it too."""
    parts = []
    for part in location:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            content = None
        name = content.get("id") if isinstance(part, int) and isinstance(content, dict) else None
        parts.append(f"{part} ({name!r})" if name else str(part))
    return ".".join(parts) or "the top level"


def canonical_hash(content: Any) -> str:
    """Return the SHA-256 (hex) of the canonical JSON of `content`."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


_SINGULAR = {"studies": "study"}


def find_config(kind: str, name: str) -> Path:
    """Return the YAML of `name` in `configs/<kind>/`, or the path that `name` is.

    Raises:
        RequestError: there is neither; the sentence lists what there is.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} and path.is_file():
        return path
    known = ROOT / "configs" / kind / f"{name}.yaml"
    if known.is_file():
        return known
    there = ", ".join(sorted(file.stem for file in known.parent.glob("*.yaml"))) or "none"
    raise RequestError(
        f"no {_SINGULAR.get(kind, kind[:-1])} named {name!r}: give a YAML's path, or one of: {there}"
    )
