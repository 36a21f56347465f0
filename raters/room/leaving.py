"""The way out: a rater withdraws without asking anybody, and everything of theirs is deleted."""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from raters import tables as t
from raters.people import erase
from raters.room.guard import LEAVE, limited_body
from raters.room.pages import language_of, message_page, templates
from raters.room.session import Room, box_of, from_our_page, page_token, rater_of
from raters.room.texts import catalogue, entrance


def leaving_routes(room: Room) -> APIRouter:
    """Return the route `/leave`, to look at and to do it."""
    router = APIRouter()

    @router.get(LEAVE)
    def way_out(request: Request) -> Response:
        if rater_of(request, room) is None:
            return message_page(request, room, "link_needed", 401)
        return _leave_page(request, room)

    @router.post(LEAVE)
    async def leave(request: Request) -> Response:
        body = await limited_body(request)
        fields = parse_qs((body or b"").decode("utf-8", "replace"))
        if not from_our_page(request) or fields.get("token") != [page_token(request, room)]:
            return message_page(request, room, "refused", 403)
        sure = fields.get("confirm") == ["yes"]
        return await run_in_threadpool(_leave, request, room, sure=sure)

    return router


def _leave(request: Request, room: Room, *, sure: bool) -> Response:
    rater = rater_of(request, room)
    if rater is None:
        return message_page(request, room, "link_needed", 401)
    if not sure:
        return _leave_page(request, room, missing=True)
    room.write(lambda connection: erase(connection, rater.id, "by the rater"))
    t.forget_log(room.engine)
    response = message_page(request, room, "withdrawn", 200, forget=box_of(rater))
    response.delete_cookie(room.cookie, path="/")
    return response


def _leave_page(request: Request, room: Room, *, missing: bool = False) -> HTMLResponse:
    language = language_of(request, room)
    content = templates.get_template("leave.html").render(
        tag=catalogue()[language]["tag"],
        language=language,
        leave=entrance()[language]["leave"],
        token=page_token(request, room),
        missing=missing,
    )
    return HTMLResponse(content, status_code=422 if missing else 200)
