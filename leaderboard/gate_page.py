"""The page of a check: verdicts, and the two models' pictures side by side, in English and Chinese."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from leaderboard.compare import Verdict, is_loss, is_undecided
from leaderboard.files import write_whole
from leaderboard.plots import number
from leaderboard.tabulate import interval_of
from leaderboard.words import LANGUAGES, Words, words_in


def write_gate_page(
    verdicts: Sequence[Verdict],
    out: Path,
    *,
    facts: Mapping[str, Any],
    pictures: Sequence[Mapping[str, str]],
) -> None:
    """Write `index.html` and `index.zh.html` into `out`; they need no other file.

    Args:
        verdicts: of `gate.gate`.
        out: the folder.
        facts: `model`, `baseline`, `suite`, `network`, `planned`, `reached`, `seconds` by model,
            `scenes`, `seeds`, `has_references`, `labels` of the traditions.
        pictures: per prompt its `text`, and `ours` and `theirs` as data URIs.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("leaderboard"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("gate.html.jinja")
    for language in LANGUAGES:
        words = words_in(language, facts["labels"])
        ours, theirs = (facts["seconds"].get(facts[name]) for name in ("model", "baseline"))
        speed = words.say("gate_no_times")
        if ours and theirs:
            speed = words.say(
                "gate_speed",
                ours=number(ours),
                theirs=number(theirs),
                ratio=number(ours / theirs),
                model=facts["model"],
                baseline=facts["baseline"],
            )
        page = template.render(
            words=words,
            facts=facts,
            title=words.say("gate_title", model=facts["model"], baseline=facts["baseline"]),
            outcome=words.say(outcome_of(verdicts)),
            lost=is_loss(verdicts),
            lead=words.say(
                "gate_lead",
                network=facts["network"] or words.say("gate_no_network"),
                suite=facts["suite"],
                scenes=facts["scenes"],
                seeds=facts["seeds"],
                planned=number(facts["planned"]),
                reached=number(facts["reached"]) if math.isfinite(facts["reached"]) else "–",
            ),
            rows=[_row(verdict, words) for verdict in verdicts],
            speed=speed,
            pictures=pictures,
        )
        name = "index.html" if language == LANGUAGES[0] else f"index.{language}.html"
        write_whole(out / name, page.encode())


def outcome_of(verdicts: Sequence[Verdict]) -> str:
    """Return the key of the text that says how the check ended."""
    if is_loss(verdicts):
        return "gate_loss"
    return "gate_undecided" if is_undecided(verdicts) else "gate_passed"


def gate_sentences(verdicts: Sequence[Verdict], language: str = "en") -> list[str]:
    """Return a line per verdict, for a terminal."""
    words = words_in(language)
    return [": ".join([name, f"{said} ({value}, {p})"]) for name, said, value, p, _ in
            (_row(verdict, words) for verdict in verdicts)]  # fmt: skip


def _row(verdict: Verdict, words: Words) -> tuple[str, str, str, str, str]:
    """Return name, outcome, value with interval, p, and the outcome's class."""
    score = verdict.difference
    name = words.say(f"gate_{score.criterion}", tradition=words.tradition(score.group))
    said = words.texts["gate_outcomes"][verdict.outcome]
    if not math.isfinite(score.value):
        return name, said, f"– {words.reason(score.reason)}", "", "open"
    value = f"{number(score.value)} {interval_of(score)}".strip()
    p = f"p = {verdict.p_holm:.3f}" if math.isfinite(verdict.p_holm) else ""
    if verdict.p_holm < 0.001:
        p = "p < .001"
    kind = {"worse": "worse", "better": "better"}.get(verdict.outcome, "open")
    return name, said, value, p, kind
