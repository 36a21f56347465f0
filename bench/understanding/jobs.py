"""Which answers are wanted: works by questions by languages by seeds, for each model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.errors import RequestError
from bench.questions import QuestionFile
from bench.reading import canonical_hash
from bench.suites import Suite
from bench.understanding.works import Work


@dataclass(frozen=True, slots=True)
class Asked:
    """One answer to be had. `key` is the SHA-256 of everything that decides its text.

    `picture` is the pixel hash of what is shown, "" where there is nothing to show.
    """

    key: str
    prompt: str
    language: str
    text: str
    model: str
    seed: int
    work: str
    picture: str
    question: str
    longest: int

    @property
    def pictures(self) -> tuple[str, ...]:
        """The ids of what is shown with the question."""
        return (self.work,)


@dataclass(frozen=True, slots=True)
class AskedPart:
    """One request: these models on these works, questions, languages and seeds.

    `pictures` are pixel hashes by work. Empty `questions` means all of the suite's.
    """

    models: tuple[str, ...]
    languages: tuple[str, ...]
    seeds: tuple[int, ...]
    questions: tuple[str, ...]
    pictures: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return the part as `run.yaml` keeps it."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> AskedPart:
        """Return the part that `run.yaml` keeps."""
        lists = {name: tuple(content[name]) for name in ("models", "languages", "seeds")}
        return AskedPart(
            **lists, questions=tuple(content["questions"]), pictures=dict(content["pictures"])
        )


def chosen_questions(suite: Suite, names: Sequence[str]) -> list[QuestionFile]:
    """Return the questions of these names, all without names.

    Raises:
        RequestError: the suite has no such question.
    """
    known = {question.id: question for question in suite.questions}
    for name in names:
        if name not in known:
            raise RequestError(
                f"suite {suite.name} has no question {name!r}; it has: {', '.join(known)}"
            )
    return [question for question in suite.questions if not names or question.id in names]


def asked_of(
    suite: Suite, part: AskedPart, works: Sequence[Work], how: Mapping[str, Mapping[str, Any]]
) -> Iterator[Asked]:
    """Yield the jobs of a part: model by model, work by work, question by question.

    Args:
        suite: whose questions are asked.
        part: the request.
        works: those of the run; the part says by their pixel hashes which it means.
        how: by model, what of it decides the text: revision, class, dtypes, decoding.
    """
    mine = [work for work in works if part.pictures.get(work.id) == work.pixel_sha256]
    for model in part.models:
        for work in mine:
            for question in chosen_questions(suite, part.questions):
                if not question.is_for(work.genre, work.stratum):
                    continue
                for language in part.languages:
                    for seed in part.seeds:
                        yield _job(
                            suite,
                            question,
                            work,
                            language=language,
                            seed=seed,
                            model=model,
                            how=how[model],
                        )


def _job(
    suite: Suite,
    question: QuestionFile,
    work: Work,
    *,
    language: str,
    seed: int,
    model: str,
    how: Mapping[str, Any],
) -> Asked:
    if language not in question.text:
        raise RequestError(f"suite {suite.name}: {question.id} has no text in {language!r}")
    prompt, text = f"{work.id}/{question.id}", question.text[language]
    longest = min(question.longest, how["arguments"].get("longest", question.longest))
    content = {
        **how,
        "suite": suite.name,
        "prompt": prompt,
        "language": language,
        "text": text,
        "picture": work.pixel_sha256,
        "longest": longest,
        "model": model,
        "seed": seed,
    }
    key = canonical_hash(content)
    return Asked(
        key, prompt, language, text, model, seed, work.id, work.pixel_sha256, question.id, longest
    )
