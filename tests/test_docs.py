"""The documents keep to the command line, and those of both languages to each other."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.cli import COMMANDS, parser

ROOT = Path(__file__).parent.parent
LISTS = ("docs/commands.md", "docs/commands.zh.md")
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")


def commands_in(name: str) -> list[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"```\n(.*?)```", text, re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith(("pinlu ", "make "))]


def options_of(command: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, str]]:
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                yield from options_of(inner, f"{name} {word}")
        else:
            long = [option for option in action.option_strings if option.startswith("--")]
            yield from ((name, option) for option in long if option != "--help")


def test_both_readmes_keep_the_same_commands() -> None:
    english = commands_in("README.md")
    assert len(english) == 10
    assert commands_in("README.zh.md") == english


def test_both_lists_of_commands_keep_the_same_ones_and_the_same_options() -> None:
    english, chinese = LISTS
    assert len(commands_in(english)) == 3
    assert commands_in(chinese) == commands_in(english)
    told = [set(OPTION.findall((ROOT / name).read_text(encoding="utf-8"))) for name in LISTS]
    assert told[0] == told[1]


@pytest.mark.parametrize("name", LISTS)
def test_every_command_is_told(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not [command for command in COMMANDS if f"pinlu {command}" not in text]


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_readme_names_each_command_by_its_first_word_and_points_to_the_rest(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not [command for command in COMMANDS if f"pinlu {command.split()[0]}" not in text]
    assert f"(docs/commands{name.removeprefix('README')})" in text


@pytest.mark.parametrize("name", LISTS)
def test_every_option_is_told(name: str) -> None:
    told = set(OPTION.findall((ROOT / name).read_text(encoding="utf-8")))
    asked = list(options_of(parser(), "pinlu"))
    assert len(asked) > 100
    assert not [one for one in asked if one[1] not in told]


@pytest.mark.parametrize("name", ["README.md", "README.zh.md", "CONTRIBUTING.md", *LISTS])
def test_what_the_documents_point_to_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        there = (ROOT / name).parent / target
        assert target.startswith("http") or there.exists(), target
