"""The arguments of the command line: every command, its options and its help."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any


def parser() -> argparse.ArgumentParser:
    """Return the whole parser; the chosen command's name is in `command`."""
    whole = argparse.ArgumentParser(
        prog="pinlu",
        description="Does an image model understand a culture's aesthetics? Same prompts, blind "
        "raters, style bias, honest leaderboards.",
        epilog="Exit status: 0 done, 1 the work failed in part, 2 the request was wrong.",
    )
    whole.add_argument("--version", action="version", version=f"pinlu {version('pinlu')}")
    whole.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, help_text: str, within: Any = commands) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = within.add_parser(
            name.rsplit(" ", maxsplit=1)[-1], help=help_text, description=help_text
        )
        made.set_defaults(command=name)
        return made

    _demo(command("demo", "run the whole main job on the embedded models"))
    _suites(command("suites", "list (the default), show, check or export suites"))
    models = command("models", "list, show or check model specs; add one from the hub")
    _listing(models, ["list", "show", "check", "add"])
    models.add_argument(
        "--out", type=Path, default=Path("models"), help="where add writes the spec (models)"
    )
    _generate(command("generate", "make a run's outputs; run it again to resume"))
    _import(command("import", "take in outputs made elsewhere, by closed models"))
    _profile(command("profile", "measure a model on this device, and keep what suits it best"))
    verify = command("verify", "check every file of a run against its hashes")
    verify.add_argument("run", type=Path, metavar="RUN")
    references = commands.add_parser("references", help="human-made works: add")
    _references(
        references.add_subparsers(title="references commands", metavar="ACTION", required=True),
        command,
    )
    study = commands.add_parser("study", help="a study's life: new, invite, status, lock, …")
    actions = study.add_subparsers(title="study commands", metavar="ACTION", required=True)
    _study(actions, command)
    _study_plan(actions, command)
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
    _scoring(command)
    _leaderboard(command("leaderboard", "the static site of a scores table, or the same to filter"))
    return whole


def _demo(demo: argparse.ArgumentParser) -> None:
    demo.add_argument("--out", type=Path, default=Path("demo"), help="folder to leave it in (demo)")
    demo.add_argument("--serve", action="store_true", help="then open room and leaderboard")
    demo.add_argument("--port", type=int, default=7860, help="the room's port (7860)")


def _suites(suites: argparse.ArgumentParser) -> None:
    # parsers of their own: options may then stand before the names
    suites.set_defaults(action="list", names=[])
    actions = suites.add_subparsers(title="suites commands", metavar="ACTION")

    def action(name: str, help_text: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = actions.add_parser(
            name, help=help_text, description=help_text
        )
        made.set_defaults(command="suites", action=name)
        made.add_argument("names", nargs="*", metavar="NAME", help="names or paths (default: all)")
        return made

    action("list", "what suites there are, and their size")
    action("show", "every text of them")
    check = action("check", "hold them to their rules")
    check.add_argument(
        "--record",
        action="store_true",
        help="first enter version and content hash in versions.yaml",
    )
    export = action("export", "write them for other tools")
    export.add_argument("--form", default="dataset", help="dataset, csv, oneig or vbench (dataset)")
    export.add_argument("--out", type=Path, required=True, help="folder for the export")


def _listing(listing: argparse.ArgumentParser, actions: list[str]) -> None:
    listing.add_argument("action", nargs="?", choices=actions, default="list")
    listing.add_argument("names", nargs="*", metavar="NAME", help="names or paths (default: all)")


def _generate(generate: argparse.ArgumentParser) -> None:
    add = generate.add_argument
    add("run_yaml", nargs="?", metavar="RUN.yaml", help="a run's YAML, or its name in configs/runs")
    add("--suite", help="a suite by name or path")
    add("--models", type=_names, help="ids, specs, checkpoint folders or hub ids, by comma")
    add("--languages", type=_names, help="languages of the prompts, as in zh,en")
    add("--seeds", help="as in 0-3 (both ends included) or 0,2 (default 0)")
    add("--targets", type=_names, help="only prompts of these traditions (default: all)")
    add("--limit", type=_positive, help="only the first N prompts")
    add("--batch-size", type=_positive, dest="batch_size", help="jobs per batch, fixed by the run")
    add(
        "--video-master",
        dest="video_master",
        choices=["ffv1"],
        help="keep a lossless file beside each clip, in masters/",
    )
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="an argument of the call")
    add("--out", type=Path, help="the run folder")
    add("--dry-run", action="store_true", help="say what would be made, write nothing")
    add("--allow-mixed", action="store_true", help="resume under other versions or devices")


def _import(importing: argparse.ArgumentParser) -> None:
    add = importing.add_argument
    add("folder", type=Path, metavar="DIR", help="files scene--target--language--seed.ext")
    add("--model", required=True, metavar="ID", help="what the model is to be called")
    add("--run", type=Path, required=True, help="the run folder; a new one wants --suite")
    add("--suite", help="the suite by whose prompts the outputs were made")
    add("--csv", type=Path, metavar="FILE", help="table of the files: file,prompt,language,seed")
    add("--revision", default="imported", help="the model's version or date (imported)")
    add("--origin", default="", help="who made the model, where")
    add("--licence", default="", help="on what terms the outputs may be shown")


def _profile(profile: argparse.ArgumentParser) -> None:
    profile.add_argument("model", metavar="MODEL", help="as for generate")
    profile.add_argument(
        "--batch-sizes", type=_counts, dest="batch_sizes", help="as in 1,2,4,8 (by the device)"
    )
    profile.add_argument(
        "--compile",
        type=_switches,
        dest="compiled",
        help="off, on or off,on (off on a CPU, both on a GPU)",
    )
    profile.add_argument("--steps", type=_positive, help="steps to measure (at most 10)")
    profile.add_argument("--json", action="store_true", help="end with one line of JSON")


def _references(actions: Any, command: Callable[..., argparse.ArgumentParser]) -> None:
    add = command("references add", "tie your files to a suite's reference works", within=actions)
    add.add_argument("folder", type=Path, metavar="DIR", help="files named by the works' ids")
    add.add_argument(
        "--suite", default="chinese-aesthetics", help="whose list (chinese-aesthetics)"
    )
    add.add_argument("--out", type=Path, required=True, help="folder for pinlu study new")
    add.add_argument(
        "--size", type=_size, default=(1024, 1024), help="as in 1024x1024, the default"
    )
    add.add_argument("--table", type=Path, help="CSV: file,id and optionally crop,mask")


def _study(actions: Any, command: Callable[..., argparse.ArgumentParser]) -> None:
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
    invite.add_argument("--count", type=_positive, help="how many raters (1)")
    invite.add_argument("--group", default="", help="the raters' group, for the tables")
    invite.add_argument("--language", default="", help="in which the links open")
    invite.add_argument(
        "--list", type=Path, metavar="CSV", help="columns group, language, label; prints label,link"
    )
    invite.add_argument(
        "--expires", type=_days, metavar="30d", help="after how long a link opens nothing any more"
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


def _study_plan(actions: Any, command: Callable[..., argparse.ArgumentParser]) -> None:
    plan = command("study plan", "how many prompts, raters and votes, from a pilot", within=actions)
    plan.add_argument(
        "--pilot", type=Path, action="append", required=True, help="its ratings or votes, a table"
    )
    plan.add_argument(
        "--prompts", type=_numbers, default=(50, 100, 200), help="as in 50,100,200, the default"
    )
    plan.add_argument(
        "--raters", type=_numbers, default=(5, 10, 24), help="of the panel, as in 5,10,24"
    )
    plan.add_argument("--per-item", type=_positive, help="raters of each item (the whole panel)")
    plan.add_argument(
        "--precision", type=float, default=0.2, help="± of a difference of strengths (0.2)"
    )
    plan.add_argument("--models", type=_positive, help="to be compared (as many as in the pilot)")
    plan.add_argument("--seed", type=int, default=0, help="of the resampling (0)")
    plan.add_argument("--json", action="store_true", help="print a list of scores, nothing else")


def _scoring(command: Callable[..., argparse.ArgumentParser]) -> None:
    agreement = command("agreement", "do the raters agree? alpha and its company, with intervals")
    _tables(agreement, "rater,item,criterion,value")
    agreement.add_argument(
        "--level",
        choices=_LEVELS,
        default="ordinal",
        help="level of measurement (ordinal)",
    )
    agreement.add_argument(
        "--scale", type=_scale, help="lowest and highest value, as in 1-5: others are errors"
    )
    rank = command("rank", "strengths and ranks from votes")
    _tables(rank, "rater,prompt,left,right,winner")
    style = command("style", "style bias from attributions")
    _tables(style, "rater,item,model,prompt,target,attribution")
    style.add_argument("--home", help="the tradition under test, where the table does not say")
    style.add_argument("--labels", type=_names, default=(), help="further labels, by comma")
    score = command("score", "all scores of studies, or of tables of any kind, and the report")
    score.add_argument(
        "inputs", type=Path, nargs="+", metavar="STUDY", help="study folders, or tables"
    )
    _output(score)
    score.add_argument(
        "--run",
        type=Path,
        action="append",
        default=[],
        help="a run folder, or a table model,seconds,status: what the outputs cost",
    )
    score.add_argument("--level", default="ordinal", choices=_LEVELS, help="of tables (ordinal)")
    score.add_argument("--home", help="of tables: the tradition under test")
    score.add_argument("--labels", type=_names, default=(), help="of tables: further labels")
    for scoring in (rank, style, score):
        scoring.add_argument("--seed", type=int, default=0, help="of the resampling (0)")


_LEVELS = ("nominal", "ordinal", "interval", "ratio")


def _leaderboard(board: argparse.ArgumentParser) -> None:
    board.add_argument("scores", type=Path, metavar="SCORES", help="scores.csv or scores.parquet")
    board.add_argument("--out", type=Path, help="folder for the site")
    board.add_argument(
        "--compare",
        nargs=2,
        metavar=("BEFORE", "AFTER"),
        help="two releases of a model: a verdict per criterion; exit 1 where AFTER is worse",
    )
    board.add_argument("--json", action="store_true", help="the verdicts as a list of records")
    board.add_argument("--serve", action="store_true", help="serve it, to filter by slices")
    board.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    board.add_argument("--port", type=int, default=7861, help="port to listen on (7861)")


def _tables(scoring: argparse.ArgumentParser, columns: str) -> None:
    scoring.add_argument(
        "tables", type=Path, nargs="+", metavar="TABLE", help=f"CSV, Parquet or JSONL: {columns}"
    )
    _output(scoring)


def _output(scoring: argparse.ArgumentParser) -> None:
    scoring.add_argument("--json", action="store_true", help="print a list of scores, nothing else")
    scoring.add_argument("--out", type=Path, help="folder for scores.csv and scores.parquet")
    scoring.add_argument(
        "--by", type=_names, default=(), help="slice by these columns too, as in language,genre"
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(piece.strip() for piece in text.split(",") if piece.strip())


def _scale(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    try:
        found = float(low), float(high)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not LOWEST-HIGHEST, as in 1-5") from error
    if not found[0] < found[1]:
        raise argparse.ArgumentTypeError(f"{text} is not LOWEST-HIGHEST, as in 1-5")
    return found


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(_positive(piece) for piece in _names(text))


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text} is not WIDTHxHEIGHT")
    if not all(64 <= int(side) <= 8192 for side in (width, height)):
        raise argparse.ArgumentTypeError(f"{text}: each side wants 64 to 8192 pixels")
    return int(width), int(height)


def _counts(text: str) -> tuple[int, ...]:
    return tuple(_positive(piece) for piece in _names(text))


def _switches(text: str) -> tuple[bool, ...]:
    known = {"off": False, "on": True}
    if not _names(text) or not known.keys() >= set(_names(text)):
        raise argparse.ArgumentTypeError(f"{text} is not off, on or off,on")
    return tuple(known[name] for name in _names(text))


def _days(text: str) -> float:
    number, unit = text[:-1], text[-1:]
    if unit not in {"d", "h"} or not number.isdecimal() or not int(number):
        raise argparse.ArgumentTypeError(f"{text} is no time like 30d or 12h")
    return int(number) / (24 if unit == "h" else 1)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value
