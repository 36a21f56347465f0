"""How fast a model was made to work: one row per model and call of generate, in `speed.jsonl`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.files import append_rows

SPEED = "speed.jsonl"
"""Rows with the keys of `speed_row`; later calls of generate add theirs."""


def speed_row(
    *,
    model: str,
    device: str,
    path: str,
    placement: str,
    batch_size: int,
    compiled: bool,
    outputs: int,
    seconds: float,
    load_seconds: float,
    compile_seconds: float,
    device_seconds: float,
    spent: Mapping[str, float],
    flops: float,
    matrix_rate: float,
    peak_memory: int,
    speedups: str = "",
    skips: bool = False,
    devices: int = 1,
) -> dict[str, Any]:
    """Return a row: times in seconds, rates per second, NaN as None with a reason.

    Args:
        model: its id.
        device: the kind of device.
        path: "fast" or "plain".
        placement: how the weights lay on the device.
        batch_size: outputs at once.
        compiled: whether parts were compiled.
        outputs: how many were kept.
        seconds: wall time from the loaded model to the last row, compiling left out.
        load_seconds: to read the weights and place them.
        compile_seconds: of the first batch beyond what later ones took; 0 where nothing compiles.
        device_seconds: for which one device worked on these outputs and their text.
        spent: seconds by stage; on a GPU stages of two batches run side by side.
        flops: floating-point operations of the denoiser; NaN where they could not be counted.
        matrix_rate: operations per second of a large matrix product on this device.
        peak_memory: bytes.
        speedups: what was asked to make the model faster at the cost of other pictures.
        skips: whether passes were cut short, so that counting them whole says too much.
        devices: on how many of these devices each output was made; all their seconds count.
    """
    counted = flops == flops and flops > 0 and not skips  # noqa: PLR0124 - NaN is unlike itself
    why = (
        "a step cache cuts passes short"
        if skips
        else "the denoiser's operations could not be counted"
    )
    return {
        "model": model,
        "device": device,
        "path": path,
        "placement": placement,
        "devices": devices,
        "batch_size": batch_size,
        "compiled": compiled,
        "outputs": outputs,
        "seconds": round(seconds, 3),
        "outputs_per_second": outputs / seconds if seconds else None,
        "device_seconds_per_output": devices * device_seconds / outputs if outputs else None,
        "load_seconds": round(load_seconds, 3),
        "compile_seconds": round(compile_seconds, 3),
        "seconds_by_stage": {stage: round(taken, 4) for stage, taken in spent.items()},
        "teraflop_per_output": flops / outputs / 1e12 if counted and outputs else None,
        "matrix_teraflops": matrix_rate / 1e12,
        "matrix_share": flops / seconds / (devices * matrix_rate) if counted and seconds else None,
        "reason": "" if counted else why,
        "peak_memory_bytes": peak_memory,
        "speedups": speedups,
    }


def write_speed(run: Path, row: Mapping[str, Any]) -> None:
    """Add a row to the run's `speed.jsonl`."""
    append_rows(run / SPEED, [row])


def of_workers(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per model from those of several workers: rates are those of one worker."""
    by_model: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_model.setdefault(row["model"], []).append(row)
    return [_of_one_model(some) for some in by_model.values()]


def _of_one_model(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    outputs, seconds = sum(row["outputs"] for row in rows), sum(row["seconds"] for row in rows)

    def mean(name: str, weight: str) -> float | None:
        known = [row for row in rows if row[name] is not None and row[weight]]
        whole = sum(row[weight] for row in known)
        return sum(row[name] * row[weight] for row in known) / whole if whole else None

    return {
        **rows[0],
        "outputs": outputs,
        "seconds": seconds,
        "outputs_per_second": outputs / seconds if seconds else None,
        "device_seconds_per_output": mean("device_seconds_per_output", "outputs"),
        "load_seconds": max(row["load_seconds"] for row in rows),
        "matrix_share": mean("matrix_share", "seconds"),
        "peak_memory_bytes": max(row["peak_memory_bytes"] for row in rows),
    }


def speed_line(row: Mapping[str, Any]) -> str:
    """Return a row as one line for people."""
    share = row["matrix_share"]
    rate, per_output = row["outputs_per_second"], row["device_seconds_per_output"]
    return (
        f"{row['model']}: {rate or 0:.2f} outputs/s, {per_output or 0:.3f} device seconds each, "
        f"{'share of the matrix rate not known' if share is None else f'{share:.0%} of the matrix rate'}, "
        f"batches of {row['batch_size']}, loaded in {row['load_seconds']:.1f} s, "
        f"{row['peak_memory_bytes'] / 2**30:.1f} GiB"
        + (f"; pictures changed by {row['speedups']}" if row["speedups"] else "")
    )
