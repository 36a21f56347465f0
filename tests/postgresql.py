"""Find a PostgreSQL for the tests and start one; run as a script, install it where there is none.

As Chromium, it comes from the distribution's packages, and only root can install those. What is
started keeps its files in a folder of its own and listens on a socket there, not on the network.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg


@dataclass
class Server:
    """A running PostgreSQL: its socket's folder, and its superuser."""

    socket: Path
    user: str

    def url(self, database: str) -> str:
        return f"postgresql://{self.user}@/{database}?host={quote(str(self.socket))}"

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


def programs() -> Path | None:
    """The folder of `initdb` and `postgres`, or None: tests that need them then skip, saying so."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    return installed[-1].parent if installed else None


def owner() -> str | None:
    """The account that the server runs under: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """Start a server in `folder`, which must be short enough for a socket's path; end it after."""
    where, account = programs(), owner()
    if where is None:
        raise RuntimeError("there is no PostgreSQL here")
    data = folder / "data"
    if account:
        shutil.chown(folder, account)
    user = account or pwd.getpwuid(os.geteuid()).pw_name

    def do(*command: str | Path) -> None:
        subprocess.run(command, check=True, capture_output=True, user=account, cwd=folder)

    encoding = ("--auth=trust", "-E", "UTF8", "--locale=C")
    do(where / "initdb", "-D", data, "-U", user, *encoding)
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}'"
    control = (where / "pg_ctl", "-D", data, "-w", "-l", folder / "log")
    do(*control, "-o", options, "start")
    try:
        yield Server(folder, user)
    finally:
        do(*control, "-m", "immediate", "stop")


def install() -> None:
    """Install PostgreSQL as root by apt."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=False, env=quiet)  # noqa: S607
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "postgresql"]
        subprocess.run(command, check=False, env=quiet, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    if not programs():
        install()
    if not programs():
        sys.stderr.write("no PostgreSQL: the store is tested on SQLite alone\n")
