"""What the room's page asks for, its set-up and where the rater is, and what it sends."""

# Annotations are evaluated here: FastAPI could not find those that name a local type otherwise.

import json
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse
from sqlalchemy import Row
from starlette.concurrency import run_in_threadpool

from bench.errors import RequestError
from bench.records import NOT_APPLICABLE
from raters import tables as t
from raters.payloads import WINNERS, read_answer
from raters.people import hashed, receipt, speak
from raters.room.guard import limited_body
from raters.room.session import Room, from_our_page, page_token, rater_needed
from raters.room.texts import catalogue, label
from raters.store import position, respond


def api_routes(room: Room) -> APIRouter:
    """Return the routes of set-up, state and responses; each knows the rater by the cookie."""
    router = APIRouter()

    Rater = Annotated[Row[Any], Depends(rater_needed(room))]  # noqa: N806 - a type

    @router.get("/room/setup")
    def set_up(request: Request, rater: Rater) -> dict[str, Any]:
        return {**_set_up(room), **_own(request, room, rater)}

    @router.get("/room/state")
    def state(rater: Rater) -> dict[str, Any]:
        return _state(room, rater)

    @router.post("/room/respond")
    async def take_answer(request: Request, rater: Rater) -> JSONResponse:
        content = await _content(request, room)
        return JSONResponse(await run_in_threadpool(_respond, room, rater, content))

    @router.post("/room/language")
    async def take_language(request: Request, rater: Rater) -> JSONResponse:
        content = await _content(request, room)
        if not isinstance(content, dict) or not isinstance(content.get("language"), str):
            raise RequestError("say which language")
        await run_in_threadpool(_speak, room, rater, content["language"])
        return JSONResponse({"language": content["language"]})

    return router


def _set_up(room: Room) -> dict[str, Any]:
    protocol = room.protocol
    texts = catalogue()
    return {
        "languages": protocol.languages,
        "texts": {
            language: {name: texts[language][name] for name in ("name", "tag", "room")}
            for language in protocol.languages
        },
        "labels": [
            {
                "id": name,
                "name": {language: label(name, language) for language in protocol.languages},
            }
            for name in protocol.labels
        ],
        "scales": [
            {
                "id": scale.id,
                "low": scale.low,
                "high": scale.high,
                "label": scale.label,
                "question": scale.question,
                "anchors": scale.anchors,
                "example": scale.example,
            }
            for scale in protocol.rubric.scales
        ],
        "not_applicable": NOT_APPLICABLE if protocol.rubric.not_applicable else "",
        "winners": WINNERS,
    }


def _own(request: Request, room: Room, rater: Row[Any]) -> dict[str, str]:
    """Return what is this rater's: `box` names the storage in which the page keeps answers."""
    return {
        "language": rater.room_language,
        "token": page_token(request, room),
        "box": hashed(f"box {rater.token_hash}")[:16],
    }


def _state(room: Room, rater: Row[Any]) -> dict[str, Any]:
    with t.writing(room.engine) as connection:
        here = position(connection, rater.id)
    return {
        "done": here.done,
        "total": here.total,
        "assignment": here.assignment.id if here.assignment else "",
        "phase": here.phase,
        "stimuli": [
            {"id": one.id, "width": one.width, "height": one.height} for one in here.stimuli
        ],
        "caption": here.caption,
        "earlier": here.earlier,
        "scales": here.scales,
        "upcoming": here.upcoming,
        "receipt": None if here.assignment else receipt(rater),
    }


def _respond(room: Room, rater: Row[Any], content: Any) -> dict[str, Any]:
    answer = read_answer(content, room.protocol)
    with t.writing(room.engine) as connection:
        (acknowledged,) = respond(connection, rater.id, [answer], room.protocol)
        speak(connection, rater.id, answer.language, room.protocol)
    # committed: from here on it is stored, whatever happens to the rest
    return {"acknowledged": asdict(acknowledged), "state": _state(room, rater)}


def _speak(room: Room, rater: Row[Any], language: str) -> None:
    with t.writing(room.engine) as connection:
        speak(connection, rater.id, language, room.protocol)


async def _content(request: Request, room: Room) -> Any:
    """Return the JSON that our own page sent.

    Raises:
        HTTPException: it does not come from our page, is too long, or is no JSON.
    """
    told = request.headers.get("x-room-token", "")
    if not from_our_page(request) or told != page_token(request, room):
        raise HTTPException(403, "this did not come from the room's own page")
    body = await limited_body(request)
    if body is None:
        raise HTTPException(413, "that is too long for an answer")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "an answer must be JSON") from error
