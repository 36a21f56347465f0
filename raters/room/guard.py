"""What stands around every request: a list of what is open, a limit on bodies, and headers."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger(__name__)

SURFACE = "/rate"
LARGEST_BODY = 65_536
"""Bytes; an answer has some hundred."""

_OPEN_SURFACE = re.compile(r"/rate/(assets/.+|static/.+|theme\.css)?")

_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

_PAGES = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)

LEAVE = "/leave"
_LEAVING = f"{_PAGES}; script-src 'self'"
"""The one page outside the room with a script: what the room kept in the browser goes by it."""

_ROOM = (
    # gr.HTML renders its template by `new Function`, hence 'unsafe-eval', here and nowhere else
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "font-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; form-action 'self'; base-uri 'self'; "
    "frame-ancestors 'none'"
)


def guarded(app: ASGIApp, *, refusal: Callable[[Request, int], Response]) -> ASGIApp:
    """Wrap an app: of the surface only page, scripts and styles are open; bodies have a limit.

    Args:
        app: what is wrapped.
        refusal: makes the answer of one sentence to a refused request with this status.
    """

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        path = scope["path"]
        of_surface = path.startswith(SURFACE)

        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                outside = _LEAVING if path == LEAVE else _PAGES
                _set_headers(message, _ROOM if of_surface else outside)
            await send(message)

        status = _refused(scope)
        if status:
            response = refusal(Request(scope), status)
            await response(scope, receive, send_with_headers)
            return
        try:
            await app(scope, receive, send_with_headers)
        except Exception:
            _log.exception("%s %s failed", scope["method"], path)
            if begun:
                raise
            response = refusal(Request(scope), 500)
            await response(scope, receive, send_with_headers)

    return guard


def _refused(scope: Scope) -> int | None:
    path, method = scope["path"], scope["method"]
    if path.startswith(SURFACE):
        if path != SURFACE and not _OPEN_SURFACE.fullmatch(path):
            return 404
        if method not in {"GET", "HEAD"}:
            return 405
    length = dict(scope["headers"]).get(b"content-length", b"0")
    if not length.isdigit() or int(length) > LARGEST_BODY:
        return 413
    return None


def _set_headers(message: Message, policy: str) -> None:
    set_here = {name.lower().encode() for name in _HEADERS} | {b"content-security-policy"}
    kept: list[tuple[bytes, bytes]] = [
        (name, value)
        for name, value in message["headers"]
        if name.lower() not in set_here and not name.lower().startswith(b"access-control-")
    ]
    names: dict[str, Any] = {**_HEADERS, "Content-Security-Policy": policy}
    if not any(name.lower() == b"cache-control" for name, _ in kept):
        names["Cache-Control"] = "no-store"
    message["headers"] = kept + [
        (name.lower().encode(), str(value).encode()) for name, value in names.items()
    ]


async def limited_body(request: Request) -> bytes | None:
    """Return the body of a request, or None where it is longer than the limit."""
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > LARGEST_BODY:
            return None
    return content
