"""A suite's `versions.yaml`: which content each version stood for, its references' beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from bench.errors import FileFormatError
from bench.files import write_whole
from bench.reading import canonical_hash, read_yaml
from bench.references import load_references
from bench.suites import Suite

_HEAD = "# version: content hash. A text that changes raises the version.\n"
_REFERENCES = "references"
"""The key under which the hashes of `references.yaml` stand, by version too."""

Hashes = dict[int, str]


def references_hash(suite: Suite) -> str:
    """Return the hash of what `references.yaml` says, "" where the suite has none."""
    if not (suite.folder / "references.yaml").is_file():
        return ""
    return canonical_hash(load_references(suite).model_dump(mode="json", exclude_defaults=True))


def version_faults(suite: Suite) -> Iterator[str]:
    """Yield a fault where content stands under a version that was recorded with another."""
    texts, references = _known(suite.folder)
    if not texts:
        return
    if suite.version not in texts:
        yield f"version {suite.version} is not in versions.yaml: enter it with --record"
        return
    if texts[suite.version] != suite.hash:
        yield f"the content has changed since version {suite.version}: raise `version`"
    now = references_hash(suite)
    if now and suite.version not in references:
        yield f"references.yaml of version {suite.version} is not recorded: enter it with --record"
    elif references.get(suite.version, now) != now:
        yield f"references.yaml has changed since version {suite.version}: raise `version`"


def is_recorded(suite: Suite) -> bool:
    """Say whether the suite keeps a list of its versions at all."""
    return bool(_known(suite.folder)[0])


def record_version(suite: Suite) -> Path:
    """Enter the suite's version with the hashes of its content into its `versions.yaml`.

    Raises:
        FileFormatError: this version is there with another hash: raise it first.
    """
    path = suite.folder / "versions.yaml"
    texts, references = _known(suite.folder)
    for known, now, what in (
        (texts, suite.hash, "content hash"),
        (references, references_hash(suite), "hash of references.yaml"),
    ):
        if known.get(suite.version, now) != now:
            raise FileFormatError(
                f"{path}: version {suite.version} stands there with another {what}: raise "
                "`version` in suite.yaml first"
            )
        if now:
            known[suite.version] = now
    content = dict(sorted(texts.items()))
    whole = _HEAD + yaml.safe_dump(content, sort_keys=False)
    if references:
        whole += yaml.safe_dump({_REFERENCES: dict(sorted(references.items()))}, sort_keys=False)
    write_whole(path, whole.encode())
    return path


def _known(folder: Path) -> tuple[Hashes, Hashes]:
    """Return the recorded hashes by version: of the texts, and of the references."""
    path = folder / "versions.yaml"
    content = read_yaml(path) if path.is_file() else {}
    texts = dict(content) if isinstance(content, dict) else None
    references = texts.pop(_REFERENCES, {}) if texts is not None else None
    if not (_are_hashes(texts) and _are_hashes(references)):
        raise FileFormatError(f"{path}: write VERSION: CONTENT-HASH, a line per version")
    return texts or {}, references or {}


def _are_hashes(content: object) -> bool:
    return isinstance(content, dict) and all(
        isinstance(key, int) and isinstance(value, str) for key, value in content.items()
    )
