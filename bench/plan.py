"""The plan: which jobs there are, and how they are cut into batches, once and for all.

A plan is a list of parts. A later part holds what was added to the run (models, prompts, seeds,
languages); batches planned before are never cut anew, so that resuming gives the same pixels.
"""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from bench.errors import RequestError
from bench.records import Batch, Job, ModelSpec, Prompt
from bench.suites import Suite, select

_LAST_SEED = 2**63 - 1
"""The last that a table of whole numbers holds; a generator takes it too."""


@dataclass(frozen=True, slots=True)
class Part:
    """One request: these models on these prompts, languages and seeds.

    Empty `targets` means all of the suite's; `limit` takes its first prompts only. Empty `scenes` are
    all, until the suite has grown: then they are those that it had when this was asked.
    """

    models: tuple[str, ...]
    languages: tuple[str, ...]
    seeds: tuple[int, ...]
    targets: tuple[str, ...] = ()
    limit: int | None = None
    scenes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the part as `run.yaml` keeps it."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
            if key != "scenes" or value
        }

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> Part:
        """Return the part that `run.yaml` keeps."""
        return Part(
            models=tuple(content["models"]),
            languages=tuple(content["languages"]),
            seeds=tuple(content["seeds"]),
            targets=tuple(content["targets"]),
            limit=content["limit"],
            scenes=tuple(content.get("scenes", ())),
        )


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector out: what a plan is made of lives on, all of it."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@_uncollected()
def plan(
    suite: Suite,
    parts: Sequence[Part],
    *,
    models: Mapping[str, ModelSpec],
    pipelines: Mapping[str, str],
    dtypes: Mapping[str, Mapping[str, str]],
    batch_sizes: Mapping[str, int],
) -> list[Batch]:
    """Cut the jobs of all parts into batches: part by part, model by model, prompt by prompt.

    Args:
        suite: what is asked.
        parts: requests in the order in which they were made.
        models: specs by model id.
        pipelines: pipeline class by model id (part of a job's key).
        dtypes: dtype per part of the model, by model id (part of a job's key).
        batch_sizes: jobs per batch, by model id.
    """
    batches: list[Batch] = []
    planned: set[str] = set()
    for part in parts:
        prompts = select(
            suite, part.languages, targets=part.targets, limit=part.limit, scenes=part.scenes
        )
        for model in part.models:
            spec = models[model]
            # a batch is of one shape: scenes that ask for a number of frames stand apart
            for frames in dict.fromkeys(prompt.frames for prompt in prompts):
                alike = [prompt for prompt in prompts if prompt.frames == frames]
                fixed = _fixed_of_key(suite, spec, pipelines[model], dtypes[model], frames)
                jobs = [
                    job
                    for job in _jobs(fixed, model, alike, part.languages, part.seeds)
                    if job.key not in planned
                ]
                planned.update(job.key for job in jobs)
                size = batch_sizes[model]
                for start in range(0, len(jobs), size):
                    some = tuple(jobs[start : start + size])
                    batches.append(Batch(model, len(batches), size, some, frames))
    return batches


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds that `0-3` (both ends included), `7` or `0,2,5-6` mean.

    Raises:
        RequestError: the text means no seeds.
    """
    seeds: list[int] = []
    for piece in text.split(","):
        low, dash, high = piece.strip().partition("-")
        if len(piece) > 2 * len(str(_LAST_SEED)) + 3:
            raise RequestError(f"seeds go up to {_LAST_SEED}")
        if not low.isdecimal() or (dash and not high.isdecimal()) or int(high or low) < int(low):
            raise RequestError(f"seeds {text!r}: write 7, 0-3 or 0,2,5-6")
        if int(high or low) > _LAST_SEED:
            raise RequestError(f"seeds {text!r}: seeds go up to {_LAST_SEED}")
        seeds += range(int(low), int(high or low) + 1)
    return tuple(dict.fromkeys(seeds))


def _jobs(
    fixed: Mapping[str, Any],
    model: str,
    prompts: Sequence[Prompt],
    languages: Sequence[str],
    seeds: Sequence[int],
) -> Iterable[Job]:
    for prompt in prompts:
        for language in languages:
            text = prompt.text[language]
            asked = {**fixed, "prompt": prompt.id, "language": language, "text": text}
            # all but the seed is hashed and written out once for all seeds
            before, after = _around_seed(asked)
            begun = hashlib.sha256(before)
            for seed in seeds:
                key = begun.copy()
                key.update(str(seed).encode() + after)
                yield Job(key.hexdigest(), prompt.id, language, text, model, seed)


def _fixed_of_key(
    suite: Suite, spec: ModelSpec, pipeline: str, dtype: Mapping[str, str], frames: int | None
) -> dict[str, Any]:
    return {
        "suite": suite.name,
        "model": spec.id,
        "revision": spec.revision,
        "pipeline": pipeline,
        "dtype": dict(dtype),
        "arguments": call_arguments(spec, frames),
        **({"speedups": dict(spec.speedups)} if spec.speedups else {}),
        **({"context_parallel": spec.context_parallel} if spec.context_parallel > 1 else {}),
    }


def call_arguments(spec: ModelSpec, frames: int | None = None) -> dict[str, Any]:
    """Return what goes to the pipeline's call beside prompts and generators.

    `frames` is what the scene asks for, where it does; else the model's own number holds.
    """
    shape = {"width": spec.width, "height": spec.height, "num_frames": spec.frames}
    asked = {**{name: value for name, value in shape.items() if value}, **spec.arguments}
    return {**asked, "num_frames": frames} if frames else asked


def _around_seed(content: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Return the canonical JSON of a job's content, up to its seed and after it."""
    text = json.dumps(
        {**content, "seed": 0}, sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )
    # a quotation mark inside a string is written with a stroke before it: this stands once
    before, mark, after = text.rpartition(',"seed":0,')
    return (before + mark[:-2]).encode(), b"," + after.encode()
