"""How long a million jobs take to plan, and a run of 100,000 finished outputs to go on.

    python benchmarks/planning.py [JOBS]

Planning: the suite `chinese-aesthetics` in two languages, one model, as many seeds as it takes, in
a process of its own per size, so that the peak of memory is that of the plan. Resuming: a run is
planned, its manifest is written with 100,000 rows beside empty files, one batch is left out; then
`generate` is called, and the time to its first call of the pipeline is taken, loading the tiny
checkpoint included and importing torch left out. The last line is JSON.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

SUITE = "chinese-aesthetics"
LANGUAGES = ("zh", "en")


def main() -> None:
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    small, large = (measured("plan", str(count)) for count in (jobs // 10, jobs))
    for size in (small, large):
        print(f"{size['jobs']} jobs planned in {size['seconds']:.1f} s, {size['gigabytes']:.2f} GB")
    resumed = measured("resume", str(jobs // 10))
    print(
        f"{resumed['rows']} outputs finished: the first batch begins after {resumed['seconds']:.1f} s "
        f"({resumed['import_seconds']:.1f} s of imports before)"
    )
    ratio = (large["seconds"] / large["jobs"]) / (small["seconds"] / small["jobs"])
    result = {"plan": large, "plan_tenth": small, "per_job_ratio": round(ratio, 3)}
    good = large["seconds"] < 60 and large["gigabytes"] < 2 and ratio <= 1.3
    good = good and resumed["seconds"] < 5
    print(json.dumps(result | {"resume": resumed, "goals_met": good}))


def measured(what: str, count: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", what, count]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def plan_of(count: int) -> dict[str, float]:
    from bench.plan import Part, plan  # noqa: PLC0415 - imported inside what is measured apart
    from bench.records import ModelSpec  # noqa: PLC0415
    from bench.suites import load_suite  # noqa: PLC0415

    suite = load_suite(SUITE)
    seeds = tuple(range(count // (len(suite.prompts) * len(LANGUAGES)) + 1))
    spec = ModelSpec("m", "somewhere", "r", arguments={"num_inference_steps": 20})
    began = time.perf_counter()
    batches = plan(
        suite,
        [Part(("m",), LANGUAGES, seeds)],
        models={"m": spec},
        pipelines={"m": "FluxPipeline"},
        dtypes={"m": {"default": "bfloat16"}},
        batch_sizes={"m": 8},
    )
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    jobs = sum(len(batch.jobs) for batch in batches)
    return {"jobs": jobs, "seconds": seconds, "gigabytes": peak}


def resume_of(count: int) -> dict[str, float]:
    began = time.perf_counter()
    from bench import manifest, pipelines  # noqa: PLC0415
    from bench.generate import generate  # noqa: PLC0415
    from bench.records import Output  # noqa: PLC0415
    from bench.request import Request  # noqa: PLC0415
    from bench.run import planned_run, settle  # noqa: PLC0415
    from bench.suites import load_suite  # noqa: PLC0415
    from tests import tiny  # noqa: PLC0415

    imported = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as place:
        checkpoint = tiny.save("stable-diffusion", Path(place) / "tiny-sd")
        seeds = count // (len(load_suite(SUITE).prompts) * len(LANGUAGES)) + 1
        request = Request(
            SUITE,
            (str(checkpoint),),
            LANGUAGES,
            tuple(range(seeds)),
            arguments={"num_inference_steps": 1, "height": 64, "width": 64},
        )
        folder = Path(place) / "run"
        run = planned_run(request, folder)
        with manifest.opened(folder):
            run = settle(run, allow_mixed=False)
            rows = []
            for batch in run.batches[:-1]:
                for job in batch.jobs:
                    name = f"outputs/{job.key}.png"
                    (folder / name).touch()
                    kept = asdict(job) | {"key": job.key}
                    rows.append(
                        Output(
                            file_name=name,
                            width=64,
                            height=64,
                            frames=None,
                            fps=None,
                            sha256=job.key,
                            pixel_sha256=job.key,
                            status="ok",
                            suite=run.suite.name,
                            suite_hash=run.suite.hash,
                            **kept,
                        )
                    )
            manifest.append_outputs(folder, rows)
        del run
        first: list[float] = []
        load = pipelines.load

        def loaded(*arguments: object) -> object:
            pipeline = load(*arguments)
            pipeline.unet.register_forward_pre_hook(lambda *_: first.append(time.perf_counter()))
            return pipeline

        pipelines.load = loaded
        began = time.perf_counter()
        done = generate(request, folder)
        if done.there_before != len(rows) or not first:
            sys.exit(f"not resumed: {done}")
    return {"rows": len(rows), "seconds": first[0] - began, "import_seconds": imported}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one = plan_of if sys.argv[2] == "plan" else resume_of
        print(json.dumps(one(int(sys.argv[3]))))
    else:
        main()
