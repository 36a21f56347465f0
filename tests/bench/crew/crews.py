"""What the tests of several workers share: a small run, its pixels, and who kills."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import manifest
from bench.request import Request
from tests.conftest import suite_content, write_yaml

SMALL = {"num_inference_steps": 1, "height": 32, "width": 32}


def asked(folder: Path, *models: Path, scenes: int = 4, **more: Any) -> Request:
    fields: dict[str, Any] = {
        "suite": str(write_yaml(folder / "tiny.yaml", suite_content(scenes))),
        "models": tuple(map(str, models)),
        "languages": ("zh", "en"),
        "seeds": (0, 1),
        "arguments": SMALL,
        "batch_size": 3,
    }
    return Request(**fields | more)


def pixels_of(run: Path) -> dict[str, str]:
    rows = manifest.read_outputs(run)
    assert len({row["key"] for row in rows}) == len(rows)
    return {row["key"]: row["pixel_sha256"] for row in rows}


def left_over(run: Path) -> list[str]:
    """What workers left of parts and temporary files."""
    state = run / manifest.STATE
    return [file.name for place in ("parts", "tmp") for file in (state / place).glob("*")]


def pids_of(run: Path) -> dict[str, int]:
    """The process ids of the workers that have opened their parts, by name."""
    found = {}
    for path in (run / manifest.STATE / "parts").glob("*.jsonl"):
        rows = [row["here"] for row in rows_of(path) if "here" in row]
        if rows:
            found[path.stem] = rows[-1]["pid"]
    return found


def rows_of(part: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in part.read_bytes().split(b"\n")[:-1]]
    except FileNotFoundError:  # it was gathered just now
        return []


def start(request: Request, run: Path, *options: str) -> subprocess.Popen[str]:
    """Start the same work from the command line."""
    command = [sys.executable, "-m", "bench", "generate", "--suite", request.suite]
    command += ["--models", ",".join(request.models), "--languages", ",".join(request.languages)]
    command += ["--seeds", "0-1", "--batch-size", str(request.batch_size), "--out", str(run)]
    for name, value in (request.arguments or {}).items():
        command += ["--set", f"{name}={value}"]
    pipe = subprocess.PIPE
    # a test run in the background ignores Ctrl-C, and its children would too
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen([*command, *options], stdout=pipe, stderr=pipe, text=True)
    finally:
        signal.signal(signal.SIGINT, before)


def begun(run: Path, name: str) -> list[int]:
    """The batches that a worker has begun, in order."""
    path = run / manifest.STATE / "parts" / f"{name}.jsonl"
    return [row["begun"] for row in rows_of(path) if "begun" in row]


@contextmanager
def meanwhile(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Do something beside what is tested, until that has ended."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def killer(run: Path, doomed: Callable[[list[int]], bool], most: int) -> Any:
    """Kill workers, each once, when `doomed` says so of the batches it has begun."""

    def kill(stop: threading.Event) -> None:
        dead: set[str] = set()
        while not stop.wait(0.005) and len(dead) < most:
            for name, pid in pids_of(run).items():
                if name not in dead and doomed(begun(run, name)):
                    os.kill(pid, signal.SIGKILL)
                    dead.add(name)

    return kill


def fill_a_disk(run: Path, stop: threading.Event) -> None:
    """Have one worker find that nothing beyond 600 bytes can be written."""
    while not stop.wait(0.005):
        for pid in pids_of(run).values():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (600, 600))
            return


def wait_for(what: Callable[[], Any], seconds: float = 300) -> Any:
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return found
