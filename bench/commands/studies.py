"""The commands of a study: from its plan and its making to its export, and the servers of its rooms."""

from __future__ import annotations

import argparse
import csv
import json
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.arguments import Adder, Command, counts, days, positive
from bench.errors import RequestError
from bench.overview import oversee, readable
from bench.records import Score
from bench.reporting import log, opened_key

if TYPE_CHECKING:
    import pandas as pd


def add(command: Adder, commands: Any) -> None:
    """Add the commands of this file."""
    study = commands.add_parser("study", help="a study's life: new, invite, status, lock, …")
    actions = study.add_subparsers(title="study commands", metavar="ACTION", required=True)
    _add_study(actions, command)
    _add_plan(actions, command)
    rate = command("rate", "serve a study's rating rooms")
    rate.add_argument("study", type=Path, metavar="STUDY")
    rate.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    rate.add_argument("--port", type=int, default=7860, help="port to listen on (7860)")
    organise = command("organise", "serve the organiser's view of a study")
    organise.add_argument("study", type=Path, metavar="STUDY")
    organise.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    organise.add_argument("--port", type=int, default=7861, help="port to listen on (7861)")
    organise.add_argument(
        "--password-file", type=Path, metavar="FILE", help="else one is made and printed once"
    )


def _add_study(actions: Any, command: Adder) -> None:
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
        "--database", metavar="URL", help="of an empty PostgreSQL database (default: SQLite)"
    )
    new.add_argument("--out", type=Path, required=True, help="the study folder to make")
    invite = command("study invite", "print invitation links, one a line", within=actions)
    invite.add_argument("study", type=Path, metavar="STUDY")
    invite.add_argument("--count", type=positive, help="how many raters (1)")
    invite.add_argument("--group", default="", help="the raters' group, for the tables")
    invite.add_argument("--language", default="", help="in which the links open")
    invite.add_argument(
        "--list", type=Path, metavar="CSV", help="columns group, language, label; prints label,link"
    )
    invite.add_argument(
        "--expires", type=days, metavar="30d", help="after how long a link opens nothing any more"
    )
    invite.add_argument(
        "--base-url", default="http://127.0.0.1:7860", help="where the rooms are served"
    )
    status = command("study status", "progress, with models masked", within=actions)
    status.add_argument("study", type=Path, metavar="STUDY")
    status.add_argument("--json", action="store_true", help="as JSON")
    lock = command(
        "study lock", "end a study: no further raters, no further answers", within=actions
    )
    lock.add_argument("study", type=Path, metavar="STUDY")
    lock.add_argument("--reason", default="finished", help="why, for the record (finished)")
    amend = command(
        "study amend", "record a changed study.yaml as a new version of it", within=actions
    )
    amend.add_argument("study", type=Path, metavar="STUDY")
    amend.add_argument("--reason", required=True, help="why, for the record")
    withdraw = command("study withdraw", "erase one rater's responses", within=actions)
    withdraw.add_argument("study", type=Path, metavar="STUDY")
    withdraw.add_argument("rater", metavar="RATER", help="pseudonym, receipt or link")
    withdraw.add_argument("--reason", default="", help="why, for the record")
    revoke = command("study revoke", "make a rater's link useless; answers stay", within=actions)
    revoke.add_argument("study", type=Path, metavar="STUDY")
    revoke.add_argument("rater", metavar="RATER", help="pseudonym, receipt or link")
    revoke.add_argument("--reason", required=True, help="why, for the record")
    receipt = command("study receipt", "say what stands behind a rater's receipt", within=actions)
    receipt.add_argument("study", type=Path, metavar="STUDY")
    receipt.add_argument("code", metavar="CODE", help="as in K7QM-2XRA")
    backup = command("study backup", "copy the database while it is in use", within=actions)
    backup.add_argument("study", type=Path, metavar="STUDY")
    backup.add_argument("--out", type=Path, required=True, metavar="FILE", help="the copy")
    migrate = command(
        "study migrate", "bring an earlier version's study up to this", within=actions
    )
    migrate.add_argument("study", type=Path, metavar="STUDY")
    unblind = command("study unblind", "after lock: show the models' names", within=actions)
    unblind.add_argument("study", type=Path, metavar="STUDY")
    unblind.add_argument("--reason", required=True, help="why, for the record")
    export = command("study export", "write long tables, names joined", within=actions)
    export.add_argument("study", type=Path, metavar="STUDY")
    export.add_argument("--out", type=Path, required=True, help="folder for the tables")
    export.add_argument("--masked", action="store_true", help="leave the models' names out")
    export.add_argument("--reason", default="analysis", help="why, for the record (analysis)")


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

    made = create(
        options.config,
        options.run,
        references=options.references,
        anchors=options.anchors,
        database=options.database,
        out=options.out,
    )
    for warning in made.pop("warnings"):
        print(f"Warning: {warning}.", file=sys.stderr)
    for name, value in made.items():
        if isinstance(value, dict):
            print(f"{name}:", *(f"  {part}: {told}" for part, told in value.items()), sep="\n")
        else:
            print(f"{name}: {value}")
    return 0


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
    from leaderboard.planning import plan_ratings, plan_votes

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
    print(to_json(scores) if options.json else to_text(scores))
    return 0


def _rate(options: argparse.Namespace) -> int:
    from raters.room import serve

    where = f"http://{options.host}:{options.port}"
    serve(
        options.study,
        host=options.host,
        port=options.port,
        on_ready=lambda: print(f"{where} is open: raters come by their links", flush=True),
    )
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


def _study_invite(options: argparse.Namespace) -> int:
    """Print links, one a line; of a list, a CSV of label and link."""
    from raters.invitations import Wanted, invite_all, read_wanted

    if options.list and (options.count or options.group or options.language):
        raise RequestError("give --list, or --count with --group and --language, not both")
    wanted = (
        read_wanted(options.list)
        if options.list
        else [Wanted(options.group, options.language)] * (options.count or 1)
    )
    links = invite_all(options.study, wanted, base_url=options.base_url, days=options.expires)
    if options.list:
        rows = csv.writer(sys.stdout, lineterminator="\n")
        rows.writerow(("label", "link"))
        rows.writerows((one.label, link) for one, link in zip(wanted, links, strict=True))
    else:
        print("\n".join(links))
    return 0


def _study_revoke(options: argparse.Namespace) -> int:
    """Make a rater's link useless."""
    from raters.invitations import revoke

    done = revoke(options.study, options.rater, options.reason)
    stays = "what was answered stays" if done["started"] else "the place is free for another"
    print(f"{done['rater']}: the link opens nothing any more; {stays}")
    return 0


def _study_receipt(options: argparse.Namespace) -> int:
    """Say what stands behind a receipt."""
    from raters.invitations import check_receipt

    for name, value in check_receipt(options.study, options.code).items():
        print(f"{name}: {'' if value is None else value}")
    return 0


def _study_withdraw(options: argparse.Namespace) -> int:
    """Erase what a rater answered."""
    from raters.study import withdraw

    done = withdraw(options.study, options.rater, options.reason)
    print(f"{done['rater']} has withdrawn; their responses are erased")
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

    masked = tables(options.study)
    found: Mapping[str, pd.DataFrame] = masked
    if not options.masked:
        found = reveal(masked, opened_key(options.study, f"export: {options.reason}"))
    else:
        log(options.study, "exported", f"masked: {options.reason}")
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


def _study_status(options: argparse.Namespace) -> int:
    """Print how a study stands: for people, or with --json everything."""
    found = oversee(options.study)
    if options.json:
        print(json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False))
    else:
        print(readable(found))
    return 0


def _organise(options: argparse.Namespace) -> int:
    """Serve the organiser's view."""
    from raters.organiser.app import USER, serve_view

    oversee(options.study)  # what is wrong with the study is said before anything is served
    password = _password(options)
    serve_view(
        lambda: oversee(options.study),
        password=password,
        host=options.host,
        port=options.port,
        on_ready=lambda: print(
            f"http://{options.host}:{options.port} is open to {USER}"
            + ("" if options.password_file else f" with the password {password}"),
            flush=True,
        ),
    )
    return 0


def _password(options: argparse.Namespace) -> str:
    if options.password_file is None:
        return secrets.token_urlsafe(12)
    password: str = options.password_file.read_text(encoding="utf-8").strip()
    if len(password) < 8:
        raise RequestError(f"{options.password_file}: a password has at least 8 characters")
    return password


COMMANDS: dict[str, Command] = {
    "study new": _study_new,
    "study plan": _study_plan,
    "study migrate": _study_migrate,
    "study invite": _study_invite,
    "study revoke": _study_revoke,
    "study receipt": _study_receipt,
    "study amend": _study_amend,
    "study withdraw": _study_withdraw,
    "study backup": _study_backup,
    "study lock": _study_lock,
    "study unblind": _study_unblind,
    "study export": _study_export,
    "study status": _study_status,
    "rate": _rate,
    "organise": _organise,
}
