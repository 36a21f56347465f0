"""The commands that serve a study's rooms and watch over it: rate, study status, organise."""

from __future__ import annotations

import argparse
import json
import secrets
from pathlib import Path
from typing import Any

from bench.arguments import Adder, Command
from bench.errors import RequestError
from bench.overview import oversee, readable


def add_to(actions: Any, command: Adder) -> None:
    """Add the commands of this file, one of them to those of a study."""
    status = command("study status", "progress, with models masked", within=actions)
    status.add_argument("study", type=Path, metavar="STUDY")
    status.add_argument("--json", action="store_true", help="as JSON")
    rate = command("rate", "serve a study's rating rooms")
    rate.add_argument("study", type=Path, metavar="STUDY")
    rate.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    rate.add_argument("--port", type=int, default=7860, help="port to listen on (7860)")
    organise = command("organise", "serve the organiser's view of a study")
    organise.add_argument("study", type=Path, metavar="STUDY")
    organise.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    organise.add_argument("--port", type=int, default=7861, help="port to listen on (7861)")
    organise.add_argument(
        "--password-file", type=Path, metavar="FILE", help="else one is made and printed once"
    )


def _rate(options: argparse.Namespace) -> int:
    from raters.room import serve

    where = f"http://{options.host}:{options.port}"
    serve(
        options.study,
        host=options.host,
        port=options.port,
        on_ready=lambda: print(f"{where} is open: raters come by their links", flush=True),
    )
    return 0


def _study_status(options: argparse.Namespace) -> int:
    """Print how a study stands: for people, or with --json everything."""
    found = oversee(options.study)
    if options.json:
        print(json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False))
    else:
        print(readable(found))
    return 0


def _organise(options: argparse.Namespace) -> int:
    """Serve the organiser's view."""
    from raters.organiser.app import USER, serve_view

    oversee(options.study)  # what is wrong with the study is said before anything is served
    password = _password(options)
    serve_view(
        lambda: oversee(options.study),
        password=password,
        host=options.host,
        port=options.port,
        on_ready=lambda: print(
            f"http://{options.host}:{options.port} is open to {USER}"
            + ("" if options.password_file else f" with the password {password}"),
            flush=True,
        ),
    )
    return 0


def _password(options: argparse.Namespace) -> str:
    if options.password_file is None:
        return secrets.token_urlsafe(12)
    password: str = options.password_file.read_text(encoding="utf-8").strip()
    if len(password) < 8:
        raise RequestError(f"{options.password_file}: a password has at least 8 characters")
    return password


COMMANDS: dict[str, Command] = {
    "rate": _rate,
    "study status": _study_status,
    "organise": _organise,
}
