"""The server's memory: what it has used and needs no more goes back to the system.

Answers and pictures pass through some forty threads. Of glibc's heap each thread takes an arena of
its own, and what was freed in it stays there: the server grew by half again as much as it used. One
arena serves all, and what lies free in it is given back now and then. Elsewhere than on glibc
nothing is done.
"""

from __future__ import annotations

import asyncio
import ctypes
from typing import Any

from starlette.concurrency import run_in_threadpool

SECONDS = 20.0
"""How long what is free may stay."""

_ARENA_MAX = -8
"""`M_ARENA_MAX` of `malloc.h`."""


def one_arena() -> None:
    """Let all threads that start from now on share one arena."""
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_ARENA_MAX, 1)


async def give_back_for_ever() -> None:
    """Give back every `SECONDS` what is free, until cancelled."""
    libc = _glibc()
    while libc is not None:
        await asyncio.sleep(SECONDS)
        await run_in_threadpool(libc.malloc_trim, 0)


def _glibc() -> Any:
    """Return the C library where it has what is needed, else None."""
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version, libc.mallopt, libc.malloc_trim  # noqa: B018 - are they there?
    except (AttributeError, OSError, TypeError):
        return None
    return libc
