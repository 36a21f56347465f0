"""The commands of a study: from its plan and its making to its export."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.arguments import Adder, Command, counts, positive
from bench.commands import raters, rooms
from bench.errors import RequestError
from bench.records import Score
from bench.scoring import learned, log, opened_key

if TYPE_CHECKING:
    import pandas as pd

    from bench.precision import Pilot


def add(command: Adder, commands: Any) -> None:
    """Add the commands of this file."""
    told = "a study's life: new, invite, status, lock, …"
    study = commands.add_parser("study", help=told, description=told)
    actions = study.add_subparsers(title="study commands", metavar="ACTION", required=True)
    # in the order in which they are needed
    _add_new(actions, command)
    _add_plan(actions, command)
    raters.add_to(actions, command)
    rooms.add_to(actions, command)
    _add_ends(actions, command)


def _add_new(actions: Any, command: Adder) -> None:
    new = command("study new", "make a study from runs and references", within=actions)
    new.add_argument(
        "config", metavar="CONFIG.yaml", help="its YAML, or its name in configs/studies"
    )
    new.add_argument("--run", type=Path, action="append", required=True, help="a run folder")
    new.add_argument("--references", type=Path, help="a folder of human-made works")
    new.add_argument(
        "--anchors", type=Path, metavar="STUDY", help="show an earlier study's anchors again"
    )
    new.add_argument(
        "--pilot",
        type=Path,
        metavar="STUDY",
        help="plan by the seconds and variances of this earlier study, not by first guesses",
    )
    new.add_argument(
        "--database", metavar="URL", help="of an empty PostgreSQL database (default: SQLite)"
    )
    new.add_argument("--out", type=Path, required=True, help="the study folder to make")


def _add_ends(actions: Any, command: Adder) -> None:
    """Add what changes, closes, opens and keeps a study."""
    amend = command(
        "study amend", "record a changed study.yaml as a new version of it", within=actions
    )
    amend.add_argument("study", type=Path, metavar="STUDY")
    amend.add_argument("--reason", required=True, help="why, for the record")
    lock = command(
        "study lock", "end a study: no further raters, no further answers", within=actions
    )
    lock.add_argument("study", type=Path, metavar="STUDY")
    lock.add_argument("--reason", default="finished", help="why, for the record (finished)")
    unblind = command("study unblind", "after lock: show the models' names", within=actions)
    unblind.add_argument("study", type=Path, metavar="STUDY")
    unblind.add_argument("--reason", required=True, help="why, for the record")
    export = command(
        "study export", "write long tables; models are masked until lock", within=actions
    )
    export.add_argument("study", type=Path, metavar="STUDY")
    export.add_argument("--out", type=Path, required=True, help="folder for the tables")
    export.add_argument("--masked", action="store_true", help="leave the models' names out")
    export.add_argument(
        "--named", action="store_true", help="join them before lock: it needs --reason"
    )
    export.add_argument("--reason", default="", help="why, for the record (analysis)")
    backup = command("study backup", "copy the database while it is in use", within=actions)
    backup.add_argument("study", type=Path, metavar="STUDY")
    backup.add_argument("--out", type=Path, required=True, metavar="FILE", help="the copy")
    migrate = command(
        "study migrate", "bring an earlier version's study up to this", within=actions
    )
    migrate.add_argument("study", type=Path, metavar="STUDY")


def _add_plan(actions: Any, command: Adder) -> None:
    plan = command("study plan", "how many prompts, raters and votes, from a pilot", within=actions)
    plan.add_argument(
        "--pilot", type=Path, action="append", required=True, help="its ratings or votes, a table"
    )
    plan.add_argument(
        "--prompts", type=counts, help="of a pilot of ratings: as in 50,100,200, the default"
    )
    plan.add_argument(
        "--raters", type=counts, help="likewise, on the panel: as in 5,10,24, the default"
    )
    plan.add_argument("--per-item", type=positive, help="likewise, of each item (the whole panel)")
    plan.add_argument(
        "--precision",
        type=float,
        help="of a pilot of votes: ± of a difference of strengths (0.2)",
    )
    plan.add_argument(
        "--models", type=positive, help="likewise, to be compared (as many as in the pilot)"
    )
    plan.add_argument("--seed", type=int, default=0, help="of the resampling (0)")
    plan.add_argument("--json", action="store_true", help="print a list of scores, nothing else")


def _study_new(options: argparse.Namespace) -> int:
    from raters.study import create
    from raters.summary import summary_lines

    made = create(
        options.config,
        options.run,
        references=options.references,
        anchors=options.anchors,
        database=options.database,
        pilot=_pilot(options.pilot) if options.pilot else None,
        out=options.out,
    )
    for warning in made.pop("warnings"):
        print(f"Warning: {warning}.", file=sys.stderr)
    print("\n".join(summary_lines(made)))
    return 0


def _pilot(study: Path) -> Pilot:
    """Return what an earlier study teaches, and say so."""
    pilot = learned(study)
    seconds = ", ".join(f"{task} {taken:g}" for task, taken in pilot.seconds.items())
    print(f"seconds that {study} took: {seconds or 'too few timed answers'}", file=sys.stderr)
    told = "cannot be told apart there; first guesses stay"
    if one := pilot.components:
        told = (
            f"model × prompt {one.prompt:.2f}, model × rater {one.rater:.2f}, rest {one.rest:.2f}"
        )
    print(f"variances: {told}", file=sys.stderr)
    return pilot


def _study_amend(options: argparse.Namespace) -> int:
    from raters.versions import amend

    made = amend(options.study, options.reason)
    print(f"{options.study} goes on under version {made['version']} of its protocol")
    return 0


def _study_lock(options: argparse.Namespace) -> int:
    from raters.study import lock

    lock(options.study, options.reason)
    print(f"{options.study} is locked: no further raters, no further answers")
    return 0


_PLANNED_FROM = {"ratings": ("prompts", "raters", "per_item"), "votes": ("precision", "models")}
"""What a plan is asked about, by the table of the pilot that answers it."""


def _study_plan(options: argparse.Namespace) -> int:
    import numpy as np

    from leaderboard.files import to_json, to_text
    from leaderboard.kinds import read_tables
    from leaderboard.planning import plan_ratings, plan_votes, rows_of_pilot

    pilot = read_tables(options.pilot)
    if not {"ratings", "votes"} & set(pilot):
        raise RequestError("a plan wants a pilot's ratings or votes: name such a table")
    for kind, names in _PLANNED_FROM.items():
        given = [
            f"--{name}".replace("_", "-") for name in names if getattr(options, name) is not None
        ]
        if given and kind not in pilot:
            raise RequestError(f"{', '.join(given)}: asks about {kind}, and the pilot has none")
    scores: list[Score] = []
    if "ratings" in pilot:
        scores += plan_ratings(
            pilot["ratings"],
            prompts=options.prompts or (50, 100, 200),
            raters=options.raters or (5, 10, 24),
            per_item=options.per_item,
        )
    if "votes" in pilot:
        scores += plan_votes(
            pilot["votes"],
            precision=0.2 if options.precision is None else options.precision,
            models=options.models,
            rng=np.random.default_rng(options.seed),
        )
    scores += rows_of_pilot(pilot)
    print(to_json(scores) if options.json else to_text(scores))
    return 0


def _study_migrate(options: argparse.Namespace) -> int:
    """Bring an earlier version's study up to this one."""
    from raters.migrate import migrate

    done = migrate(options.study)
    if done["from"] == done["to"]:
        print(f"{options.study} is of this version already")
    else:
        print(f"{options.study} is brought up; what was there is kept as *.before-{done['to']}")
    return 0


def _study_backup(options: argparse.Namespace) -> int:
    """Copy a study's database while it is in use."""
    from raters.study import backup

    done = backup(options.study, options.out)
    print(f"{done['file']}: {done['responses']} responses, integrity {done['integrity']}")
    return 0


def _study_unblind(options: argparse.Namespace) -> int:
    """Log that the names are looked at from now on; only a closed study can be unblinded."""
    from raters.study import status, unblind

    if status(options.study)["locked_at"] is None:
        raise RequestError("the study is not closed yet: `pinlu study lock` it first")
    opened_key(options.study, options.reason, log=False)
    unblind(options.study, options.reason)
    print(f"{options.study} is unblinded: the organiser's view and status --json name the models")
    return 0


def _study_export(options: argparse.Namespace) -> int:
    """Write the long tables, and how the study was run."""
    from bench.join import reveal
    from raters.export import neutralised, tables
    from raters.report import report

    named, reason = _with_names(options), options.reason or "analysis"
    masked = tables(options.study)
    found: Mapping[str, pd.DataFrame] = masked
    if named:
        found = reveal(masked, opened_key(options.study, f"export: {reason}"))
    else:
        log(options.study, "exported", f"masked: {reason}")
    options.out.mkdir(parents=True, exist_ok=True)
    for name, table in found.items():
        neutralised(table).to_csv(options.out / f"{name}.csv", index=False)
        table.to_parquet(options.out / f"{name}.parquet", index=False)
        print(f"{options.out / name}.csv: {len(table)} rows")
    for language, text in report(options.study).items():
        path = options.out / ("report.md" if language == "en" else f"report.{language}.md")
        path.write_text(text, encoding="utf-8")
        print(path)
    return 0


def _with_names(options: argparse.Namespace) -> bool:
    """Tell whether an export names the models: after lock, or where one insists and says why."""
    from raters.study import status

    if options.named and options.masked:
        raise RequestError("an export is --named or --masked, not both")
    locked = status(options.study)["locked_at"] is not None
    if options.named and not locked and not options.reason.strip():
        raise RequestError(
            "the study is not closed yet: `pinlu study lock` it first, or say with --reason why "
            "the names are joined before; the reason goes into the log and the report"
        )
    if not (locked or options.named or options.masked):
        print(
            "The study is not closed yet: models are masked. `pinlu study lock` it first, or give "
            "--named with a --reason.",
            file=sys.stderr,
        )
    return options.named or (locked and not options.masked)


COMMANDS: dict[str, Command] = {
    "study new": _study_new,
    "study plan": _study_plan,
    "study migrate": _study_migrate,
    "study amend": _study_amend,
    "study backup": _study_backup,
    "study lock": _study_lock,
    "study unblind": _study_unblind,
    "study export": _study_export,
    **rooms.COMMANDS,
    **raters.COMMANDS,
}
