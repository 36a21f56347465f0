"""The commands of the instrument: suites and the files of their reference works."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.arguments import Adder, Command, size

if TYPE_CHECKING:
    from bench.suites import Suite


def add(command: Adder, commands: Any) -> None:
    """Add the commands of this file."""
    _add_suites(command("suites", "list (the default), show, check or export suites"))
    told = "human-made works: add"
    references = commands.add_parser("references", help=told, description=told)
    _add_references(
        references.add_subparsers(title="references commands", metavar="ACTION", required=True),
        command,
    )


def _add_suites(suites: argparse.ArgumentParser) -> None:
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


def _add_references(actions: Any, command: Adder) -> None:
    add = command("references add", "tie your files to a suite's reference works", within=actions)
    add.add_argument("folder", type=Path, metavar="DIR", help="files named by the works' ids")
    add.add_argument(
        "--suite", default="chinese-aesthetics", help="whose list (chinese-aesthetics)"
    )
    add.add_argument("--out", type=Path, required=True, help="folder for pinlu study new")
    add.add_argument("--size", type=size, default=(1024, 1024), help="as in 1024x1024, the default")
    add.add_argument("--table", type=Path, help="CSV: file,id and optionally crop,mask")


def _suites(options: argparse.Namespace) -> int:
    from bench.suite_export import export_notes, export_suite
    from bench.suites import list_suites, load_suite

    faults = 0
    names = options.names or list_suites()
    for name in names:
        suite = load_suite(name)
        if options.action == "show":
            for prompt in suite.prompts.values():
                for language, text in prompt.text.items():
                    print(f"{prompt.id}  {language}  {text}")
        elif options.action == "check":
            faults += _check_suite(suite, record=options.record)
        elif options.action == "export":
            out = options.out / suite.name if len(names) > 1 else options.out
            for path in export_suite(suite, options.form, out):
                print(path)
            for note in export_notes(suite, options.form):
                print(f"note: {note}", file=sys.stderr)
        else:
            print(
                f"{name}: {suite.modality}, home {suite.home}, "
                f"{_counted(len(suite.scenes), 'question' if suite.questions else 'scene')}, "
                f"{_counted(len(suite.prompts), 'prompt')}, {', '.join(suite.languages)}"
            )
    return 1 if faults else 0


def _check_suite(suite: Suite, *, record: bool) -> int:
    from bench.suite_checks import check_suite
    from bench.suite_versions import is_recorded, record_version

    if record:
        record_version(suite)
    checked = check_suite(suite)
    what = "questions" if suite.questions else "scenes"
    print(f"{suite.name}  {'stratum':<16} {'genre':<28} {what}")
    for (stratum, genre), count in sorted(checked.counts.items()):
        print(f"{suite.name}  {stratum or '-':<16} {genre or '-':<28} {count:>{len(what)}}")
    for fault in checked.faults:
        print(f"{suite.name}: {fault}", file=sys.stderr)
    verdict = _counted(len(checked.faults), "fault") if checked.faults else "good"
    unrecorded = "" if is_recorded(suite) else " (no versions.yaml: enter it with --record)"
    print(
        f"{suite.name}: {verdict}, {_counted(len(suite.scenes), 'question' if suite.questions else 'scene')}, "
        f"{_counted(len(suite.prompts), 'prompt')}, version {suite.version}{unrecorded}, "
        f"content hash {suite.hash[:12]}"
    )
    return len(checked.faults)


def _references_add(options: argparse.Namespace) -> int:
    from bench.references import add_references
    from bench.suites import load_suite

    suite = load_suite(options.suite)
    added = add_references(
        suite, options.folder, options.out, size=options.size, table=options.table
    )
    for sentence in added.notes:
        print(f"note: {sentence}", file=sys.stderr)
    for sentence in added.refused:
        print(f"refused: {sentence}", file=sys.stderr)
    for (tradition, stratum), count in added.missing.items():
        print(f"without a file: {tradition}, {stratum}: {_counted(count, 'work')} of the list")
    if added.missing and added.rows:
        print(f"{options.out / 'missing.csv'}: the works without a file")
    print(
        f"{options.out}: {_counted(len(added.rows), 'picture')}, "
        f"{_counted(len(added.refused), 'file')} refused"
        f"{'' if added.rows else ': nothing was written'}"
    )
    return 1 if added.refused else 0


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


COMMANDS: dict[str, Command] = {"suites": _suites, "references add": _references_add}
