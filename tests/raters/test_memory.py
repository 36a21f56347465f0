"""What the server needs no more goes back to the system, where the system's library can do that."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from types import SimpleNamespace

import pytest

from raters.room import memory


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
