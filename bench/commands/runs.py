"""The commands of a run: the demo, models, generate, import, profile, probe, verify."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.arguments import Adder, Command, counts, names, positive, switches
from bench.commands.answers import (
    add_answer_options,
    answer_command,
    asks_for_answers,
    import_command,
)
from bench.commands.judges import add_judge_options, judge_command, refuse_judges_options
from bench.errors import RequestError

if TYPE_CHECKING:
    from bench.request import Request


def add(command: Adder, commands: Any) -> None:
    """Add the commands of this file."""
    del commands
    demo = command("demo", "run the whole main job on the embedded models")
    demo.add_argument("--out", type=Path, default=Path("demo"), help="folder to leave it in (demo)")
    demo.add_argument(
        "--understanding",
        action="store_true",
        help="instead, two embedded readers: is the misreading that one was told found?",
    )
    demo.add_argument("--serve", action="store_true", help="then open room and leaderboard")
    demo.add_argument("--port", type=int, default=7860, help="the room's port (7860)")
    models = command("models", "list, show or check model specs; add one from the hub")
    models.add_argument(
        "action", nargs="?", choices=["list", "show", "check", "add"], default="list"
    )
    models.add_argument("names", nargs="*", metavar="NAME", help="names or paths (default: all)")
    models.add_argument(
        "--out", type=Path, default=Path("models"), help="where add writes the spec (models)"
    )
    _add_generate(command("generate", "make a run's outputs; run it again to resume"))
    _add_import(command("import", "take in outputs made elsewhere, by closed models"))
    _add_profile(command("profile", "measure a model on this device, and keep what suits it best"))
    _add_check(command("check", "a release gate: a model against a baseline, exit 1 on a loss"))
    _add_probe(command("probe", "look at a run's outputs by networks: style, diversity, faults"))
    verify = command("verify", "check every file of a run against its hashes")
    verify.add_argument("run", metavar="RUN", help="the run folder, or its URL")


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
    add("--allow-mixed", action="store_true", help="resume under other versions or devices")
    add("--json", action="store_true", help="show the state of all workers as JSON lines")
    _add_engine(generate.add_argument_group("engine", "who makes the outputs"))
    add_answer_options(generate)


def _add_engine(group: Any) -> None:
    add = group.add_argument
    add(
        "--engine",
        choices=["local", "ray", "slurm", "openai"],
        default="local",
        help="local: this process, or with --devices or --workers one process for each (local); "
        "openai: a server, for suites of understanding",
    )
    add(
        "--devices",
        type=names,
        help="local: GPUs by number, as in 0,1,2,3; 0+1,2+3 gives each worker two; or cpu,cpu",
    )
    add("--workers", type=positive, help="at most so many workers; locally so many without a GPU")
    add("--address", help="ray: HOST:PORT of a cluster's head (RAY_ADDRESS, else this host alone)")
    add(
        "--gpus-per-worker",
        type=float,
        dest="gpus",
        help="ray: GPUs of each worker; 0 for CPU slots (1 where the cluster has any)",
    )


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


def _add_probe(probe: argparse.ArgumentParser) -> None:
    add = probe.add_argument
    add("run", metavar="RUN", help="the run folder, or its URL")
    add(
        "--network",
        metavar="NAME",
        help="what sees: a CLIP-like checkpoint's folder or hub id, atelier-probe, or none",
    )
    add("--revision", help="of a network on the hub (its newest)")
    add("--references", type=Path, help="folder of reference works with a metadata.jsonl")
    add("--texts", type=Path, metavar="FILE", help="a probe.yaml in the place of the suite's")
    add(
        "--batch-size",
        type=positive,
        dest="batch_size",
        help="pictures per forward pass (32; of a judge 8)",
    )
    add("--workers", type=positive, help="threads that read and decode (one per core)")
    add_judge_options(probe.add_argument_group("judge", "a model that judges in a network's place"))


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
        from bench.demo_understanding import demo_understanding

        return demo_understanding(options.out)
    return demo(options.out, serve=options.serve, port=options.port)


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


def _generate(options: argparse.Namespace) -> int:
    from bench.remote import worked_in
    from bench.request import request_from

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
    from bench.crew.engines import engine_of
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
    engine = engine_of(options)
    done = engine(request, folder, allow_mixed=options.allow_mixed)
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


def _probe(options: argparse.Namespace) -> int:
    if options.judge:
        return judge_command(options)
    refuse_judges_options(options)
    from bench.probing.run import probe
    from bench.probing.words import told
    from bench.remote import worked_in

    with worked_in(options.run, whole=True) as run:
        done = probe(
            run,
            network=options.network,
            revision=options.revision,
            references=options.references,
            texts=options.texts,
            languages=options.languages,
            batch_size=options.batch_size or 32,
            workers=options.workers,
        )
    for fault in done.faults:
        print(fault, file=sys.stderr)
    print("\n".join(told(options.run, done)))
    return 1 if done.faults else 0


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
    "generate": _generate,
    "import": _import,
    "profile": _profile,
    "check": _check,
    "probe": _probe,
    "verify": _verify,
}
