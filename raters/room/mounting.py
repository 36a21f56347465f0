"""Mounting a Gradio surface with all of Gradio's own doors closed."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

import gradio as gr
from fastapi import FastAPI


def mount_closed(app: FastAPI, blocks: gr.Blocks, path: str, **own: Any) -> FastAPI:
    """Mount blocks without files, monitoring, history, errors or links of Gradio's.

    Args:
        app: where to.
        blocks: the surface.
        path: at which it answers.
        own: what this surface asks of `gradio.mount_gradio_app` besides.
    """
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        blocks,
        path=path,
        allowed_paths=[],
        enable_monitoring=False,
        footer_links=[],
        mcp_server=False,
        pwa=False,
        run_history=False,
        show_error=False,
        ssr_mode=False,
        # fonts of the system: a theme's own may be fetched from elsewhere
        theme=gr.themes.Base(font=["sans-serif"], font_mono=["monospace"]),
        **own,
    )
    return mounted
