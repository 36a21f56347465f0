"""The static page: HTML that opens from disk, in English and Chinese, with its figures and data.

Nothing is fetched from anywhere: style and figures stand in the page, pictures beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from bench.records import Score
from leaderboard import svg
from leaderboard.answers_page import answer_sections
from leaderboard.board import Board, Labels, boards
from leaderboard.details import tables_of
from leaderboard.figure import Figure
from leaderboard.figures import figures_of
from leaderboard.files import COLUMNS, csv_text, write_labels, write_scores, write_whole
from leaderboard.judge_page import judge_sections
from leaderboard.latex import latex
from leaderboard.marks import marked
from leaderboard.pictures import (
    Pictures,
    gallery,
    lowest_by_model,
    lowest_csv,
    write_pictures,
)
from leaderboard.probe_page import probe_sections
from leaderboard.small_tables import Table
from leaderboard.speed import speed_table
from leaderboard.tabulate import capital, headline_table, markdown, notes_of
from leaderboard.words import LANGUAGES, Words, words_in


def write_site(
    scores: Sequence[Score],
    out: Path,
    *,
    labels: Labels | None = None,
    pictures: Pictures | None = None,
    notes: Sequence[Mapping[str, str]] = (),
) -> Path:
    """Write the pages, figures, tables and the scores into the folder `out`.

    Args:
        scores: of one or several studies; each has its own section.
        out: the folder; files of the same names are replaced.
        labels: what to show for criteria, traditions and models, by language; criteria come in
            its order. `reference` says what the references are where they are not real works, as a
            plural without an article.
        pictures: what is shown of them; the caller puts the files in place.
        notes: paragraphs by language, shown above everything.

    Returns:
        The path of `index.html` (English); `index.zh.html` is beside it.

    Raises:
        RequestError: the folder cannot be written to.
    """
    write_scores(scores, out)
    if labels:
        write_labels(labels, out)
    if pictures:
        write_pictures(pictures, out)
    template = _templates().get_template("page.html.jinja")
    for language in LANGUAGES:
        words = words_in(language, marked(labels, scores))
        sections = []
        for place, board in enumerate(boards(scores, tuple(labels or ()))):
            prefix = f"{place + 1}-" if board.study else ""
            mine = (pictures or Pictures()).of_study(board.study)
            section = _section(board, words, prefix, mine)
            for shown in section["figures"]:
                _write_figure(shown["figure"], board, words, out / "figures", prefix)
            if mine.lowest:
                write_whole(out / section["lowest_csv"], lowest_csv(mine.lowest).encode())
            sections.append(section)
        page = template.render(
            words=words,
            sections=sections,
            probed=probe_sections(scores, words),
            judged=judge_sections(scores, words),
            answered=answer_sections(scores, words),
            simulated=any(section["board"].simulated for section in sections),
            notes=[note.get(language) or next(iter(note.values())) for note in notes],
            method=method([section["board"] for section in sections], words),
            capital=capital,
        )
        english = language == LANGUAGES[0]
        write_whole(out / ("index.html" if english else f"index.{language}.html"), page.encode())
        stem = "leaderboard" if english else f"leaderboard.{language}"
        write_whole(out / f"{stem}.md", markdown(scores, words).encode())
        write_whole(out / f"{stem}.tex", latex(scores, words).encode())
    return out / "index.html"


def section_html(board: Board, words: Words, pictures: Pictures | None = None) -> str:
    """Return one study as a piece of HTML that links to no file; pictures must be data URIs."""
    mine = (pictures or Pictures()).of_study(board.study)
    section = _section(board, words, "", mine) | {"linked": False}
    template = _templates().get_template("section.html.jinja")
    return template.render(words=words, section=section, capital=capital)


def method(boards: Sequence[Board], words: Words) -> list[str]:
    """Return how the figures of these studies were made, a paragraph on each thing that they have."""
    styled = any(board.home for board in boards)
    said = {
        "method_scores": any(board.criteria for board in boards),
        "method_votes": any(board.all_of("strength") for board in boards),
        "method_style": styled,
        "method_intervals": True,
        "method_empty": True,
        "no_purity": styled,
    }
    return [words.say(key) for key, there in said.items() if there]


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


def _section(board: Board, words: Words, prefix: str, pictures: Pictures) -> dict[str, Any]:
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
        "tables": [*tables_of(board, words), *_speed(board, words)],
        "gallery": gallery(pictures.shown, words),
        "lowest": lowest_by_model(pictures.lowest, words),
        "lowest_csv": f"figures/{prefix}lowest.csv",
    }


def _speed(board: Board, words: Words) -> list[Table]:
    table = speed_table(board, words)
    return [table] if table.rows else []


def _lead(board: Board, words: Words) -> str:
    if board.of_answers:
        return words.say("lead_of_answers", models=len(board.models))
    if not board.home:
        return words.say("lead_without_style", models=len(board.models))
    return words.say("lead", models=len(board.models), home=words.tradition(board.home))
