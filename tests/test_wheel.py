"""The wheel builds, installs and runs outside the checkout, data included."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_wheel_works_outside_the_checkout(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    wheel = next(tmp_path.glob("pinlu-*.whl"))
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", str(site), str(wheel)], check=True, capture_output=True)
    environment = os.environ | {"PYTHONPATH": str(site)}

    def pinlu(*arguments: str) -> str:
        command = [sys.executable, "-m", "bench", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    where = [sys.executable, "-c", "import bench; print(bench.__file__)"]
    found = subprocess.run(
        where, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.startswith(str(site))
    assert "first-look: good" in pinlu("suites", "check")
    assert "atelier-west" in pinlu("models")
    dry = ["--suite", "first-look", "--models", "atelier-west", "--languages", "zh,en"]
    assert "128 jobs" in pinlu("generate", *dry, "--out", "run", "--dry-run")
