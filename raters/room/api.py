"""What the room's page asks for, its set-up and where the rater is, and what it sends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse
from sqlalchemy import Connection, Row
from starlette.concurrency import run_in_threadpool

from bench.errors import ConflictError, RequestError
from bench.records import NOT_APPLICABLE
from raters.entry import CODE_HOURS, make_code
from raters.passages import sections_of
from raters.payloads import (
    EVENT_ID,
    EVENTS_MOST,
    FLAGS_MOST,
    HUMANS,
    MARKS,
    MARKS_MOST,
    REMARK_LONGEST,
    SKIPS,
    STRENGTHS,
    WINNERS,
    Answer,
    flag_kinds,
    read_answer,
)
from raters.people import receipt, speak
from raters.position import (
    AHEAD,
    Position,
    Progress,
    Step,
    position,
    position_of,
    progress_of,
)
from raters.protocol import Protocol
from raters.room.guard import limited_body
from raters.room.session import (
    Room,
    as_rater,
    box_of,
    from_our_page,
    page_token,
    secret_needed,
    write_as_rater,
)
from raters.room.texts import catalogue, label
from raters.store import AHEAD_MOST, Acknowledgement, take


def api_routes(room: Room) -> APIRouter:
    """Return the routes of set-up, state and responses; each knows the rater by the cookie."""
    router = APIRouter()

    # who asks is looked up in the thread that answers, not in one of its own before it

    @router.get("/room/setup")
    def set_up(request: Request) -> JSONResponse:
        with as_rater(request, room) as (_, rater):
            return JSONResponse({**_set_up(room), **_own(request, room, rater)})

    @router.get("/room/state")
    def state(request: Request) -> JSONResponse:
        return JSONResponse(_state(request, room))

    @router.post("/room/respond")
    async def take_answer(request: Request) -> JSONResponse:
        page = {"ahead": _ahead(request), "known": request.query_params.get("known", "")}
        content = await _content(request, room)
        several = isinstance(content, dict) and set(content) == {"events"}
        answer = _respond_to_several if several else _respond
        return JSONResponse(await run_in_threadpool(answer, request, room, content, page))

    @router.post("/room/language")
    async def take_language(request: Request) -> JSONResponse:
        content = await _content(request, room)
        if not isinstance(content, dict) or not isinstance(content.get("language"), str):
            raise RequestError("say which language")
        await run_in_threadpool(_speak, request, room, content["language"])
        return JSONResponse({"language": content["language"]})

    @router.post("/room/code")
    async def give_code(request: Request) -> JSONResponse:
        """Give a code by which this rater goes on in another browser, once."""
        await _content(request, room)
        code = await run_in_threadpool(
            write_as_rater, request, room, lambda connection, rater: make_code(connection, rater.id)
        )
        return JSONResponse({"code": code, "hours": CODE_HOURS})

    return router


def _debriefing(protocol: Protocol, texts: Mapping[str, Any], language: Literal["zh", "en"]) -> str:
    """Return what is told after the last item; of stand-ins too, where works by people had any."""
    told: str = protocol.debriefing.get(language) or texts[language]["debriefing"]
    return f"{told}\n\n{texts[language]['door']['stand_ins']}" if protocol.stand_ins else told


def _set_up(room: Room) -> dict[str, Any]:
    protocol = room.protocol
    texts = catalogue(protocol.modality)
    return {
        "languages": protocol.languages,
        "modality": protocol.modality,
        "ask": protocol.ask.model_dump(),
        "texts": {
            language: {name: texts[language][name] for name in ("name", "tag", "room", "answers")}
            for language in protocol.languages
        },
        "debriefing": {
            language: _debriefing(protocol, texts, language) for language in protocol.languages
        },
        "strengths": STRENGTHS if protocol.ask.traces else (),
        "humans": HUMANS,
        "flags": flag_kinds(protocol),
        "skips": SKIPS,
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
        "remark_longest": REMARK_LONGEST,
        "flags_most": FLAGS_MOST,
        "marks": MARKS if protocol.modality == "understanding" else (),
        "marks_most": MARKS_MOST,
    }


def _own(request: Request, room: Room, rater: Row[Any]) -> dict[str, Any]:
    """Return what is this rater's: `box` names the storage in which the page keeps answers."""
    labels = room.protocol.labels
    order = [name for name in rater.label_order if name in labels]
    return {
        "language": rater.room_language,
        "token": page_token(request, room),
        "box": box_of(rater),
        "labels": [
            {"id": name, "name": _named(name, room.protocol)}
            # what a later version of the protocol has added comes after, what is left over last
            for name in dict.fromkeys([*order, *labels])
        ],
    }


def _named(label_id: str, protocol: Protocol) -> dict[str, str]:
    return {language: label(label_id, language) for language in protocol.languages}


def _ahead(request: Request) -> int:
    told = request.query_params.get("ahead", str(AHEAD))
    if not told.isascii() or not told.isdigit() or len(told) > 3:
        raise RequestError("ahead must be a whole number")
    return min(int(told), AHEAD_MOST)


def _state(request: Request, room: Room) -> dict[str, Any]:
    at, ahead = request.query_params.get("at"), _ahead(request)

    def find(connection: Connection, rater: Row[Any]) -> tuple[Row[Any], Position]:
        return rater, position(connection, rater.id, at=at, ahead=ahead)

    return _told(room, *write_as_rater(request, room, find))


def _told(room: Room, rater: Row[Any], found: Position) -> dict[str, Any]:
    here, part = found.here, found.part
    now = _step(here, room) if here else _NOTHING
    return {
        **now,
        "done": found.done,
        "total": found.total,
        "sessions": part
        and {
            "number": part.number,
            "of": part.of,
            "done": part.done,
            "total": part.total,
            "seconds_left": part.seconds_left,
            "break_due": part.break_due,
        },
        "known": found.known,
        "ahead": [_step(step, room) for step in found.ahead],
        "back": found.back,
        "at": found.revisiting,
        "receipt": None if here else receipt(rater),
    }


_NOTHING: dict[str, Any] = {
    "assignment": "",
    "phase": None,
    "training": False,
    "session": 0,
    "stimuli": [],
    "analyses": [],
    "caption": None,
    "scales": (),
    "earlier": None,
    "answer": None,
    "explanation": None,
    "instruction": None,
}


def _explanation(step: Step) -> dict[str, Any] | None:
    """Return what is told of a training item once it is answered: after its last phase, all of it."""
    expects = step.expects
    if expects is None or (expects["scales"] and step.phase != "scales"):
        return None
    return dict(expects)


def _step(step: Step, room: Room) -> dict[str, Any]:
    """Return what a page may know of a step: of its kind, training alone."""
    kind, expects = step.assignment.kind, step.expects
    return {
        "assignment": step.assignment.id,
        "phase": step.phase,
        "training": kind == "training",
        "session": step.assignment.session,
        "stimuli": [
            {
                "id": step.picture,
                "width": step.stimuli[0].width,
                "height": step.stimuli[0].height,
                "kind": "image",
                "seconds": None,
                "play_once": False,
            }
        ]
        if step.picture
        else [
            {
                "id": one.id,
                "width": one.width,
                "height": one.height,
                "kind": "image" if one.seconds is None else "clip",
                "seconds": one.seconds,
                "play_once": one.seconds is not None,
            }
            for one in step.stimuli
        ],
        "analyses": [sections_of(room.study / one.file) for one in step.stimuli]
        if step.picture
        else [],
        "caption": None if step.picture else step.caption,
        "scales": step.scales,
        "earlier": step.earlier,
        "answer": step.answer,
        "explanation": _explanation(step) if kind == "training" else None,
        "instruction": _instruction(expects["manner"], room.protocol)
        if kind == "attention" and expects
        else None,
    }


def _instruction(wanted: str, protocol: Protocol) -> dict[str, str]:
    texts = catalogue(protocol.modality)
    named = _named(wanted, protocol)
    return {
        language: texts[language]["attention"].format(label=named[language])
        for language in protocol.languages
    }


def _respond(request: Request, room: Room, content: Any, page: Mapping[str, Any]) -> dict[str, Any]:
    """Store one answer; `page` says what is to be told of the way, as `position_of` takes it."""

    def write(connection: Connection, rater: Row[Any]) -> tuple[Acknowledgement, Any]:
        answer = read_answer(content, room.protocol)
        own = progress_of(connection, rater.id)
        stored, language = _store(connection, own, answer, room)
        _keep_language(connection, own, language, room)
        return stored, _position_after(connection, own, page)

    acknowledged, found = write_as_rater(request, room, write)
    return {
        "acknowledged": asdict(acknowledged),
        "state": found and _told(room, *found),
    }


def _store(
    connection: Connection, own: Progress, answer: Answer, room: Room
) -> tuple[Acknowledgement, str]:
    """Store an answer; return the language that it was given in, "" where it was stored before."""
    before = len(own.events)
    stored = take(connection, own, answer, room.protocol, room.study)
    return stored, answer.language if len(own.events) > before else ""


def _keep_language(connection: Connection, own: Progress, language: str, room: Room) -> None:
    """Keep the language of the last answer, if there was a new one, as the rater's."""
    if language and language != own.rater.room_language:
        speak(connection, own.rater.id, language, room.protocol)


def _position_after(
    connection: Connection, own: Progress, page: Mapping[str, Any]
) -> tuple[Row[Any], Position] | None:
    """Return where a rater is once an answer is stored; None where the study is closed by now."""
    try:
        return own.rater, position_of(connection, own, **page)
    except ConflictError:
        return None


def _respond_to_several(
    request: Request, room: Room, content: Any, page: Mapping[str, Any]
) -> dict[str, Any]:
    """Store each event for itself: what one of them cannot have does not hold up the others."""
    events = content["events"]
    if not isinstance(events, list) or not 1 <= len(events) <= EVENTS_MOST:
        raise RequestError(f"events must be a list of 1 to {EVENTS_MOST}")

    def write(connection: Connection, rater: Row[Any]) -> tuple[list[Any], list[Any], Any]:
        acknowledged, refused, language = [], [], ""
        own = progress_of(connection, rater.id)
        for event in events:
            told = event.get("event_id") if isinstance(event, dict) else None
            try:
                answer = read_answer(event, room.protocol)
                stored, spoken = _store(connection, own, answer, room)
                acknowledged.append(asdict(stored))
                language = spoken or language
            except RequestError as error:
                status = 409 if isinstance(error, ConflictError) else 400
                name = told if isinstance(told, str) and EVENT_ID.fullmatch(told) else None
                refused.append({"event_id": name, "status": status, "error": str(error)})
        _keep_language(connection, own, language, room)
        return acknowledged, refused, _position_after(connection, own, page)

    acknowledged, refused, found = write_as_rater(request, room, write)
    return {
        "acknowledged": acknowledged,
        "refused": refused,
        "state": found and _told(room, *found),
    }


def _speak(request: Request, room: Room, language: str) -> None:
    write_as_rater(
        request,
        room,
        lambda connection, rater: speak(connection, rater.id, language, room.protocol),
    )


async def _content(request: Request, room: Room) -> Any:
    """Return the JSON that our own page sent.

    Raises:
        HTTPException: it has no cookie, does not come from our page, is too long, or is no JSON.
    """
    secret_needed(request, room)
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
