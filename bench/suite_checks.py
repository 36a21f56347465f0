"""What `pinlu suites check` holds a suite to, beyond its schema: one function per rule."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from bench.errors import FileFormatError
from bench.near_duplicates import near_duplicates
from bench.reading import FileModel, check, read_yaml
from bench.records import NEUTRAL
from bench.references import load_references
from bench.suites import Suite

MOST_ENGLISH_TOKENS = 70
"""What CLIP's text encoder takes is 77 with begin and end; some pipelines add a few of their own."""
MOST_HAN = 120
SLOT = "{tradition}"

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_LATIN = re.compile(r"[A-Za-z]")

WordLists = dict[str, tuple[str, ...]]


class _Told(NamedTuple):
    """A text that a model or a rater is told, where it stands, and whether it names no culture."""

    where: str
    neutral: bool
    language: str
    text: str


class LexiconFile(FileModel):
    """A `lexicon.yaml`: words by language that may not stand in some or in all prompts."""

    culture_marking: WordLists = Field(default_factory=dict)
    forbidden: WordLists = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check found: faults in sentences, and how many scenes each cell holds."""

    faults: tuple[str, ...]
    cells: Mapping[tuple[str, str], int]


def check_suite(suite: Suite) -> Checked:
    """Hold a loaded suite to every rule.

    Returns:
        One sentence per fault, naming scene, target and language; and the number of scenes by
        (stratum, genre).

    Raises:
        FileFormatError: `lexicon.yaml` or `versions.yaml` breaks its schema.
    """
    lexicon = _lexicon(suite.folder)
    texts = [*_texts(suite), *_captions(suite)]
    rules: Sequence[Callable[[], Iterator[str]]] = (
        lambda: _version(suite),
        lambda: _languages(suite),
        lambda: _scripts(texts),
        lambda: _lengths(texts),
        lambda: _words(texts, lexicon),
        lambda: _versions_match(suite),
        lambda: _propositions(suite),
        lambda: _duplicates(suite),
        lambda: _cells_are_filled(suite),
    )
    faults = [fault for rule in rules for fault in rule()]
    cells = Counter((scene.stratum, scene.genre) for scene in suite.scene_files)
    return Checked(tuple(faults), cells)


def record_version(suite: Suite) -> Path:
    """Enter the suite's version and content hash into its `versions.yaml`.

    Raises:
        FileFormatError: this version is there with another hash: raise it first.
    """
    path = suite.folder / "versions.yaml"
    known = _known_versions(suite.folder)
    if known.get(suite.version, suite.hash) != suite.hash:
        raise FileFormatError(
            f"{path}: version {suite.version} stands there with another content hash: raise "
            "`version` in suite.yaml first"
        )
    known[suite.version] = suite.hash
    text = "".join(f"{version}: {known[version]}\n" for version in sorted(known))
    path.write_text("# version: content hash. A text that changes raises the version.\n" + text)
    return path


def _known_versions(folder: Path) -> dict[int, str]:
    path = folder / "versions.yaml"
    content = read_yaml(path) if path.is_file() else {}
    if not isinstance(content, dict) or not all(
        isinstance(key, int) and isinstance(value, str) for key, value in content.items()
    ):
        raise FileFormatError(f"{path}: write VERSION: CONTENT-HASH, a line per version")
    return content


def _lexicon(folder: Path) -> LexiconFile:
    """Return the suite's own lexicon, else the one that lies beside the suites."""
    for path in (folder / "lexicon.yaml", folder.parent / "lexicon.yaml"):
        if path.is_file():
            return check(read_yaml(path), LexiconFile, path)
    return LexiconFile()


def _version(suite: Suite) -> Iterator[str]:
    known = _known_versions(suite.folder)
    if known and suite.version not in known:
        yield f"version {suite.version} is not in versions.yaml: enter it with --record"
    elif known and known[suite.version] != suite.hash:
        yield f"the content has changed since version {suite.version}: raise `version`"


def _languages(suite: Suite) -> Iterator[str]:
    wanted = sorted({language for prompt in suite.prompts.values() for language in prompt.text})
    for prompt in suite.prompts.values():
        for language in wanted:
            if language not in prompt.text:
                yield f"{prompt.id} has no text in {language!r}"


def _scripts(texts: Iterable[_Told]) -> Iterator[str]:
    for told in texts:
        if told.language == "en" and (found := _HAN.search(told.text)):
            yield f"{told.where}: the English holds {found[0]!r}"
        if told.language == "zh" and not _HAN.search(told.text):
            yield f"{told.where}: the Chinese holds no Han character"
        if told.language == "zh" and (found := _LATIN.search(told.text)):
            yield f"{told.where}: the Chinese holds {found[0]!r}"


def _lengths(texts: Iterable[_Told]) -> Iterator[str]:
    for told in texts:
        if told.language == "en" and (count := clip_tokens(told.text)) > MOST_ENGLISH_TOKENS:
            yield f"{told.where}: the English has {count} CLIP tokens, at most {MOST_ENGLISH_TOKENS}"
        if told.language == "zh" and (count := len(_HAN.findall(told.text))) > MOST_HAN:
            yield f"{told.where}: the Chinese has {count} characters, at most {MOST_HAN}"


def clip_tokens(text: str) -> int:
    """Return how many tokens CLIP's tokenizer makes of a text, without begin and end."""
    return len(_clip_tokenizer().encode(text))


@lru_cache(maxsize=1)
def _clip_tokenizer() -> Any:
    from instant_clip_tokenizer import Tokenizer  # noqa: PLC0415 - a second to load

    return Tokenizer()


def _words(texts: Iterable[_Told], lexicon: LexiconFile) -> Iterator[str]:
    for told in texts:
        if word := _first_word(told.text, lexicon.forbidden.get(told.language, ()), told.language):
            yield f"{told.where}: {word!r} may not stand in a prompt"
        if told.neutral:
            marking = lexicon.culture_marking.get(told.language, ())
            if word := _first_word(told.text, marking, told.language):
                yield f"{told.where}: {word!r} marks a culture, and this text names none"


def _first_word(text: str, words: tuple[str, ...], language: str) -> str:
    found = _word_pattern(words, language).search(text) if words else None
    return found[0] if found else ""


@lru_cache(maxsize=8)
def _word_pattern(words: tuple[str, ...], language: str) -> re.Pattern[str]:
    either = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    # Chinese writes no spaces: a word counts wherever it stands
    return re.compile(either if language == "zh" else rf"\b(?:{either})\b", re.IGNORECASE)


def _versions_match(suite: Suite) -> Iterator[str]:
    for scene in suite.scene_files:
        if len(scene.prompts) == 1:
            continue
        for language in sorted(
            {language for texts in scene.prompts.values() for language in texts}
        ):
            texts = {
                target: texts[language]
                for target, texts in scene.prompts.items()
                if language in texts
            }
            core = scene.core.get(language, "")
            rule = _differs_from_core(core, texts) if core else _differs_too_much(texts, language)
            yield from (f"{scene.id}/{target}, {language}: {fault}" for target, fault in rule)


def _differs_from_core(core: str, texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if core.count(SLOT) != 1:
        yield "core", f"the core must hold {SLOT} once"
        return
    before, after = core.split(SLOT)
    for target, text in texts.items():
        fits = text.startswith(before) and text.endswith(after)
        if not fits or len(text) <= len(before) + len(after):
            yield target, f"the text is not the core with a phrase in place of {SLOT}"


def _differs_too_much(texts: Mapping[str, str], language: str) -> Iterator[tuple[str, str]]:
    """Without a core: against the neutral version, only one place may differ, by a few words."""
    neutral = texts.get(NEUTRAL, "")
    for target, text in texts.items() if neutral else ():
        here, there = (list(one) if language == "zh" else one.split() for one in (text, neutral))
        changed = [
            (end - start, other_end - other_start)
            for kind, start, end, other_start, other_end in difflib.SequenceMatcher(
                None, here, there, autojunk=False
            ).get_opcodes()
            if kind != "equal"
        ]
        if sum(max(sizes) for sizes in changed) > 8 or len(changed) > 3:
            yield target, f"the text differs from the {NEUTRAL} version in more than the tradition"


def _propositions(suite: Suite) -> Iterator[str]:
    for scene in suite.scene_files:
        for target, texts in scene.prompts.items():
            for proposition in scene.propositions:
                for language, phrase in proposition.items():
                    if phrase.lower() not in texts.get(language, "").lower():
                        yield f"{scene.id}/{target}, {language}: {phrase!r} is not in the text"


def _duplicates(suite: Suite) -> Iterator[str]:
    for language in suite.languages:
        texts = {}
        for scene in suite.scene_files:
            text = scene.core.get(language) or scene.prompts.get(
                NEUTRAL, next(iter(scene.prompts.values()))
            ).get(language, "")
            texts[scene.id] = text.replace(SLOT, "")
        for first, second, share in near_duplicates(texts):
            yield f"{first} and {second}, {language}: {share:.0%} of their text is the same"


def _cells_are_filled(suite: Suite) -> Iterator[str]:
    genres = Counter(scene.genre for scene in suite.scene_files)
    for genre, count in sorted(genres.items()):
        if count < suite.least_per_genre:
            yield f"genre {genre!r} has {count} scenes, at least {suite.least_per_genre}"


def _texts(suite: Suite) -> Iterator[_Told]:
    for prompt in suite.prompts.values():
        for language, text in prompt.text.items():
            yield _Told(prompt.id, prompt.target == NEUTRAL, language, text)


def _captions(suite: Suite) -> Iterator[_Told]:
    """A reference's caption is held to what a prompt without a tradition is held to."""
    if (suite.folder / "references.yaml").is_file():
        listed = load_references(suite)
        for work in (*listed.references, *listed.commissioned, *listed.clips):
            for language, text in work.caption.items():
                yield _Told(
                    f"references.yaml, {work.id}", neutral=True, language=language, text=text
                )
