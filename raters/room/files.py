"""The files that a browser may have: our page's own, and the pictures that a rater is shown."""

# Annotations are evaluated here: FastAPI could not find those that name a local type otherwise.

import re

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse

from raters.room.session import Room, as_rater
from raters.room.texts import PAGE
from raters.store import owns

_KINDS = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}

PICTURES_AT_ONCE = 2
"""So many are read at a time: of hundreds that arrive at once, none shall hold up an answer."""

_RANGE = re.compile(r"bytes=([0-9]{0,12})-([0-9]{0,12})")


def file_routes(room: Room) -> APIRouter:
    """Return the routes `/room/page/{name}`, open to all, and `/media/{stimulus}`."""
    router = APIRouter()
    at_once = CapacityLimiter(PICTURES_AT_ONCE)
    pages = {file.name: file for file in PAGE.iterdir() if file.suffix in _KINDS}

    @router.get("/room/page/{name}")
    def page_file(name: str) -> Response:
        if name not in pages:
            raise HTTPException(404, "there is no such file")
        return FileResponse(
            pages[name],
            media_type=_KINDS[pages[name].suffix],
            headers={"Cache-Control": "no-cache"},
        )

    @router.get("/favicon.ico")
    def icon() -> Response:
        """Browsers ask for this one before they have read which icon the page names."""
        return page_file("seal.svg")

    @router.get("/media/{stimulus}")
    async def media(stimulus: str, request: Request) -> Response:
        return await to_thread.run_sync(picture, stimulus, request, limiter=at_once)

    def picture(stimulus: str, request: Request) -> Response:
        with as_rater(request, room) as (connection, rater):
            file = owns(connection, rater, stimulus)
        if file is None:
            raise HTTPException(404, "there is no such picture")
        clip = file.endswith(".mp4")
        return _part(
            (room.study / file).read_bytes(),
            request.headers.get("range", ""),
            kind="video/mp4" if clip else "image/webp",
            name="clip.mp4" if clip else "picture.webp",
        )

    return router


def _part(content: bytes, asked: str, *, kind: str, name: str) -> Response:
    """Return the one range of bytes that is asked for (RFC 9110, section 14), else all of them."""
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'inline; filename="{name}"',
    }
    found = _RANGE.fullmatch(asked)
    if not found or found.groups() == ("", ""):
        return Response(content, media_type=kind, headers=headers)
    first, last = found.groups()
    size = len(content)
    # "-500" means the last 500 bytes
    begin = int(first) if first else max(size - int(last), 0)
    end = min(int(last), size - 1) if first and last else size - 1
    if begin >= size or (first and last and int(last) < begin) or (not first and not int(last)):
        headers["Content-Range"] = f"bytes */{size}"
        return Response(status_code=416, headers=headers)
    headers["Content-Range"] = f"bytes {begin}-{end}/{size}"
    return Response(content[begin : end + 1], status_code=206, media_type=kind, headers=headers)
