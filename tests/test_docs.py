"""The documents keep to the command line, and the two READMEs to each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.cli import COMMANDS

ROOT = Path(__file__).parent.parent


def commands_in(name: str) -> list[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"```\n(.*?)```", text, re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith(("pinlu ", "make "))]


def test_both_readmes_keep_the_same_commands() -> None:
    english = commands_in("README.md")
    assert len(english) == 11
    assert commands_in("README.zh.md") == english


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_every_command_is_in_the_readme(name: str) -> None:
    readme = (ROOT / name).read_text(encoding="utf-8")
    assert not [command for command in COMMANDS if f"pinlu {command}" not in readme]


@pytest.mark.parametrize("name", ["README.md", "README.zh.md", "CONTRIBUTING.md"])
def test_what_the_documents_point_to_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (ROOT / target).exists(), target
