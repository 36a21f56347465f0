"""What `pinlu suites check` holds the questions of an understanding suite to."""

from __future__ import annotations

from collections.abc import Iterator

from bench.questions import OTHER, QuestionFile, forced_choice
from bench.references import load_references
from bench.suites import Suite, load_suite

LEAST_QUESTIONS = 12


def question_faults(suite: Suite) -> Iterator[str]:
    """Yield a fault in a sentence for each rule that the questions break."""
    questions = suite.questions
    if len(questions) < LEAST_QUESTIONS:
        yield f"there are {len(questions)} questions, at least {LEAST_QUESTIONS}"
    choice = forced_choice(questions)
    if choice is None:
        yield "no question makes a forced choice of the tradition"
    else:
        yield from _choice_faults(suite, choice)
    if not any(question.misreading for question in questions):
        yield "no question asks after a known misreading"
    for question in questions:
        for language in suite.languages:
            if not question.notes.get(language, "").strip():
                yield f"{question.id}: no notes for raters in {language!r}"
    yield from _place_faults(suite)


def _choice_faults(suite: Suite, question: QuestionFile) -> Iterator[str]:
    wanted = {*suite.traditions, OTHER}
    for missing in sorted(wanted - question.choices.keys()):
        yield f"{question.id}: {missing} cannot be chosen"
    for unknown in sorted(question.choices.keys() - wanted):
        yield f"{question.id}: the choice {unknown!r} is no tradition of the suite"
    for language, text in question.text.items():
        names = {choice: name[language] for choice, name in question.choices.items()}
        if len(set(names.values())) < len(names):
            yield f"{question.id}: two choices have one name in {language!r}"
        for choice, name in names.items():
            if name.lower() not in text.lower():
                yield f"{question.id}: the text in {language!r} does not offer {choice}"


def _place_faults(suite: Suite) -> Iterator[str]:
    """Yield a fault for a genre or a stratum of which the list of works has none."""
    if not suite.works:
        yield "suite.yaml does not say whose works the questions are about (`works`)"
        return
    works = load_references(load_suite(suite.works)).works
    for question in suite.questions:
        for genre in sorted(set(question.genres) - {work.genre for work in works}):
            yield f"{question.id}: {suite.works} lists no work of genre {genre!r}"
        for stratum in sorted(set(question.strata) - {work.stratum for work in works}):
            yield f"{question.id}: {suite.works} lists no work of stratum {stratum!r}"
        if not any(question.is_for(work.genre, work.stratum) for work in works):
            yield f"{question.id}: {suite.works} lists no work of which it is asked"
