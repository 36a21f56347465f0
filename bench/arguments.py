"""What the commands' arguments are made of: a parser per command, and the types of their values."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

Command = Callable[[argparse.Namespace], int]
"""What does a command: 0 done, 1 the work failed in part, 2 the request was wrong."""

Adder = Callable[..., argparse.ArgumentParser]
"""Adds a command by its whole name, as in `study new`, and its help; see `adder`."""


def adder(commands: Any) -> Adder:
    """Return what adds a command to these subparsers, or to those given as `within`."""

    def add(name: str, help_text: str, within: Any = commands) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = within.add_parser(
            name.rsplit(" ", maxsplit=1)[-1], help=help_text, description=help_text
        )
        made.set_defaults(command=name)
        return made

    return add


def names(text: str) -> tuple[str, ...]:
    """Read names by comma."""
    return tuple(piece.strip() for piece in text.split(",") if piece.strip())


def positive(text: str) -> int:
    """Read a whole number of 1 or more."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


def whole(text: str) -> int:
    """Read a whole number of 0 or more."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than 0")
    return value


def counts(text: str) -> tuple[int, ...]:
    """Read whole numbers by comma."""
    return tuple(positive(piece) for piece in names(text))


def size(text: str) -> tuple[int, int]:
    """Read WIDTHxHEIGHT in pixels."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text} is not WIDTHxHEIGHT")
    if not all(64 <= int(side) <= 8192 for side in (width, height)):
        raise argparse.ArgumentTypeError(f"{text}: each side wants 64 to 8192 pixels")
    return int(width), int(height)


def switches(text: str) -> tuple[bool, ...]:
    """Read off, on or off,on."""
    known = {"off": False, "on": True}
    if not names(text) or not known.keys() >= set(names(text)):
        raise argparse.ArgumentTypeError(f"{text} is not off, on or off,on")
    return tuple(known[name] for name in names(text))


def days(text: str) -> float:
    """Read a time like 30d or 12h, in days."""
    number, unit = text[:-1], text[-1:]
    if unit not in {"d", "h"} or not number.isdecimal() or not int(number):
        raise argparse.ArgumentTypeError(f"{text} is no time like 30d or 12h")
    return int(number) / (24 if unit == "h" else 1)


def scale(text: str) -> tuple[float, float]:
    """Read LOWEST-HIGHEST, as in 1-5."""
    low, _, high = text.partition("-")
    try:
        found = float(low), float(high)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not LOWEST-HIGHEST, as in 1-5") from error
    if not found[0] < found[1]:
        raise argparse.ArgumentTypeError(f"{text} is not LOWEST-HIGHEST, as in 1-5")
    return found
