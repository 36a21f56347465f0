"""What rows of runs begin with, of pictures and of answers."""

from __future__ import annotations

from dataclasses import fields

from bench.records import Answer, Output


def test_answers_begin_with_the_columns_of_outputs() -> None:
    first = [
        "file_name", "key", "model", "prompt", "language", "text", "seed", "width", "height", "frames",
        "fps", "sha256", "pixel_sha256", "status", "suite", "suite_hash",
    ]  # fmt: skip
    for row in (Output, Answer):
        assert [field.name for field in fields(row)][: len(first)] == first
    types = [{field.name: field.type for field in fields(row)} for row in (Output, Answer)]
    assert [types[0][name] for name in first] == [types[1][name] for name in first]
