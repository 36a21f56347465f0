"""The rating server as an account that cannot read what is sealed: a whole study goes through it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from raters.study import invite, status
from tests.raters.browsing import free_port
from tests.raters.serving import ROOT
from tests.raters.test_room import OURS, PAYLOADS

NOBODY = 65534

SCRIPT = """
import os, pathlib, sys
from raters.room.app import create_app
from raters.room.serving import serve_app
import encodings.idna, uvicorn.lifespan.on, uvicorn.protocols.http.auto  # found while root still reads

study, port, account = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
app = create_app(pathlib.Path(study))
for path in [study, *map(str, pathlib.Path(study).rglob("*"))]:
    if "/sealed" not in path:
        os.chown(path, account, account)
os.setgroups([]), os.setgid(account), os.setuid(account)
for name in ("", "/key.jsonl", "/sources.yaml", "/summary.yaml"):
    try:
        open(study + "/sealed" + name) if name else os.listdir(study + "/sealed")
    except PermissionError:
        continue
    sys.exit("could read sealed" + name)
print("cannot read what is sealed", flush=True)
serve_app(app, host="127.0.0.1", port=port, on_ready=lambda: print("ready", flush=True))
"""

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can start a server under another account"
)


@contextmanager
def served(study: Path) -> Iterator[str]:
    """Start the server as root, who lets go of all rights before it serves; give its address."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(study), str(port), str(NOBODY)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        said = [process.stdout.readline().strip() for _ in range(2)]
        assert said == ["cannot read what is sealed", "ready"]
        owners = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        assert f"Uid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}" in owners
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture
def open_study_folder(template: Path) -> Iterator[Path]:
    """A study where other accounts may come: pytest's own folders are closed to them."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield shutil.copytree(template, Path(folder) / "study")


def test_a_rater_goes_through_a_study_whose_server_cannot_open_the_key(
    open_study_folder: Path, tmp_path: Path
) -> None:
    study = open_study_folder
    # the organiser's part is done by the account that owns what is sealed
    (link,) = invite(study, 1, base_url="")
    kept = shutil.copytree(study / "sealed", tmp_path / "sealed-before")
    with served(study) as address, httpx.Client(base_url=address, headers=OURS) as client:
        assert client.post(link, data={"consent": "yes"}).status_code == 303
        token = client.get("/room/setup").json()["token"]
        state = client.get("/room/state").json()
        number = 0
        while state["assignment"]:
            for one in state["stimuli"]:
                assert client.get(f"/media/{one['id']}").status_code == 200
            number += 1
            answer = client.post(
                "/room/respond",
                headers={"x-room-token": token},
                json={
                    "assignment": state["assignment"],
                    "event_id": f"00000000-0000-0000-0000-{number:012}",
                    "phase": state["phase"],
                    "payload": PAYLOADS[state["phase"]],
                    "language": "zh",
                    "client_time": "2026-01-01T00:00:00Z",
                },
            )
            assert answer.status_code == 200, answer.text
            state = answer.json()["state"]
        assert state["receipt"]
    assert status(study)["raters"][0]["finished_at"]
    for file in kept.iterdir():
        assert (study / "sealed" / file.name).read_bytes() == file.read_bytes()
