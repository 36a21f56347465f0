"""The command line: `pinlu COMMAND`. Each command is one function; imports happen when it runs."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench import study_commands
from bench.arguments import parser
from bench.errors import PinluError, RequestError
from bench.records import REFERENCE, Score

if TYPE_CHECKING:
    from bench.suites import Suite

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0 done, 1 the work failed in part, 2 the request was wrong."""
    options = parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](options)
    except PinluError as error:
        if options.debug:
            raise
        print(f"pinlu: {error}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:
        return 1  # whoever read our output has had enough
    except OSError as error:
        if options.debug:
            raise
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        print(f"pinlu: {what}; what was finished is kept", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("pinlu: stopped; what was finished is kept, run again to go on", file=sys.stderr)
        return 130


def _generate(options: argparse.Namespace) -> int:
    from bench.generate import generate
    from bench.request import request_from
    from bench.run import planned_run

    request, folder = request_from(options)
    if options.dry_run:
        run = planned_run(request, folder)
        jobs = sum(len(batch.jobs) for batch in run.batches)
        print(
            f"{jobs} jobs of {len(run.models)} models in {len(run.batches)} batches of "
            f"{run.content['batch_size']}; nothing was written"
        )
        return 0
    done = generate(request, folder, allow_mixed=options.allow_mixed)
    print(
        f"{folder}: {done.made} made, {done.there_before} there before, {done.failed} failed, "
        f"{done.suspect} suspect, of {done.planned} planned, in {done.seconds:.0f} s"
    )
    if done.failed:
        print(f"pinlu: {done.failed} jobs failed, see {folder / 'failures.jsonl'}", file=sys.stderr)
        return 1
    return 0


def _verify(options: argparse.Namespace) -> int:
    from bench.manifest import read_outputs, read_run, verify

    planned = read_run(options.run).get("planned")
    faults = verify(options.run)
    there = len(read_outputs(options.run))
    if planned is not None and there < planned:
        faults.append(
            f"{planned - there} of {planned} planned outputs are not made: generate again"
        )
    for fault in faults:
        print(fault)
    print(f"{options.run}: {there} outputs, {'nothing wrong' if not faults else 'see above'}")
    return 1 if faults else 0


def _suites(options: argparse.Namespace) -> int:
    from bench.suites import list_suites, load_suite

    faults = 0
    for name in options.names or list_suites():
        suite = load_suite(name)
        if options.action == "show":
            for prompt in suite.prompts.values():
                for language, text in prompt.text.items():
                    print(f"{prompt.id}  {language}  {text}")
        elif options.action == "check":
            faults += _check_suite(suite, record=options.record)
        elif options.action == "export":
            _export_suite(suite, options)
        else:
            print(
                f"{name}: {suite.modality}, home {suite.home}, {len(suite.scenes)} scenes, "
                f"{len(suite.prompts)} prompts, {', '.join(suite.languages)}"
            )
    return 1 if faults else 0


def _check_suite(suite: Suite, *, record: bool) -> int:
    from bench.suite_checks import check_suite, record_version

    if record:
        record_version(suite)
    checked = check_suite(suite)
    for (stratum, genre), count in sorted(checked.cells.items()):
        print(f"{suite.name}  {stratum or '-':<16} {genre or '-':<28} {count:>4}")
    for fault in checked.faults:
        print(f"{suite.name}: {fault}", file=sys.stderr)
    verdict = f"{len(checked.faults)} faults" if checked.faults else "good"
    print(
        f"{suite.name}: {verdict}, {len(suite.scenes)} scenes, {len(suite.prompts)} prompts, "
        f"version {suite.version}, content hash {suite.hash[:12]}"
    )
    return len(checked.faults)


def _export_suite(suite: Suite, options: argparse.Namespace) -> None:
    from bench.suite_export import export_suite

    if options.out is None:
        raise RequestError("suites export wants --out, a folder")
    for path in export_suite(suite, options.form, options.out):
        print(path)


def _references_add(options: argparse.Namespace) -> int:
    from bench.references import add_references
    from bench.suites import load_suite

    suite = load_suite(options.suite)
    added = add_references(
        suite, options.folder, options.out, size=options.size, table=options.table
    )
    for sentence in added.refused:
        print(f"refused: {sentence}", file=sys.stderr)
    for (tradition, stratum), count in added.missing.items():
        print(f"without a file: {tradition}, {stratum}: {count} works of the list")
    print(f"{options.out}: {len(added.rows)} pictures, {len(added.refused)} files refused")
    return 1 if added.refused else 0


def _models(options: argparse.Namespace) -> int:
    from bench.models import add_model, list_models, load_model

    if options.action == "add":
        for name in _some(options.names, "models add wants a hub id"):
            print(add_model(name, options.out))
        return 0
    for name in options.names or list_models():
        spec = load_model(name)
        print(
            f"{spec.id}: {spec.modality}, revision {spec.revision[:12]}, "
            f"{', '.join(spec.languages) or 'languages not stated'}, "
            f"{spec.licence or 'licence not stated'}"
        )
        if options.action == "show":
            for argument, value in spec.arguments.items():
                print(f"  {argument}: {value}")
    return 0


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


def _rate(options: argparse.Namespace) -> int:
    from raters.room import serve

    serve(options.study, host=options.host, port=options.port)
    return 0


def _agreement(options: argparse.Namespace) -> int:
    from leaderboard.agreement import agreement
    from leaderboard.tables import read_ratings

    scores = agreement(read_ratings(options.tables), levels=options.level, by=options.by)
    return _give(scores, options)


def _rank(options: argparse.Namespace) -> int:
    import numpy as np

    from leaderboard.ranking import rank
    from leaderboard.tables import read_votes

    votes = read_votes(options.tables)
    return _give(rank(votes, rng=np.random.default_rng(options.seed), by=options.by), options)


def _style(options: argparse.Namespace) -> int:
    import numpy as np

    from leaderboard.style import style
    from leaderboard.tables import read_attributions

    table = read_attributions(options.tables, labels=options.labels)
    rng = np.random.default_rng(options.seed)
    return _give(style(table, home=options.home, rng=rng, by=options.by), options)


def _score(options: argparse.Namespace) -> int:
    scores = score_studies(options.studies, seed=options.seed, by=options.by)
    _print(scores, as_json=options.json)
    if options.out:
        page = write_report(scores, options.studies, options.out)
        print(f"report: {page}", file=sys.stderr)
    return 0


def _leaderboard(options: argparse.Namespace) -> int:
    from leaderboard.files import read_scores
    from leaderboard.site import write_site

    print(write_site(read_scores(options.scores), options.out))
    return 0


def _demo(options: argparse.Namespace) -> int:
    from bench.demo import demo

    return demo(options.out, serve=options.serve, port=options.port)


def _give(scores: Sequence[Score], options: argparse.Namespace) -> int:
    from leaderboard.files import write_scores

    _print(scores, as_json=options.json)
    if options.out:
        write_scores(scores, options.out)
    return 0


def _print(scores: Sequence[Score], *, as_json: bool) -> None:
    from leaderboard.files import to_json, to_text

    print(to_json(scores) if as_json else to_text(scores))


def score_studies(studies: Sequence[Path], *, seed: int = 0, by: Sequence[str] = ()) -> list[Score]:
    """Export each study masked, join its names, and score it."""
    import numpy as np

    from bench.join import reveal
    from leaderboard.scoring import score
    from leaderboard.tables import check_attributions, check_ratings, check_votes
    from raters.export import tables
    from raters.study import attribution_labels, levels, study_id

    rng = np.random.default_rng(seed)
    scores: list[Score] = []
    ids = Counter(study_id(study) for study in studies)
    if twice := [name for name, count in ids.items() if count > 1]:
        raise RequestError(f"two of the studies are called {twice[0]!r}: score them one by one")
    for study in studies:
        named = reveal(tables(study), study_commands.opened_key(study, "score"))
        where = str(study)
        checked = {
            "ratings": check_ratings(named["ratings"], where),
            "votes": check_votes(named["votes"], where),
            "attributions": check_attributions(
                named["attributions"], where, labels=attribution_labels(study)
            ),
        }
        scores += score(checked, levels=levels(study), rng=rng, by=by)
    return scores


def write_report(scores: Sequence[Score], studies: Sequence[Path], out: Path) -> Path:
    """Write `scores.csv`, `scores.parquet` and the page into `out`; return the page's path."""
    import shutil

    from bench.join import read_key, showcase
    from leaderboard.site import Picture, write_site

    pictures = []
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    for study in studies:
        for file, model, prompt in showcase(study, read_key(study)):
            shutil.copyfile(file, out / "pictures" / file.name)
            pictures.append(Picture(f"pictures/{file.name}", model, prompt))
    return write_site(scores, out, labels=report_labels(studies), pictures=pictures)


def report_labels(studies: Sequence[Path]) -> dict[str, dict[str, str]]:
    """Return what reports call the criteria, and the references where they are not real works."""
    from bench.join import read_key
    from raters.study import criterion_labels, tradition_labels

    labels = {name: label for study in studies for name, label in criterion_labels(study).items()}
    labels |= {name: label for study in studies for name, label in tradition_labels(study).items()}
    if any(read_key(study)["synthetic"].any() for study in studies):
        labels[REFERENCE] = {"en": "stand-in pictures", "zh": "程序画作"}
    return labels


def _some(values: list[str], otherwise: str) -> list[str]:
    if not values:
        raise RequestError(otherwise)
    return values


COMMANDS: dict[str, Command] = {
    "demo": _demo,
    "suites": _suites,
    "models": _models,
    "generate": _generate,
    "verify": _verify,
    "references add": _references_add,
    "study new": _study_new,
    "study lock": _study_lock,
    "study amend": _study_amend,
    "rate": _rate,
    "agreement": _agreement,
    "rank": _rank,
    "style": _style,
    "score": _score,
    "leaderboard": _leaderboard,
    **study_commands.COMMANDS,
}
"""Command → the function that does it."""
