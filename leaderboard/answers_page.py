"""What a page shows of answers: misreadings, facts recalled, and generation beside understanding."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bench.records import Score
from leaderboard.answers import (
    CALLED_HOME,
    CALLED_OTHER,
    FLAGGED,
    GAP,
    LANGUAGE_GAP,
    MISSING,
    RECALL,
    WRONG,
)
from leaderboard.plots import number
from leaderboard.probe_page import Section
from leaderboard.small_tables import Line, Table, with_interval
from leaderboard.tabulate import capital
from leaderboard.words import Words

Key = tuple[str, str, str, str]


def answer_sections(scores: Sequence[Score], words: Words) -> list[Section]:
    """Return a section per run of understanding, and one of models that also made pictures."""
    own = [score for score in scores if score.source == "probe" and not score.slice]
    sections = []
    for study in dict.fromkeys(score.study for score in own):
        found = {
            (score.metric, score.criterion, score.model, score.group): score
            for score in own
            if score.study == study
        }
        made = [_misreading(found, words), _recall(found, words), _flags(found, words)]
        tables = [table for table in made if table.rows]
        sections.append(Section(study, tables, _missing(found, words)))
    both = _both(own, scores, words)
    sections += [Section("", [both])] if both.rows else []
    return [section for section in sections if section.tables]


def _missing(found: Mapping[Key, Score], words: Words) -> str:
    score = found.get((MISSING, "", "", ""))
    if score is None:
        return ""
    return words.say("answers_missing", missing=int(score.value), planned=score.n_values)


def _misreading(found: Mapping[Key, Score], words: Words) -> Table:
    models = _models(found, CALLED_OTHER)
    groups = list(dict.fromkeys(key[3] for key in found if key[0] == CALLED_OTHER and key[3]))
    rows = [
        Line(
            [
                words.label(model),
                with_interval(found.get((CALLED_OTHER, "", model, "")), words),
                *(
                    with_interval(found.get((CALLED_OTHER, "", model, group)), words)
                    for group in groups
                ),
                with_interval(found.get((CALLED_HOME, "", model, "")), words),
                with_interval(found.get((GAP, "", model, "")), words),
            ],
            decided=_decided(found.get((GAP, "", model, ""))),
        )
        for model in models
    ]
    heads = [words.say("model"), words.say("misread_all")]
    heads += [words.say("misread_as", tradition=words.tradition(group)) for group in groups]
    heads += [words.say("misread_home"), words.say("misread_gap")]
    return Table(words.say("misread_title"), words.say("misread_note"), heads, rows)


def _recall(found: Mapping[Key, Score], words: Words) -> Table:
    rows = [
        Line(
            [
                words.label(key[2]),
                words.say(f"fact_{key[1]}"),
                with_interval(score, words),
                with_interval(found.get((WRONG, key[1], key[2], "")), words),
                *(with_interval(gap, words) for gap in [_gap_of(found, key[1], key[2])]),
                str(score.n_items),
            ]
        )
        for key, score in found.items()
        if key[0] == RECALL
    ]
    heads = ["model", "fact", "fact_right", "fact_wrong", "fact_gap", "works_count"]
    return Table(
        words.say("recall_title"),
        words.say("recall_note"),
        [words.say(name) for name in heads],
        rows,
    )


def _flags(found: Mapping[Key, Score], words: Words) -> Table:
    rows = [
        Line(
            [
                words.label(key[2]),
                words.say(f"flag_{key[3].replace(' ', '_')}"),
                number(score.value),
            ]
        )
        for key, score in found.items()
        if key[0] == FLAGGED
    ]
    heads = [words.say("model"), words.say("flag"), words.say("flag_share")]
    return Table(words.say("answer_flags_title"), words.say("answer_flags_note"), heads, rows)


def _both(own: Sequence[Score], scores: Sequence[Score], words: Words) -> Table:
    """Generation and understanding of one model side by side, where both were looked at."""
    read = {
        (score.model, score.group): score
        for score in own
        if score.metric == CALLED_OTHER and score.group
    }
    painted: dict[tuple[str, str], Score] = {}
    for metric in ("raw_leak", "excess_leak"):  # the better one where there are both
        painted |= {
            (score.model, score.group): score
            for score in scores
            if score.metric == metric
            and score.source == "raters"
            and not score.slice
            and score.criterion == "manner"
            and math.isfinite(score.value)
        }
    rows = [
        Line(
            [
                words.label(model),
                capital(words.tradition(group)),
                with_interval(painted[model, group], words),
                with_interval(score, words),
            ]
        )
        for (model, group), score in read.items()
        if (model, group) in painted
    ]
    heads = [words.say(name) for name in ("model", "towards", "both_painted", "both_read")]
    return Table(words.say("both_title"), words.say("both_note"), heads, rows)


def _models(found: Mapping[Key, Score], metric: str) -> list[str]:
    return list(dict.fromkeys(key[2] for key in found if key[0] == metric))


def _gap_of(found: Mapping[Key, Score], fact: str, model: str) -> Score | None:
    gaps = (score for key, score in found.items() if key[:3] == (LANGUAGE_GAP, fact, model))
    return next(gaps, None)


def _decided(score: Score | None) -> bool:
    return score is not None and (score.low > 0 or score.high < 0)
