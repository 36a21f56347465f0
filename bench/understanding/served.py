"""A model behind an OpenAI-compatible server: the same questions, asked over HTTP.

Standard library alone. Whatever may pass (a time-out, a connection cut, 429, a fault of the server,
a reply that is no JSON or answers another request) is asked again with back-off, and what does not
pass becomes a failure of that one job.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bench.errors import RequestError, WorkError

if TYPE_CHECKING:
    from bench.understanding.working import Question

KEY_VARIABLE = "OPENAI_API_KEY"
"""The environment variable that holds the server's key, where it wants one; it is kept nowhere."""

_MARK = "pinlu-"
_LONGEST_REPLY = 4 << 20


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is, and how patiently it is asked.

    `concurrency` requests are under way at most; each waits `timeout` seconds and is made `tries`
    times, with pauses from `pause` seconds on that double up to `longest_pause`.
    """

    base_url: str
    concurrency: int = 8
    timeout: float = 120.0
    tries: int = 6
    pause: float = 1.0
    longest_pause: float = 60.0

    def __post_init__(self) -> None:
        """Refuse an address that is none."""
        parts = urlsplit(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise RequestError(
                f"--base-url {self.base_url!r}: write http://HOST:PORT/v1, where the server answers"
            )


@dataclass(frozen=True, slots=True)
class Served:
    """One reply: text, tokens in and out by the server's count (None: not told), whether it was cut."""

    text: str
    asked_tokens: int | None
    tokens: int | None
    cut: bool


class _AgainError(Exception):
    """What may pass: says after how many seconds the server wants to be asked again, if it does."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


def ask(
    server: Server,
    name: str,
    job: Question,
    pictures: Sequence[bytes],
    *,
    arguments: Mapping[str, Any],
    stop: threading.Event,
) -> Served:
    """Ask one question about one picture or more, again where that may help.

    Args:
        server: whom.
        name: what the server calls the model.
        job: the question.
        pictures: PNGs, in the order in which they are shown.
        arguments: the decoding.
        stop: set where the work is broken off: no further try is made.

    Raises:
        WorkError: the server refuses the request, or every try failed; says how the last one did.
    """
    body = json.dumps(_request(name, job, pictures, arguments)).encode()
    pause = server.pause
    for attempt in range(1, server.tries + 1):
        try:
            return _reply(_post(server, job.key, body), name)
        except _AgainError as error:
            if attempt == server.tries or stop.is_set():
                raise WorkError(f"{error} ({attempt} tries)") from error
            # spread out, so that many workers do not come back at one moment
            wait = error.after if error.after is not None else pause * random.uniform(0.5, 1.5)  # noqa: S311
            stop.wait(min(wait, server.longest_pause))
            pause = min(2 * pause, server.longest_pause)
    raise WorkError("no try was made")


def _request(
    name: str, job: Question, pictures: Sequence[bytes], arguments: Mapping[str, Any]
) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    for picture in pictures:
        address = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
        content.append({"type": "image_url", "image_url": {"url": address}})
    content.append({"type": "text", "text": job.text})
    told = {key: arguments[key] for key in ("top_p", "repetition_penalty") if key in arguments}
    return {
        "model": name,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": job.longest,
        "temperature": arguments["temperature"],
        "seed": job.seed,
        "n": 1,
        "stream": False,
        **told,
    }


def _post(server: Server, key: str, body: bytes) -> Any:
    """Return the JSON of a reply with status 200 that is an answer to this request."""
    parts = urlsplit(server.base_url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(str(parts.hostname), parts.port, timeout=server.timeout)
    headers = {"Content-Type": "application/json", "X-Request-Id": _MARK + key}
    if secret := os.environ.get(KEY_VARIABLE):
        headers["Authorization"] = f"Bearer {secret}"
    try:
        connection.request("POST", f"{parts.path.rstrip('/')}/chat/completions", body, headers)
        reply = connection.getresponse()
        content = reply.read(_LONGEST_REPLY)
    except TimeoutError as error:
        raise _AgainError(f"no answer within {server.timeout:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise _AgainError(
            f"the connection failed: {type(error).__name__} {error}".strip()
        ) from error
    finally:
        connection.close()
    if reply.status == 429 or reply.status >= 500 or reply.status == 408:
        raise _AgainError(f"status {reply.status}", _after(reply.headers.get("Retry-After")))
    if reply.status != 200:
        said = " ".join(content[:300].decode(errors="replace").split())
        raise WorkError(f"the server refuses the request with status {reply.status}: {said}")
    # a server that echoes our mark says whose answer this is
    echoed = reply.headers.get("X-Request-Id") or ""
    if echoed.startswith(_MARK) and echoed != _MARK + key:
        raise _AgainError("the reply was to another request")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _AgainError("the reply is no JSON") from error


def _reply(content: Any, name: str) -> Served:
    try:
        (choice,) = content["choices"]
        text = choice["message"]["content"]
        made_by = content.get("model", name)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise _AgainError("the reply is no chat completion") from error
    # some servers tell the dated version of what was asked
    if not str(made_by).startswith(name):
        raise _AgainError(f"the reply is of model {str(made_by)[:80]!r}, asked was {name!r}")
    if not isinstance(text, str | None):
        raise _AgainError("the reply's content is no text")
    usage = content.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    # half of a pair of UTF-16 is no sign, and no file takes it
    text = (text or "").encode("utf-8", "replace").decode()
    return Served(
        text.strip(),
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        cut=choice.get("finish_reason") == "length",
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _after(told: str | None) -> float | None:
    """Return the seconds that a Retry-After header names (its form as a date is passed over)."""
    try:
        return max(float(told), 0.0) if told else None
    except ValueError:
        return None
