"""The words of a page in one language: fixed texts, labels of ids, and reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.reading import read_yaml
from bench.records import REFERENCE
from leaderboard.board import Labels

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Words:
    """Texts and labels in one language."""

    language: str
    texts: Mapping[str, Any]
    labels: Labels = field(default_factory=dict)

    def say(self, key: str, **parts: str | int) -> str:
        """Return a fixed text with its {braces} filled in."""
        return str(self.texts[key]).format(**({"works": self.label(REFERENCE)} | parts))

    def join(self, sentences: Sequence[str]) -> str:
        """Return sentences one after the other; in Chinese no space parts them."""
        return ("" if self.language == "zh" else " ").join(sentences)

    def listed(self, things: Sequence[str]) -> str:
        """Return things one after the other, parted as the language parts them."""
        return ("、" if self.language == "zh" else ", ").join(things)

    def slice(self, name: str) -> str:
        """Return what is shown for a slice, "genre: landscape" for `genre=landscape`."""
        column, _, value = name.partition("=")
        known = self.texts.get(f"by_{column}")
        shown = self.tongue(value) if column in _OF_LANGUAGES else self.label(value)
        return self.pair(str(known or column), shown) if name else ""

    def tongue(self, code: str) -> str:
        """Return what the language of a code is called, as a reader of this language says it."""
        return str(self.texts["languages"].get(code, code))

    def pair(self, name: str, value: str) -> str:
        """Return "name: value" with the colon of the language."""
        return f"{name}：{value}" if self.language == "zh" else f"{name}: {value}"

    def clauses(self, parts: Sequence[str]) -> str:
        """Return clauses one after the other, parted by the language's semicolon."""
        return ("；" if self.language == "zh" else "; ").join(parts)

    def label(self, name: str) -> str:
        """Return what is shown for an id: the given label, our own word, or the id itself."""
        given = self.labels.get(name, {})
        if given:
            return given.get(self.language) or next(iter(given.values()))
        own = self.texts.get(name) if name in _OWN else None
        return str(own) if own else name

    def term(self, name: str) -> str:
        """Return what is shown for a criterion; an id without a label loses what joins its words."""
        shown = self.label(name)
        return shown.replace("_", " ").replace("-", " ") if shown == name else shown

    def tradition(self, name: str) -> str:
        """Return what is shown for a tradition or another label of manner.

        In English an id without a label gets a capital, as the adjective of a people has.
        """
        shown = self.term(name)
        return shown[:1].upper() + shown[1:] if shown == name else shown

    def reason(self, reason: str) -> str:
        """Return a reason in this language, clause by clause, the parts that vary as they are."""
        return str(self.texts["clauses"]).join(map(self._clause, reason.split("; ")))

    def _clause(self, clause: str) -> str:
        for known, said in self.texts["reasons"].items():
            if clause.startswith(known):
                rest = clause.removeprefix(known)
                colon = self.texts["colon"] if rest.startswith(": ") else ""
                return f"{said}{colon}{self._clause(rest.removeprefix(': '))}"
        return self._names(clause)

    def _names(self, listed: str) -> str:
        """Return names as the page calls them, where they are names that it knows."""
        names = listed.strip().split(", ")
        if not any(name in self.labels for name in names):
            return listed
        space = " " if self.language != "zh" and listed.startswith(" ") else ""
        return space + self.listed([self.label(name) for name in names])


_OF_LANGUAGES = {"language", "room_language"}
"""Columns that hold codes of languages."""

_OWN = {REFERENCE, "none", "other", "cannot_tell", "manner", "things"}
"""Ids that every study has, so that we have words for them."""


def words_in(language: str, labels: Labels | None = None) -> Words:
    """Return the words in English ("en") or Chinese ("zh")."""
    texts = read_yaml(Path(__file__).with_name("texts.yaml"))
    return Words(language, texts[language], labels or {})
