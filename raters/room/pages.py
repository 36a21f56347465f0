"""The pages outside the room: invitation with information and consent, and messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from bench.errors import ConflictError, RequestError
from raters import tables as t
from raters.background import read_background, store_background
from raters.people import has_expired, open_session, rater_of_token, speak, start
from raters.position import progress
from raters.room.guard import SURFACE, limited_body
from raters.room.session import (
    Room,
    count_false,
    from_our_page,
    give_cookie,
    is_token,
    rater_of,
    too_many_false,
)
from raters.room.texts import PAGE, catalogue, entrance, preferred

templates = Environment(
    loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def language_of(request: Request, room: Room) -> str:
    """Return the language of a page: what its address says, else what the browser prefers."""
    languages = room.protocol.languages
    asked = request.query_params.get("language", "")
    if asked in languages:
        return asked
    return preferred(request.headers.get("accept-language", ""), languages)


def message_page(request: Request, room: Room, name: str, status: int) -> HTMLResponse:
    """Return a page with one of the catalogue's messages."""
    language = language_of(request, room)
    message = {**catalogue()[language]["messages"], **entrance()[language]["messages"]}[name]
    return HTMLResponse(
        _page(room, language, message=message, title=message["title"]), status_code=status
    )


def door_page(
    request: Request,
    room: Room,
    rater: Any,
    *,
    missing: str = "",
    given: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """Return the invitation: information, consent and background, or a welcome back.

    `missing` names the sentence that says what is still wanted; `given` is kept in the form.
    """
    language = language_of(request, room)
    with t.reading(room.engine) as connection:
        done, total = progress(connection, rater)
    texts = catalogue()[language]["door"]
    values = {"minutes": room.minutes, "done": done, "total": total}
    door = {
        **texts,
        "back": texts["back"].format(**values),
        "sections": [
            {"head": one["head"], "text": one["text"].format(**values)} for one in texts["sections"]
        ],
    }
    content = _page(
        room,
        language,
        door=door,
        title=door["title"],
        started=rater.started_at is not None,
        missing={
            "": "",
            "consent": texts["consent_missing"],
            "background": entrance()[language]["background"]["missing"],
        }[missing],
        questions=room.protocol.background,
        about=entrance()[language]["background"],
        given=given or {},
    )
    return HTMLResponse(content, status_code=422 if missing else 200)


def page_routes(room: Room) -> APIRouter:
    """Return the routes of the door: `/`, and `/i/{token}` to look and to come in."""
    router = APIRouter()

    @router.get("/")
    def doorstep(request: Request) -> Response:
        if rater_of(request, room) is not None:
            return RedirectResponse(f"{SURFACE}/", status_code=303)
        return message_page(request, room, "link_needed", 200)

    @router.get("/i/{token}")
    def look_in(request: Request, token: str) -> Response:
        rater = _invited(request, room, token)
        if isinstance(rater, Response):
            return rater
        return door_page(request, room, rater)

    @router.post("/i/{token}")
    async def come_in(request: Request, token: str) -> Response:
        if not from_our_page(request):
            return message_page(request, room, "refused", 403)
        body = await limited_body(request)
        if body is None:
            return message_page(request, room, "refused", 413)
        fields = parse_qs(body.decode("utf-8", "replace"))
        return await run_in_threadpool(_come_in, request, room, token, fields)

    return router


def _come_in(request: Request, room: Room, token: str, fields: dict[str, list[str]]) -> Response:
    rater = _invited(request, room, token)
    if isinstance(rater, Response):
        return rater
    given = {
        name.removeprefix("about-"): values[0]
        for name, values in fields.items()
        if name.startswith("about-")
    }
    if fields.get("consent") != ["yes"]:
        return door_page(request, room, rater, missing="consent", given=given)
    try:
        background = read_background(room.protocol.background, given)
    except RequestError:
        if rater.started_at is None:
            return door_page(request, room, rater, missing="background", given=given)
    language = language_of(request, room)
    # a session that is open stays: another tab may be in the middle of an answer
    here = rater_of(request, room)

    def write(connection: Connection) -> str:
        if rater.started_at is None:
            start(connection, rater.id, room.protocol)
            store_background(connection, rater.id, background)
        speak(connection, rater.id, language, room.protocol)
        return "" if here and here.id == rater.id else open_session(connection, rater.id)

    try:
        secret = room.write(write)
    except ConflictError:
        return message_page(request, room, "closed", 409)
    response = RedirectResponse(f"{SURFACE}/", status_code=303)
    if secret:
        give_cookie(response, request, room, secret)
    return response


def _invited(request: Request, room: Room, token: str) -> Any:
    """Return the rater of an invitation, or the page that says that there is none."""
    if is_token(token):
        with t.reading(room.engine) as connection:
            rater = rater_of_token(connection, token)
        if rater is not None:
            ended = has_expired(rater)
            return message_page(request, room, "link_ended", 410) if ended else rater
    # a true link is never counted against those who share an address with a guesser
    address = request.client.host if request.client else ""
    if too_many_false(room, address):
        return message_page(request, room, "too_many", 429)
    count_false(room, address)
    return message_page(request, room, "link_false", 404)


def _page(room: Room, language: str, **values: Any) -> str:
    texts = catalogue()
    languages = [
        {"id": one, "name": texts[one]["name"], "tag": texts[one]["tag"]}
        for one in room.protocol.languages
    ]
    defaults = {
        "message": None,
        "door": texts[language]["door"],
        "started": False,
        "missing": "",
        "questions": [],
        "about": {},
        "given": {},
    }
    return templates.get_template("door.html").render(
        {
            **defaults,
            "tag": texts[language]["tag"],
            "language": language,
            "languages": languages,
            "stand_ins": room.protocol.stand_ins,
            "simulated": room.protocol.simulated,
            **values,
        }
    )
