"""Who works on a run: one process at a time, on whatever host, told apart from the dead.

A lock of the operating system holds on one host, and on shared file systems that know locks. Where
it does not reach, the holder's beat does: a number in `.state/holder.json` that it raises every two
seconds. Whoever finds the number standing still, by its own clock, takes over. No two hosts' clocks
are ever compared.
"""

from __future__ import annotations

import _thread
import errno
import fcntl
import json
import os
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from bench.errors import ConflictError, RequestError

BEAT = 2.0
"""Seconds between two beats of whoever holds a run."""

PATIENCE = 10.0
"""Seconds after which a holder on another host whose beat stands still counts as dead."""

HELD_BY_ANOTHER = 70
"""The exit status of a process that must write no more and cannot be interrupted."""

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
"""What a file system says that knows no locks."""


@contextmanager
def held(state: Path) -> Iterator[str]:
    """Hold the run whose state folder this is; give the token that its workers look for.

    Raises:
        ConflictError: another process holds it and is alive: says which, where, since when.
        RequestError: the folder cannot be written.
    """
    try:
        lock = (state / "lock").open("a")
    except OSError as error:
        raise RequestError(
            f"cannot write into {state.parent}: {error.strerror or error}"
        ) from error
    with lock:
        locked = _locked(lock, state)
        before = holder(state)
        if before and not (locked and before.get("boot") == boot()):
            _wait_for_the_dead(state, before)
        token = uuid.uuid4().hex
        ours = {
            "host": socket.gethostname(),
            "boot": boot(),
            "pid": os.getpid(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
            "token": token,
        }
        _write(state, {**ours, "beat": 0})
        stop = threading.Event()
        thread = threading.Thread(target=_beat, args=(state, ours, stop), daemon=True)
        thread.start()
        try:
            yield token
        finally:
            stop.set()
            thread.join()
            if (holder(state) or {}).get("token") == token:
                (state / "holder.json").unlink(missing_ok=True)


def holder(state: Path) -> dict[str, Any] | None:
    """Return who holds a run, None where nobody does or did."""
    with suppress(OSError, ValueError):
        content = json.loads((state / "holder.json").read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    return None


def is_held(state: Path) -> bool:
    """Say whether somebody works on a run just now; takes a beat where a holder is named."""
    before = holder(state)
    if before is None:
        return False
    time.sleep(1.5 * BEAT)
    now = holder(state)
    return now is not None and now != before


def follow(state: Path, token: str, *, patience: float = 30 * BEAT) -> None:
    """Return when the holder of this token no longer holds the run, or its beat stands still.

    For whoever works for a holder on another host, and must not outlive it.
    """
    last, seen = None, time.monotonic()
    while time.monotonic() - seen <= patience:
        found = holder(state)
        if found is None and not _is_there(state):
            return
        if found is not None and found.get("token") != token:
            return
        if found is not None and found.get("beat") != last:
            last, seen = found.get("beat"), time.monotonic()
        time.sleep(BEAT)


def _is_there(state: Path) -> bool:
    """Say whether somebody is named: a shared file system may fail to read it for a moment."""
    try:
        (state / "holder.json").stat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _locked(lock: IO[str], state: Path) -> bool:
    """Take the operating system's lock; say whether there is such a thing here."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConflictError(_refusal(state, holder(state) or {})) from error
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    return True


def _wait_for_the_dead(state: Path, before: Mapping[str, Any]) -> None:
    """Watch a holder that no lock of ours reaches; refuse while it is alive."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        time.sleep(BEAT / 4)
        now = holder(state)
        if now is None:
            return
        if (now.get("token"), now.get("beat")) != (before.get("token"), before.get("beat")):
            raise ConflictError(_refusal(state, now))


def _refusal(state: Path, found: Mapping[str, Any]) -> str:
    who = "another process"
    if found:
        who += f" ({found.get('pid')} on {found.get('host')}, since {found.get('since')})"
    return f"{who} is working on {state.parent}: wait for it, or stop it"


def _beat(state: Path, ours: Mapping[str, Any], stop: threading.Event) -> None:
    beat = 0
    while not stop.wait(BEAT):
        found = holder(state)
        if found is not None and found.get("token") != ours["token"]:
            # it was held up so long that it counted as dead: two must not write
            sys.stderr.write(f"pinlu: {_refusal(state, found)}\n")
            if callable(signal.getsignal(signal.SIGINT)):
                _thread.interrupt_main()
                return
            sys.stderr.flush()
            os._exit(HELD_BY_ANOTHER)  # Ctrl-C is ignored, as in `nohup … &`: nothing else stops it
        beat += 1
        with suppress(OSError):  # a full disk is met, and said, where outputs are written
            _write(state, {**ours, "beat": beat})


def _write(state: Path, content: Mapping[str, Any]) -> None:
    temporary = state / f".holder.{content['token']}"
    temporary.write_text(json.dumps(content), encoding="utf-8")
    temporary.replace(state / "holder.json")


def boot() -> str:
    """Return what tells this boot of this host from any other."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return socket.gethostname()
