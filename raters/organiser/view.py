"""What the organiser's view shows: one page, made anew from the database each time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench.reading import read_yaml
from raters.room.texts import catalogue

HERE = Path(__file__).parent

Overview = Callable[[], Mapping[str, Any]]
"""Gives what `raters.oversight.overview` returns, as it is now."""

_templates = Environment(
    loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


_templates.filters["number"] = lambda value: f"{value:.2f}".replace("-", "−")


@cache
def words() -> Mapping[str, Any]:
    """Return language → what the view says in it."""
    content: Mapping[str, Any] = read_yaml(HERE / "texts.yaml")
    return content


def page(found: Mapping[str, Any], language: str) -> str:
    """Return the view as HTML; whatever raters wrote is shown as text.

    Raises:
        KeyError: there is no such language.
    """
    texts = words()[language]
    return _templates.get_template("overview.html").render(
        found=found,
        say=texts,
        tag=texts["tag"],
        language=language,
        called=partial(_called, language=language),
        makers=_numbered(found, "maker"),
        targets=_numbered(found, "target"),
        sentences=[
            texts["warnings"][one["kind"]].format(**{"of": "", **one}) for one in found["warnings"]
        ],
    )


def _called(name: str, language: str) -> str:
    """Return how a model or a target is called; what we have no word for is called by its id."""
    own: Mapping[str, str] = words()[language]["called"]
    return own.get(name) or catalogue()[language]["labels"].get(name, name)


def _numbered(found: Mapping[str, Any], name: str) -> list[str]:
    return sorted({cell[name] for cell in found["cells"]})
