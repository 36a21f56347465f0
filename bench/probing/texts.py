"""A suite's `probe.yaml`: by tradition and language, what a CLIP-like network compares pictures with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import Field

from bench.errors import FileFormatError, RequestError
from bench.reading import FileModel, check, read_yaml
from bench.suites import Suite, load_suite

OTHER = "other"


class ProbeFile(FileModel):
    """`ensembles`: class → language → texts; classes are the suite's traditions and `other`.

    `labels`: tradition → language → what pages call it.
    """

    ensembles: dict[str, dict[str, tuple[str, ...]]] = Field(min_length=2)
    labels: dict[str, dict[str, str]] = Field(default_factory=dict)


def read_probe_texts(
    path: Path, suite: Suite, languages: Sequence[str] = ()
) -> Mapping[str, tuple[str, ...]]:
    """Return the texts of every class, traditions first and in the suite's order.

    Args:
        path: a `probe.yaml`.
        suite: whose traditions they are.
        languages: that the network reads; all where none is named.

    Raises:
        FileFormatError: a tradition has no text, or a class is neither one nor `other`.
    """
    file = check(read_yaml(path), ProbeFile, path)
    wanted = [*suite.traditions, OTHER]
    for name in file.ensembles:
        if name not in wanted:
            raise FileFormatError(
                f"{path}: unknown class {name!r}; the suite's are {', '.join(wanted)}"
            )
    texts = {
        name: tuple(
            text
            for language, texts in file.ensembles.get(name, {}).items()
            if not languages or language in languages
            for text in texts
        )
        for name in wanted
    }
    for name in suite.traditions:
        if not texts[name]:
            said = " or ".join(languages) or "any language"
            raise FileFormatError(f"{path}: {name!r} has no text in {said}")
    return {name: found for name, found in texts.items() if found}


def find_probe_texts(
    suite: Suite, given: Path | None, languages: Sequence[str] = ()
) -> Mapping[str, tuple[str, ...]] | None:
    """Return the texts in `given`, else those of the suite of that name here; None where it has none."""
    if given is not None:
        if not given.is_file():
            raise RequestError(f"{given} is not there: --texts wants a probe.yaml")
        return read_probe_texts(given, suite, languages)
    path = _path_of(suite)
    return read_probe_texts(path, suite, languages) if path else None


def probe_labels(suite: Suite) -> dict[str, dict[str, str]]:
    """Return what pages call the suite's traditions, by language; empty where nobody says."""
    path = _path_of(suite)
    return check(read_yaml(path), ProbeFile, path).labels if path else {}


def _path_of(suite: Suite) -> Path | None:
    """Return the suite's `probe.yaml`: beside it, or in the suite of its name here."""
    folders = [suite.folder]
    with suppress(RequestError):  # a suite of the run's own has no folder here
        folders.append(load_suite(suite.name).folder)
    return next((one / "probe.yaml" for one in folders if (one / "probe.yaml").is_file()), None)
