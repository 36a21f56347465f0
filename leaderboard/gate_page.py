"""The page of a check: verdicts, and the two models' pictures side by side, in English and Chinese."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from leaderboard.compare import Verdict, is_loss
from leaderboard.drawing import LEAST_SEEDS
from leaderboard.files import write_whole
from leaderboard.gate import LEAST_SCENES, TOO_FEW, leak_unknown
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
        facts: `model`, `baseline`, `suite`, `network`, `asked`, `planned`, `reached`, `seconds` by
            model, `scenes`, `seeds`, `has_references`, `labels` of the traditions.
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
            outcome=headline(verdicts, facts["asked"], facts["reached"], language),
            lost=is_loss(verdicts),
            lead=words.say(
                "gate_lead",
                network=facts["network"] or words.say("gate_no_network"),
                suite=facts["suite"],
                scenes=_counted(words, "scene", facts["scenes"]),
                seeds=_counted(words, "seed", facts["seeds"]),
                planned=number(facts["planned"]),
                reached=_reached(words, facts["reached"]),
            ),
            rows=[_row(verdict, words) for verdict in verdicts],
            speed=speed,
            pictures=pictures,
        )
        name = "index.html" if language == LANGUAGES[0] else f"index.{language}.html"
        write_whole(out / name, page.encode())


def headline(
    verdicts: Sequence[Verdict], asked: float, reached: float, language: str = "en"
) -> str:
    """Return how the check ended; `asked` and `reached` are half-widths of the leak's difference."""
    words = words_in(language)
    if is_loss(verdicts):
        return words.say("gate_loss")
    if unknown := leak_unknown(verdicts):
        if unknown.startswith(TOO_FEW):
            return words.say("gate_too_few", scenes=LEAST_SCENES, seeds=LEAST_SEEDS)
        return words.say("gate_undecided", reason=words.reason(unknown))
    if not math.isfinite(reached):
        return words.say("gate_unknown", asked=number(asked))
    if reached > asked:
        return words.say("gate_coarse", asked=number(asked), reached=number(reached))
    return words.say("gate_passed")


def _reason(words: Words, reason: str) -> str:
    if not reason.startswith(TOO_FEW):
        return words.reason(reason)
    scenes, seeds = (int(number) for number in re.findall(r"\d+", reason))
    counts = {"scenes": _counted(words, "scene", scenes), "seeds": _counted(words, "seed", seeds)}
    return words.say("gate_only", **counts)


def _counted(words: Words, thing: str, count: int) -> str:
    return words.say(f"gate_{thing}" if count == 1 else f"gate_{thing}s", count=count)


def _reached(words: Words, reached: float) -> str:
    if not math.isfinite(reached):
        return words.say("gate_not_reached")
    return words.say("gate_reached", reached=number(reached))


def gate_sentences(verdicts: Sequence[Verdict], language: str = "en") -> list[str]:
    """Return a line per verdict, for a terminal."""
    words = words_in(language)
    lines = []
    for name, said, value, p, _ in (_row(verdict, words) for verdict in verdicts):
        lines.append(f"{name}: {said} ({', '.join(part for part in (value, p) if part)})")
    return lines


def _row(verdict: Verdict, words: Words) -> tuple[str, str, str, str, str]:
    """Return name, outcome, value with interval, p, and the outcome's class."""
    score = verdict.difference
    name = words.say(f"gate_{score.criterion}", tradition=words.tradition(score.group))
    said = words.texts["gate_outcomes"][verdict.outcome]
    if not math.isfinite(score.value):
        return name, said, words.reason(score.reason), "", "open"
    value = f"{number(score.value)} {interval_of(score)}".strip()
    if score.reason:
        return name, said, words.clauses([value, _reason(words, score.reason)]), "", "open"
    p = f"p = {verdict.p_holm:.3f}" if math.isfinite(verdict.p_holm) else ""
    if verdict.p_holm < 0.001:
        p = "p < .001"
    kind = {"worse": "worse", "better": "better"}.get(verdict.outcome, "open")
    return name, said, value, p, kind
