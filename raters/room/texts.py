"""The room's own catalogue of texts, in every language that it speaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from bench.reading import read_yaml

HERE = Path(__file__).parent
PAGE = HERE / "page"


@cache
def catalogue() -> Mapping[str, Any]:
    """Return language → what the room says in it."""
    content: Mapping[str, Any] = read_yaml(HERE / "texts.yaml")
    return content


@cache
def entrance() -> Mapping[str, Any]:
    """Return language → what is said on the way in, beyond the door's own texts, and out."""
    content: Mapping[str, Any] = read_yaml(HERE / "entrance.yaml")
    return content


def label(name: str, language: str) -> str:
    """Return how a tradition (or `other`, `cannot_tell`) is called; unknown ones are capitalised."""
    known: Mapping[str, str] = catalogue()[language]["labels"]
    return known.get(name, name.replace("-", " ").replace("_", " ").capitalize())


def preferred(accepted: str, languages: Sequence[str]) -> str:
    """Return the first of `languages` that an Accept-Language header names, else the first one."""
    for part in accepted.split(","):
        wanted = part.split(";")[0].strip().lower().split("-")[0]
        if wanted in languages:
            return wanted
    return languages[0]
