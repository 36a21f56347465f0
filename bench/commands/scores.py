"""The commands of the scorer: plan a study, agreement, rank, style, score, leaderboard."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.arguments import Adder, Command, names, scale
from bench.errors import RequestError
from bench.records import SIMULATED, Score
from bench.reporting import write_report
from bench.scoring import (
    combined_with_probe,
    costs_of,
    is_run,
    judges_of,
    missing_answers,
    probes_of,
    score_answer_runs,
    score_studies,
)

if TYPE_CHECKING:
    import pandas as pd

    from leaderboard.board import Labels

_LEVELS = ("nominal", "ordinal", "interval", "ratio")


def add(command: Adder, commands: Any) -> None:
    """Add the commands of this file."""
    del commands
    _add_scoring(command)
    _add_leaderboard(
        command("leaderboard", "the static site of a scores table, or the same to filter")
    )


def _add_scoring(command: Adder) -> None:
    agreement = command("agreement", "do the raters agree? alpha and its company, with intervals")
    _tables(agreement, "rater,item,criterion,value")
    agreement.add_argument(
        "--level",
        choices=_LEVELS,
        default="ordinal",
        help="level of measurement (ordinal)",
    )
    agreement.add_argument(
        "--scale", type=scale, help="lowest and highest value, as in 1-5: others are errors"
    )
    rank = command("rank", "strengths and ranks from votes")
    _tables(rank, "rater,prompt,left,right,winner")
    style = command("style", "style bias from attributions")
    _tables(style, "rater,item,model,prompt,target,attribution")
    style.add_argument("--home", help="the tradition under test, where the table does not say")
    style.add_argument("--labels", type=names, default=(), help="further labels, by comma")
    score = command("score", "all scores of studies, or of tables of any kind, and the report")
    score.add_argument(
        "inputs",
        type=Path,
        nargs="*",
        metavar="STUDY",
        help="study folders and runs of understanding, or tables; none where --run names what was "
        "probed",
    )
    _output(score, "folder for the report: pages, figures, tables, scores.csv and scores.parquet")
    score.add_argument(
        "--run",
        type=Path,
        action="append",
        default=[],
        help="a run folder: what its outputs cost, what probes saw in them and judges said; or a table"
        " model,seconds,status",
    )
    score.add_argument(
        "--with-probe",
        type=Path,
        dest="with_probe",
        metavar="RUN",
        help="a probed run that the study drew on: judged outputs correct its probes on the rest, "
        "and its judges",
    )
    score.add_argument("--level", default="ordinal", choices=_LEVELS, help="of tables (ordinal)")
    score.add_argument("--home", help="of tables: the tradition under test")
    score.add_argument("--labels", type=names, default=(), help="of tables: further labels")
    for scoring in (rank, style, score):
        scoring.add_argument("--seed", type=int, default=0, help="of the resampling (0)")


def _add_leaderboard(board: argparse.ArgumentParser) -> None:
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


def _output(
    scoring: argparse.ArgumentParser, out: str = "folder for scores.csv and scores.parquet"
) -> None:
    scoring.add_argument("--json", action="store_true", help="print a list of scores, nothing else")
    scoring.add_argument("--out", type=Path, help=out)
    scoring.add_argument(
        "--by", type=names, default=(), help="slice by these columns too, as in language,genre"
    )


def _agreement(options: argparse.Namespace) -> int:
    from leaderboard.scoring import agreements
    from leaderboard.tables import read_ratings

    ratings = read_ratings(options.tables, scale=options.scale)
    scores = agreements(ratings, levels=options.level, by=options.by)
    return _give(scores, ratings, "ratings", options)


def _rank(options: argparse.Namespace) -> int:
    import numpy as np

    from leaderboard.ranking import rank
    from leaderboard.tables import read_votes

    votes = read_votes(options.tables)
    scores = rank(votes, rng=np.random.default_rng(options.seed), by=options.by)
    return _give(scores, votes, "votes", options)


def _style(options: argparse.Namespace) -> int:
    import numpy as np

    from leaderboard.style import style
    from leaderboard.tables import read_attributions

    table = read_attributions(options.tables, labels=options.labels)
    rng = np.random.default_rng(options.seed)
    scores = style(table, home=options.home, rng=rng, by=options.by)
    return _give(scores, table, "attributions", options)


def _score(options: argparse.Namespace) -> int:
    if not options.inputs and not options.run:
        raise RequestError("score wants a study, a table, or a probed run with --run")
    folders = [path for path in options.inputs if path.is_dir()]
    answers = [path for path in folders if is_run(path)]
    studies = [path for path in folders if path not in answers]
    if options.with_probe and not studies:
        raise RequestError("--with-probe wants a study: tables name no run's outputs")
    if folders and len(folders) < len(options.inputs):
        raise RequestError("give study folders or tables, not both at once")
    if folders:
        scores = score_studies(studies, seed=options.seed, by=options.by)
        scores += _score_answers(answers, options)
    else:
        scores = _score_tables(options) if options.inputs else []
    if options.with_probe:
        scores += combined_with_probe(studies, options.with_probe, seed=options.seed)
    for source in options.run:
        seen = probes_of(source, seed=options.seed, by=options.by)
        seen += judges_of(source, seed=options.seed, by=options.by)
        if not options.inputs and not seen:
            raise RequestError(f"{source} was not probed: run pinlu probe {source} first")
        scores += seen + costs_of(source, scores + seen)
    _print(scores, as_json=options.json)
    if not any(score.model for score in scores):
        print("pinlu: nothing was judged yet, so there are no scores", file=sys.stderr)
    if options.out:
        runs = [*options.run, *answers]
        print(f"report: {write_report(scores, studies, options.out, runs)}", file=sys.stderr)
    return 0


def _score_answers(runs: Sequence[Path], options: argparse.Namespace) -> list[Score]:
    scores = score_answer_runs(runs, seed=options.seed, by=options.by)
    for run in runs:
        if missing := missing_answers(run):
            print(f"pinlu: {run}: {missing}: generate again", file=sys.stderr)
    return scores


def _score_tables(options: argparse.Namespace) -> list[Score]:
    import numpy as np

    from leaderboard.kinds import read_tables, with_rows
    from leaderboard.scoring import score
    from leaderboard.weighting import weight_scores

    full, empty = with_rows(options.inputs)
    for path in empty if full else ():
        print(f"pinlu: {path} has no rows", file=sys.stderr)
    scores = score(
        read_tables(full or options.inputs, labels=options.labels),
        levels=options.level,
        home=options.home,
        rng=np.random.default_rng(options.seed),
        by=options.by,
    )
    return scores + weight_scores(scores)


def _leaderboard(options: argparse.Namespace) -> int:
    from leaderboard.files import read_labels, read_scores
    from leaderboard.pictures import carry_pictures, embedded, read_pictures
    from leaderboard.site import write_site

    if not (options.out or options.serve or options.compare):
        raise RequestError("leaderboard wants --out, --serve or --compare")
    scores, labels = read_scores(options.scores), read_labels(options.scores)
    pictures = read_pictures(options.scores)
    if options.out:
        carry_pictures(pictures, options.scores, options.out)
        print(write_site(scores, options.out, labels=labels, pictures=pictures))
    code = _compare(scores, labels, options) if options.compare else 0
    if options.serve:
        from leaderboard.serve import serve

        shown = embedded(pictures, options.scores)
        serve(scores, labels, shown, host=options.host, port=options.port)
    return code


def _compare(scores: Sequence[Score], labels: Labels, options: argparse.Namespace) -> int:
    """Print a verdict per criterion; 1 where the release after is worse anywhere, 2 without any."""
    import json

    from leaderboard.compare import compare, is_loss, is_undecided, sentence, to_record
    from leaderboard.marks import marked
    from leaderboard.words import words_in

    verdicts = compare(scores, *options.compare)
    if options.json:
        records = [to_record(verdict) for verdict in verdicts]
        print(json.dumps(records, ensure_ascii=False, indent=1, allow_nan=False))
    else:
        words = words_in("en", marked(labels, scores))
        if any(SIMULATED in verdict.difference.method for verdict in verdicts):
            print(words.say("simulated_long"))
        print("\n".join(sentence(verdict, words) for verdict in verdicts))
    if is_undecided(verdicts):
        print("pinlu: no verdict: nothing of the two could be compared", file=sys.stderr)
        return 2
    return int(is_loss(verdicts))


def _give(scores: list[Score], table: pd.DataFrame, kind: str, options: argparse.Namespace) -> int:
    """Print and write the scores of one table, and how many of its rows were used for what."""
    from leaderboard.files import write_scores
    from leaderboard.scoring import count_rows

    # agreement speaks of raters: to it a rating without a model is one like others
    scores = scores + count_rows(table, kind, of_models=options.command != "agreement")
    _print(scores, as_json=options.json)
    if options.out:
        write_scores(scores, options.out)
    return 0


def _print(scores: Sequence[Score], *, as_json: bool) -> None:
    from leaderboard.files import to_json, to_text

    if as_json:
        print(to_json(scores))
    else:
        # hundreds of lines that only a figure needs; tables and JSON have them
        print(to_text([score for score in scores if score.metric != "share_covariance"]))


COMMANDS: dict[str, Command] = {
    "agreement": _agreement,
    "rank": _rank,
    "style": _style,
    "score": _score,
    "leaderboard": _leaderboard,
}
