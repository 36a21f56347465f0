"""What a study asks raters about themselves: checked, and kept apart from what they judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, insert

from bench.errors import RequestError
from raters import tables as t
from raters.config import Question

LONGEST = 200


def read_background(questions: Sequence[Question], given: Mapping[str, str]) -> dict[str, str]:
    """Return question → answer of what was answered.

    Raises:
        RequestError: an answer that is needed is missing, unknown, or too long.
    """
    answers = {}
    for question in questions:
        answer = given.get(question.id, "").strip()
        if not answer:
            if question.required:
                raise RequestError(f"{question.id} needs an answer")
            continue
        options = [option.id for option in question.options]
        if options and answer not in options:
            raise RequestError(f"{question.id} must be one of {', '.join(options)}")
        if len(answer) > LONGEST or not answer.isprintable():
            raise RequestError(f"{question.id} takes one line of at most {LONGEST} characters")
        answers[question.id] = answer
    return answers


def store_background(connection: Connection, rater: str, answers: Mapping[str, str]) -> None:
    """Keep what a rater said of themselves, in place of what they said before."""
    connection.execute(delete(t.background).where(t.background.c.rater == rater))
    if answers:
        connection.execute(
            insert(t.background),
            [
                {"rater": rater, "question": question, "answer": answer}
                for question, answer in answers.items()
            ],
        )
