"""The Gradio surface: one component of ours, and nothing else of Gradio's that a rater could use."""

from __future__ import annotations

import asyncio
import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

import gradio as gr
from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool

from raters.room.guard import SURFACE
from raters.room.mounting import mount_closed
from raters.room.session import Room, rater_of
from raters.room.texts import PAGE

_HEAD = """
<link rel="icon" href="/room/page/seal.svg" type="image/svg+xml">
<link rel="stylesheet" href="/room/page/room.css">
<link rel="stylesheet" href="/room/page/reading.css">
<meta name="robots" content="noindex">
"""

_OPEN = "import('/room/page/room.js').then((room) => room.open(element));"


def mount_surface(app: FastAPI, room: Room) -> FastAPI:
    """Mount the room at `/rate` for those whose cookie is good."""
    # Gradio makes locks; outside a loop it opens one for each and never closes it
    return asyncio.run(_mounted(app, room))


async def _mounted(app: FastAPI, room: Room) -> FastAPI:
    with gr.Blocks(analytics_enabled=False, title="Pinlu", fill_width=True) as blocks:
        gr.HTML(
            html_template=(PAGE / "room.html").read_text(encoding="utf-8"),
            js_on_load=_OPEN,
            apply_default_css=False,
            container=False,
            padding=False,
            elem_id="room-surface",
        )

    async def rater_here(request: Request) -> str | None:
        rater = await run_in_threadpool(rater_of, request, room)
        return None if rater is None else str(rater.id)

    return mount_closed(app, blocks, SURFACE, auth_dependency=rater_here, head=_HEAD)
