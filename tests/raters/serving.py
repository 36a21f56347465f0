"""A rating server in a process of its own, watched: every file that it opens is written down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

_SCRIPT = """
import os, sys
from pathlib import Path

study, port, opened = Path(sys.argv[1]), int(sys.argv[2]), os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
slow = float(sys.argv[4])

def watch(event, arguments):
    if event in {"open", "os.listdir", "os.scandir", "sqlite3.connect"} and isinstance(arguments[0], (str, bytes, os.PathLike)):
        name = os.fsdecode(arguments[0])
        if "sealed" in name:
            os.write(opened, (name + "\\n").encode())

sys.addaudithook(watch)
os.write(opened, b"watching\\n")

from raters.room import serve
import raters.room.api as api

if slow:
    import time
    kept = api.take
    def take(*arguments):
        acknowledged = kept(*arguments)
        print("stored, not committed", flush=True)
        time.sleep(slow)
        return acknowledged
    api.take = take

serve(study, port=port, on_ready=lambda: print("ready", flush=True))
"""


@dataclass
class Server:
    process: subprocess.Popen[str]
    address: str
    opened: Path

    def kill(self) -> None:
        """End the server as a power cut would: nothing is flushed, nothing is closed."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def wait_for(self, line: str, seconds: float = 180) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            said = self.process.stdout.readline() if self.process.stdout else ""
            if said.strip() == line:
                return
            if not said:
                break
        raise AssertionError(f"the server never said {line!r}")


def start_server(study: Path, port: int, *, slow: float = 0.0) -> Server:
    """Start a server for a study and wait until it answers.

    With `slow`, every answer rests that many seconds between being stored and being committed.
    """
    opened = study.parent / f"opened-{port}.txt"
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(study), str(port), str(opened), str(slow)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    server = Server(process, f"http://127.0.0.1:{port}", opened)
    server.wait_for("ready")
    return server
