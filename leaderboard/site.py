"""The static page: HTML that opens from disk, in English and Chinese, with its figures and data.

Nothing is fetched from anywhere: style and figures stand in the page, pictures beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from bench.records import Score
from leaderboard import svg
from leaderboard.board import HEADLINE_ASPECT, Board, Labels, boards
from leaderboard.figures import Figure, colours, figures_of
from leaderboard.files import COLUMNS, csv_text, write_scores, write_whole
from leaderboard.plots import number
from leaderboard.scoring import TABLES
from leaderboard.tabulate import capital, headline_table, interval_of, latex, markdown
from leaderboard.words import LANGUAGES, Words, words_in

_MANY = 12
"""Rows above which the table of differences is folded."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One output for the contact strip; `file` is relative to the page."""

    file: str
    model: str
    prompt: str = ""
    caption: str = ""


def write_site(
    scores: Sequence[Score],
    out: Path,
    *,
    labels: Labels | None = None,
    pictures: Sequence[Picture] = (),
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
        notes: paragraphs by language, shown above everything.

    Returns:
        The path of `index.html` (English); `index.zh.html` is beside it.

    Raises:
        RequestError: the folder cannot be written to.
    """
    write_scores(scores, out)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("leaderboard"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html.jinja")
    for language in LANGUAGES:
        words = words_in(language, labels)
        sections = []
        for place, board in enumerate(boards(scores, tuple(labels or ()))):
            figures = figures_of(board, words)
            prefix = f"{place + 1}-" if board.study else ""
            for figure in figures:
                _write_figure(figure, board, words, out / "figures", prefix)
            sections.append(_section(board, figures, words, prefix))
        page = template.render(
            words=words,
            sections=sections,
            simulated=any(section["board"].simulated for section in sections),
            notes=[note.get(language) or next(iter(note.values())) for note in notes],
            gallery=_gallery(pictures),
            capital=capital,
        )
        name = "index.html" if language == LANGUAGES[0] else f"index.{language}.html"
        write_whole(out / name, page.encode())
    english = words_in(LANGUAGES[0], labels)
    write_whole(out / "leaderboard.md", markdown(scores, english).encode())
    write_whole(out / "leaderboard.tex", latex(scores, english).encode())
    return out / "index.html"


def _write_figure(figure: Figure, board: Board, words: Words, folder: Path, prefix: str) -> None:
    note = words.say("simulated") if board.simulated else ""
    drawing = svg.document(figure.title, figure.panels, note, figure.legend)
    write_whole(folder / f"{prefix}{figure.name}.{words.language}.svg", drawing.encode())
    rows = [list(asdict(score).values()) for score in figure.scores]
    write_whole(folder / f"{prefix}{figure.name}.csv", csv_text([COLUMNS, *rows]).encode())


def _section(board: Board, figures: Sequence[Figure], words: Words, prefix: str) -> dict[str, Any]:
    """Return what the template shows of one study."""
    differences = _differences(board, words)
    intervals = [score.confidence for score in board.scores]
    return {
        "board": board,
        "lead": _lead(board, words),
        "table": headline_table(board, words),
        "confidence": f"{100 * intervals[0]:g}" if intervals else "95",
        "figures": [
            {
                "figure": figure,
                "panels": [Markup(svg.inline(panel)) for panel in figure.panels],  # noqa: S704 - ours, escaped
                "svg": f"figures/{prefix}{figure.name}.{words.language}.svg",
                "csv": f"figures/{prefix}{figure.name}.csv",
            }
            for figure in figures
        ],
        "differences": differences,
        "folded": len(differences) > _MANY,
        "rows": _rows(board, words),
        "colours": colours(board),
    }


def _lead(board: Board, words: Words) -> str:
    if not board.home:
        return words.say("lead_without_style", models=len(board.models))
    return words.say("lead", models=len(board.models), home=words.tradition(board.home))


def _differences(board: Board, words: Words) -> list[dict[str, Any]]:
    """Return the leak differences as rows of words; `decided` where the interval leaves out 0."""
    shown = []
    for score in board.all_of("leak_difference"):
        if score.criterion != HEADLINE_ASPECT:
            continue
        finite = math.isfinite(score.value)
        shown.append(
            {
                "pair": f"{words.label(score.model)} − {words.label(score.against)}",
                "towards": capital(words.tradition(score.group)),
                "value": number(score.value) if finite else "–",
                "interval": interval_of(score) if finite else words.reason(score.reason),
                "decided": finite and (score.low > 0 or score.high < 0),
            }
        )
    return shown


def _rows(board: Board, words: Words) -> list[dict[str, Any]]:
    """Return per table its rows, and how many were used and set aside for what."""
    result = []
    for table in TABLES:
        counts = {s.group: int(s.value) for s in board.all_of("rows") if s.criterion == table}
        if counts:
            total = counts.pop("")
            parts = [
                f"{words.say(f'rows_{use}')}: {count}" for use, count in counts.items() if count
            ]
            result.append({"table": words.say(table), "total": total, "parts": parts})
    return result


def _gallery(pictures: Sequence[Picture]) -> dict[str, Any]:
    """Return the pictures as a grid: prompts down, models across."""
    models = list(dict.fromkeys(picture.model for picture in pictures))
    prompts: dict[str, dict[str, Any]] = {}
    for picture in pictures:
        row = prompts.setdefault(picture.prompt, {"caption": picture.caption, "by_model": {}})
        row["by_model"].setdefault(picture.model, []).append(picture.file)
    return {"models": models, "prompts": prompts}
