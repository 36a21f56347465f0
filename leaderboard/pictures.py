"""The pictures of a report: a few prompts by every model, and the lowest scenes of each.

Names are known only where the key lies, so a report writes down what it shows in `pictures.json`; pages
made later of its scores find the pictures there.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.errors import FileFormatError, RequestError
from leaderboard.files import csv_text, write_whole
from leaderboard.plots import number
from leaderboard.words import Words

_FILE = "pictures.json"


@dataclass(frozen=True, slots=True)
class Picture:
    """One output; `file` is relative to the page, or a data URI."""

    file: str
    model: str
    prompt: str = ""
    captions: Mapping[str, str] = field(default_factory=dict)
    """What the scene is, by language."""
    study: str = ""

    def caption(self, language: str) -> str:
        """Return the scene in a language, else in any, else the prompt's id."""
        return self.captions.get(language) or next(iter(self.captions.values()), self.prompt)


@dataclass(frozen=True, slots=True)
class LowPicture:
    """The lowest picture of a scene on which a model scored low."""

    picture: Picture
    value: float
    """Of the scene."""
    item_value: float
    n_values: int


@dataclass(frozen=True, slots=True)
class Pictures:
    """What a report shows."""

    shown: Sequence[Picture] = ()
    """A grid of prompts and models."""
    lowest: Sequence[LowPicture] = ()
    """Under each model, lowest first."""

    def of_study(self, study: str) -> Pictures:
        """Return those of one study; those that name none belong to all."""
        return Pictures(
            [one for one in self.shown if one.study in {"", study}],
            [one for one in self.lowest if one.picture.study in {"", study}],
        )


def write_pictures(pictures: Pictures, out: Path) -> None:
    """Write `pictures.json` beside the page.

    Raises:
        RequestError: the folder cannot be written to.
    """
    text = json.dumps(asdict(pictures), ensure_ascii=False, indent=1)
    write_whole(out / _FILE, f"{text}\n".encode())


def read_pictures(scores: Path) -> Pictures:
    """Return the pictures that lie beside a scores file, or none.

    Raises:
        FileFormatError: the file does not say what it should.
    """
    file = _folder(scores) / _FILE
    if not file.is_file():
        return Pictures()
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        shown = [Picture(**one) for one in content["shown"]]
        lowest = [
            LowPicture(**(one | {"picture": Picture(**one["picture"])}))
            for one in content["lowest"]
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise FileFormatError(f"{file}: is no list of pictures: {error}") from error
    return Pictures(shown, lowest)


def carry_pictures(pictures: Pictures, scores: Path, out: Path) -> None:
    """Copy the pictures beside a scores file to another page's folder.

    Raises:
        RequestError: one is missing or cannot be written.
    """
    for file in {one.file for one in [*pictures.shown, *(low.picture for low in pictures.lowest)]}:
        source, goal = _folder(scores) / file, out / file
        if source.resolve() == goal.resolve():
            continue
        try:
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, goal)
        except OSError as error:
            raise RequestError(f"cannot copy {source}: {error.strerror or error}") from error


def embedded(pictures: Pictures, scores: Path) -> Pictures:
    """Return the pictures as data URIs, those that are missing left out."""

    def inlined(picture: Picture) -> Picture | None:
        path = _folder(scores) / picture.file
        if not path.is_file():
            return None
        content = base64.b64encode(path.read_bytes()).decode()
        kind = path.suffix.lower().removeprefix(".")
        return replace(picture, file=f"data:image/{kind};base64,{content}")

    shown = [found for one in pictures.shown if (found := inlined(one)) is not None]
    lowest = [
        replace(low, picture=found)
        for low in pictures.lowest
        if (found := inlined(low.picture)) is not None
    ]
    return Pictures(shown, lowest)


def gallery(pictures: Sequence[Picture], words: Words) -> dict[str, Any]:
    """Return the pictures as a grid for a page: prompts down, models across."""
    models = list(dict.fromkeys(picture.model for picture in pictures))
    prompts: dict[str, dict[str, Any]] = {}
    for picture in pictures:
        caption = picture.caption(words.language)
        row = prompts.setdefault(picture.prompt, {"caption": caption, "by_model": {}})
        row["by_model"].setdefault(picture.model, []).append(picture.file)
    return {"models": models, "prompts": prompts}


def lowest_by_model(lowest: Sequence[LowPicture], words: Words) -> dict[str, list[dict[str, str]]]:
    """Return what a page shows of the lowest scenes, by model."""
    by_model: dict[str, list[dict[str, str]]] = {}
    for one in lowest:
        told = words.say(
            "lowest_value", value=number(one.value), item=number(one.item_value), n=one.n_values
        )
        shown = {
            "file": one.picture.file,
            "caption": one.picture.caption(words.language),
            "told": told,
        }
        by_model.setdefault(one.picture.model, []).append(shown)
    return by_model


def lowest_csv(lowest: Sequence[LowPicture]) -> str:
    """Return the lowest scenes as CSV."""
    header = ("model", "prompt", "scene_value", "picture_value", "n_values", "file")
    rows = [
        (
            one.picture.model,
            one.picture.prompt,
            one.value,
            one.item_value,
            one.n_values,
            one.picture.file,
        )
        for one in lowest
    ]
    return csv_text([header, *rows])


def _folder(scores: Path) -> Path:
    return scores if scores.is_dir() else scores.parent
