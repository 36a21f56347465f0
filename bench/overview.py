"""What an organiser may see of a study while it runs, agreement included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    from raters.oversight import overview
    from raters.study import levels

    def agree(table: DataFrame) -> Sequence[Score]:
        return agreement(check_ratings(table, str(study)), levels=levels(study))

    found = overview(study, agreement=agree)
    if found["locked_at"] and found["audit"]["unblinded"]:
        key = opened_key(study, "", log=False)
        for cell in found["cells"]:
            row = key.loc[cell["example"]]
            cell.update(maker=row["model"], target=row["target"])
        found["named"] = True
    return found


def readable(found: Mapping[str, Any]) -> str:
    """Return an overview as lines for a terminal."""
    state = "closed" if found["locked_at"] else "running" if found["started"] else "not started"
    lines = [
        f"{found['study']}, version {found['version']}: {state}"
        + (", simulated raters" if found["simulated"] else ""),
        "  ".join(
            f"{name} {found[name]}"
            for name in ("planned", "invited", "started", "finished", "withdrawn", "revoked")
        ),
    ]
    for what, one in found["coverage"].items():
        lines.append(f"{what}: {one['number']}, judged {one['least']} to {one['most']} times")
    for phase, one in found["seconds"].items():
        lines.append(f"{phase}: {one['median']} s ({one['low']} to {one['high']})")
    lines += [f"alpha {one['criterion']}: {_interval(one)}" for one in found["alpha"]]
    lines += _cells(found)
    if found["raters"]:
        lines.append("")
    for row in found["raters"]:
        state = next(
            (what for what in ("withdrawn", "revoked", "finished", "started") if row[f"{what}_at"]),
            "invited",
        )
        fast = f", {row['too_fast']} too fast" if row["too_fast"] else ""
        lines.append(
            f"{row['rater']}  {row['done']:>4} / {row['total']:<4} {state:<9} {row['group']}{fast}"
        )
    lines += [f"look at {_sentence(one)}" for one in found["warnings"]]
    log_state = found["audit"]
    broken = log_state["broken_line"]
    lines.append(
        f"audit log: {log_state['lines']} lines, "
        + ("unbroken, " if broken is None else f"broken from line {broken} on, ")
        + f"last hash {log_state['last_hash'][:16]}"
    )
    return "\n".join(lines)


def _cells(found: Mapping[str, Any]) -> list[str]:
    """Return a line per model, or per code where they are masked: judged and planned, by target."""
    makers = sorted({cell["maker"] for cell in found["cells"]})
    targets = sorted({cell["target"] for cell in found["cells"]})
    named = found["named"]
    who = "models" if named else "sources by code, until lock and unblind"
    lines = [f"judged / planned per target, {who}:"] if makers else []
    for number, maker in enumerate(makers, 1):
        own = {cell["target"]: cell for cell in found["cells"] if cell["maker"] == maker}
        told = "  ".join(
            f"{target if named else place} {own[target]['done']}/{own[target]['planned']}"
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
