"""What a page shows of models as judges: apart from people, labelled, with what they are worth."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from bench.records import CUE, SIMULATED, Score
from leaderboard.judgements import PAIR, SCALE
from leaderboard.judges import FROM_JUDGE
from leaderboard.ppi import FROM_BOTH
from leaderboard.probe_page import Section, tag_of_both
from leaderboard.small_tables import Line, Table, with_interval
from leaderboard.words import Words

_HOW = re.compile(
    r"(?:greedy, temperature 0|temperature ([\d.]+)), (\d+) seeds?, in ([\w, -]+)"
    rf"(?:; {CUE} for (\d+) of (\d+) outputs)?"
)
_WORTH = ("self_consistency", "unread_share", "order_effect", "order_consistency")


def judge_sections(scores: Sequence[Score], words: Words) -> list[Section]:
    """Return a section per study or run of which judges said something."""
    judges = _unique(score.group for score in scores if _is_mean(score, FROM_JUDGE))
    judges += _unique(
        score.group.partition(":")[0] for score in scores if score.metric == "judge_gap"
    )
    own = [
        score
        for score in scores
        if not score.slice
        and (score.source == FROM_JUDGE or (score.source == FROM_BOTH and score.group in judges))
    ]
    sections = []
    for study in _unique(score.study for score in own):
        found = [score for score in own if score.study == study]
        made = [
            _agreement(found, words),
            _combined(found, words),
            _means(found, words),
            _preferences(found, words),
            _worth(found, words),
        ]
        sections.append(Section(study, [table for table in made if table.rows]))
    return [section for section in sections if section.tables]


def _is_mean(score: Score, source: str) -> bool:
    return score.metric == "mean_score" and score.source == source


def _means(scores: Sequence[Score], words: Words) -> Table:
    own = [score for score in scores if _is_mean(score, FROM_JUDGE)]
    return _by_scale(
        own, words, "judge_means_title", words.say("judge_means_note", how=_how(own, words))
    )


def _combined(scores: Sequence[Score], words: Words) -> Table:
    own = [score for score in scores if _is_mean(score, FROM_BOTH)]
    tests = [
        words.say(
            "judge_combined_test",
            scale=words.term(score.criterion),
            judge=score.group,
            p=f"{score.value:.3f}",
        )
        for score in scores
        if score.metric == "rectifier_p" and math.isfinite(score.value)
    ]
    note = words.join([words.say("judge_combined_note"), *tests])
    table = _by_scale(own, words, "judge_combined_title", note)
    return table._replace(tag=tag_of_both(own, words, "judge_tag"))


def _by_scale(own: Sequence[Score], words: Words, title: str, note: str) -> Table:
    """Judges and models down, scales across."""
    criteria = _unique(score.criterion for score in own)
    cells = {(score.group, score.model, score.criterion): score for score in own}
    rows = [
        Line(
            [
                judge,
                words.label(model),
                *(with_interval(cells.get((judge, model, name)), words) for name in criteria),
            ]
        )
        for judge, model in dict.fromkeys((score.group, score.model) for score in own)
    ]
    heads = [words.say("judge"), words.say("model"), *(words.term(name) for name in criteria)]
    return Table(words.say(title), note, heads, rows)


def _preferences(scores: Sequence[Score], words: Words) -> Table:
    rows = [
        Line(
            [
                score.group,
                words.label(score.model),
                words.label(score.against),
                with_interval(score, words),
                str(score.n_items),
            ],
            decided=score.low > 0.5 or score.high < 0.5,
        )
        for score in scores
        if score.metric == "judge_preference"
    ]
    heads = ["judge", "model", "judge_against", "judge_preferred", "judge_pairs"]
    return Table(
        words.say("judge_pairs_title"),
        words.say("judge_pairs_note"),
        [words.say(name) for name in heads],
        rows,
    )


def _worth(scores: Sequence[Score], words: Words) -> Table:
    rows = [
        Line(
            [
                score.group,
                words.say(f"judge_{score.metric}"),
                _of_what(score, words),
                with_interval(score, words),
            ]
        )
        for metric in _WORTH
        for score in scores
        if score.metric == metric and not score.model
    ]
    heads = [words.say("judge"), "", words.say("judge_of"), words.say("judge_value")]
    return Table(words.say("judge_worth_title"), words.say("judge_worth_note"), heads, rows)


def _agreement(scores: Sequence[Score], words: Words) -> Table:
    of_both = [score for score in scores if score.metric in {"judge_correlation", "judge_gap"}]
    cells = {(score.metric, score.group, score.criterion): score for score in of_both}
    rows = []
    for group, criterion in dict.fromkeys(
        (score.group, score.criterion) for score in scores if score.metric == "judge_gap"
    ):
        judge, _, raters = group.partition(":")
        gap = cells["judge_gap", group, criterion]
        rows.append(
            Line(
                [
                    judge,
                    _group(raters, words),
                    words.term(criterion),
                    with_interval(cells["judge_correlation", group, criterion], words),
                    with_interval(gap, words),
                    str(gap.n_items),
                ],
                decided=gap.low > 0 or gap.high < 0,
            )
        )
    heads = [
        "judge", "judge_group", "judge_of", "judge_correlation", "judge_gap", "judge_outputs",
    ]  # fmt: skip
    return Table(
        words.say("judge_agreement_title"),
        words.say("judge_agreement_note"),
        [words.say(name) for name in heads],
        rows,
        tag=tag_of_both(list(cells.values()), words, "judge_tag"),
    )


def _group(raters: str, words: Words) -> str:
    if not raters:
        return words.say("judge_all_raters")
    return words.say("simulated") if raters == SIMULATED else words.label(raters)


def _of_what(score: Score, words: Words) -> str:
    if score.criterion in {PAIR, SCALE}:
        return words.say(f"judge_{score.criterion}")
    return words.term(score.criterion)


def _how(own: Sequence[Score], words: Words) -> str:
    """Return who judged how, from what the methods say of it (`judges.how_judged`)."""
    told = {}
    for score in own:
        if found := _HOW.search(score.method):
            warm, seeds, asked, cued, n = found.groups()
            languages = words.listed([words.tongue(code) for code in asked.split(", ")])
            how = words.say("judge_how", temperature=warm or "0", seeds=seeds, languages=languages)
            how += words.say("judge_cue", cued=cued, n=n) if cued else ""
            told[score.group] = words.pair(score.group, how)
    return words.clauses(list(told.values()))


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
