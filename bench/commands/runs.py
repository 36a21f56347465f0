"""The commands around a run: the demo, models, the release gate, verify."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.arguments import Adder, Command, names, positive
from bench.errors import RequestError


def add(command: Adder, commands: Any) -> None:
    """Add the commands of this file."""
    del commands
    demo = command("demo", "run the whole main job on the embedded models")
    demo.add_argument("--out", type=Path, default=Path("demo"), help="folder to leave it in (demo)")
    demo.add_argument(
        "--understanding",
        action="store_true",
        help="instead, two embedded readers: is the misreading that one was trained on found?",
    )
    demo.add_argument("--serve", action="store_true", help="then open room and leaderboard")
    demo.add_argument("--port", type=int, help="the room's port (7860)")
    models = command("models", "list, show or check model specs; add one from the hub")
    models.add_argument(
        "action", nargs="?", choices=["list", "show", "check", "add"], default="list"
    )
    models.add_argument("names", nargs="*", metavar="NAME", help="names or paths (default: all)")
    models.add_argument(
        "--out", type=Path, default=Path("models"), help="where add writes the spec (models)"
    )
    _add_check(command("check", "a release gate: a model against a baseline, exit 1 on a loss"))
    verify = command("verify", "check every file of a run against its hashes")
    verify.add_argument("run", metavar="RUN", help="the run folder, or its URL")


def _add_check(check: argparse.ArgumentParser) -> None:
    add = check.add_argument
    add("model", metavar="MODEL", help="as for generate")
    add("--suite", required=True, help="a suite by name or path")
    add("--baseline", required=True, metavar="B", help="what it must not be worse than")
    add("--out", type=Path, default=Path("check"), help="folder for run and page (check)")
    add(
        "--precision",
        type=float,
        default=0.15,
        help="half-width wanted of a leak difference (0.15)",
    )
    add("--seeds", help="as in 0-11, as for generate (from 0, as many as the precision needs)")
    add("--languages", type=names, default=(), help="of the prompts (all)")
    add("--limit", type=positive, help="only the first N prompts")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="an argument of the call")
    add("--network", metavar="NAME", help="what sees, as for probe")
    add("--references", type=Path, help="folder of reference works, as for probe")
    add("--json", action="store_true", help="print the verdicts as a list of records")


def _demo(options: argparse.Namespace) -> int:
    from bench.demo import demo

    if options.understanding:
        if options.serve or options.port is not None:
            raise RequestError("--serve and --port are for the picture demo")
        from bench.demo_understanding import demo_understanding

        return demo_understanding(options.out)
    return demo(options.out, serve=options.serve, port=options.port or 7860)


def _models(options: argparse.Namespace) -> int:
    from bench.models import add_model, describe, list_models

    if options.action == "add":
        if not options.names:
            raise RequestError("models add wants a hub id")
        for name in options.names:
            print(add_model(name, options.out))
        return 0
    faults = 0
    for name in options.names or list_models():
        said, *more = describe(name)
        if options.action == "check":
            from bench.pipelines import check_spec

            try:
                check_spec(name)
                reads = ", reads pictures," in said
                said += f"; fits the installed {'transformers' if reads else 'diffusers'}"
            except RequestError as error:
                faults += 1
                said += f"; {error}"
        print("\n".join([said, *more] if options.action == "show" else [said]))
    return 1 if faults else 0


def _check(options: argparse.Namespace) -> int:
    import json

    from bench.checking import check
    from bench.plan import parse_seeds
    from bench.request import settings
    from leaderboard.compare import is_loss, to_record
    from leaderboard.gate import leak_unknown
    from leaderboard.gate_page import gate_sentences, headline

    done = check(
        options.model,
        options.baseline,
        options.suite,
        out=options.out,
        precision=options.precision,
        seeds=parse_seeds(options.seeds) if options.seeds else (),
        languages=options.languages,
        limit=options.limit,
        arguments=settings("set", options.set),
        network=options.network,
        references=options.references,
    )
    for fault in done.faults:
        print(fault, file=sys.stderr)
    if options.json:
        print(json.dumps([to_record(one) for one in done.verdicts], indent=1, allow_nan=False))
    else:
        print("\n".join(gate_sentences(done.verdicts)))
        print(headline(done.verdicts, done.asked, done.reached))
        print(f"page: {done.page}")
    if is_loss(done.verdicts):
        return 1
    if leak_unknown(done.verdicts):
        said = headline(done.verdicts, done.asked, done.reached)
        print(f"pinlu: no verdict: {said}", file=sys.stderr)
        return 2
    return int(bool(done.faults))


def _verify(options: argparse.Namespace) -> int:
    from bench.cards import still_to_make
    from bench.manifest import read_outputs, read_run, verify
    from bench.remote import worked_in

    with worked_in(options.run, whole=True, write=False) as run:
        content = read_run(run)
        faults = verify(run)
        rows = read_outputs(run)
    again = _again(faults, content["models"])
    if unmade := still_to_make(content, rows):
        planned = content["planned"]
        faults.append(f"{unmade} of {planned} planned outputs are not made: generate again")
    for fault in faults:
        print(fault)
    said = f"see above{again}" if faults else "nothing wrong"
    print(f"{options.run}: {len(rows)} outputs, {said}")
    return 1 if faults else 0


def _again(faults: Sequence[str], models: Sequence[Mapping[str, Any]]) -> str:
    """Return what to do about files that are lost, changed or torn; "" where there are none."""
    from bench.cards import IMPORTED

    if not any(fault.startswith(("missing", "changed", "torn")) for fault in faults):
        return ""
    imported = [one.get("pipeline") == IMPORTED for one in models]
    ways = ["generate"] * (not all(imported)) + ["import"] * any(imported)
    what = "file that is changed or torn"
    if any("the answer" in fault for fault in faults):
        what = "changed answer's line in metadata.jsonl"
    return f": delete each {what}, then {' or '.join(ways)} again"


COMMANDS: dict[str, Command] = {
    "demo": _demo,
    "models": _models,
    "check": _check,
    "verify": _verify,
}
