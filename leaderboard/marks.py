"""The mark of models that were made faster at the cost of their pictures, in every table.

The metric is `speedup`, with the source `run`: a row for every such model, the words for it in
`group`, the value 1. So the mark goes wherever the scores go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.records import Score
from leaderboard.board import Board, Labels
from leaderboard.costs import FROM_RUN
from leaderboard.words import LANGUAGES, Words

SPEEDUP = "speedup"
MARK = "†"


def speedup_scores(speedups: Mapping[str, str]) -> list[Score]:
    """Return the rows that mark models; `speedups` says by model what changed their pictures."""
    method = "asked for when the outputs were generated; pictures are not those of the model alone"
    return [
        Score(source=FROM_RUN, metric=SPEEDUP, model=model, group=words, value=1.0, method=method)
        for model, words in speedups.items()
        if words
    ]


def for_studies(found: Sequence[Score], scores: Sequence[Score]) -> list[Score]:
    """Return what was found of models for each study whose scores speak of them, without repeats."""
    there = {(score.study, score.metric, score.model) for score in scores}
    speak = dict.fromkeys((score.study, score.model) for score in scores if score.model)
    return [
        replace(score, study=study)
        for study, model in speak
        for score in found
        if score.model == model and (study, score.metric, model) not in there
    ]


def marked(labels: Labels | None, scores: Sequence[Score]) -> Labels:
    """Return the labels with a mark at every model that was made faster at the cost of its pictures."""
    found = dict(labels or {})
    for model in dict.fromkeys(score.model for score in scores if score.metric == SPEEDUP):
        given = found.get(model) or dict.fromkeys(LANGUAGES, model)
        found[model] = {language: f"{label} {MARK}" for language, label in given.items()}
    return found


def note_of_marks(board: Board, words: Words) -> str:
    """Return what the mark means on this board; "" where no model bears it."""
    told = [words.pair(words.label(one.model), one.group) for one in board.all_of(SPEEDUP)]
    return words.say("speedup_note", mark=MARK, models=words.clauses(told)) if told else ""
