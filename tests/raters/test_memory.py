"""What the server needs no more goes back to the system, where the system's library can do that."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient

from raters.room import create_app, memory, serving


def test_what_is_free_is_given_back_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    enough = asyncio.Event()

    def trim(left: int) -> None:
        given.append(left)
        if len(given) == 3:
            loop.call_soon_threadsafe(enough.set)

    async def watched() -> None:
        giving = asyncio.create_task(memory.give_back_for_ever())
        await asyncio.wait_for(enough.wait(), 60)
        giving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await giving

    monkeypatch.setattr(memory, "SECONDS", 0.001)
    monkeypatch.setattr(memory, "_glibc", lambda: SimpleNamespace(malloc_trim=trim))
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        runner.run(watched())
    assert given[:3] == [0, 0, 0]


def test_elsewhere_than_on_glibc_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: SimpleNamespace())
    memory.one_arena()
    asyncio.run(asyncio.wait_for(memory.give_back_for_ever(), 60))


def test_a_room_that_is_open_gives_back_what_is_free(
    monkeypatch: pytest.MonkeyPatch, study: Path
) -> None:
    given = threading.Semaphore(0)
    trimming = SimpleNamespace(malloc_trim=lambda _left: given.release())
    monkeypatch.setattr(memory, "SECONDS", 0.001)
    monkeypatch.setattr(memory, "_glibc", lambda: trimming)
    app = create_app(study)
    assert not given.acquire(blocking=False)
    with TestClient(app):
        for _ in range(3):
            assert given.acquire(timeout=60)


def test_the_server_shares_one_arena_before_it_makes_the_room(
    monkeypatch: pytest.MonkeyPatch, study: Path
) -> None:
    done: list[str] = []
    for name in ("one_arena", "create_app", "serve_app"):
        monkeypatch.setattr(serving, name, lambda *_, _name=name, **__: done.append(_name))
    serving.serve(study)
    assert done == ["one_arena", "create_app", "serve_app"]


GROWN = """
import importlib.util, sys, threading
# by itself: the room's other modules bring in its web server
spec = importlib.util.spec_from_file_location("memory", sys.argv[1])
memory = importlib.util.module_from_spec(spec)
spec.loader.exec_module(memory)
libc = memory._glibc()
if libc is None:
    sys.exit(77)
memory.one_arena()
libc.malloc_stats()
begun = threading.Barrier(9)
def work():
    kept = [bytes(3000) for _ in range(100)]
    begun.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for one in threads:
    one.start()
begun.wait()
libc.malloc_stats()
"""


def test_threads_share_one_arena() -> None:
    command = [sys.executable, "-c", GROWN, str(memory.__file__)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode == 77:
        pytest.skip("this C library is not glibc")
    assert ran.returncode == 0
    before, after = ran.stderr.split("max mmap bytes")[:2]
    # what was imported may have begun threads of its own before
    assert after.count("Arena") == before.count("Arena") > 0
