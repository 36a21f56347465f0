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
from bench.records import REFERENCE, SIMULATED, Score

if TYPE_CHECKING:
    from pandas import DataFrame

    from bench.suites import Suite
    from leaderboard.board import Labels
    from leaderboard.pictures import LowPicture, Picture, Pictures

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
    from bench.speed import speed_line

    request, folder = request_from(options)
    if options.dry_run:
        run = planned_run(request, folder)
        jobs = sum(len(batch.jobs) for batch in run.batches)
        sizes = sorted({tuning.batch_size for tuning in run.tunings.values()})
        print(
            f"{jobs} jobs of {len(run.models)} models in {len(run.batches)} batches of "
            f"{', '.join(map(str, sizes))}; nothing was written"
        )
        return 0
    done = generate(request, folder, allow_mixed=options.allow_mixed)
    print(
        f"{folder}: {done.made} made, {done.there_before} there before, {done.failed} failed, "
        f"{done.suspect} suspect, {done.cut} cut, of {done.planned} planned, "
        f"in {done.seconds:.0f} s"
    )
    for row in done.speed:
        print(speed_line(row))
    if done.failed:
        lost = "1 job" if done.failed == 1 else f"{done.failed} jobs"
        print(f"pinlu: {lost} failed, see {folder / 'failures.jsonl'}", file=sys.stderr)
        return 1
    return 0


def _import(options: argparse.Namespace) -> int:
    from bench.importing import import_outputs
    from bench.records import ModelSpec

    spec = ModelSpec(
        options.model, "", options.revision, origin=options.origin, licence=options.licence
    )
    done = import_outputs(options.folder, spec, options.run, suite=options.suite, table=options.csv)
    for sentence in done.refused:
        print(f"refused: {sentence}", file=sys.stderr)
    if done.refused:
        print(
            f"pinlu: {len(done.refused)} refused, nothing was entered: put it right, run again",
            file=sys.stderr,
        )
        return 2
    left_out = f", {len(done.unlisted)} not in the table" if done.unlisted else ""
    suspect = sum(output.status == "suspect" for output in done.entered)
    print(
        f"{options.run}: {len(done.entered)} entered, {done.there_before} there before, "
        f"{suspect} suspect{left_out}"
    )
    return 0


def _profile(options: argparse.Namespace) -> int:
    import json
    from dataclasses import asdict

    from bench.pipelines import has_gpu
    from bench.profiling import profile, settled_spec, table
    from bench.tuning import store

    usual = ((1, 2, 4, 8, 16), (False, True)) if has_gpu() else ((1, 2, 4, 8), (False,))
    spec = settled_spec(options.model)
    found = profile(
        spec, options.batch_sizes or usual[0], options.compiled or usual[1], options.steps
    )
    path = store(spec, found.device, found.options)
    print(table(found))
    print(f"kept in {path}: runs planned from now on go by it, --batch-size wins")
    if options.json:
        print(json.dumps(asdict(found)))
    return 0


def _verify(options: argparse.Namespace) -> int:
    from bench.cards import IMPORTED
    from bench.manifest import read_outputs, read_run, verify

    content = read_run(options.run)
    planned = content.get("planned")
    faults = verify(options.run)
    elsewhere = {one["id"] for one in content["models"] if one.get("pipeline") == IMPORTED}
    rows = read_outputs(options.run)
    there = sum(row["model"] not in elsewhere for row in rows)
    if planned is not None and there < planned:
        faults.append(
            f"{planned - there} of {planned} planned outputs are not made: generate again"
        )
    for fault in faults:
        print(fault)
    print(f"{options.run}: {len(rows)} outputs, {'nothing wrong' if not faults else 'see above'}")
    return 1 if faults else 0


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
                f"{_counted(len(suite.scenes), 'scene')}, "
                f"{_counted(len(suite.prompts), 'prompt')}, {', '.join(suite.languages)}"
            )
    return 1 if faults else 0


def _check_suite(suite: Suite, *, record: bool) -> int:
    from bench.suite_checks import check_suite
    from bench.suite_versions import is_recorded, record_version

    if record:
        record_version(suite)
    checked = check_suite(suite)
    for (stratum, genre), count in sorted(checked.counts.items()):
        print(f"{suite.name}  {stratum or '-':<16} {genre or '-':<28} {count:>4}")
    for fault in checked.faults:
        print(f"{suite.name}: {fault}", file=sys.stderr)
    verdict = _counted(len(checked.faults), "fault") if checked.faults else "good"
    unrecorded = "" if is_recorded(suite) else " (no versions.yaml: enter it with --record)"
    print(
        f"{suite.name}: {verdict}, {_counted(len(suite.scenes), 'scene')}, "
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


def _models(options: argparse.Namespace) -> int:
    from bench.models import add_model, describe, list_models

    if options.action == "add":
        for name in _some(options.names, "models add wants a hub id"):
            print(add_model(name, options.out))
        return 0
    faults = 0
    for name in options.names or list_models():
        said, *more = describe(name)
        if options.action == "check":
            from bench.pipelines import check_spec

            try:
                check_spec(name)
                said += "; fits the installed diffusers"
            except RequestError as error:
                faults += 1
                said += f"; {error}"
        print("\n".join([said, *more] if options.action == "show" else [said]))
    return 1 if faults else 0


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


def _study_plan(options: argparse.Namespace) -> int:
    import numpy as np

    from leaderboard.kinds import read_tables
    from leaderboard.planning import plan_ratings, plan_votes

    pilot = read_tables(options.pilot)
    if not {"ratings", "votes"} & set(pilot):
        raise RequestError("a plan wants a pilot's ratings or votes: name such a table")
    scores: list[Score] = []
    if "ratings" in pilot:
        scores += plan_ratings(
            pilot["ratings"],
            prompts=options.prompts,
            raters=options.raters,
            per_item=options.per_item,
        )
    if "votes" in pilot:
        scores += plan_votes(
            pilot["votes"],
            precision=options.precision,
            models=options.models,
            rng=np.random.default_rng(options.seed),
        )
    _print(scores, as_json=options.json)
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


def _agreement(options: argparse.Namespace) -> int:
    from leaderboard.agreement import agreement
    from leaderboard.tables import read_ratings

    ratings = read_ratings(options.tables, scale=options.scale)
    scores = agreement(ratings, levels=options.level, by=options.by)
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
    studies = [path for path in options.inputs if path.is_dir()]
    if studies and len(studies) < len(options.inputs):
        raise RequestError("give study folders or tables, not both at once")
    if studies:
        scores = score_studies(studies, seed=options.seed, by=options.by)
    else:
        scores = _score_tables(options)
    for source in options.run:
        scores += costs_of(source, scores)
    _print(scores, as_json=options.json)
    if not any(score.model for score in scores):
        print("pinlu: nothing was judged yet, so there are no scores", file=sys.stderr)
    if options.out:
        print(f"report: {write_report(scores, studies, options.out)}", file=sys.stderr)
    return 0


def _score_tables(options: argparse.Namespace) -> list[Score]:
    import numpy as np

    from leaderboard.kinds import read_tables
    from leaderboard.scoring import score
    from leaderboard.weighting import weight_scores

    scores = score(
        read_tables(options.inputs, labels=options.labels),
        levels=options.level,
        home=options.home,
        rng=np.random.default_rng(options.seed),
        by=options.by,
    )
    return scores + weight_scores(scores)


def costs_of(source: Path, scores: Sequence[Score]) -> list[Score]:
    """Return what the models of each study cost, by a run or a table model,seconds,status."""
    import pandas as pd

    from bench.manifest import read_failures, read_outputs, read_run
    from leaderboard.costs import check_costs, costs_of_studies, read_costs
    from leaderboard.sources import Source

    if not source.is_dir():
        return costs_of_studies(read_costs(source), scores)
    read_run(source)
    rows = [
        {"model": row["model"], "seconds": row.get("seconds"), "status": row["status"]}
        for row in read_outputs(source)
    ]
    rows += [
        {"model": row["model"], "seconds": None, "status": "failed"}
        for row in read_failures(source)
    ]
    frame = pd.DataFrame(rows, columns=pd.Index(["model", "seconds", "status"]))
    return costs_of_studies(check_costs(Source(str(source), frame)), scores)


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
    from leaderboard.words import words_in

    verdicts = compare(scores, *options.compare)
    if options.json:
        records = [to_record(verdict) for verdict in verdicts]
        print(json.dumps(records, ensure_ascii=False, indent=1, allow_nan=False))
    else:
        words = words_in("en", labels)
        if any(SIMULATED in verdict.difference.method for verdict in verdicts):
            print(words.say("simulated_long"))
        print("\n".join(sentence(verdict, words) for verdict in verdicts))
    if is_undecided(verdicts):
        print("pinlu: no verdict: nothing of the two could be compared", file=sys.stderr)
        return 2
    return int(is_loss(verdicts))


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

    from bench.join import declared_languages
    from leaderboard.scoring import score
    from leaderboard.weighting import weight_scores
    from raters.study import levels, study_id, weights

    rng = np.random.default_rng(seed)
    scores: list[Score] = []
    ids = Counter(study_id(study) for study in studies)
    if twice := [name for name, count in ids.items() if count > 1]:
        raise RequestError(f"two of the studies are called {twice[0]!r}: score them one by one")
    for study in studies:
        weighed = weights(study)
        tables = study_tables(study)
        found = score(
            tables,
            levels=levels(study),
            rng=rng,
            by=by,
            weights=weighed or None,
            declared=declared_languages(study),
        )
        scores += found + weight_scores(found, weighed) + _protocol(study)
    return scores


def _protocol(study: Path) -> list[Score]:
    """Return how the study was done, as scores, so that a page made of them can report it."""
    from leaderboard.weighting import FROM_STUDY
    from raters.study import status, study_id

    state = status(study)
    facts = {name: state[name] for name in ("planned", "invited", "finished", "withdrawn")}
    facts |= state["plan"]
    name = study_id(study)
    return [
        Score(study=name, source=FROM_STUDY, metric="protocol", group=fact, value=float(number))
        for fact, number in facts.items()
        if isinstance(number, int | float)
    ]


def study_tables(study: Path) -> dict[str, DataFrame]:
    """Return a study's checked tables with their names joined."""
    from bench.join import reveal
    from leaderboard.tables import (
        check_attributions,
        check_detections,
        check_ratings,
        check_votes,
    )
    from raters.export import tables
    from raters.study import attribution_labels

    named = reveal(tables(study), study_commands.opened_key(study, "score"))
    where, labels = str(study), attribution_labels(study)
    return {
        "ratings": check_ratings(named["ratings"], where),
        "votes": check_votes(named["votes"], where),
        "attributions": check_attributions(named["attributions"], where, labels=labels),
        "detections": check_detections(named["detections"], where),
    }


def write_report(scores: Sequence[Score], studies: Sequence[Path], out: Path) -> Path:
    """Write `scores.csv`, `scores.parquet` and the page into `out`; return the page's path."""
    from leaderboard.pictures import Pictures
    from leaderboard.site import write_site

    shown: list[Picture] = []
    lowest: list[LowPicture] = []
    for study in studies:
        found = _pictures(study, out)
        shown += found.shown
        lowest += found.lowest
    labels = report_labels(studies)
    return write_site(scores, out, labels=labels, pictures=Pictures(shown, lowest))


def _pictures(study: Path, out: Path) -> Pictures:
    """Copy the pictures that the report shows, and return them with their names."""
    import shutil

    from bench.join import picture, read_key, showcase
    from leaderboard.lowest import lowest_scenes
    from leaderboard.pictures import LowPicture, Picture, Pictures
    from raters.export import captions
    from raters.study import study_id, weights

    told, name = captions(study), study_id(study)
    (out / "pictures").mkdir(parents=True, exist_ok=True)

    def copied(file: Path, model: str, prompt: str) -> Picture:
        shutil.copyfile(file, out / "pictures" / file.name)
        return Picture(f"pictures/{file.name}", model, prompt, told.get(file.stem, {}), name)

    lowest = [
        LowPicture(
            copied(picture(study, low.item), low.model, low.prompt),
            low.value,
            low.item_value,
            low.n_values,
        )
        for low in lowest_scenes(study_tables(study)["ratings"], weights=weights(study))
    ]
    return Pictures([copied(*found) for found in showcase(study, read_key(study))], lowest)


def report_labels(studies: Sequence[Path]) -> dict[str, dict[str, str]]:
    """Return what reports call the criteria, and the references where they are not real works."""
    from bench.join import read_key
    from raters.study import criterion_labels, tradition_labels

    labels = {name: label for study in studies for name, label in criterion_labels(study).items()}
    labels |= {name: label for study in studies for name, label in tradition_labels(study).items()}
    if any(read_key(study)["synthetic"].any() for study in studies):
        labels[REFERENCE] = {"en": "stand-in pictures", "zh": "程序画作"}
    return labels


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _some(values: list[str], otherwise: str) -> list[str]:
    if not values:
        raise RequestError(otherwise)
    return values


COMMANDS: dict[str, Command] = {
    "demo": _demo,
    "suites": _suites,
    "models": _models,
    "generate": _generate,
    "import": _import,
    "profile": _profile,
    "verify": _verify,
    "references add": _references_add,
    "study new": _study_new,
    "study lock": _study_lock,
    "study plan": _study_plan,
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
