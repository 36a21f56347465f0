"""The files that a browser may have: our page's own, and the pictures that a rater is shown."""

# Annotations are evaluated here: FastAPI could not find those that name a local type otherwise.

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Response
from fastapi.responses import FileResponse
from sqlalchemy import Row

from raters import tables as t
from raters.room.session import Room, rater_needed
from raters.room.texts import PAGE
from raters.store import owns

_KINDS = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


def file_routes(room: Room) -> APIRouter:
    """Return the routes `/room/page/{name}`, open to all, and `/media/{stimulus}`."""
    router = APIRouter()
    pages = {file.name: file for file in PAGE.iterdir() if file.suffix in _KINDS}

    Rater = Annotated[Row[Any], Depends(rater_needed(room))]  # noqa: N806 - a type

    @router.get("/room/page/{name}")
    def page_file(name: str) -> Response:
        if name not in pages:
            raise HTTPException(404, "there is no such file")
        return FileResponse(
            pages[name],
            media_type=_KINDS[pages[name].suffix],
            headers={"Cache-Control": "no-cache"},
        )

    @router.get("/media/{stimulus}")
    def media(stimulus: str, rater: Rater) -> Response:
        with t.reading(room.engine) as connection:
            file = owns(connection, rater, stimulus)
        if file is None:
            raise HTTPException(404, "there is no such picture")
        return Response(
            (room.study / file).read_bytes(),
            media_type="image/webp",
            headers={
                "Cache-Control": "private, no-store",
                "Content-Disposition": 'inline; filename="picture.webp"',
            },
        )

    return router
