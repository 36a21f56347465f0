"""Serving the organiser's view: Gradio for the page, a password before everything."""

from __future__ import annotations

import asyncio
import base64
import html
import os
import secrets
from collections.abc import Callable

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

import gradio as gr
from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.errors import PinluError
from raters.organiser.view import HERE, Overview, page, words
from raters.room.mounting import mount_closed
from raters.room.serving import serve_app
from raters.room.texts import preferred

USER = "organiser"
EVERY = 60.0
"""Seconds after which the view is made anew."""


def serve_view(
    overview: Overview,
    *,
    password: str,
    host: str = "127.0.0.1",
    port: int = 7861,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Serve the view until interrupted.

    Raises:
        RequestError: the address is taken.
    """
    serve_app(create_view(overview, password=password), host=host, port=port, on_ready=on_ready)


def create_view(overview: Overview, *, password: str) -> FastAPI:
    """Return the app of the organiser's view; every request to it needs the password."""
    return asyncio.run(_created(overview, password))


async def _created(overview: Overview, password: str) -> FastAPI:
    def show(language: str) -> str:
        try:
            return page(overview(), language if language in words() else "en")
        except PinluError as error:
            return page_of_error(str(error))

    def open_view(request: gr.Request) -> tuple[str, str]:
        accepted = request.headers.get("accept-language", "")
        language = preferred(accepted, sorted(words()))  # English first
        return language, show(language)

    quietly = {"api_visibility": "private", "show_progress": "hidden"}
    with gr.Blocks(analytics_enabled=False, title="Pinlu", fill_width=True) as blocks:
        choices = [(texts["name"], language) for language, texts in words().items()]
        language = gr.Radio(choices, show_label=False, container=False)
        shown = gr.HTML(elem_id="overview")
        blocks.load(open_view, None, [language, shown], **quietly)
        for changed in (language.input, gr.Timer(EVERY).tick):
            changed(show, language, shown, **quietly)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(_behind_password, password=password)
    return mount_closed(app, blocks, "/", css=(HERE / "view.css").read_text(encoding="utf-8"))


def page_of_error(sentence: str) -> str:
    """Return a sentence as the whole view."""
    return f'<p class="wrong" role="alert">{html.escape(sentence)}</p>'


def _behind_password(app: ASGIApp, *, password: str) -> ASGIApp:
    """Refuse whoever does not give the password, by HTTP's own means: there is no page to forge."""
    wanted = base64.b64encode(f"{USER}:{password}".encode())

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            given = dict(scope["headers"]).get(b"authorization", b"")
            scheme, _, told = given.partition(b" ")
            if scheme.lower() != b"basic" or not secrets.compare_digest(told.strip(), wanted):
                refusal = PlainTextResponse(
                    "the organiser's view needs its password",
                    401,
                    {"WWW-Authenticate": 'Basic realm="pinlu", charset="UTF-8"'},
                )
                if scope["type"] == "websocket":
                    await send({"type": "websocket.close", "code": 1008})
                else:
                    await refusal(scope, receive, send)
                return
        await app(scope, receive, send)

    return guard
