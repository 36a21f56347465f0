"""Serving the room on a socket of this machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from bench.errors import RequestError
from raters.room.app import create_app
from raters.room.memory import one_arena


def serve(
    study: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Serve a study's rating room until interrupted; `on_ready` is called once it answers.

    Raises:
        RequestError: it is no study folder, or the address is taken.
        ConflictError: the study's protocol was changed after the first rater had started.
    """
    one_arena()
    serve_app(create_app(study), host=host, port=port, on_ready=on_ready)


def serve_app(
    app: FastAPI, *, host: str, port: int, on_ready: Callable[[], None] | None = None
) -> None:
    """Serve an app until interrupted.

    Raises:
        RequestError: the address is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except (OSError, OverflowError) as error:
            raise RequestError(
                f"cannot serve on {host}:{port} ({error}): choose another with --port"
            ) from error
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                access_log=False,  # a log of who asked for what would tie answers to addresses
                log_level="warning",
                server_header=False,
                # a rater looks for a while before answering: on the same connection, then
                timeout_keep_alive=75,
                timeout_graceful_shutdown=5,
            )
        )
        asyncio.run(_serve(server, listener, on_ready))


async def _serve(
    server: uvicorn.Server, listener: socket.socket, on_ready: Callable[[], None] | None
) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.02)
    if server.started and on_ready is not None:
        on_ready()
    await serving
