"""What a page shows of probes: apart from the raters' results, and labelled as the probes'."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bench.records import REFERENCE, Score
from leaderboard.probes import FROM_PROBE, MEASURES
from leaderboard.selection import SIMULATED_RATERS
from leaderboard.small_tables import Line, Table, with_interval
from leaderboard.tabulate import capital
from leaderboard.words import Words

FROM_BOTH = "combined"
"""The `source` of estimates in which raters correct a probe."""
_INDICES = ("raw_leak", "excess_leak", "mirror_asymmetry", "choice_bias", "neutral_default")
_FAULTS = ("blank", "near_duplicate", "watermark")


class Section(NamedTuple):
    """The tables of one study or run, and what must be said before them."""

    study: str
    tables: Sequence[Table]
    warning: str = ""


def probe_sections(scores: Sequence[Score], words: Words) -> list[Section]:
    """Return a section per study or run of which probes said something."""
    own = [score for score in scores if score.source in {FROM_PROBE, FROM_BOTH} and not score.slice]
    sections = []
    for study in dict.fromkeys(score.study for score in own):
        found = [score for score in own if score.study == study]
        made = [
            _combined(found, words),
            _style(found, words),
            _diversity(found, words),
            _faults(found, words),
            _video(found, words),
        ]
        sections.append(Section(study, [table for table in made if table.rows]))
    return [section for section in sections if section.tables]


def _style(scores: Sequence[Score], words: Words) -> Table:
    own = [s for s in scores if s.source == FROM_PROBE and s.metric in _INDICES]
    rows = []
    for probe, model, other in _unique((s.criterion, s.model, s.group) for s in own):
        cells = [
            _cell(own, words, metric=metric, criterion=probe, model=model, group=other)
            for metric in _INDICES
        ]
        rows.append(Line([probe, words.label(model), capital(words.tradition(other)), *cells]))
    heads = [words.say("probe"), words.say("model"), words.say("towards")]
    heads += [words.say(f"index_{name}") for name in _INDICES]
    return Table(words.say("probe_style_title"), words.say("probe_style_note"), heads, rows)


def _combined(scores: Sequence[Score], words: Words) -> Table:
    own = [s for s in scores if s.source == FROM_BOTH and s.metric in {"raw_leak", "excess_leak"}]
    rows = []
    for probe, model, other in _unique((s.criterion, s.model, s.group) for s in own):
        cells = [
            _cell(own, words, metric=metric, criterion=probe, model=model, group=other)
            for metric in ("raw_leak", "excess_leak")
        ]
        rows.append(Line([probe, words.label(model), capital(words.tradition(other)), *cells]))
    tests = [
        words.say(
            "combined_test",
            probe=score.criterion,
            tradition=words.tradition(score.group),
            p=f"{score.value:.3f}",
        )
        for score in scores
        if score.metric == "rectifier_p" and math.isfinite(score.value)
        if any((score.criterion, score.group) == (one.criterion, one.group) for one in own)
    ]
    heads = [words.say("probe"), words.say("model"), words.say("towards")]
    heads += [words.say("index_raw_leak"), words.say("index_excess_leak")]
    note = words.join([words.say("combined_note"), *tests])
    tag = tag_of_both(own, words, "probe_tag")
    return Table(words.say("combined_title"), note, heads, rows, tag=tag)


def tag_of_both(scores: Sequence[Score], words: Words, other: str) -> str:
    """Return the tag of a table in which raters, perhaps simulated, and another had a part."""
    simulated = any(SIMULATED_RATERS in score.method for score in scores)
    raters = words.say("simulated" if simulated else "judge_group")
    return words.say("both_tag", raters=raters, other=words.say(other))


def _diversity(scores: Sequence[Score], words: Words) -> Table:
    own = [s for s in scores if s.metric == "diversity"]
    names = _unique((s.criterion, s.model) for s in own)
    names = sorted(names, key=lambda one: one[1] == REFERENCE)
    rows = []
    for network, model in names:
        shown = words.label(model) if model else words.say("all_models")
        cells = [
            _cell(own, words, metric="diversity", criterion=network, model=model, group=group)
            for group in ("within", "between")
        ]
        rows.append(Line([shown, *cells]))
    heads = [words.say("model"), words.say("diversity_within"), words.say("diversity_between")]
    network = own[0].criterion if own else ""
    note = words.say("diversity_note", network=network)
    return Table(words.say("diversity_title"), note, heads, rows)


def _faults(scores: Sequence[Score], words: Words) -> Table:
    own = [s for s in scores if s.metric == "fault_share"]
    rows = [
        Line(
            [
                words.label(model),
                *(_cell(own, words, metric="fault_share", model=model, group=f) for f in _FAULTS),
            ]
        )
        for (model,) in _unique((s.model,) for s in own)
    ]
    heads = [words.say("model"), *(words.say(f"fault_{name}") for name in _FAULTS)]
    return Table(words.say("faults_title"), words.say("faults_note"), heads, rows)


def _video(scores: Sequence[Score], words: Words) -> Table:
    own = [s for s in scores if s.metric == "video"]
    rows = [
        Line(
            [
                words.label(model),
                *(_cell(own, words, metric="video", criterion=m, model=model) for m in MEASURES),
            ]
        )
        for (model,) in _unique((s.model,) for s in own)
    ]
    heads = [words.say("model"), *(words.say(f"video_{name}") for name in MEASURES)]
    return Table(words.say("video_title"), words.say("video_note"), heads, rows)


def _cell(scores: Sequence[Score], words: Words, **columns: str) -> str:
    """Return the cell of the score with these columns; nothing where nothing was asked."""
    for score in scores:
        if all(getattr(score, name) == value for name, value in columns.items()):
            return with_interval(score, words)
    return ""


def _unique(values: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return list(dict.fromkeys(values))
