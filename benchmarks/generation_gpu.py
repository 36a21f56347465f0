"""What share of a GPU's matrix rate generation reaches, and how much of the time the GPU idles.

    python benchmarks/generation_gpu.py [--models sdxl flux wan] [--compile off|on] [--tiny]
                                        [--budget SECONDS]

Random weights of the real architectures (SDXL at 1024², 20 steps with guidance; FLUX.1-dev at 1024²,
28 steps; Wan2.1-1.3B at 480p, 81 frames, 50 steps), made on the device in bf16, the Wan decoder in
fp32. For each model, in one process and within eight minutes for all three on an H200:

- `decoder`: one latent decoded as loaded, and later compiled and channels last; operations by time;
- `compile`: a batch of two steps, in which the blocks and the decoder are compiled. Where that fails,
  everything below is measured uncompiled, and says so;
- `harness`: `generate` from the loaded model to the last row, text, decoding, files and manifest
  included; operations of the denoiser (counted by FlopCounterMode) over that time, as a share of what
  an 8192³ bf16 product reaches in the same run; and with the decoder's operations counted too;
- `kernels`: some steps of two batches under the profiler: the share of the time in which no kernel
  ran, wall time against the kernels' own, and which kinds of kernels the time went to. With fewer
  steps than a run has, what a batch costs beside its steps weighs more: the idle share is at most this;
- `loop`: the pipeline as it was loaded, `pipe(prompt)` one by one, each picture saved as PNG by PIL's
  defaults; for clips with fewer steps, the time of denoising scaled; the first call is not counted.

The matrix rate is measured first, while nothing else runs. Each part prints its JSON as it ends; one
that fails says so and the others go on. Each model has its share of the budget (440 s, counted from
before the imports) and what those before it left; parts that would begin after it are left out and
named, but for `harness`, which begins as long as the whole budget has time. `verdict` is "goal" where
the share, the ratio to the loop (SDXL: 3) and the kernels' (wall at most 1.05) are all reached, "not
done" where the share is under its least or SDXL under 3, else "done"; `missed` names what is missed. Twenty seconds after the budget the script ends, whatever still runs, with what it has; fifteen
seconds later at the latest, without it.
`--tiny` walks the same code with tiny checkpoints on whatever device there is: its figures mean
nothing. The last line is JSON.
"""

from __future__ import annotations

# ruff: noqa: E402 - the clock starts before what takes long to import
import time

BEGAN = time.perf_counter()

import argparse
import faulthandler
import gc
import json
import math
import os
import re
import shutil
import sys
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import diffusers
import numpy as np
import torch
import yaml
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from bench import engine, pipelines, tuning
from bench.errors import first_line
from bench.flops import matrix_rate
from bench.generate import generate
from bench.profiling import TEXT
from bench.records import Job
from bench.request import Request
from bench.run import planned_run
from benchmarks.generation_shapes import CASES, Case, tiny_cases

WALL_BY_KERNELS = 1.05
"""Wall time by the time in which kernels ran, at most: the device idles less than 5 %."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--compile", choices=["off", "on"], help="on, but off with --tiny")
    parser.add_argument("--budget", type=float, default=440, help="seconds (440)")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    until = BEGAN + options.budget
    left = max(0.0, until + 20 - time.perf_counter())
    # where no thread of Python's gets to run any more, or the exit itself does not end
    faulthandler.dump_traceback_later(left + 15, exit=True)
    if not options.tiny and not torch.cuda.is_available():
        raise SystemExit("there is no GPU here: --tiny walks the code without one")
    cases = tiny_cases() if options.tiny else CASES
    results: dict[str, dict[str, Any]] = {name: {} for name in options.models}
    found = {"device": None, "tiny": options.tiny, "matrix_teraflops": None, "models": results}
    with tempfile.TemporaryDirectory() as place:
        os.environ["XDG_CACHE_HOME"] = place  # the tuning under test is kept there, and found
        ending = threading.Timer(left, ended, [found, place])
        ending.daemon = True
        ending.start()
        known_of_device(found)
        began = time.perf_counter()
        whole = sum(cases[name].share for name in options.models)
        shares = 0.0
        for name in options.models:
            shares += cases[name].share
            compiled = options.compile == "on" or not (options.compile or options.tiny)
            mine = began + (until - began) * shares / whole
            part = parts(name, results[name], mine, until)
            measured(name, cases[name], Path(place), part, results[name], compiled=compiled)
        ending.cancel()
    print(json.dumps(found), flush=True)


def known_of_device(found: dict[str, Any]) -> None:
    """Name the device and measure its matrix rate, which all shares are of, before it has other work."""
    found |= {"torch": torch.__version__, "diffusers": diffusers.__version__}
    found["device"] = pipelines.device_kind()
    dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    parts("device", found, math.inf)("matrix_teraflops", lambda: matrix_rate(dtype) / 1e12)


def ended(found: dict[str, Any], place: str) -> None:
    """End here and now, from a thread beside: what was measured is told, the device asked nothing."""
    models = {name: dict(measured) for name, measured in found["models"].items()}
    print(json.dumps(found | {"models": models}), flush=True)
    shutil.rmtree(place, ignore_errors=True)
    os._exit(1)


class Part(Protocol):
    """Measures a part under its name; one that fails, or has no time left, is named."""

    def __call__(self, called: str, work: Callable[[], Any], *, late: bool = False) -> Any: ...


def parts(name: str, found: dict[str, Any], until: float, end: float = math.inf) -> Part:
    """Return what measures parts into `found`: those that begin by `until`, `late` ones by `end`."""

    def part(called: str, work: Callable[[], Any], *, late: bool = False) -> Any:
        began = time.perf_counter()
        if began > (end if late else until):
            found[called] = {"left_out": "no time was left"}
            return None
        try:
            found[called] = work()
        except Exception as error:  # noqa: BLE001 - the one chance on a device gives what it can
            traceback.print_exc()
            found[called] = {"failed": first_line(error)}
            return None
        finally:
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        spent = round(time.perf_counter() - began, 1)
        print(json.dumps({"model": name, "part": called, "took": spent, called: found[called]}))
        sys.stdout.flush()
        return found[called]

    return part


def measured(
    name: str, case: Case, place: Path, part: Part, found: dict[str, Any], *, compiled: bool
) -> None:
    """Build a model and measure it part by part into `found`."""
    made: list[Any] = []
    part("built_seconds", lambda: timed(lambda: made.append(made_on_device(case))))
    if made:
        measured_of(made.pop(), name, case, place, part=part, found=found, compiled=compiled)
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def measured_of(
    pipeline: Any,
    name: str,
    case: Case,
    place: Path,
    *,
    part: Part,
    found: dict[str, Any],
    compiled: bool,
) -> None:
    decoder = None if case.fps else part("decoder", lambda: decoding(pipeline, case))
    part("compile_seconds", lambda: timed(lambda: warmed_up(pipeline, case, compiled=compiled)))
    if compiled and "failed" in str(found["compile_seconds"]):
        compiled = False
        as_loaded(pipeline)
    found["compiled"] = compiled
    row = part(
        "harness", lambda: harness(name, case, place, pipeline, compiled=compiled), late=True
    )
    part("kernels", lambda: kernels(pipeline, case))
    if compiled and not case.fps:  # clips' decoders are not compiled
        part("decoder_compiled", lambda: decoding(pipeline, case))
    as_loaded(pipeline)
    loop = part("loop_seconds_per_output", lambda: plain_loop(pipeline, case, place))
    if case.fps:
        decoder = part("decoder", lambda: decoding(pipeline, case))
    if row:
        found |= summary(case, row, loop, decoder or {}, found["kernels"])


def as_loaded(pipeline: Any) -> None:
    """Have a pipeline that was compiled run as it was loaded."""
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            for module in part.modules():
                module._compiled_call_impl = None  # noqa: SLF001 - torch has no other way back
            part.to(memory_format=torch.contiguous_format)


def summary(
    case: Case,
    row: dict[str, Any],
    loop: float | None,
    decoder: dict[str, Any],
    kernels: dict[str, Any],
) -> dict[str, Any]:
    share, flops = row["matrix_share"] or 0.0, decoder.get("teraflop")
    found: dict[str, Any] = {"goal": case.goal, "least": case.least}
    if flops and row["teraflop_per_output"]:
        found["matrix_share_with_decoder"] = share * (1 + flops / row["teraflop_per_output"])
    if loop:
        found["times_the_loop"] = loop * row["outputs"] / row["seconds"]
    found["stages_of_wall"] = {
        stage: round(taken / row["seconds"], 4) for stage, taken in row["seconds_by_stage"].items()
    }
    return found | verdict(case, share, found.get("times_the_loop"), kernels.get("wall_by_kernels"))


def verdict(
    case: Case, share: float, times: float | None, wall_by_kernels: float | None
) -> dict[str, Any]:
    """Hold a model's figures to what is asked of it; what was not measured is missed."""
    missed = [] if share >= case.goal else [f"{share:.0%} of the matrix rate, not {case.goal:.0%}"]
    slow = bool(case.times_the_loop) and (times is None or times < case.times_the_loop)
    if slow:
        told = f"{times:.2f} × the loop, not {case.times_the_loop}" if times else ""
        missed.append(told or "the loop was not measured")
    if wall_by_kernels is None:
        missed.append("kernels were not measured")
    elif wall_by_kernels > WALL_BY_KERNELS:
        missed.append(f"wall time {wall_by_kernels:.3f} × the kernels' own, not {WALL_BY_KERNELS}")
    good = "done" if missed else "goal"
    return {"verdict": "not done" if share < case.least or slow else good, "missed": missed}


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return round(time.perf_counter() - began, 2)


def harness(name: str, case: Case, place: Path, pipeline: Any, *, compiled: bool) -> dict[str, Any]:
    # `generate` finds the pipeline where it would load it
    load, pipelines.load = pipelines.load, lambda *_: pipeline
    try:
        request = asked(name, case, place, type(pipeline).__name__)
        run = planned_run(request, place / f"{name}-run")
        spec = run.models[name]
        option = tuning.Measured(tuning.Tuning(case.batch, compiled), 1.0, 0.0)
        tuning.store(spec, pipelines.device_kind(), [option])
        done = generate(request, place / f"{name}-run")
    finally:
        pipelines.load = load
    if done.failed or not done.speed:
        failures = place / f"{name}-run" / "failures.jsonl"
        raise RuntimeError(f"the harness did not make everything: {failures.read_text()[-300:]}")
    return whole_run(done.speed[0])


def whole_run(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of `speed.jsonl` with no second left out: all was compiled before the run began."""
    seconds = row["seconds"] + row["compile_seconds"]
    of_all = row["seconds"] / seconds
    return {
        **row,
        "seconds": seconds,
        "compile_seconds": 0.0,
        "outputs_per_second": row["outputs"] / seconds,
        "matrix_share": row["matrix_share"] and row["matrix_share"] * of_all,
    }


def few_steps(case: Case, steps: int) -> dict[str, Any]:
    return case.arguments | {
        "num_inference_steps": min(steps, case.arguments["num_inference_steps"])
    }


def one_batch(worker: engine.Engine, case: Case, arguments: dict[str, Any]) -> Any:
    jobs = [Job(str(seed), "", "zh", TEXT["zh"], "m", seed) for seed in range(case.batch)]
    return worker.make(jobs, arguments, jobs)


def on_host(made: Any) -> None:
    for picture in made.pictures.values():
        picture.on_host()


@contextmanager
def at_work(
    pipeline: Any, how: tuning.Tuning, arguments: dict[str, Any]
) -> Iterator[engine.Engine]:
    """Have an engine that has encoded the text; whatever fails, the pipeline is given back as it was."""
    worker = engine.Engine(pipeline, how)
    try:
        worker.encode([TEXT["zh"]], arguments)
        yield worker
    finally:
        worker.close()


def warmed_up(pipeline: Any, case: Case, *, compiled: bool) -> None:
    """Make a batch of two steps: what compiles, compiles here."""
    arguments = few_steps(case, 2)
    with at_work(pipeline, tuning.Tuning(case.batch, compiled), arguments) as worker:
        on_host(one_batch(worker, case, arguments))


def decoding(pipeline: Any, case: Case) -> dict[str, Any]:
    """Decode one sample's latents as they come out of a call of one step, some times over."""
    arguments = few_steps(case, 1)
    with at_work(pipeline, tuning.Tuning(1), arguments) as worker:
        if (fast := worker.fast) is None:
            raise RuntimeError(f"{type(pipeline).__name__} goes by the plain path")
        (latents,) = fast.denoise([TEXT["zh"]], [0], arguments)
        rounds = 1 if case.fps else 5
        if not case.fps:
            fast.decode(latents, arguments)  # the first one warms up; clips' did in the harness
        seconds = timed_exactly(lambda: fast.decode(latents, arguments), rounds)
        teraflop = decoder_teraflop(pipeline, latents)
    return {
        "milliseconds": 1000 * seconds,
        "teraflop": teraflop,
        "teraflop_per_second": teraflop and teraflop / seconds,
    }


def timed_exactly(work: Callable[[], Any], rounds: int) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(rounds):
        work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - began) / rounds


def decoder_teraflop(pipeline: Any, latents: Any) -> float | None:
    """Count the operations of decoding one sample on a copy of the decoder without values."""
    vae = pipeline.vae
    try:
        with torch.device("meta"):
            shell = type(vae).from_config(vae.config).eval()
        sample = torch.empty_like(latents.arguments[0], device="meta", dtype=shell.dtype)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            shell.decode(sample)
    except Exception:  # noqa: BLE001 - a decoder that looks at values cannot be counted so
        return None
    return float(counter.get_total_flops()) / 1e12


def made_on_device(case: Case) -> Any:
    torch.manual_seed(0)
    cuda = torch.cuda.is_available()
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16 if cuda else dtype)
    try:
        with torch.device("cuda" if cuda else "cpu"):
            pipeline = case.build()
    finally:
        torch.set_default_dtype(dtype)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval()
    if cuda:
        pipeline.to("cuda")
    pipeline.set_progress_bar_config(disable=True)
    if hasattr(pipeline.vae, "enable_slicing"):
        pipeline.vae.enable_slicing()
    return pipeline


def asked(name: str, case: Case, place: Path, pipeline: str) -> Request:
    folder = place / f"{name}-model"
    folder.mkdir()
    index = {"_class_name": pipeline, "_diffusers_version": diffusers.__version__}
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    modality = "video" if case.fps else "image"
    spec = {
        "model": name,
        "source": str(folder),
        "arguments": case.arguments,
        "modality": modality,
        "fps": case.fps,
    }
    (place / f"{name}.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    scene = {"id": "boat", "genre": "landscape", "prompts": {"chinese": {"zh": TEXT["zh"]}}}
    suite = {"suite": "boats", "version": 1, "modality": modality, "home": "chinese"}
    suite |= {"traditions": ["chinese", "japanese"], "scenes": [scene]}
    (place / f"{name}-suite.yaml").write_text(
        yaml.safe_dump(suite, allow_unicode=True), encoding="utf-8"
    )
    return Request(
        str(place / f"{name}-suite.yaml"),
        (str(place / f"{name}.yaml"),),
        ("zh",),
        tuple(range(case.outputs)),
    )


def plain_loop(pipeline: Any, case: Case, place: Path) -> float:
    """Return the seconds per output of one call after another; the first call is not counted."""
    arguments = case.arguments | {"num_inference_steps": case.loop_steps}
    short = case.loop_steps < case.arguments["num_inference_steps"]
    seconds: list[float] = []
    stages: list[float] = []
    for number in range(case.loop + 1):
        began = time.perf_counter()
        generator = torch.Generator("cpu").manual_seed(number)
        clock = {"callback_on_step_end": steps_clock(stages)} if short else {}
        made = pipeline(
            prompt=TEXT["zh"], generator=generator, output_type="np", **clock, **arguments
        )
        if hasattr(made, "images"):
            pixels = (made.images[0] * 255).round().clip(0, 255)
            Image.fromarray(np.nan_to_num(pixels).astype(np.uint8)).save(place / "loop.png")
        seconds.append(time.perf_counter() - began)
        if short:
            step = (stages[-1] - stages[-case.loop_steps]) / (case.loop_steps - 1)
            seconds[-1] += step * (case.arguments["num_inference_steps"] - case.loop_steps)
    return float(np.mean(seconds[1:]))


def steps_clock(stages: list[float]) -> Callable[..., dict[str, Any]]:
    def note(_pipeline: Any, _step: int, _time: Any, values: dict[str, Any]) -> dict[str, Any]:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        stages.append(time.perf_counter())
        return values

    return note


KINDS = {
    "attention": r"attention|flash|fmha|sdpa|cudnn_generated_fort_native_sdpa",
    "convolution": r"conv|implicit|xmma_fprop|dgrad|winograd|nchw|nhwc",
    "matrix product": r"gemm|cutlass|cublas|nvjet|matmul|s16816|wgmma",
    "norm": r"norm|welford",
    "compiled": r"triton",
    "copy": r"memcpy|memset|copy",
}
"""What a kernel is taken for, by the first of these that its name bears; the rest is "other"."""


def kind_of(kernel: str) -> str:
    return next((kind for kind, name in KINDS.items() if re.search(name, kernel.lower())), "other")


def kernels(pipeline: Any, case: Case) -> dict[str, Any]:
    """Profile two batches of some steps; without a GPU walk the code and give nothing."""
    arguments = few_steps(case, 4 if case.fps else 20)
    how = tuning.Tuning(case.batch)  # compiled, where it was before
    with at_work(pipeline, how, arguments) as worker:
        if not torch.cuda.is_available():
            two_batches(worker, case, arguments)
            return {"idle_share": None}
        torch.cuda.synchronize()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
            began = time.perf_counter()
            two_batches(worker, case, arguments)
            torch.cuda.synchronize()
            wall = time.perf_counter() - began
    return {"steps": arguments["num_inference_steps"]} | told_of(profiler, wall)


def two_batches(worker: engine.Engine, case: Case, arguments: dict[str, Any]) -> None:
    for made in [one_batch(worker, case, arguments) for _ in range(2)]:
        on_host(made)


def told_of(profiler: Any, wall: float) -> dict[str, Any]:
    """Return how much of `wall` seconds kernels ran in, and which kinds the time went to."""
    spans = sorted(
        (event.time_range.start, event.time_range.end, event.name)
        for event in profiler.events()
        if str(event.device_type).endswith("CUDA") and not event.is_user_annotation
    )
    if not spans:
        raise RuntimeError(
            "the profiler saw no kernel: are the counters of this device open to us?"
        )
    busy, until = 0.0, 0.0
    by_kind: Counter[str] = Counter()
    by_name: Counter[str] = Counter()
    for start, end, name in spans:
        busy += max(0.0, end - max(start, until))
        until = max(until, end)
        by_kind[kind_of(name)] += end - start
        by_name[name[:90]] += end - start
    whole = sum(by_kind.values()) or 1.0
    return {
        "idle_share": 1 - busy / 1e6 / wall,
        "wall_by_kernels": wall * 1e6 / busy if busy else None,
        "kinds": {kind: round(taken / whole, 4) for kind, taken in by_kind.most_common()},
        "longest": {name: round(taken / whole, 4) for name, taken in by_name.most_common(12)},
    }


if __name__ == "__main__":
    main()
