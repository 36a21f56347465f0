"""Processes of our own on this host: started with a pipe, and how they ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

FAREWELL = 5.0
"""Seconds that a process has to end by itself once it is asked nothing more."""

IDLE_THREADS = {"OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE")}
"""For processes that share cores: threads that wait for others sleep, or all would crawl. No pixel changes."""

Process = subprocess.Popen[bytes]


def start(
    module: str, arguments: Sequence[str], log: Path, environment: Mapping[str, str]
) -> tuple[Connection, Process]:
    """Start a module; its last arguments are the number of its end of the pipe and our process id.

    Args:
        module: dotted name.
        arguments: its first ones.
        log: what it prints.
        environment: variables beside ours.
    """
    ours, theirs = socket.socketpair()
    with theirs, log.open("wb") as printed:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [
                *(sys.executable, "-P", "-m", module),
                *(*arguments, str(theirs.fileno()), str(os.getpid())),
            ],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            env={**os.environ, **environment},
            start_new_session=True,  # Ctrl-C is for whoever drives
        )
    return Connection(ours.detach()), process


def why_ended(process: Process, log: Path) -> str:
    """Say how a process that is ending ended: by a signal, or with a status and its last words."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(FAREWELL)
    code = process.returncode
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f"ended with status {code}" + (f": {last[:200]}" if last else "")
