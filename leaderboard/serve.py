"""The leaderboard to filter: the static page's sections in a Gradio app, by study and by slice.

Slices are those that the scores have: write them with `--by genre,language,rater_group`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

import gradio as gr

from bench.errors import RequestError
from bench.records import Score
from leaderboard.board import Labels, boards
from leaderboard.marks import marked
from leaderboard.pictures import Pictures
from leaderboard.site import method, section_html, style_sheet
from leaderboard.words import LANGUAGES, Words, words_in

NAMES = {"en": "English", "zh": "中文"}


def shown(
    scores: Sequence[Score],
    labels: Labels,
    study: str,
    slice_: str,
    language: str,
    *,
    pictures: Pictures | None = None,
) -> str:
    """Return the piece of HTML for one study, one slice ("" is the whole) and one language.

    Pictures, as data URIs, are shown with the whole alone.
    """
    words = words_in(language, marked(labels, scores))
    found = [b for b in boards(scores, tuple(labels), slice_) if b.study == study and b.models]
    body = (
        section_html(found[0], words, None if slice_ else pictures)
        if found
        else f"<p>{words.say('empty')}</p>"
    )
    told = "".join(f"<p>{escape(said)}</p>" for said in method(found, words))
    warning = ""
    if found and found[0].simulated:
        said = f"<strong>{words.say('simulated')}</strong> {words.say('simulated_long')}"
        warning = f'<p class="simulated" role="note">{said}</p>'
    code = "zh-Hans" if language == "zh" else language
    return (
        f'<div class="pinlu" lang="{code}">{warning}{body}'
        f'<section class="method"><h2>{words.say("method")}</h2>{told}</section></div>'
    )


def slices_of(scores: Sequence[Score], words: Words) -> list[tuple[str, str]]:
    """Return what can be shown, as (words, slice), the whole first."""
    there = sorted({score.slice for score in scores} - {""})
    return [(words.say("serve_whole"), ""), *((words.slice(name), name) for name in there)]


def style_within(css: str) -> str:
    """Return the pages' style for one part of a page of somebody else's: nested, no bare root."""
    inner = css.replace(":root", "&").replace("\nbody {", "\n& {")
    around = """
.gradio-container, body { background: #fdfcfa !important; }
.gradio-container .main, .gradio-container .html-container { padding: 0 !important; }
.gradio-container main { padding: .8rem 1rem !important; width: 100%; max-width: 68rem;
  margin: 0 auto !important; }
.pinlu { padding: .5rem 0 3rem !important; width: 100%; contain: inline-size; }
footer { display: none !important; }
"""
    return f".pinlu {{\n{inner}\n}}\n{around}"


def layout(scores: Sequence[Score], labels: Labels, pictures: Pictures) -> gr.Blocks:
    """Return the app: three choices above the page."""
    studies = sorted({score.study for score in scores})

    def show(study: str, slice_: str, language: str) -> str:
        return shown(scores, labels, study, slice_, language, pictures=pictures)

    def choices(language: str) -> list[tuple[str, str]]:
        return slices_of(scores, words_in(language, labels))

    def preferred(request: gr.Request) -> str:
        """Return the browser's first language, where it is one of ours."""
        first = request.headers.get("accept-language", "")[:2].lower()
        return first if first in LANGUAGES else LANGUAGES[0]

    with gr.Blocks(analytics_enabled=False, title="Pinlu 品录", fill_width=True) as blocks:
        with gr.Row():
            study = gr.Dropdown(
                [(name or "–", name) for name in studies],
                value=studies[0],
                label="Study · 研究",
                visible=len(studies) > 1,
            )
            slice_ = gr.Dropdown(choices(LANGUAGES[0]), value="", label="Show · 范围")
            language = gr.Radio(
                [(NAMES[name], name) for name in LANGUAGES],
                value=LANGUAGES[0],
                label="Language · 语言",
            )
        page = gr.HTML(
            show(studies[0], "", LANGUAGES[0]),
            apply_default_css=False,
            container=False,
            padding=False,
        )
        inputs = [study, slice_, language]
        blocks.load(preferred, None, language, show_progress="hidden")
        language.change(
            lambda chosen: gr.Dropdown(choices(chosen)), language, slice_, show_progress="hidden"
        )
        for choice in inputs:
            choice.change(show, inputs, page, show_progress="hidden")
    return blocks


def serve(
    scores: Sequence[Score], labels: Labels, pictures: Pictures, *, host: str, port: int
) -> None:
    """Serve the app until it is stopped.

    Raises:
        RequestError: there are no scores, or the port is taken.
    """
    if not scores:
        raise RequestError("the scores table is empty: there is nothing to serve")
    print(f"Leaderboard: http://{host}:{port}/  (Ctrl-C ends it)", flush=True)  # noqa: T201 - where it is
    try:
        layout(scores, labels, pictures).launch(
            server_name=host,
            server_port=port,
            share=False,
            quiet=True,
            css=style_within(style_sheet()),
            # fonts of the system: a theme's own may be fetched from elsewhere
            theme=gr.themes.Base(font=["serif"], font_mono=["monospace"]),
            footer_links=[],
            ssr_mode=False,
            mcp_server=False,
            enable_monitoring=False,
        )
    except OSError as error:
        raise RequestError(f"cannot serve at {host}:{port}: {error}") from error
