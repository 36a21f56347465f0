"""What `pinlu suites check` holds a suite to, beyond its schema: one function per rule."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.near_duplicates import near_duplicates
from bench.question_checks import question_faults
from bench.records import NEUTRAL
from bench.references import load_references
from bench.suite_texts import Told, lengths, lexicon_path, read_lexicon, scripts, words
from bench.suite_versions import version_faults
from bench.suites import SceneFile, Suite, Text

SLOT = "{tradition}"
MOST_PHRASE: Mapping[str, int] = {"en": 12, "zh": 24}
"""What may stand for the slot, in words (Chinese: in characters): a tradition, and no content.

The longest of the shipped suites have 9 words and 20 characters.
"""
MOST_CHANGED: Mapping[str, int] = {"en": 6, "zh": 10}
"""By how much a version may differ from the one that names no tradition, counted likewise.

The most in the shipped suites is 5 words and 9 characters.
"""
MOST_PLACES = 3


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check found: faults in sentences, and how many scenes each class holds."""

    faults: tuple[str, ...]
    counts: Mapping[tuple[str, str], int]


def check_suite(suite: Suite) -> Checked:
    """Hold a loaded suite to every rule.

    Returns:
        One sentence per fault, naming scene, target and language; and the number of scenes by
        (stratum, genre), to be read: no rule is set on them but `least_per_genre`.

    Raises:
        FileFormatError: `lexicon.yaml`, `references.yaml` or `versions.yaml` breaks its schema.
    """
    lexicon = read_lexicon(lexicon_path(suite.folder))
    texts = [*_texts(suite), *_captions(suite)]
    asked: Sequence[Callable[[], Iterator[str]]] = (
        lambda: version_faults(suite),
        lambda: _languages(suite),
        lambda: scripts(texts),
        # a forced choice names the traditions
        lambda: words([told for told in texts if told.where not in _choices(suite)], lexicon),
        lambda: _notes(suite),
        lambda: _duplicates(suite),
        lambda: question_faults(suite),
    )
    rules: Sequence[Callable[[], Iterator[str]]] = (
        lambda: version_faults(suite),
        lambda: _languages(suite),
        lambda: scripts(texts),
        lambda: lengths(texts),
        lambda: words(texts, lexicon),
        lambda: _classes(suite),
        lambda: _versions_match(suite),
        lambda: _propositions(suite),
        lambda: _notes(suite),
        lambda: _references(suite),
        lambda: _duplicates(suite),
        lambda: _genres_are_filled(suite),
    )
    faults = [fault for rule in (asked if suite.questions else rules) for fault in rule()]
    counts = Counter((scene.stratum, scene.genre) for scene in suite.scene_files)
    return Checked(tuple(faults), counts)


def _choices(suite: Suite) -> set[str]:
    return {f"{question.id}/{NEUTRAL}" for question in suite.questions if question.choices}


def _languages(suite: Suite) -> Iterator[str]:
    """A language is either everyone's or told once, by where it strays in or is missing."""
    prompts = list(suite.prompts.values())
    for language in sorted({language for prompt in prompts for language in prompt.text}):
        there = [prompt.id for prompt in prompts if language in prompt.text]
        if 2 * len(there) < len(prompts):
            more = f" and {len(there) - 1} more" if len(there) > 1 else ""
            yield f"{there[0]}{more}: the other prompts have no text in {language!r}"
            continue
        for prompt in prompts:
            if language not in prompt.text:
                yield f"{prompt.id} has no text in {language!r}"


def _wanted(suite: Suite) -> list[str]:
    """The suite's languages: those of at least half its prompts, so that a stray one is told once."""
    counts = Counter(language for prompt in suite.prompts.values() for language in prompt.text)
    return sorted(language for language, n in counts.items() if 2 * n >= len(suite.prompts))


def _missing(text: Text, wanted: list[str]) -> str:
    """Say in which of the wanted languages a text is missing or empty, "" where in none."""
    lacks = [repr(language) for language in wanted if not text.get(language, "").strip()]
    return f"no text in {' and '.join(lacks)}" if lacks else ""


def _classes(suite: Suite) -> Iterator[str]:
    for scene in suite.scene_files:
        for key in ("stratum", "diagnosticity"):
            if not getattr(scene, key):
                yield f"{scene.id} has no {key}"


def _versions_match(suite: Suite) -> Iterator[str]:
    for scene in suite.scene_files:
        if len(scene.prompts) == 1:
            continue
        if NEUTRAL not in scene.prompts:
            yield f"{scene.id} has versions but no {NEUTRAL}"
        for language in sorted(
            {language for texts in scene.prompts.values() for language in texts}
        ):
            texts = {
                target: texts[language]
                for target, texts in scene.prompts.items()
                if language in texts
            }
            core = scene.core.get(language, "")
            rule = (
                _differs_from_core(core, texts, language)
                if core
                else _differs_too_much(texts, language)
            )
            yield from (f"{scene.id}/{target}, {language}: {fault}" for target, fault in rule)


def _differs_from_core(
    core: str, texts: Mapping[str, str], language: str
) -> Iterator[tuple[str, str]]:
    if core.count(SLOT) != 1:
        yield "core", f"the core must hold {SLOT} once"
        return
    before, after = core.split(SLOT)
    phrases = {}
    for target, text in texts.items():
        fits = text.startswith(before) and text.endswith(after)
        phrase = text[len(before) : len(text) - len(after)].strip()
        if not fits or not phrase:
            yield target, f"the text is not the core with a phrase in place of {SLOT}"
            continue
        phrases[target] = phrase
        size, most = len(_units(phrase, language)), _most(MOST_PHRASE, language)
        if size > most:
            said = f"{size} {_unit(language)}, at most {most}"
            yield target, f"the phrase in place of {SLOT} has {said}"
    yield from _differs_too_much(phrases, language)


def _differs_too_much(texts: Mapping[str, str], language: str) -> Iterator[tuple[str, str]]:
    """Against the neutral version only few places may differ, by a few words."""
    neutral = texts.get(NEUTRAL, "")
    most = _most(MOST_CHANGED, language)
    for target, text in texts.items() if neutral else ():
        changed = [
            max(end - start, other_end - other_start)
            for kind, start, end, other_start, other_end in difflib.SequenceMatcher(
                None, _units(text, language), _units(neutral, language), autojunk=False
            ).get_opcodes()
            if kind != "equal"
        ]
        fault = f"the text differs from the {NEUTRAL} version "
        if sum(changed) > most:
            yield target, f"{fault}by {sum(changed)} {_unit(language)}, at most {most}"
        if len(changed) > MOST_PLACES:
            yield target, f"{fault}in {len(changed)} places, at most {MOST_PLACES}"


def _units(text: str, language: str) -> list[str]:
    return list(text) if language == "zh" else text.split()


def _unit(language: str) -> str:
    return "characters" if language == "zh" else "words"


def _most(limits: Mapping[str, int], language: str) -> int:
    return limits.get(language, limits["en"])


def _propositions(suite: Suite) -> Iterator[str]:
    wanted = _wanted(suite)
    for scene in suite.scene_files:
        for number, proposition in enumerate(scene.propositions, start=1):
            if lacks := _missing(proposition, wanted):
                yield f"{scene.id}: proposition {number} has {lacks}"
            for target, texts in scene.prompts.items():
                for language, phrase in proposition.items():
                    if language not in texts:
                        continue
                    if phrase.lower() not in texts[language].lower():
                        yield f"{scene.id}/{target}, {language}: {phrase!r} is not in the text"
        yield from _strangers(scene, "a proposition", scene.propositions)


def _notes(suite: Suite) -> Iterator[str]:
    """Notes are what a rater reads: in every language, or in none."""
    wanted = _wanted(suite)
    for scene in suite.scene_files:
        if scene.notes and (lacks := _missing(scene.notes, wanted)):
            yield f"{scene.id}: the notes have {lacks}"
        yield from _strangers(scene, "notes", [scene.notes])


def _strangers(scene: SceneFile, what: str, texts: Sequence[Text]) -> Iterator[str]:
    known = {language for prompt in scene.prompts.values() for language in prompt}
    for language in sorted({language for text in texts for language in text} - known):
        yield f"{scene.id} has {what} in {language!r} and no prompt"


def _references(suite: Suite) -> Iterator[str]:
    """A work has a title in every language, a caption in every language or in none; a foil works."""
    if not (suite.folder / "references.yaml").is_file():
        return
    wanted = _wanted(suite)
    listed = load_references(suite)
    for foil in listed.foils:
        if not any(work.tradition == foil for work in listed.works):
            yield f"references.yaml: the foil {foil!r} has no work"
    for work in listed.works:
        if lacks := _missing(work.title, wanted):
            yield f"references.yaml, {work.id}: the title has {lacks}"
        if work.caption and (lacks := _missing(work.caption, wanted)):
            yield f"references.yaml, {work.id}: the caption has {lacks}"


def _duplicates(suite: Suite) -> Iterator[str]:
    for language in sorted({one for prompt in suite.prompts.values() for one in prompt.text}):
        texts = {}
        for scene in suite.scene_files:
            text = scene.core.get(language) or scene.prompts.get(
                NEUTRAL, next(iter(scene.prompts.values()))
            ).get(language, "")
            if text:
                texts[scene.id] = text.replace(SLOT, "")
        for first, second, share in near_duplicates(texts):
            yield f"{first} and {second}, {language}: {share:.0%} of their text is the same"


def _genres_are_filled(suite: Suite) -> Iterator[str]:
    genres = Counter(scene.genre for scene in suite.scene_files)
    for genre, count in sorted(genres.items()):
        if count < suite.least_per_genre:
            scenes = "1 scene" if count == 1 else f"{count} scenes"
            yield f"genre {genre!r} has {scenes}, at least {suite.least_per_genre}"


def _texts(suite: Suite) -> Iterator[Told]:
    for prompt in suite.prompts.values():
        for language, text in prompt.text.items():
            yield Told(prompt.id, prompt.target == NEUTRAL, language, text)


def _captions(suite: Suite) -> Iterator[Told]:
    """A reference's caption is held to what a prompt without a tradition is held to."""
    if (suite.folder / "references.yaml").is_file():
        for work in load_references(suite).works:
            for language, text in work.caption.items():
                if text.strip():
                    yield Told(
                        f"references.yaml, {work.id}", neutral=True, language=language, text=text
                    )
