"""The rules of the house: who may import whom, and what must stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {"torch", "diffusers", "transformers"}
MAY_IMPORT_HEAVY = {
    "bench/probing/embeddings.py",
    "bench/engine.py",
    "bench/fast.py",
    "bench/context_parallel.py",
    "bench/device.py",
    "bench/device_maps.py",
    "bench/flops.py",
    "bench/kinds.py",
    "bench/generate.py",
    "bench/pipelines.py",
    "bench/placing.py",
    "bench/rank.py",
    "bench/profiling.py",
    "bench/run.py",
    "bench/steps.py",
    "bench/transfer.py",
    "bench/understanding/reader.py",
    "bench/shapes.py",
}
MAY_IMPORT_GRADIO = {"leaderboard/serve.py"}
"""Beside the rooms; nobody in its own package imports it, so that scoring stays light."""
JOINERS = {
    "bench/checking.py",
    "bench/demo.py",
    "bench/demo_understanding.py",
    "bench/overview.py",
    "bench/reporting.py",
    "bench/scoring.py",
}
"""Beside `bench/commands/`, whose functions import what they need; both demos have a study rated."""


def imports(file: Path) -> set[str]:
    """Every module that a file imports, anywhere in it, as dotted names."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("file", files("raters") + files("leaderboard"), ids=str)
def test_raters_and_leaderboard_take_nouns_from_bench_and_nothing_from_each_other(
    file: Path,
) -> None:
    own = file.relative_to(ROOT).parts[0]
    other = {"raters": "leaderboard", "leaderboard": "raters"}[own]
    nouns = {"records", "errors", "reading", "rubrics", "files", "progress", "media", "precision"}
    if own == "raters":
        nouns |= {"suites", "manifest", "clips"}
    for module in imports(file):
        top, *rest = module.split(".")
        assert top != other, f"{file} imports {module}"
        assert top not in HEAVY, f"{file} imports {module}"
        if top == "bench" and rest:
            assert rest[0] in nouns, f"{file} imports {module}"
        if top == "gradio":
            name = file.relative_to(ROOT).as_posix()
            room = {"room", "organiser"} & set(file.relative_to(ROOT).parts)
            assert room or name in MAY_IMPORT_GRADIO, f"{file} imports gradio"
        if own == "leaderboard":
            assert module != "leaderboard.serve", f"{file} would bring in gradio"


@pytest.mark.parametrize("file", files("bench"), ids=str)
def test_bench_is_joined_to_the_others_in_few_files_and_torch_stays_with_generation(
    file: Path,
) -> None:
    name = file.relative_to(ROOT).as_posix()
    tops = {module.split(".")[0] for module in imports(file)}
    if name not in JOINERS and not name.startswith("bench/commands/"):
        assert not tops & {"raters", "leaderboard"}
    if name not in MAY_IMPORT_HEAVY and not name.startswith("bench/atelier/"):
        assert not tops & HEAVY
    assert "gradio" not in tops


@pytest.mark.parametrize(
    "module",
    ["leaderboard.scoring", "leaderboard.site", "raters.export", "bench.cli", "bench.join"],
)
def test_importing_does_not_load_torch(module: str) -> None:
    script = f"import sys, {module}; sys.exit('torch' in sys.modules or 'gradio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys\nfrom bench.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "sys.exit(any(name in sys.modules for name in "
        "('torch', 'numpy', 'pandas', 'pydantic', 'yaml', 'gradio', 'sqlalchemy')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0


def test_every_dependency_has_a_reason() -> None:
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    listed = [line for line in lines if line.startswith('    "') and line.rstrip().endswith('",')]
    assert not [
        line
        for line in listed
        if "[" not in line and "::" not in line and "error" not in line and "ignore" not in line
    ]
