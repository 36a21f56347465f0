"""The commands that bring outputs into a run: generate, import, profile."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.arguments import Adder, Command, counts, names, positive, switches
from bench.commands.answers import (
    add_answer_options,
    answer_command,
    asks_for_answers,
    import_command,
    tell_import,
)
from bench.commands.engines import MIXED, add_engine_options, refuse_idle_options
from bench.errors import RequestError

if TYPE_CHECKING:
    from bench.request import Request


def add(command: Adder, commands: Any) -> None:
    """Add the commands of this file."""
    del commands
    _add_generate(command("generate", "make a run's outputs; run it again to resume"))
    _add_import(command("import", "take in outputs made elsewhere, by closed models"))
    _add_profile(command("profile", "measure a model on this device, and keep what suits it best"))


def _add_generate(generate: argparse.ArgumentParser) -> None:
    add = generate.add_argument
    add("run_yaml", nargs="?", metavar="RUN.yaml", help="a run's YAML, or its name in configs/runs")
    add("--suite", help="a suite by name or path")
    add("--models", type=names, help="ids, specs, checkpoint folders or hub ids, by comma")
    add("--languages", type=names, help="languages of the prompts, as in zh,en")
    add("--seeds", help="as in 0-3 (both ends included) or 0,2 (default 0)")
    add("--targets", type=names, help="only prompts of these traditions (default: all)")
    add("--scenes", type=names, help="only these scenes, by comma (default: all)")
    add("--limit", type=positive, help="only the first N prompts")
    add("--batch-size", type=positive, dest="batch_size", help="jobs per batch, fixed by the run")
    add(
        "--video-master",
        dest="video_master",
        choices=["ffv1"],
        help="keep a lossless file beside each clip, in masters/",
    )
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="an argument of the call")
    add(
        "--speedup",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what changes pictures to be faster: cache=first_block, threshold=0.1, weights=fp8",
    )
    add("--out", help="the run folder, or its URL: s3://BUCKET/RUN, hf://…")
    add("--dry-run", action="store_true", help="say what would be made, write nothing")
    add("--allow-mixed", action="store_true", help=MIXED)
    add_engine_options(
        generate.add_argument_group("engine", "who makes the outputs"),
        served="suites of understanding",
    )
    add_answer_options(generate)


def _add_import(importing: argparse.ArgumentParser) -> None:
    add = importing.add_argument
    add("folder", type=Path, metavar="DIR", help="files scene--target--language--seed.ext")
    add("--model", required=True, metavar="ID", help="what the model is to be called")
    add("--run", type=Path, required=True, help="the run folder; a new one wants --suite")
    add("--suite", help="the suite by whose prompts the outputs were made")
    add(
        "--csv",
        type=Path,
        metavar="FILE",
        help="table of the files: file,prompt,language,seed; of answers about the works in DIR: "
        "work,question,language,seed,answer",
    )
    add("--revision", default="imported", help="the model's version or date (imported)")
    add("--origin", default="", help="who made the model, where")
    add("--licence", default="", help="on what terms the outputs may be shown")


def _add_profile(profile: argparse.ArgumentParser) -> None:
    profile.add_argument("model", metavar="MODEL", help="as for generate")
    profile.add_argument(
        "--batch-sizes", type=counts, dest="batch_sizes", help="as in 1,2,4,8 (by the device)"
    )
    profile.add_argument(
        "--compile",
        type=switches,
        dest="compiled",
        help="off, on or off,on (off on a CPU, both on a GPU)",
    )
    profile.add_argument("--steps", type=positive, help="steps to measure (at most 10)")
    profile.add_argument("--json", action="store_true", help="end with one line of JSON")


def _generate(options: argparse.Namespace) -> int:
    from bench.remote import worked_in
    from bench.request import request_from

    refuse_idle_options(options)
    request, out = request_from(options)
    with worked_in(out, write=not options.dry_run) as folder:
        return _generated(options, request, folder, out)


def _generated(options: argparse.Namespace, request: Request, folder: Path, name: str) -> int:
    """Generate into a folder that people know by its `name`."""
    if asks_for_answers(request.suite):
        return answer_command(options, request, folder)
    if options.engine == "openai" or options.base_url or options.works:
        raise RequestError(
            "--engine openai, --base-url and --works are for suites of understanding: pictures and "
            "clips are made here"
        )
    from bench.crew.engines import workers_of
    from bench.crew.pictures import generate_by
    from bench.generate import generate
    from bench.run import planned_run
    from bench.speed import speed_line

    if options.dry_run:
        run = planned_run(request, folder)
        jobs = sum(len(batch.jobs) for batch in run.batches)
        sizes = sorted({tuning.batch_size for tuning in run.tunings.values()})
        print(
            f"{jobs} jobs of {len(run.models)} models in {len(run.batches)} batches of "
            f"{', '.join(map(str, sizes))}; nothing was written"
        )
        return 0
    by, mixed = workers_of(options), options.allow_mixed
    if by is None:
        done = generate(request, folder, allow_mixed=mixed)
    else:
        done = generate_by(by, request, folder, allow_mixed=mixed)
    out = sys.stderr if options.json else sys.stdout
    print(
        f"{name}: {done.made} made, {done.there_before} there before, {done.failed} failed, "
        f"{done.suspect} suspect, {done.cut} cut, of {done.planned} planned, "
        f"in {done.seconds:.0f} s",
        file=out,
    )
    for row in done.speed:
        print(speed_line(row), file=out)
    if done.failed:
        lost = "1 job" if done.failed == 1 else f"{done.failed} jobs"
        print(f"pinlu: {lost} failed, see {name}/failures.jsonl", file=sys.stderr)
        return 1
    return 0


def _import(options: argparse.Namespace) -> int:
    from bench.importing import import_outputs
    from bench.records import ModelSpec

    spec = ModelSpec(
        options.model, "", options.revision, origin=options.origin, licence=options.licence
    )
    asked = options.suite or str(options.run / "suite.yaml")
    if (options.suite or Path(asked).is_file()) and asks_for_answers(asked):
        return import_command(options, spec)
    done = import_outputs(options.folder, spec, options.run, suite=options.suite, table=options.csv)
    left_out = f", {len(done.unlisted)} not in the table" if done.unlisted else ""
    suspect = sum(output.status == "suspect" for output in done.entered)
    return tell_import(
        done.refused,
        f"{options.run}: {len(done.entered)} entered, {done.there_before} there before, "
        f"{suspect} suspect{left_out}",
    )


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


COMMANDS: dict[str, Command] = {"generate": _generate, "import": _import, "profile": _profile}
