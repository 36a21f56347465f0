"""What driving several workers costs: time over Ray, memory with very many batches; and what it bears.

    python benchmarks/cluster.py [--batches 500] [--many 100000] [--without-ray]
    python benchmarks/cluster.py --chaos 6 [--batches 500]

*Overhead.* 500 batches of 50 ms each (a stand-in that sleeps, in the place of a model; pictures of
16 × 16 pixels are encoded, written, hashed and entered by the real code) go over two Ray actors. The
baseline, in turn: two plain processes that work off half of the same batches each, by the same
worker, with neither Ray nor scheduler, told everything at once. Both are timed from the first batch
begun to the last row written.

*Memory.* 100,000 batches of one picture each are driven to the end with a crew that answers at once
and enters made-up rows in real parts: the peak memory of the driver, torch's libraries included.

*Chaos.* Three Ray nodes of one worker each make 500 batches of a tiny real model. Every six seconds a worker
at work is killed (SIGKILL); when a third is made a node is taken away with its worker, at two thirds the driver is
killed and started again. What was set aside by chance another call tries again. Held against a run by one process: every output there, once, the same pixels.

The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
import yaml

from bench import manifest, parts
from bench.crew.crews import News
from bench.crew.driving import drive
from bench.crew.pictures import Pictures
from bench.crew.worker import Worker, answer
from bench.generate import generate, what_is_due
from bench.request import Request
from bench.run import planned_run, run_on_disk, settle
from bench.transfer import Made, Pending
from tests import tiny
from tests.bench.crew.crews import begun, pids_of

SLEEP = 0.05


class SleepingWork:
    """Stands in for `bench.model_work.ModelWork`: a batch takes 50 ms and gives small pictures."""

    load_seconds = 0.0
    cut = 0

    def __init__(self, run: Any, spec: Any, keeper: Any) -> None:
        self.run, self.spec, self.keeper = run, spec, keeper

    def work(self, batches: Sequence[Any], missing: Any, begun: Any) -> None:
        noise = np.random.default_rng(0)
        for batch in batches:
            begun(batch.index)
            began = time.perf_counter()
            time.sleep(SLEEP)
            pixels = noise.integers(0, 255, (16, 16, 3), dtype=np.uint8)
            pictures = {job.key: Pending(pixels) for job in batch.jobs}
            made = Made(pictures, batch.size, "", 1, [("denoise", began, time.perf_counter())])
            self.keeper.keep(batch, made, missing[batch.index], {})
        self.keeper.settle()

    def close(self) -> dict[str, Any]:
        return {
            **dict.fromkeys(["outputs", "seconds", "load_seconds", "peak_memory_bytes"], 0),
            **dict.fromkeys(["device_seconds_per_output", "matrix_share"]),
            "model": self.spec.id,
        }


def with_sleeping_work() -> None:
    import bench.crew.pictures  # noqa: PLC0415 - in whichever process this is called

    bench.crew.pictures.ModelWork = SleepingWork  # type: ignore[assignment,misc]


class SleepingActor:
    """The actor of `bench.crew.ray_actors`, with the stand-in at work."""

    def __init__(self, name: str, on_gpu: bool) -> None:
        del on_gpu
        with_sleeping_work()
        self.worker = Worker(name)

    def here(self) -> None: ...

    def ask(self, method: str, arguments: Sequence[Any]) -> dict[str, Any]:
        return answer(self.worker, method, arguments)


class InstantCrew:
    """One worker in this process, whose work is made-up rows."""

    def __init__(self, logs: Path) -> None:
        del logs
        self.worker, self.due = Worker("instant"), [News("came", "instant")]
        self.run: Any = None

    def hire(self) -> None: ...

    def coming(self) -> int:
        return 0

    def ask(self, worker: str, method: str, arguments: Sequence[Any], title: str) -> None:
        del title
        found = (
            self.made_up(*arguments) if method == "work" else answer(self.worker, method, arguments)
        )
        self.due.append(News("answered", worker, found))

    def made_up(self, model: str, wanted: Any) -> dict[str, Any]:
        del model
        self.run = self.run or self.worker.desk._run  # type: ignore[union-attr] # noqa: SLF001
        rows = []
        for index in wanted:
            for job in self.run.batches[index].jobs:
                row = {"file_name": f"outputs/{job.key}.png", "key": job.key, "model": job.model}
                row |= {"prompt": job.prompt, "language": job.language, "text": job.text}
                row |= {"seed": job.seed, "width": 16, "height": 16, "frames": None, "fps": None}
                row |= {"sha256": job.key, "pixel_sha256": job.key, "status": "ok", "suite": "s"}
                rows.append({"output": {**row, "suite_hash": "h", "seconds": 0.05}})
        path = parts.folder_of(self.run.folder) / "instant.jsonl"
        with path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        return {"answer": {"loaded": None, "cut": 0}}

    def news(self, seconds: float) -> list[News]:
        del seconds
        due, self.due = self.due, []
        return due

    def dismiss(self, worker: str, *, for_good: bool) -> None: ...

    def close(self) -> None: ...


def request_for(place: Path, batches: int) -> Request:
    """A request of so many batches of one picture: 100 prompts, as many seeds as it takes."""
    texts = {"chinese": {"zh": "一幅中国画：秋江孤舟"}}
    scenes = [{"id": f"boat-{n}", "genre": "landscape", "prompts": texts} for n in range(100)]
    header = {"suite": "boats", "version": 1, "modality": "image", "home": "chinese"}
    content = {**header, "traditions": ["chinese"], "scenes": scenes}
    path = place / "boats.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    if not (place / "tiny-sd").exists():
        tiny.save("stable-diffusion", place / "tiny-sd")
    models, seeds = (str(place / "tiny-sd"),), tuple(range(batches // 100))
    return Request(str(path), models, ("zh",), seeds, batch_size=1)


def seconds_of(run: Path, began: float) -> float:
    rows = manifest.read_outputs(run)
    print(f"  {len(rows)} outputs in {run.name}", file=sys.stderr)
    return (run / manifest.METADATA).stat().st_mtime - began


def over_ray(request: Request, run: Path) -> float:
    """Return the seconds from the first batch begun to the last row."""
    from bench.crew import ray_actors  # noqa: PLC0415 - Ray is an extra

    ray_actors._Actor = SleepingActor  # type: ignore[misc,assignment] # noqa: SLF001
    first = []
    give = ray_actors.RayCrew.ask

    def noted(self: Any, worker: str, method: str, arguments: Any, title: str) -> None:
        if method == "work" and not first:
            first.append(time.time())
        give(self, worker, method, arguments, title)

    ray_actors.RayCrew.ask = noted  # type: ignore[method-assign]
    drive(Pictures(request), run, partial(ray_actors.RayCrew, "local", 2, 0.0))
    return seconds_of(run, first[0])


def by_plain_processes(request: Request, run: Path) -> float:
    """Return the seconds in which two processes work off half of the batches each."""
    with manifest.opened(run):
        settled = settle(planned_run(request, run), allow_mixed=False)
        due = what_is_due(settled)
    halves = [[batch.index for batch in due.batches[start::2]] for start in (0, 1)]
    script = (
        "import sys, json, pathlib; sys.path[:0] = sys.argv[1:3]; import cluster\n"
        "cluster.half(pathlib.Path(sys.argv[3]), sys.argv[4])"
    )
    here = Path(__file__).parent
    command = [sys.executable, "-c", script, str(here), str(here.parent), str(run)]
    processes = [
        subprocess.Popen(  # noqa: S603
            [*command, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for number in range(2)
    ]
    for process in processes:
        assert process.stdout  # noqa: S101
        process.stdout.readline()  # ready
    began = time.time()
    for process, some in zip(processes, halves, strict=True):
        assert process.stdin  # noqa: S101
        process.stdin.write(json.dumps(some) + "\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
    return max(file.stat().st_mtime for file in parts.folder_of(run).iterdir()) - began


def half(run: Path, number: str) -> None:
    with_sleeping_work()
    worker = Worker(f"plain-{number}")
    model = run_on_disk(run, frozenset()).batches[0].model
    worker.begin(Pictures(Request("", (), (), ())), run, "")
    print("ready", flush=True)
    indices = json.loads(sys.stdin.readline())
    worker.work(model, dict.fromkeys(indices))


def chaos(place: Path, batches: int, every: float) -> dict[str, Any]:
    """Make a run while workers, a node and the driver die; return what was seen."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - Ray is an extra

    small = {"num_inference_steps": 4, "height": 32, "width": 32}
    request = replace(request_for(place, batches), arguments=small)
    alone, run = place / "alone", place / "chaos"
    generate(request, alone)
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(3):
        nodes.add_node(num_cpus=1, num_gpus=0)
    command = [sys.executable, "-m", "bench", "generate", "--suite", request.suite]
    command += ["--models", request.models[0], "--languages", "zh", "--batch-size", "1"]
    command += ["--seeds", f"0-{len(request.seeds) - 1}", "--out", str(run), "--engine", "ray"]
    command += ["--address", nodes.address]
    command += [f"--set={name}={value}" for name, value in small.items()]

    def driver() -> subprocess.Popen[bytes]:
        log = (place / "driver.log").open("ab")
        return subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603

    def made() -> int:
        path = run / manifest.METADATA
        return path.read_bytes().count(b"\n") if path.exists() else 0

    began, killed, node_gone, driver_killed = time.monotonic(), 0, False, False
    process, rng = driver(), random.Random(0)  # noqa: S311 - whom to kill is no secret
    while process.poll() is None:
        time.sleep(every)
        # at work, not loading: a model that costs three workers while they load it is set aside
        there = {
            name: pid
            for name, pid in pids_of(run).items()
            if psutil.pid_exists(pid) and begun(run, name)
        }
        if there:
            with suppress(psutil.Error):
                psutil.Process(there[rng.choice(sorted(there))]).kill()
                killed += 1
        if made() > batches / 3 and not node_gone:
            nodes.remove_node(next(iter(nodes.worker_nodes)), allow_graceful=False)
            node_gone = True
        if made() > 2 * batches / 3 and not driver_killed:
            process.kill()
            process.wait()
            process, driver_killed = driver(), True
    aside, calls = len(manifest.read_failures(run)), 2
    while process.returncode == 1 and calls < 5:  # what died twice by chance is tried again
        process, calls = driver(), calls + 1
        process.wait()
    seconds = time.monotonic() - began
    nodes.shutdown()
    rows = [manifest.read_outputs(one) for one in (alone, run)]  # raises where a key is there twice
    pixels = [{row["key"]: row["pixel_sha256"] for row in some} for some in rows]
    return {
        "batches": batches,
        "workers_killed": killed,
        "node_removed": node_gone,
        "driver_killed": driver_killed,
        "set_aside": aside,
        "calls": calls,
        "status": process.returncode,
        "outputs": len(rows[1]),
        "identical": pixels[0] == pixels[1],
        "faults": len(manifest.verify(run)),
        "seconds": round(seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batches", type=int, default=500)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--without-ray", action="store_true")
    parser.add_argument("--chaos", type=float, metavar="SECONDS", help="between two kills")
    options = parser.parse_args()
    found: dict[str, Any] = {"torch": torch.__version__, "cores": os.cpu_count()}
    if options.chaos:
        with tempfile.TemporaryDirectory() as place:
            found["chaos"] = chaos(Path(place), options.batches, options.chaos)
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as place:
        if options.many:
            request = request_for(Path(place), options.many)
            began = time.perf_counter()
            done = drive(Pictures(request), Path(place) / "many", InstantCrew)
            taken = time.perf_counter() - began
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            found["many"] = {"batches": done.made, "seconds": taken, "gibibytes": peak}
            print(f"{done.made} batches driven in {taken:.0f} s, {peak:.2f} GiB at most")
        if not options.without_ray:
            request = request_for(Path(place), options.batches)
            plain = by_plain_processes(request, Path(place) / "plain")
            ray = over_ray(request, Path(place) / "ray")
            ideal = options.batches * SLEEP / 2
            found["ray"] = {"plain": plain, "ray": ray, "ideal": ideal, "ratio": ray / plain}
            print(
                f"{options.batches} batches of 50 ms on two workers: {ray:.1f} s over Ray, "
                f"{plain:.1f} s in plain processes ({ray / plain:.2f} ×), {ideal:.1f} s asleep"
            )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
