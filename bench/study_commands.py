"""The commands of a study's life after it was made: invitations, oversight, copies, export."""

from __future__ import annotations

import argparse
import csv
import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import RequestError
from bench.records import Score

if TYPE_CHECKING:
    import pandas as pd


def study_migrate(options: argparse.Namespace) -> int:
    """Bring an earlier version's study up to this one."""
    from raters.migrate import migrate

    done = migrate(options.study)
    if done["from"] == done["to"]:
        print(f"{options.study} is of this version already")
    else:
        print(f"{options.study} is brought up; what was there is kept as *.before-{done['to']}")
    return 0


def study_invite(options: argparse.Namespace) -> int:
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


def study_revoke(options: argparse.Namespace) -> int:
    """Make a rater's link useless."""
    from raters.invitations import revoke

    done = revoke(options.study, options.rater, options.reason)
    stays = "what was answered stays" if done["started"] else "the place is free for another"
    print(f"{done['rater']}: the link opens nothing any more; {stays}")
    return 0


def study_receipt(options: argparse.Namespace) -> int:
    """Say what stands behind a receipt."""
    from raters.invitations import check_receipt

    for name, value in check_receipt(options.study, options.code).items():
        print(f"{name}: {'' if value is None else value}")
    return 0


def study_withdraw(options: argparse.Namespace) -> int:
    """Erase what a rater answered."""
    from raters.study import withdraw

    done = withdraw(options.study, options.rater, options.reason)
    print(f"{done['rater']} has withdrawn; their responses are erased")
    return 0


def study_backup(options: argparse.Namespace) -> int:
    """Copy a study's database while it is in use."""
    from raters.study import backup

    done = backup(options.study, options.out)
    print(f"{done['file']}: {done['responses']} responses, integrity {done['integrity']}")
    return 0


def study_unblind(options: argparse.Namespace) -> int:
    """Log that the names are looked at from now on; only a closed study can be unblinded."""
    from raters.study import status, unblind

    if status(options.study)["locked_at"] is None:
        raise RequestError("the study is not closed yet: `pinlu study lock` it first")
    opened_key(options.study, options.reason, log=False)
    unblind(options.study, options.reason)
    print(f"{options.study} is unblinded: the organiser's view and status --json name the models")
    return 0


def study_export(options: argparse.Namespace) -> int:
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


def study_status(options: argparse.Namespace) -> int:
    """Print how a study stands: for people, or with --json everything."""
    found = oversee(options.study)
    if options.json:
        print(json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False))
    else:
        print(readable(found))
    return 0


def organise(options: argparse.Namespace) -> int:
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


def opened_key(study: Path, reason: str, *, log: bool = True) -> pd.DataFrame:
    """Return a study's key, after noting in its audit log that it was opened and why."""
    from bench.join import read_key
    from raters.study import unblind

    key = read_key(study)
    if log:
        unblind(study, reason)
    return key


def log(study: Path, action: str, detail: str) -> None:
    """Add a line to a study's audit log."""
    from raters.folder import open_study
    from raters.tables import note, writing

    with open_study(study) as (_, engine), writing(engine) as connection:
        note(connection, action, detail)


def oversee(study: Path) -> dict[str, Any]:
    """Return what an organiser may see: models have codes until the study is closed and unblinded."""
    from leaderboard.agreement import agreement
    from leaderboard.tables import check_ratings
    from raters.oversight import overview
    from raters.study import levels

    def agree(table: pd.DataFrame) -> Sequence[Score]:
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


COMMANDS = {
    "study migrate": study_migrate,
    "study invite": study_invite,
    "study revoke": study_revoke,
    "study receipt": study_receipt,
    "study withdraw": study_withdraw,
    "study backup": study_backup,
    "study unblind": study_unblind,
    "study export": study_export,
    "study status": study_status,
    "organise": organise,
}
"""Command → the function that does it."""
