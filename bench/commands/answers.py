"""Suites of understanding on the command line: what generate and import do for them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.arguments import names, positive
from bench.errors import RequestError

if TYPE_CHECKING:
    from bench.records import ModelSpec
    from bench.request import Request
    from bench.understanding.served import Server


def add_answer_options(generate: argparse.ArgumentParser) -> None:
    """Add the options that only suites of understanding take."""
    group = generate.add_argument_group("suites of understanding")
    add = group.add_argument
    add("--works", type=Path, metavar="DIR", help="the pictures: made by pinlu references add")
    add("--questions", type=names, default=(), help="only these questions, by comma (default: all)")
    add("--base-url", metavar="URL", help="with --engine openai: where the server answers")
    add("--concurrency", type=positive, default=8, help="requests under way at once (8)")
    add("--timeout", type=positive, default=120, help="seconds that a request may take (120)")
    add("--price", type=price, metavar="IN,OUT", help="of a million tokens in and out: adds cost")


def price(text: str) -> tuple[float, float]:
    """Read IN,OUT: the prices of a million tokens."""
    pieces = [float(piece) for piece in text.split(",")]
    if len(pieces) != 2 or min(pieces) < 0:
        raise argparse.ArgumentTypeError(f"{text}: write two prices, as in 0.15,0.60")
    return pieces[0], pieces[1]


def asks_for_answers(suite: str | None) -> bool:
    """Say whether a suite asks questions about works."""
    from bench.suites import load_suite

    return suite is not None and load_suite(suite).modality == "understanding"


def answer_command(options: argparse.Namespace, request: Request, folder: Path) -> int:
    """Have the questions of a suite of understanding answered."""
    from bench.crew.engines import workers_of
    from bench.understanding.answering import answer, refuse_other_modality
    from bench.understanding.asking import Asking, planned_answers

    refuse_other_modality(request, "understanding")
    if options.works is None:
        raise RequestError(
            "what is the model to look at? give --works, a folder that pinlu references add made"
        )
    server = server_of(options)
    asking = Asking(options.works, options.questions, server, options.price)
    if options.dry_run:
        run = planned_answers(request, asking, folder)
        jobs = sum(len(jobs) for model in run.models for jobs in run.now(model))
        print(
            f"{jobs} answers of {len(run.models)} models on {len(run.here)} works; nothing was written"
        )
        return 0
    workers = None if server else workers_of(options)
    if workers:
        from bench.understanding.by_workers import answer_by_workers

        done = answer_by_workers(workers, request, asking, folder, allow_mixed=options.allow_mixed)
    else:
        done = answer(request, asking, folder, allow_mixed=options.allow_mixed)
    flagged = "".join(f", {count} {flag}" for flag, count in sorted(done.flags.items()))
    cost = f", cost {done.cost:.4f}" if options.price else ""
    padding = "" if server else f", padding {done.padding_share:.1%}"
    print(
        f"{folder}: {done.made} answered, {done.there_before} there before, {done.failed} failed"
        f"{flagged}, of {done.planned} planned, {done.tokens} tokens out{padding}{cost}, "
        f"in {done.seconds:.0f} s",
        file=sys.stderr if options.json else sys.stdout,
    )
    if done.failed:
        lost = "1 job" if done.failed == 1 else f"{done.failed} jobs"
        print(f"pinlu: {lost} failed, see {folder / 'failures.jsonl'}", file=sys.stderr)
        return 1
    return 0


def server_of(options: argparse.Namespace) -> Server | None:
    """Return the server that the options name, None where models run here."""
    from bench.understanding.served import Server

    if (options.engine == "openai") != bool(options.base_url):
        raise RequestError("--engine openai and --base-url belong together")
    if not options.base_url:
        return None
    return Server(options.base_url, options.concurrency, float(options.timeout))


def import_command(options: argparse.Namespace, spec: ModelSpec) -> int:
    """Take in answers that a model gave elsewhere."""
    from bench.understanding.importing import import_answers

    done = import_answers(options.folder, spec, options.run, suite=options.suite, table=options.csv)
    flagged = sum(bool(answer.flags) for answer in done.entered)
    return tell_import(
        done.refused,
        f"{options.run}: {len(done.entered)} entered, {done.there_before} there before, "
        f"{flagged} flagged",
    )


def tell_import(refused: Sequence[str], entered: str) -> int:
    """Say what was refused, or else what was entered; return the exit status."""
    if not refused:
        print(entered)
        return 0
    for sentence in refused:
        print(f"refused: {sentence}", file=sys.stderr)
    print(
        f"pinlu: {len(refused)} refused, nothing was entered: put it right, run again",
        file=sys.stderr,
    )
    return 2
