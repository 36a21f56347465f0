"""Judges on the command line: what `pinlu probe RUN --judge MODEL` takes and does."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from bench.arguments import names, positive, whole
from bench.commands.answers import price, server_of
from bench.errors import RequestError

_OF_NETWORKS = ("network", "references", "texts", "revision", "threads")


def add_judge_options(group: Any) -> None:
    """Add what only judges take."""
    add = group.add_argument
    add("--judge", metavar="MODEL", help="a vision–language model, named as for generate")
    add("--rubric", help="by whose scales it judges (six-canons)")
    add(
        "--languages",
        type=names,
        default=(),
        help="in which it is asked: en, zh (en); "
        "of a network, those of the texts that it reads (all)",
    )
    add("--seeds", help="as in 0-2: several want --set temperature=0.7 (0)")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="of its decoding")
    add(
        "--pairs",
        type=whole,
        help="at most so many pairs of each two models, both ways round (all)",
    )
    add("--base-url", metavar="URL", help="with --engine openai: where the server answers")
    add("--concurrency", type=positive, default=8, help="requests under way at once (8)")
    add("--timeout", type=positive, default=120, help="seconds that a request may take (120)")
    add("--price", type=price, metavar="IN,OUT", help="of a million tokens in and out: adds cost")


def judge_command(options: argparse.Namespace) -> int:
    """Have a model judge a run."""
    from bench.crew.engines import workers_of
    from bench.judging.names import REPLIES, REPORT, TABLE
    from bench.judging.run import judge
    from bench.judging.seats import BATCH_SIZE, Judging
    from bench.plan import parse_seeds
    from bench.remote import worked_in
    from bench.request import settings

    for name in _OF_NETWORKS:
        if getattr(options, name) is not None:
            raise RequestError(
                f"--{name} is for networks, and --judge for a judge: call probe once for each"
            )
    asked = Judging(
        model=options.judge,
        rubric=options.rubric or "six-canons",
        languages=options.languages or ("en",),
        seeds=parse_seeds(options.seeds or "0"),
        arguments=settings("set", options.set),
        pairs=options.pairs,
        server=server_of(options),
        price=options.price,
        batch_size=options.batch_size or BATCH_SIZE,
    )
    by = None if asked.server else workers_of(options)
    with worked_in(options.run, whole=True) as run:
        if by is None:
            done = judge(run, asked, allow_mixed=options.allow_mixed)
        else:
            from bench.judging.by_workers import judge_by_workers

            done = judge_by_workers(by, run, asked, allow_mixed=options.allow_mixed)
    flags = "".join(f", {count} {flag}" for flag, count in sorted(done.flags.items()))
    cost = f", cost {done.cost:.4f}" if options.price else ""
    how = f"sampled at {done.temperature:g}" if done.temperature else "greedy"
    out = sys.stderr if options.json else sys.stdout
    print(
        f"{options.run}: {done.judge} ({how}): {done.made} replies, {done.there_before} there before, "
        f"{done.failed} failed, {done.unread} not read whole{flags}, of {done.planned}, "
        f"{done.tokens} tokens out{cost}, in {done.seconds:.0f} s",
        file=out,
    )
    print(f"  written: {REPLIES}, {TABLE}, {REPORT}", file=out)
    for fault in done.faults:
        print(fault, file=sys.stderr)
    return 1 if done.faults else 0


def refuse_judges_options(options: argparse.Namespace) -> None:
    """Refuse what means nothing without a judge."""
    given = {
        "rubric": options.rubric,
        "seeds": options.seeds,
        "set": options.set,
        "pairs": options.pairs is not None,
        "engine openai": options.engine == "openai",
        "base-url": options.base_url,
        "price": options.price,
    }
    for name, value in given.items():
        if value:
            raise RequestError(f"--{name} wants --judge: networks take no such thing")
