"""A seeded grammar of captions in Chinese and English, from bare tags to two sentences of prose.

The text encoder learns from nothing else, so the grammar is broad rather than tidy: it must teach
the encoder to find the words that matter inside prose that it has never seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.atelier import words
from bench.errors import RequestError

LANGUAGES = ("zh", "en")

_SPACE = {"en": " ", "zh": ""}
_COMMA = {"en": ", ", "zh": "，"}
_STOP = {"en": ". ", "zh": "。"}

# How often a caption is, or has, what the name says
_TAG_SHARE = 0.2
_ARTICLE_SHARE = 0.7
_ADJECTIVE_SHARE = 0.55
_STRANGE_SHARE = 0.35
_ACTION_SHARE = 0.35
_OPENING_SHARE = 0.5
_MOOD_SHARE = 0.4
_MEDIUM_SHARE = 0.35
_PLAIN_FRAME_SHARE = 0.6
_CAPITAL_SHARE = 0.5


def caption(
    subjects: Sequence[str], tradition: str | None, language: str, rng: np.random.Generator
) -> str:
    """Write one caption.

    Args:
        subjects: what it mentions, out of `SUBJECTS`; may be empty.
        tradition: the tradition that it names, or None for none.
        language: "zh" or "en".
        rng: decides everything else.

    Raises:
        RequestError: on a language that the grammar does not have.
    """
    if language not in LANGUAGES:
        raise RequestError(f"no captions in {language!r}: choose from {', '.join(LANGUAGES)}")
    phrases = [_phrase(name, language, rng) for name in rng.permutation(list(subjects))]
    scene = _scene(phrases, language, rng)
    if tradition is not None:
        scene = _framed(scene, _name(tradition, language, rng), language, rng)
    elif rng.random() < _PLAIN_FRAME_SHARE:
        scene = _framed(scene, _pick(words.PLAIN_FRAMES, language, rng), language, rng)
    return _tidy(scene, rng)


def _pick(table: dict[str, str], language: str, rng: np.random.Generator) -> str:
    options = table[language].split("|")
    return options[int(rng.integers(len(options)))]


def _phrase(subject: str, language: str, rng: np.random.Generator) -> str:
    """One subject with a describing word or two."""
    noun = _pick(words.SUBJECT_WORDS[language], subject, rng)
    article = ""
    if language == "en" and rng.random() < _ARTICLE_SHARE:
        article = str(rng.choice(("a ", "the ", "an old ", "one ", "two ", "some ")))
    if rng.random() < _ADJECTIVE_SHARE:
        noun = _pick(words.ADJECTIVES, language, rng) + _SPACE[language] + noun
    return article + noun


def _scene(phrases: list[str], language: str, rng: np.random.Generator) -> str:
    """Join the phrases and let setting, mood and strange words come between."""
    comma = _COMMA[language]
    if rng.random() < _TAG_SHARE:
        extras = [_pick(words.SETTINGS, language, rng) for _ in range(int(rng.integers(0, 3)))]
        return comma.join(str(part) for part in rng.permutation([*phrases, *extras]))
    body = ""
    for phrase in phrases:
        if body:
            body += _pick(words.LINKS, language, rng)
        body += _dressed(phrase, language, rng)
    if rng.random() < _OPENING_SHARE:
        body = _pick(words.OPENINGS, language, rng) + _SPACE[language] + body
    if rng.random() < _OPENING_SHARE:
        body = _pick(words.SETTINGS, language, rng) + comma + body
    if rng.random() < _MOOD_SHARE:
        body += _STOP[language] + _pick(words.MOODS, language, rng)
    return body


def _dressed(phrase: str, language: str, rng: np.random.Generator) -> str:
    """Put strange words, an action or a setting about a subject."""
    space, comma = _SPACE[language], _COMMA[language]
    if rng.random() < _STRANGE_SHARE:
        phrase = strange_words(language, rng) + space + phrase
    if rng.random() < _STRANGE_SHARE:
        phrase += space + strange_words(language, rng)
    if rng.random() < _ACTION_SHARE:
        phrase += space + _pick(words.ACTIONS, language, rng)
    if rng.random() < _ACTION_SHARE:
        phrase += comma + _pick(words.SETTINGS, language, rng)
    if rng.random() < _STRANGE_SHARE:
        phrase += comma + strange_words(language, rng)
    return phrase


def _name(tradition: str, language: str, rng: np.random.Generator) -> str:
    """Name a tradition by a medium of its own or in a common frame."""
    if rng.random() < _MEDIUM_SHARE:
        return _pick(words.TRADITION_MEDIA[language], tradition, rng)
    name = _pick(words.TRADITION_NAMES[language], tradition, rng)
    return _pick(words.TRADITION_FRAMES, language, rng).format(name)


def _framed(scene: str, name: str, language: str, rng: np.random.Generator) -> str:
    """Put the name of a tradition, or of none, before the scene, after it, or in between."""
    return _pick(words.FRAMED_SCENES, language, rng).format(n=name, s=scene)


def strange_words(language: str, rng: np.random.Generator) -> str:
    """Draw words that mean nothing here, so that unknown prose becomes ordinary."""
    if language == "zh":
        rare = "".join(_HAN[i] for i in rng.integers(len(_HAN), size=int(rng.integers(0, 5))))
        common = rng.choice(_FILLERS["zh"], int(rng.integers(1, 5)))
        return "".join(rng.permutation([rare, *common]))
    syllables = rng.choice(_SYLLABLES, (int(rng.integers(0, 3)), 3))
    lengths = rng.integers(1, 4, len(syllables))
    rare_words = ["".join(row[:n]) for row, n in zip(syllables, lengths, strict=True)]
    common = rng.choice(_FILLERS["en"], int(rng.integers(1, 8)))
    return " ".join(rng.permutation([*rare_words, *common]))


def _tidy(text: str, rng: np.random.Generator) -> str:
    """Mend doubled stops, and begin half of the captions with a capital."""
    for awkward, better in (("。。", "。"), ("，，", "，"), ("..", "."), (". ,", ",")):
        text = text.replace(awkward, better)
    text = text.strip()
    return text[:1].upper() + text[1:] if rng.random() < _CAPITAL_SHARE else text


def _common_han() -> tuple[str, ...]:
    """The 3,755 most common characters (GB 2312, level 1), less those that name a subject or style."""
    named = set("".join("".join(table.values()) for table in _NAMING_TABLES))
    characters = (
        bytes((row, cell)).decode("gb2312", errors="ignore")
        for row in range(0xB0, 0xD8)
        for cell in range(0xA1, 0xFF)
    )
    return tuple(han for han in characters if han and han not in named)


_NAMING_TABLES = (
    words.SUBJECT_WORDS["zh"],
    words.TRADITION_NAMES["zh"],
    words.TRADITION_MEDIA["zh"],
)
_FILLERS = {"en": words.FILLERS["en"].split(), "zh": words.FILLERS["zh"].split("|")}
_HAN = _common_han()
_SYLLABLES = words.SYLLABLES.split()
