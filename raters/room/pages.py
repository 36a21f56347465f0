"""The pages outside the room, as they look: the invitation with its consent, and messages."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from raters import tables as t
from raters.position import progress
from raters.room.session import Room
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


def message_page(
    request: Request,
    room: Room,
    name: str,
    status: int,
    *,
    code: bool = False,
    missing: Collection[str] = (),
    forget: str = "",
) -> HTMLResponse:
    """Return a page with one of the catalogue's messages.

    With `code` it asks for a rater's code; `forget` names the storage that the browser is to empty.
    """
    language = language_of(request, room)
    message = {
        **catalogue(room.protocol.modality)[language]["messages"],
        **entrance()[language]["messages"],
    }[name]
    return HTMLResponse(
        _page(
            room,
            language,
            message=message,
            title=message["title"],
            ask_code=code,
            missing=missing,
            forget=forget,
        ),
        status_code=status,
    )


def door_page(
    request: Request,
    room: Room,
    rater: Any,
    *,
    missing: Collection[str] = (),
    given: Mapping[str, str] | None = None,
    agreed: bool = False,
    form: str = "",
) -> HTMLResponse:
    """Return the invitation: information, consent and background, or a welcome back.

    `missing` names what is still wanted, "background" and "consent": the page says so in its own
    language, and goes there. What was `given` or `agreed` is kept in the form, and so is its name.
    """
    language = language_of(request, room)
    with t.reading(room.engine) as connection:
        done, total = progress(connection, rater)
    texts = catalogue(room.protocol.modality)[language]["door"]
    # a plan of half a minute takes one too
    minutes = texts["minutes"].format(count=room.minutes) if room.minutes > 1 else texts["minute"]
    values = {"minutes": minutes, "done": done, "total": total}
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
        missing=missing,
        first_wanted=_first_wanted(room, given or {}) if "background" in missing else "",
        questions=room.protocol.background,
        about=entrance()[language]["background"],
        given=given or {},
        agreed=agreed,
        form=form or new_form(),
    )
    return HTMLResponse(content, status_code=422 if missing else 200)


def _first_wanted(room: Room, given: Mapping[str, str]) -> str:
    """Return the first question that wants an answer; of those that have one, the first."""
    needed = [one.id for one in room.protocol.background if one.required]
    return next((one for one in needed if not given.get(one, "").strip()), (*needed, "")[0])


def new_form() -> str:
    """Return a random name for a form, by which it is known when it is sent twice."""
    return secrets.token_urlsafe(16)


def _page(room: Room, language: str, **values: Any) -> str:
    texts = catalogue(room.protocol.modality)
    languages = [
        {"id": one, "name": texts[one]["name"], "tag": texts[one]["tag"]}
        for one in room.protocol.languages
    ]
    defaults = {
        "message": None,
        "door": texts[language]["door"],
        "started": False,
        "missing": (),
        "first_wanted": "",
        "questions": [],
        "about": {},
        "given": {},
        "agreed": False,
        "form": new_form(),
        "ask_code": False,
        "forget": "",
        "resume": entrance()[language]["resume"],
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
