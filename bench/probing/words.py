"""What `pinlu probe` prints: how much was looked at, and what each probe is worth on references."""

from __future__ import annotations

from collections.abc import Iterator

from bench.probing.names import DIVERSITY, PROBES, REPORT
from bench.probing.run import Probed


def told(run: str, done: Probed) -> Iterator[str]:
    """Yield the lines."""
    share = done.forward_seconds / done.looking_seconds if done.looking_seconds else 0.0
    forward = f", {share:.0%} of it in forward passes" if done.forward_seconds else ""
    yield (
        f"{run}: {done.outputs} outputs, {done.references} references, {done.new} new, "
        f"in {done.seconds:.0f} s{forward}"
    )
    for one in done.report["probes"]:
        line = f"  {one['probe']}"
        if "accuracy" in one:
            line += (
                f": {one['accuracy']:.0%} of {one['references']} references told right, "
                f"calibration error {one['calibration_error']:.3f}"
            )
        else:
            line += ": no references, so nothing is known of its confusions"
        yield line
        for tradition, row in one.get("confusion", {}).items():
            cells = ", ".join(
                f"{name} {value:.2f}" for name, value in row.items() if value is not None
            )
            yield f"    {tradition} seen as {cells or 'nothing: no work of it'}"
    for method, reason in done.report.get("not_computed", {}).items():
        yield f"  {method}: not computed: {reason}"
    yield f"  written: {PROBES}, {DIVERSITY}, {REPORT}"
    if done.faults:
        files = "1 file was" if len(done.faults) == 1 else f"{len(done.faults)} files were"
        yield f"{files} lost or changed and left out of these tables: see above, or pinlu verify {run}"
