"""The room's own catalogue of texts, in every language that it speaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from bench.reading import read_yaml

HERE = Path(__file__).parent
PAGE = HERE / "page"


OTHERWISE = {"video": "clips.yaml", "understanding": "analyses.yaml"}
"""What is said otherwise of what is not a picture, by modality."""


@cache
def catalogue(modality: str = "image") -> Mapping[str, Any]:
    """Return language → what the room says in it; of clips and analyses it speaks as of those."""
    content: Mapping[str, Any] = read_yaml(HERE / "texts.yaml")
    if modality in OTHERWISE:
        content = _over(content, read_yaml(HERE / OTHERWISE[modality]))
    return content


def _over(texts: Any, others: Any) -> Any:
    """Return texts with others in their place, wherever there are others; lists from their start."""
    if isinstance(texts, Mapping):
        return {
            name: _over(text, others[name]) if name in others else text
            for name, text in texts.items()
        }
    return [*others, *texts[len(others) :]] if isinstance(texts, list) else others


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
