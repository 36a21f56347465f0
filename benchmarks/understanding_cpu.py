"""How near answers come to the batched upper bound, in tokens per second, in one run on this machine.

Upper bound: the same model answers as many batches of the same size in which every row goes in at
one length and comes out at its longest: no padding, no row that ends before its neighbours, no
preparing of pictures. Baseline: the same answers one at a time. Then the share of padding with which
all questions of the suite are batched: with this reader's pictures, all of one length in tokens, and
with pictures whose length follows their size, as in models that take them whole. The last line is JSON.

    python benchmarks/understanding_cpu.py --batch-size 16
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from bench.atelier.reader.training import PATCH, SIDE
from bench.demo import paint_references
from bench.models import load_model
from bench.request import Request
from bench.suites import load_suite
from bench.understanding.answering import answer
from bench.understanding.asking import Asking, planned_answers
from bench.understanding.decoding import settled_arguments
from bench.understanding.jobs import Asked
from bench.understanding.reader import Reader
from bench.understanding.working import batches_by_length
from bench.understanding.works import shown

MODEL = "atelier-reader"
QUESTIONS = ("tradition", "depicted", "bare-areas")
SINGLES = 6
"""Answers that are drawn one at a time."""


def main() -> None:
    """Measure, print a table, end with JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--works", type=int, default=12, help="per tradition")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options.batch_size, options.works)
    found |= padding_of_suite(options.batch_size)
    for name, value in found.items():
        print(f"{name:<40}{value}")
    print(json.dumps(found))


def measure(folder: Path, size: int, per_tradition: int) -> dict[str, float | int | str]:
    """Return tokens per second of the run, of the bound and of single answers, and their ratios."""
    works = paint_references(folder / "works", per_tradition=per_tradition)
    request = Request("painting-understanding", (MODEL,), ("zh", "en"), (0,), batch_size=size)
    asking = Asking(works, QUESTIONS)
    before = time.process_time()
    done = answer(request, asking, folder / "run")
    own = time.process_time() - before
    row = json.loads((folder / "run" / "speed.jsonl").read_text().splitlines()[-1])
    run = planned_answers(request, asking, folder / "run")
    spec = run.models[MODEL]
    reader = Reader(spec, spec.arguments, lambda work: shown(works, run.here[work]))
    jobs = [job for jobs in run.now(MODEL) for job in jobs]
    lengths = {job.key: reader.length(job) for job in jobs}
    batches = sorted(batches_by_length(jobs, lengths, size), key=len, reverse=True)[:2]
    some = [job for batch in batches for job in batch][:SINGLES]
    began = time.perf_counter()
    singles = sum(reader.answer([job])[0].tokens for job in some)
    single_rate = singles / (time.perf_counter() - began)
    # no end of an answer: every row goes on to its longest
    reader.model.generation_config.eos_token_id = None
    reader.tokenizer.eos_token = reader.tokenizer.pad_token
    mean = round(done.tokens / max(done.made, 1))
    alike = [
        [replace(batch[0], seed=seed, longest=mean) for seed in range(size)] for batch in batches
    ]
    began, before = time.perf_counter(), time.process_time()
    tokens = sum(drawn.tokens for batch in alike for drawn in reader.answer(batch))
    bound = tokens / (time.perf_counter() - began)
    own_bound = tokens / (time.process_time() - before)
    return {
        "torch": version("torch"),
        "transformers": version("transformers"),
        "threads": torch.get_num_threads(),
        "batch_size": size,
        "answers": done.made,
        "tokens_per_second": row["tokens_per_second"],
        "upper_bound_tokens_per_second": round(bound, 1),
        "share_of_upper_bound": round(row["tokens_per_second"] / bound, 3),
        # of this process alone, loading among it: what others do on the cores does not enter
        "share_of_upper_bound_by_processor_time": round(done.tokens / own / own_bound, 3),
        "one_at_a_time_tokens_per_second": round(single_rate, 1),
        "times_one_at_a_time": round(row["tokens_per_second"] / single_rate, 2),
        "padding": row["padding"],
    }


def padding_of_suite(size: int, works: int = 60) -> dict[str, float]:
    """Return the share of padding when all questions are asked about works, in both languages."""
    spec = load_model(MODEL)
    reader = Reader(
        replace(spec, dtype={"default": "float32"}),
        settled_arguments(spec, {}),
        lambda _: Image.new("RGB", (64, 64)),
    )
    rng = np.random.default_rng(0)
    # a token for 28 × 28 pixels, of a megapixel in shapes from hanging scrolls to handscrolls
    shapes = np.exp(rng.uniform(np.log(0.25), np.log(4), works))
    sides = [(1000 * shape**0.5, 1000 / shape**0.5) for shape in shapes]
    whole = [round(wide / 28) * round(high / 28) * rng.uniform(0.3, 1.0) for wide, high in sides]
    found = {}
    jobs, fixed, varied = [], {}, {}
    for question in load_suite("painting-understanding").questions:
        for language, text in question.text.items():
            job = Asked("", "", language, text, MODEL, 0, "one", "", question.id, question.longest)
            length = reader.length(job)
            for work in range(works):
                key = f"{question.id}/{language}/{work}"
                jobs.append(replace(job, key=key, work=str(work)))
                fixed[key] = length
                varied[key] = length - (SIDE // PATCH) ** 2 + round(whole[work])
    for name, lengths in (("padding_of_suite", fixed), ("padding_of_varied_pictures", varied)):
        batches = list(batches_by_length(jobs, lengths, size))
        own = [[lengths[job.key] for job in batch] for batch in batches]
        room = sum(max(one) * len(one) for one in own)
        found[name] = round(1 - sum(map(sum, own)) / room, 4)
        found[f"{name}_answers_per_batch"] = round(len(jobs) / len(batches), 2)
    return found


if __name__ == "__main__":
    main()
