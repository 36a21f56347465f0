"""The door: what a link or a code opens, and what those find whose link opens nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from bench.errors import ConflictError, RequestError
from raters import tables as t
from raters.background import read_background, store_background
from raters.entry import Way, exchange, way_of_code, way_of_link
from raters.people import CLOSED, speak, start
from raters.room.guard import SURFACE, limited_body
from raters.room.pages import door_page, language_of, message_page
from raters.room.session import (
    Room,
    count_false,
    from_our_page,
    give_cookie,
    is_token,
    rater_of,
    too_many_false,
)

Fields = dict[str, list[str]]


def door_routes(room: Room) -> APIRouter:
    """Return the routes of the door: `/`, `/i/{token}` to look and to come in, `/resume`."""
    router = APIRouter()

    @router.get("/")
    def doorstep(request: Request) -> Response:
        if rater_of(request, room) is not None:
            return _to_room()
        return message_page(request, room, "link_needed", 200, code=True)

    @router.get("/i/{token}")
    def look_in(request: Request, token: str) -> Response:
        return _look_in(request, room, token)

    @router.post("/i/{token}")
    async def come_in(request: Request, token: str) -> Response:
        return await _sent(request, room, partial(_come_in, request, room, token))

    @router.get("/resume")
    def ask_for_code(request: Request) -> Response:
        return message_page(request, room, "resume", 200, code=True)

    @router.post("/resume")
    async def resume(request: Request) -> Response:
        return await _sent(request, room, partial(_resume, request, room))

    return router


async def _sent(request: Request, room: Room, take: Callable[[Fields], Response]) -> Response:
    """Return what `take` makes of the fields of a form, if one of our pages has sent it."""
    if not from_our_page(request):
        return message_page(request, room, "refused", 403)
    body = await limited_body(request)
    if body is None:
        return message_page(request, room, "refused", 413)
    return await run_in_threadpool(take, parse_qs(body.decode("utf-8", "replace")))


def _look_in(request: Request, room: Room, token: str) -> Response:
    way = _invited(request, room, token)
    if isinstance(way, Response):
        return way
    if _is_in(request, room, way):
        return _to_room()
    if way.state != "open":
        return _shut(request, room, way)
    return door_page(request, room, way.rater)


def _come_in(request: Request, room: Room, token: str, fields: Fields) -> Response:
    way = _invited(request, room, token)
    if isinstance(way, Response):
        return way
    if _is_in(request, room, way):
        return _to_room()
    rater, form = way.rater, _form(fields)
    given = {
        name.removeprefix("about-"): values[0]
        for name, values in fields.items()
        if name.startswith("about-")
    }
    background: dict[str, str] = {}
    missing: list[str] = []
    if way.state == "open" and rater.started_at is None:
        try:
            background = read_background(room.protocol.background, given)
        except RequestError:
            missing.append("background")
    agreed = fields.get("consent") == ["yes"]
    if way.state == "open" and not agreed:
        missing.append("consent")
    if missing:
        return door_page(
            request, room, rater, missing=missing, given=given, agreed=agreed, form=form
        )

    def write(connection: Connection) -> str | None:
        now_is = way_of_link(connection, token)
        secret = exchange(connection, now_is, form) if now_is else None
        room.follow(connection, t.setting(connection, "protocol_hash"))
        if now_is and secret and now_is.rater.started_at is None:
            start(connection, rater.id, room.protocol)
            store_background(connection, rater.id, background)
        if secret:
            speak(connection, rater.id, language_of(request, room), room.protocol)
        return secret

    return _let_in(request, room, write) or _shut(request, room, way)


def _resume(request: Request, room: Room, fields: Fields) -> Response:
    """Let a rater in by a code that was made in the room."""
    if too_many_false(room, _address(request)):
        return message_page(request, room, "too_many", 429)
    code = fields.get("code", [""])[0]
    if not code.strip():
        return message_page(request, room, "resume", 422, code=True, missing=("code",))

    def write(connection: Connection) -> str | None:
        way = way_of_code(connection, code)
        return exchange(connection, way, _form(fields)) if way else None

    let_in = _let_in(request, room, write)
    if let_in is None:
        count_false(room, _address(request))
        return message_page(request, room, "code_false", 404, code=True)
    return let_in


def _let_in(
    request: Request, room: Room, write: Callable[[Connection], str | None]
) -> Response | None:
    """Return the way into the room with a new session's cookie; None where it was not opened."""
    try:
        secret = room.write(write)
    except ConflictError as error:
        if str(error) != CLOSED:
            raise
        return message_page(request, room, "closed", 409)
    if secret is None:
        return None
    response = _to_room()
    give_cookie(response, request, room, secret)
    return response


def _to_room() -> Response:
    return RedirectResponse(f"{SURFACE}/", status_code=303)


def _is_in(request: Request, room: Room, way: Way) -> bool:
    """Tell whether this browser has a session of the rater whose link it is."""
    here = rater_of(request, room)
    return here is not None and here.id == way.rater.id


def _shut(request: Request, room: Room, way: Way) -> Response:
    if way.state == "expired":
        return message_page(request, room, "link_ended", 410)
    return message_page(request, room, "link_used", 410, code=True)


def _form(fields: Fields) -> str:
    """Return the random name of a form of ours that was sent, "" where it has none."""
    name = fields.get("form", [""])[0]
    return name if is_token(name) else ""


def _invited(request: Request, room: Room, token: str) -> Way | Response:
    """Return whose link this is, or the page that says that there is none."""
    if is_token(token):
        with t.reading(room.engine) as connection:
            way = way_of_link(connection, token)
            room.follow(connection, t.setting(connection, "protocol_hash"))
        if way is not None:
            return way
    # a true link is never counted against those who share an address with a guesser
    if too_many_false(room, _address(request)):
        return message_page(request, room, "too_many", 429)
    count_false(room, _address(request))
    return message_page(request, room, "link_false", 404)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
