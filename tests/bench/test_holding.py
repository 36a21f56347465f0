"""One process at a time works on a run, whichever host it is on and whatever its clock says."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench import holding
from bench.errors import ConflictError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "BEAT", 0.1)
    monkeypatch.setattr(holding, "PATIENCE", 1.0)


def elsewhere(state: Path, beat: int = 0, **more: Any) -> None:
    """Write what a holder on another host writes, whose clock is an hour ahead."""
    ahead = datetime.now(UTC) + timedelta(hours=1)
    content = {"host": "node-7", "boot": "other", "pid": 4711, "since": ahead.isoformat()}
    path = state / ".holder.elsewhere"
    path.write_text(json.dumps({**content, "token": "theirs", "beat": beat} | more))
    path.replace(state / "holder.json")


def test_the_second_process_is_told_who_holds_the_run(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from bench.holding import held\n"
        "with held(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    first = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert first.stdout is not None
    assert first.stdout.readline() == b"held\n"
    with pytest.raises(ConflictError) as refused, holding.held(tmp_path):
        pass
    assert re.search(rf"another process \({first.pid} on \S+, since 20\S+\) is", str(refused.value))
    first.kill()
    first.communicate()
    with holding.held(tmp_path):  # the dead hold nothing
        assert holding.holder(tmp_path) is not None
    assert holding.holder(tmp_path) is None


def test_a_holder_on_another_host_that_beats_is_alive_whatever_its_clock_says(
    tmp_path: Path,
) -> None:
    elsewhere(tmp_path)
    stop = threading.Event()

    def beat() -> None:
        number = 0
        while not stop.wait(0.1):
            number += 1
            elsewhere(tmp_path, number)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(ConflictError, match="4711 on node-7"), holding.held(tmp_path):
            pass
    finally:
        stop.set()
        thread.join()
    began = time.monotonic()
    with holding.held(tmp_path) as token:  # its beat stands still
        assert time.monotonic() - began >= holding.PATIENCE
        assert (holding.holder(tmp_path) or {})["token"] == token


def test_who_was_taken_for_dead_stops_when_it_comes_back(tmp_path: Path) -> None:
    def held_up() -> None:
        with holding.held(tmp_path):
            elsewhere(tmp_path)
            time.sleep(5)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            held_up()
    finally:
        signal.signal(signal.SIGINT, before)
    assert (holding.holder(tmp_path) or {})["token"] == "theirs"  # noqa: S105


def test_it_stops_too_where_ctrl_c_is_ignored(tmp_path: Path) -> None:
    script = (
        "import signal, sys, time\nfrom pathlib import Path\nfrom bench import holding\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "with holding.held(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        elsewhere(tmp_path)
        _, said = process.communicate(timeout=30)
    assert process.returncode == holding.HELD_BY_ANOTHER
    assert "4711 on node-7" in said


def test_a_worker_follows_its_holder_and_nobody_else(tmp_path: Path) -> None:
    with holding.held(tmp_path) as token:
        thread = threading.Thread(target=holding.follow, args=(tmp_path, token))
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
    thread.join(2)
    assert not thread.is_alive()
    elsewhere(tmp_path)
    holding.follow(tmp_path, token)  # another's run: at once
    holding.follow(tmp_path, "theirs", patience=0.3)  # a beat that stands still


def test_a_holder_that_cannot_be_read_for_a_moment_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "BEAT", 0.05)
    with holding.held(tmp_path) as token:
        whole, asked = holding.holder, []

        def stale(state: Path) -> Any:
            asked.append(state)
            return None if len(asked) < 5 else whole(state)

        monkeypatch.setattr(holding, "holder", stale)
        thread = threading.Thread(target=holding.follow, args=(tmp_path, token))
        thread.start()
        while len(asked) < 8:
            assert thread.is_alive()
            time.sleep(0.02)
    thread.join(5)
    assert not thread.is_alive()


def test_a_file_system_without_locks_is_held_by_the_beat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: Any) -> None:
        raise OSError(holding.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(holding.fcntl, "flock", no_locks)
    with (
        holding.held(tmp_path),
        pytest.raises(ConflictError, match="is working on"),
        holding.held(tmp_path),
    ):
        pass
