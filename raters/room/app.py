"""The rating room as one web app: pages, answers and pictures of ours, and the Gradio surface."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.errors import ConflictError, PinluError, RequestError
from raters.room.api import api_routes
from raters.room.door import door_routes
from raters.room.files import file_routes
from raters.room.guard import SURFACE, guarded
from raters.room.leaving import leaving_routes
from raters.room.memory import give_back_for_ever
from raters.room.pages import message_page
from raters.room.session import Room, rater_of
from raters.room.surface import mount_surface
from raters.room.texts import catalogue, entrance
from raters.room.writer import Writer
from raters.study import load_study

_log = logging.getLogger(__name__)

_SENTENCES = {
    404: "there is no such page",
    405: "this cannot be done here",
    413: "that is too long for an answer",
}


def create_app(study: Path) -> FastAPI:
    """Return the app that serves a study's rating room.

    Raises:
        RequestError, ConflictError: it is no study folder, or its protocol was changed.
    """
    catalogue("video"), entrance()  # read now: a fault in them must not wait for the first rater
    protocol, engine = load_study(study)
    room = Room(
        study=study,
        protocol=protocol,
        engine=engine,
        write=Writer(engine),
        minutes=protocol.plan.minutes,
    )

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        giving_back = asyncio.create_task(give_back_for_ever())
        yield
        giving_back.cancel()
        engine.dispose()

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=life)
    app.include_router(door_routes(room))
    app.include_router(leaving_routes(room))
    app.include_router(api_routes(room))
    app.include_router(file_routes(room))

    # Gradio reflects every origin, with credentials, unless the app has a policy: ours is nobody
    app.add_middleware(doorkeeper, room=room)
    app.add_middleware(CORSMiddleware, allow_origins=[])
    app.add_middleware(guarded, refusal=partial(_refusal, room=room))
    _answer_errors(app, room)
    return mount_surface(app, room)


def doorkeeper(app: ASGIApp, *, room: Room) -> ASGIApp:
    """Wrap an app: those without a cookie are shown to the door, instead of Gradio's own refusal."""

    async def keep(scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] == "http"
            and scope["path"] in {SURFACE, f"{SURFACE}/"}
            and await run_in_threadpool(rater_of, Request(scope), room) is None
        ):
            await RedirectResponse("/", status_code=303)(scope, receive, send)
            return
        await app(scope, receive, send)

    return keep


def _answer_errors(app: FastAPI, room: Room) -> None:
    """Turn every error into one sentence: JSON for our page, a page for people."""

    async def known(request: Request, error: Exception) -> Response:
        status = 409 if isinstance(error, ConflictError) else 400
        if not isinstance(error, RequestError):
            _log.error("%s", error)
            return _refusal(request, 500, room=room)
        return _refusal(request, status, room=room, sentence=str(error))

    async def http(request: Request, error: Exception) -> Response:
        if not isinstance(error, StarletteHTTPException):
            raise TypeError(error)
        return _refusal(request, error.status_code, room=room, sentence=str(error.detail))

    async def malformed(request: Request, _error: Exception) -> Response:
        return _refusal(request, 400, room=room, sentence="the request is malformed")

    app.add_exception_handler(PinluError, known)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(StarletteHTTPException, http)
    app.add_exception_handler(RequestValidationError, malformed)


def _refusal(request: Request, status: int, *, room: Room, sentence: str = "") -> Response:
    """Return one sentence with this status, in the form that who asks can read."""
    path = request.url.path
    if path.startswith(("/room/", "/media/", f"{SURFACE}/")):
        default = _SENTENCES.get(status, "this could not be done just now: please try again")
        return JSONResponse({"error": sentence or default}, status_code=status)
    names = {404: "not_found", 500: "broken"}
    return message_page(request, room, names.get(status, "refused"), status)
