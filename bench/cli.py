"""The command line: `pinlu COMMAND`. What each command takes and does is in `bench/commands/`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from bench.arguments import Command, adder
from bench.commands import making, probes, runs, scores, studies, suites
from bench.errors import PinluError

GROUPS = (suites, runs, making, probes, studies, scores)
COMMANDS: dict[str, Command] = {
    name: command for group in GROUPS for name, command in group.COMMANDS.items()
}
"""Command → the function that does it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 done, 1 the work failed in part, 2 the request was wrong."""
    options = parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](options)
    except PinluError as error:
        if options.debug:
            raise
        print(f"pinlu: {error}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:
        return 1  # whoever read our output has had enough
    except OSError as error:
        if options.debug:
            raise
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        print(f"pinlu: {what}; what was finished is kept", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("pinlu: stopped; what was finished is kept, run again to go on", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """Return the whole parser; the chosen command's name is in `command`."""
    whole = argparse.ArgumentParser(
        prog="pinlu",
        description="Does an image or video model understand a culture's aesthetics? Same prompts, "
        "blind raters, style bias, honest leaderboards.",
        epilog="Exit status: 0 done, 1 the work failed in part, 2 the request was wrong.",
    )
    whole.add_argument("--version", action="version", version=f"pinlu {version('pinlu')}")
    whole.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in GROUPS:
        group.add(adder(commands), commands)
    return whole
