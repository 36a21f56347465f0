"""Rules for a single text that a model or a rater is told: its script, its length, its words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from bench.reading import ROOT, FileModel, check, read_yaml

MOST_ENGLISH_TOKENS = 70
"""What CLIP's text encoder takes is 77 with begin and end; some pipelines add a few of their own."""
MOST_HAN = 120

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_LATIN = re.compile(r"[A-Za-z]")


class Told(NamedTuple):
    """A text that a model or a rater is told, where it stands, and whether it names no culture."""

    where: str
    neutral: bool
    language: str
    text: str


class LexiconFile(FileModel):
    """A `lexicon.yaml`: words by language that may not stand in some or in all prompts."""

    culture_marking: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    forbidden: dict[str, tuple[str, ...]] = Field(default_factory=dict)


def lexicon_path(folder: Path) -> Path:
    """Return the suite's own lexicon, else the one beside the suites, else the shipped one."""
    shipped = ROOT / "prompts" / "lexicon.yaml"
    beside = (folder / "lexicon.yaml", folder.resolve().parent / "lexicon.yaml")
    return next((path for path in beside if path.is_file()), shipped)


def read_lexicon(path: Path) -> LexiconFile:
    """Return a lexicon.

    Raises:
        FileFormatError: it breaks the schema.
    """
    return check(read_yaml(path), LexiconFile, path)


def scripts(texts: Iterable[Told]) -> Iterator[str]:
    """Yield a fault per text that is not in its language's script, or mixes two."""
    for told in texts:
        if told.language == "en" and (found := HAN.search(told.text)):
            yield f"{told.where}: the English holds {found[0]!r}"
        if told.language == "zh" and not HAN.search(told.text):
            yield f"{told.where}: the Chinese holds no Han character"
        if told.language == "zh" and (found := _LATIN.search(told.text)):
            yield f"{told.where}: the Chinese holds {found[0]!r}"


def lengths(texts: Iterable[Told]) -> Iterator[str]:
    """Yield a fault per text that an encoder would cut."""
    for told in texts:
        if told.language == "en" and (count := clip_tokens(told.text)) > MOST_ENGLISH_TOKENS:
            yield f"{told.where}: the English has {count} CLIP tokens, at most {MOST_ENGLISH_TOKENS}"
        if told.language == "zh" and (count := len(HAN.findall(told.text))) > MOST_HAN:
            yield f"{told.where}: the Chinese has {count} characters, at most {MOST_HAN}"


def words(texts: Iterable[Told], lexicon: LexiconFile) -> Iterator[str]:
    """Yield a fault per text with a forbidden word, or a culture's word where none is to be named."""
    for told in texts:
        if word := _first_word(told.text, lexicon.forbidden.get(told.language, ()), told.language):
            yield f"{told.where}: {word!r} may not stand in a prompt"
        if told.neutral:
            marking = lexicon.culture_marking.get(told.language, ())
            if word := _first_word(told.text, marking, told.language):
                yield f"{told.where}: {word!r} marks a culture, and this text names none"


def clip_tokens(text: str) -> int:
    """Return how many tokens CLIP's tokenizer makes of a text, without begin and end."""
    return len(_clip_tokenizer().encode(text))


@lru_cache(maxsize=1)
def _clip_tokenizer() -> Any:
    from instant_clip_tokenizer import Tokenizer  # noqa: PLC0415 - a second to load

    return Tokenizer()


def _first_word(text: str, listed: tuple[str, ...], language: str) -> str:
    found = _word_pattern(listed, language).search(text) if listed else None
    return found[0] if found else ""


@lru_cache(maxsize=8)
def _word_pattern(listed: tuple[str, ...], language: str) -> re.Pattern[str]:
    either = "|".join(re.escape(word) for word in sorted(listed, key=len, reverse=True))
    # Chinese writes no spaces: a word counts wherever it stands
    return re.compile(either if language == "zh" else rf"\b(?:{either})\b", re.IGNORECASE)
