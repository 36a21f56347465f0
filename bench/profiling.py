"""`pinlu profile`: what a model can do on this device, by batch size and compilation. Imports torch."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import diffusers

from bench import device, engine, pipelines, placing
from bench.errors import RequestError, WorkError, first_line
from bench.flops import ForwardCounter, matrix_rate
from bench.media import encode_png
from bench.models import load_model
from bench.plan import call_arguments
from bench.records import Job, ModelSpec
from bench.shapes import check_shapes
from bench.tuning import Measured, Tuning

TEXT = {
    "zh": "一幅中国画：秋江孤舟，远山如黛，岸边疏柳数株，天际一行归雁",
    "en": "a Chinese painting of a lone boat on an autumn river, hills like ink in the distance",
}
"""What is asked while measuring: one prompt, since a plan puts a prompt's seeds side by side."""

MOST_STEPS = 10
LEAST_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Profile:
    """What was measured of a model: a row per tuning, and the tunings for plans to choose from.

    `left_out` says why compiling was not measured, where it was asked for and failed.
    """

    model: str
    device: str
    matrix_teraflops: float
    steps: int
    measured_steps: int
    load_seconds: float
    rows: Sequence[Mapping[str, Any]]
    options: Sequence[Measured]
    left_out: str = ""


def settled_spec(name: str) -> ModelSpec:
    """Return the spec that a run of this model goes by on this device."""
    spec = load_model(name)
    return replace(spec, dtype=pipelines.settle_dtype(spec))


def profile(
    spec: ModelSpec, sizes: Sequence[int], compiled: Sequence[bool], steps: int | None = None
) -> Profile:
    """Measure a model at each batch size, compiled or not.

    Args:
        spec: as `settled_spec` gives it.
        sizes: batch sizes; those beyond the first that memory does not take are left out.
        compiled: whether to compile, in the order of measuring.
        steps: denoising steps to measure; the time of denoising is scaled to the model's own.

    Raises:
        RequestError: the model's call does not fit its pipeline, or it cannot do the size.
        WorkError: it does not load, or makes nothing.
    """
    name = pipelines.pipeline_class(spec)
    check_shapes(spec, name, [None])
    whole = _steps(spec, name)
    taken = min(steps or MOST_STEPS, whole) if whole else 0
    arguments = call_arguments(spec) | ({"num_inference_steps": taken} if whole else {})
    rows: list[Mapping[str, Any]] = []
    load_seconds = 0.0
    left_out = ""
    for compiling in compiled:
        began = time.perf_counter()
        worker = engine.load(spec, Tuning(1, compiling))
        load_seconds = load_seconds or time.perf_counter() - began
        rate = matrix_rate(placing.work_dtype(worker.pipeline))
        whole_rate = worker.devices * rate
        scale = whole / taken if taken else 1
        try:
            for row in _at_sizes(worker, spec, sorted(sizes), arguments, scale):
                per_output = row["teraflop_per_output"]
                reached = per_output and per_output * 1e12 * row["outputs_per_second"]
                rows.append({**row, "matrix_share": reached / whole_rate if reached else None})
        except WorkError:
            raise
        except Exception as error:
            why = first_line(error)
            if not compiling:
                raise WorkError(f"model {spec.id} cannot be measured: {why}") from error
            # no C compiler, say: what runs as it stands is measured
            left_out = f"compiling failed: {why}"
        worker.close()
    if not rows and left_out:
        raise WorkError(f"model {spec.id}: {left_out}; try --compile off")
    if not rows:
        raise WorkError(f"model {spec.id} made nothing to measure")
    options = [
        Measured(
            Tuning(row["batch_size"], row["compile"]),
            1 / row["outputs_per_second"],
            row["compile_seconds"],
        )
        for row in rows
    ]
    return Profile(
        spec.id,
        pipelines.device_kind(),
        rate / 1e12,
        whole,
        taken,
        round(load_seconds, 3),
        rows,
        options,
        left_out,
    )


def _at_sizes(
    worker: engine.Engine,
    spec: ModelSpec,
    sizes: Sequence[int],
    arguments: Mapping[str, Any],
    scale: float,
) -> Iterator[dict[str, Any]]:
    language = "zh" if not spec.languages or "zh" in spec.languages else "en"
    worker.encode([TEXT[language]], arguments)
    for size in sizes:
        jobs = [Job(str(seed), "", language, TEXT[language], spec.id, seed) for seed in range(size)]
        forwards = ForwardCounter(placing.denoisers(worker.pipeline))
        device.peak_memory()
        worker.compile_anew()  # for this size alone, as a run compiles it
        first = _batch(worker, jobs, arguments)
        if first["size"] < size:
            forwards.close()
            return
        batches: list[dict[str, float]] = []
        while not batches or sum(one["wall"] for one in batches) < LEAST_SECONDS:
            batches.append(_batch(worker, jobs, arguments))
            if len(batches) == 3:
                break
        skips = "cache" in spec.speedups  # passes cut short: counting them whole says too much
        flops = 0.0 if skips else forwards.total() / (len(batches) + 1) / size * scale
        forwards.close()
        mean = {stage: sum(one[stage] for one in batches) / len(batches) for stage in first}
        further = mean["denoise"] * (scale - 1)  # steps that were not measured
        seconds = (mean["wall"] + further) / size
        compile_seconds = max(0.0, first["wall"] - mean["wall"]) if worker.compiled else 0.0
        yield {
            "batch_size": size,
            "compile": worker.compiled,
            "path": worker.path,
            "placement": worker.placement,
            "outputs_per_second": 1 / seconds,
            "compile_seconds": round(compile_seconds, 3),
            "text_seconds_per_prompt": worker.text_seconds,
            "seconds_per_output": {
                "denoise": mean["denoise"] * scale / size,
                "decode": mean["decode"] / size,
                "file": mean["file"] / size,
            },
            "teraflop_per_output": flops / 1e12 if flops > 0 else None,
            "peak_memory_bytes": device.peak_memory(),
        }


def _batch(
    worker: engine.Engine, jobs: Sequence[Job], arguments: Mapping[str, Any]
) -> dict[str, float]:
    """Make one batch; return its seconds: until it is on the host, by stage, and as files."""
    began = time.perf_counter()
    made = worker.make(jobs, arguments, jobs)
    pictures = [made.pictures[job.key].on_host()[0] for job in jobs]
    wall = time.perf_counter() - began
    began = time.perf_counter()
    for pixels in pictures:
        if pixels.ndim == 3 and pixels.dtype == "uint8":
            encode_png(pixels)
    spent = {"denoise": 0.0, "decode": 0.0, **made.seconds()}
    return {**spent, "wall": wall, "file": time.perf_counter() - began, "size": made.size}


def _steps(spec: ModelSpec, name: str) -> int:
    """Return how many steps the model takes: its spec's, else its pipeline's; 0 where none."""
    takes = inspect.signature(getattr(diffusers, name).__call__).parameters
    if "num_inference_steps" not in takes:
        return 0
    steps = spec.arguments.get("num_inference_steps", takes["num_inference_steps"].default)
    if not isinstance(steps, int) or steps < 1:
        raise RequestError(f"model {spec.id}: num_inference_steps {steps!r} is no number of steps")
    return steps


def table(found: Profile) -> str:
    """Return what was measured for people: a line per tuning."""
    head = (
        f"{found.model} on {found.device}: {found.matrix_teraflops:.2f} TFLOP/s in a large matrix "
        f"product, {found.steps} steps ({found.measured_steps} measured), "
        f"loaded in {found.load_seconds:.1f} s"
    )
    columns = (
        f"{'batch':>5} {'compiled':>8} {'outputs/s':>10} {'share':>6} {'denoise s':>10} "
        f"{'decode s':>9} {'file s':>7} {'compile s':>9} {'GiB':>6}"
    )
    lines = [head, columns]
    for row in found.rows:
        share = "-" if row["matrix_share"] is None else f"{row['matrix_share']:.0%}"
        spent = row["seconds_per_output"]
        lines.append(
            f"{row['batch_size']:>5} {'yes' if row['compile'] else 'no':>8} "
            f"{row['outputs_per_second']:>10.3f} {share:>6} {spent['denoise']:>10.4f} "
            f"{spent['decode']:>9.4f} {spent['file']:>7.4f} {row['compile_seconds']:>9.1f} "
            f"{row['peak_memory_bytes'] / 2**30:>6.1f}"
        )
    return "\n".join([*lines, found.left_out] if found.left_out else lines)
