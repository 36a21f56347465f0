"""The static page: HTML that opens from disk, in English and Chinese, with its figures and data.

Nothing is fetched from anywhere: style and figures stand in the page, pictures beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from bench.records import Score
from leaderboard import svg
from leaderboard.board import Board, Labels, boards
from leaderboard.details import tables_of
from leaderboard.figure import Figure
from leaderboard.figures import figures_of
from leaderboard.files import COLUMNS, csv_text, write_labels, write_scores, write_whole
from leaderboard.plots import number
from leaderboard.tabulate import capital, headline_table, latex, markdown, notes_of
from leaderboard.words import LANGUAGES, Words, words_in


@dataclass(frozen=True, slots=True)
class Picture:
    """One output for the contact strip; `file` is relative to the page."""

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


def write_site(
    scores: Sequence[Score],
    out: Path,
    *,
    labels: Labels | None = None,
    pictures: Sequence[Picture] = (),
    lowest: Sequence[LowPicture] = (),
    notes: Sequence[Mapping[str, str]] = (),
) -> Path:
    """Write the pages, figures, tables and the scores into the folder `out`.

    Args:
        scores: of one or several studies; each has its own section.
        out: the folder; files of the same names are replaced.
        labels: what to show for criteria, traditions and models, by language; criteria come in
            its order. `reference` says what the references are where they are not real works, as a
            plural without an article.
        pictures: shown as a grid of prompts and models; the caller puts the files in place.
        lowest: shown under each model; likewise.
        notes: paragraphs by language, shown above everything.

    Returns:
        The path of `index.html` (English); `index.zh.html` is beside it.

    Raises:
        RequestError: the folder cannot be written to.
    """
    write_scores(scores, out)
    if labels:
        write_labels(labels, out)
    template = _templates().get_template("page.html.jinja")
    for language in LANGUAGES:
        words = words_in(language, labels)
        sections = []
        for place, board in enumerate(boards(scores, tuple(labels or ()))):
            prefix = f"{place + 1}-" if board.study else ""
            section = _section(board, words, prefix)
            for shown in section["figures"]:
                _write_figure(shown["figure"], board, words, out / "figures", prefix)
            mine = [picture for picture in pictures if picture.study in {"", board.study}]
            section["gallery"] = _gallery(mine if place == 0 or board.study else [], words)
            low = [one for one in lowest if one.picture.study in {"", board.study}]
            section["lowest"] = _lowest(low, words)
            section["lowest_csv"] = f"figures/{prefix}lowest.csv"
            if low:
                write_whole(out / section["lowest_csv"], _lowest_csv(low).encode())
            sections.append(section)
        page = template.render(
            words=words,
            sections=sections,
            simulated=any(section["board"].simulated for section in sections),
            notes=[note.get(language) or next(iter(note.values())) for note in notes],
            capital=capital,
        )
        english = language == LANGUAGES[0]
        write_whole(out / ("index.html" if english else f"index.{language}.html"), page.encode())
        stem = "leaderboard" if english else f"leaderboard.{language}"
        write_whole(out / f"{stem}.md", markdown(scores, words).encode())
        write_whole(out / f"{stem}.tex", latex(scores, words).encode())
    return out / "index.html"


def section_html(board: Board, words: Words) -> str:
    """Return one study as a piece of HTML without pictures or links to files."""
    section = _section(board, words, "")
    section |= {"gallery": {"models": [], "prompts": {}}, "lowest": {}, "linked": False}
    template = _templates().get_template("section.html.jinja")
    return template.render(words=words, section=section, capital=capital)


def style_sheet() -> str:
    """Return the style of the pages."""
    return Path(__file__).with_name("templates").joinpath("page.css").read_text(encoding="utf-8")


def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("leaderboard"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _write_figure(figure: Figure, board: Board, words: Words, folder: Path, prefix: str) -> None:
    note = words.say("simulated") if board.simulated and figure.by_raters else ""
    drawing = svg.document(figure.title, figure.panels, note, figure.legend)
    write_whole(folder / f"{prefix}{figure.name}.{words.language}.svg", drawing.encode())
    rows = [list(asdict(score).values()) for score in figure.scores]
    write_whole(folder / f"{prefix}{figure.name}.csv", csv_text([COLUMNS, *rows]).encode())


def _section(board: Board, words: Words, prefix: str) -> dict[str, Any]:
    """Return what the template shows of one study."""
    table = headline_table(board, words)
    return {
        "board": board,
        "linked": True,
        "slice": words.slice(board.slice),
        "lead": _lead(board, words),
        "table": table,
        "table_note": notes_of(board, table, words),
        "figures": [
            {
                "figure": figure,
                "panels": [Markup(svg.inline(panel)) for panel in figure.panels],  # noqa: S704 - ours, escaped
                "svg": f"figures/{prefix}{figure.name}.{words.language}.svg",
                "csv": f"figures/{prefix}{figure.name}.csv",
            }
            for figure in figures_of(board, words)
        ],
        "tables": tables_of(board, words),
    }


def _lead(board: Board, words: Words) -> str:
    if not board.home:
        return words.say("lead_without_style", models=len(board.models))
    return words.say("lead", models=len(board.models), home=words.tradition(board.home))


def _gallery(pictures: Sequence[Picture], words: Words) -> dict[str, Any]:
    """Return the pictures as a grid: prompts down, models across."""
    models = list(dict.fromkeys(picture.model for picture in pictures))
    prompts: dict[str, dict[str, Any]] = {}
    for picture in pictures:
        caption = picture.caption(words.language)
        row = prompts.setdefault(picture.prompt, {"caption": caption, "by_model": {}})
        row["by_model"].setdefault(picture.model, []).append(picture.file)
    return {"models": models, "prompts": prompts}


def _lowest(lowest: Sequence[LowPicture], words: Words) -> dict[str, list[dict[str, str]]]:
    by_model: dict[str, list[dict[str, str]]] = {}
    for one in lowest:
        told = words.say(
            "lowest_value",
            value=number(one.value),
            item=number(one.item_value),
            n=one.n_values,
        )
        by_model.setdefault(one.picture.model, []).append(
            {
                "file": one.picture.file,
                "caption": one.picture.caption(words.language),
                "told": told,
            }
        )
    return by_model


def _lowest_csv(lowest: Sequence[LowPicture]) -> str:
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
