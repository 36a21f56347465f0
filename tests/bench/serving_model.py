"""A small OpenAI-compatible server on localhost, which can show the faults that servers have."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def text_of(asked: dict[str, Any]) -> str:
    """The text of a request, which comes after its pictures."""
    return str(asked["messages"][0]["content"][-1]["text"])


def _in_short(asked: dict[str, Any]) -> str:
    return f"I see it: {text_of(asked)[:20]}"


class Model(http.server.ThreadingHTTPServer):
    """Answers each request well, but for the faults that it is told to show first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: list[str] = []
        self.always = ""
        self.says: Callable[[dict[str, Any]], str] = _in_short
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.at_once = self.most_at_once = 0
        self.guard = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: connections are cut on purpose."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Model

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.guard:
            self.server.asked.append(asked)
            self.server.headers.append(dict(self.headers))
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
            fault = self.server.faults.pop() if self.server.faults else self.server.always
        time.sleep(0.02)
        with self.server.guard:  # before the reply: who has it may ask again at once
            self.server.at_once -= 1
        self._show(fault, asked)

    def _show(self, fault: str, asked: dict[str, Any]) -> None:  # noqa: C901 - a fault per branch
        reply = {
            "model": asked["model"],
            "choices": [
                {
                    "message": {"role": "assistant", "content": self.server.says(asked)},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10},
        }
        echo = self.headers["X-Request-Id"]
        status, more = 200, {}
        choices: list[dict[str, Any]] = reply["choices"]  # type: ignore[assignment]
        if fault == "slow":
            time.sleep(8)
        elif fault == "cut":
            self.connection.close()
            return
        elif fault in {"429", "500", "503"}:
            status, more = int(fault), {"Retry-After": "0"}
        elif fault == "400":
            status, reply = 400, {"error": "this model sees no pictures"}
        elif fault == "another":
            echo = "pinlu-" + "0" * 64
        elif fault == "other model":
            reply["model"] = "somebody-else"
        elif fault == "no choice":
            reply = {"choices": []}
        elif fault == "length":
            choices[0]["finish_reason"] = "length"
        elif fault == "empty":
            choices[0]["message"]["content"] = None
        body = b'{"choices": [' if fault == "no json" else json.dumps(reply).encode()
        self.send_response(status)
        for name, value in ({"X-Request-Id": echo} | more).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving() -> Iterator[Model]:
    with Model() as served:
        thread = threading.Thread(target=served.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield served
        finally:
            served.shutdown()
            thread.join()
