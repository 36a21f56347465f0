"""Find a Chromium for the tests; run as a script, install one where there is none.

The distribution's is taken where there is one to install, else Playwright's own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""How Chromium is started: it asks nothing of the network on its own."""


def chromium() -> str | None:
    """The path of a Chromium, or None: the tests that need it then skip, saying so."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    own = sorted(Path.home().glob(".cache/ms-playwright/chromium-*/*/chrome"))
    return str(own[-1]) if own else None


def install() -> None:
    """Install Chromium and CJK fonts as root by apt, else Playwright's own browser."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=False, env=quiet)  # noqa: S607
        packages = ["chromium", "fonts-noto-cjk"]
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
        subprocess.run(command, check=False, env=quiet, stdout=subprocess.DEVNULL)
    if not chromium():
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


if __name__ == "__main__":
    if not chromium():
        install()
    if not chromium():
        sys.exit(
            "no Chromium: install the package `chromium` (or run "
            "`.venv/bin/playwright install chromium`), then run this again"
        )
