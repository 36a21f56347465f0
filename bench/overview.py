"""What an organiser may see of a study while it runs, agreement included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.records import Score
from bench.scoring import opened_key

if TYPE_CHECKING:
    from pandas import DataFrame


def oversee(study: Path) -> dict[str, Any]:
    """Return what an organiser may see: models have codes until the study is closed and unblinded."""
    from leaderboard.agreement import agreement
    from leaderboard.tables import check_ratings
    from leaderboard.words import LANGUAGES, words_in
    from raters.oversight import overview
    from raters.study import levels

    def agree(table: DataFrame) -> Sequence[Score]:
        return agreement(check_ratings(table, str(study)), levels=levels(study))

    found = overview(study, agreement=agree)
    for language in LANGUAGES:
        say = words_in(language)
        for one in found["alpha"]:
            if one["reason"]:
                one["reasons"][language] = say.reason(one["reason"])
    if found["locked_at"] and found["audit"]["unblinded"]:
        key = opened_key(study, "", log=False)
        for cell in found["cells"]:
            row = key.loc[cell["example"]]
            cell.update(maker=row["model"], target=row["target"])
        found["named"] = True
    return found


def readable(found: Mapping[str, Any]) -> str:
    """Return an overview as lines for a terminal, under headings that say what their figures are."""
    parts = [
        _state(found),
        _under(
            "seconds per answer: median (quartiles)",
            (
                f"{phase}: {one['median']} ({one['low']} to {one['high']})"
                for phase, one in found["seconds"].items()
            ),
        ),
        _under(
            "agreement: Krippendorff's alpha [95 % interval]",
            (f"{one['criterion']}: {_interval(one)}" for one in found["alpha"]),
        ),
        _under(
            "judgements made / planned, by "
            + (
                "model and target"
                if found["named"]
                else "source and target (by code until unblind)"
            ),
            _cells(found),
        ),
        _under(
            "raters: steps done / planned, how they stand, group, answers too fast",
            map(_rater, found["raters"]),
        ),
        _under("to look at", map(_sentence, found["warnings"])),
        [_log(found["audit"])],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _under(heading: str, lines: Iterable[str]) -> list[str]:
    """Return lines indented under their heading, nothing where there are none."""
    own = [f"  {line}" for line in lines]
    return [f"{heading}:", *own] if own else []


def _state(found: Mapping[str, Any]) -> list[str]:
    state = "closed" if found["locked_at"] else "running" if found["started"] else "not started"
    simulated = ", simulated raters" if found["simulated"] else ""
    counts = ("planned", "invited", "started", "finished", "withdrawn", "revoked")
    return [
        f"{found['study']}, version {found['version']}: {state}{simulated}",
        "raters: " + "  ".join(f"{name} {found[name]}" for name in counts),
        *(
            f"{what}: {one['number']}, each judged {one['least']} to {one['most']} times"
            for what, one in found["coverage"].items()
        ),
    ]


def _rater(row: Mapping[str, Any]) -> str:
    states = ("withdrawn", "revoked", "finished", "started")
    state = next((what for what in states if row[f"{what}_at"]), "invited")
    fast = f"{row['too_fast']} too fast" if row["too_fast"] else ""
    told = f"{row['rater']}  {row['done']:>4} / {row['total']:<4} {state:<9}"
    return ", ".join(filter(None, [f"{told} {row['group']}".rstrip(), fast]))


def _log(audit: Mapping[str, Any]) -> str:
    broken = audit["broken_line"]
    state = "unbroken" if broken is None else f"broken from line {broken} on"
    return f"audit log: {audit['lines']} lines, {state}, last hash {audit['last_hash'][:16]}"


def _cells(found: Mapping[str, Any]) -> list[str]:
    """Return a line per model, or per code where they are masked: judged and planned, by target."""
    makers = sorted({cell["maker"] for cell in found["cells"]})
    targets = sorted({cell["target"] for cell in found["cells"]})
    named = found["named"]
    lines = []
    for number, maker in enumerate(makers, 1):
        own = {cell["target"]: cell for cell in found["cells"] if cell["maker"] == maker}
        told = "  ".join(
            f"{target if named else f'T{place}'} {own[target]['done']}/{own[target]['planned']}"
            for place, target in enumerate(targets, 1)
            if target in own
        )
        lines.append(f"{maker if named else f'M{number}'}: {told}")
    return lines


def _interval(one: Mapping[str, Any]) -> str:
    if one["value"] is None:
        return str(one["reason"])
    if one["low"] is None:
        return f"{one['value']:.2f} ({one['reason']})"
    return f"{one['value']:.2f} [{one['low']:.2f}, {one['high']:.2f}]"


def _sentence(one: Mapping[str, Any]) -> str:
    from raters.organiser.view import words

    told: str = words()["en"]["warnings"][one["kind"]].format(**{"of": "", **one})
    return told
