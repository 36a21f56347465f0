"""Questions of an understanding suite: asked of a model about one work that it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from bench.reading import ID_PATTERN, FileModel

Text = dict[str, str]
Fact = Literal["title", "artist", "period", "tradition"]

OTHER = "other"
"""The choice of a tradition that is none of the suite's."""


class QuestionFile(FileModel):
    """One question as the file gives it.

    `choices` are the answers of a forced choice, by id, then language. `facts` are what is known of
    the work that an answer is held against without an expert. `misreading` names the known error
    that the question asks after. `genres` and `strata` limit it to some works; both: to works of
    both. `longest` is how many tokens an answer may have.
    """

    id: str = Field(pattern=ID_PATTERN)
    text: Text = Field(min_length=1)
    notes: Text = Field(default_factory=dict)
    choices: dict[str, Text] = Field(default_factory=dict)
    facts: tuple[Fact, ...] = ()
    misreading: str = ""
    genres: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()
    longest: int = Field(default=400, ge=1, le=8192)

    @model_validator(mode="after")
    def _texts_say_something(self) -> Self:
        for language, text in self.text.items():
            if not text.strip():
                raise ValueError(f"the text in {language!r} is empty")
        for choice, names in self.choices.items():
            for language in self.text:
                if not names.get(language, "").strip():
                    raise ValueError(f"the choice {choice!r} has no name in {language!r}")
        return self

    def is_for(self, genre: str, stratum: str) -> bool:
        """Say whether the question is asked of a work of this genre and stratum."""
        of_genre = not self.genres or genre in self.genres
        return of_genre and (not self.strata or stratum in self.strata)


class QuestionsFile(FileModel):
    """A suite's `questions.yaml`."""

    questions: list[QuestionFile] = Field(min_length=1)


def forced_choice(questions: Sequence[QuestionFile]) -> QuestionFile | None:
    """Return the question by which a work's tradition is chosen, None where there is none."""
    return next((one for one in questions if one.choices and "tradition" in one.facts), None)
