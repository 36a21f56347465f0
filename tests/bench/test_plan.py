from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import RequestError
from bench.plan import Part, parse_seeds, plan
from bench.records import Batch, ModelSpec
from bench.suites import Suite, load_suite

MODELS = {name: ModelSpec(name, f"somewhere/{name}", "r1") for name in ("one", "two")}


def cut(suite: Suite, parts: list[Part], size: int = 3) -> list[Batch]:
    return plan(
        suite,
        parts,
        models=MODELS,
        pipelines=dict.fromkeys(MODELS, "APipeline"),
        dtypes={name: {"default": "float32"} for name in MODELS},
        batch_sizes=dict.fromkeys(MODELS, size),
    )


def test_a_key_is_the_hash_of_the_whole_request(suite_path: Path) -> None:
    suite = load_suite(str(suite_path))
    job = cut(suite, [Part(("one",), ("zh",), (7,))])[0].jobs[0]
    content = {
        "suite": "tiny",
        "prompt": "boat-0/chinese",
        "language": "zh",
        "text": "一幅中国画：秋江孤舟",
        "model": "one",
        "revision": "r1",
        "pipeline": "APipeline",
        "dtype": {"default": "float32"},
        "arguments": {},
        "seed": 7,
    }
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert job.key == hashlib.sha256(canonical.encode()).hexdigest()


def test_whatever_decides_the_pixels_changes_the_key_and_the_path_does_not(
    suite_path: Path,
) -> None:
    suite = load_suite(str(suite_path))

    def key(spec: ModelSpec, pipeline: str = "A", dtype: str = "float32", seed: int = 0) -> str:
        return (
            plan(
                suite,
                [Part((spec.id,), ("zh",), (seed,))],
                models={spec.id: spec},
                pipelines={spec.id: pipeline},
                dtypes={spec.id: {"default": dtype}},
                batch_sizes={spec.id: 1},
            )[0]
            .jobs[0]
            .key
        )

    spec = MODELS["one"]
    keys = [
        key(spec),
        key(replace(spec, revision="r2")),
        key(replace(spec, arguments={"num_inference_steps": 4})),
        key(replace(spec, width=64)),
        key(spec, pipeline="B"),
        key(spec, dtype="bfloat16"),
        key(spec, seed=1),
    ]
    assert len(set(keys)) == len(keys)
    assert key(replace(spec, source="elsewhere")) == keys[0]


@given(size=st.integers(1, 9), seeds=st.integers(1, 5))
def test_every_job_is_in_one_batch_of_one_model(size: int, seeds: int) -> None:
    suite = load_suite("first-look")
    batches = cut(suite, [Part(("one", "two"), ("zh", "en"), tuple(range(seeds)), limit=5)], size)
    jobs = [job for batch in batches for job in batch.jobs]
    assert len({job.key for job in jobs}) == len(jobs) == 2 * 5 * 2 * seeds
    assert all({job.model for job in batch.jobs} == {batch.model} for batch in batches)
    assert all(batch.size == size for batch in batches)
    assert [batch.index for batch in batches] == list(range(len(batches)))


def test_what_is_added_becomes_a_new_part_and_cuts_nothing_anew(suite_path: Path) -> None:
    suite = load_suite(str(suite_path))
    first = Part(("one",), ("zh",), (0, 1))
    before = cut(suite, [first])
    after = cut(suite, [first, Part(("one", "two"), ("zh", "en"), (0, 1, 2))])
    assert after[: len(before)] == before
    keys = [job.key for batch in after for job in batch.jobs]
    assert len(keys) == len(set(keys)) == 2 * 4 * 2 * 3


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0-3", (0, 1, 2, 3)), ("7", (7,)), ("0,2,5-6", (0, 2, 5, 6)), ("1,1", (1,))],
)
def test_seeds(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-1", "-1", "1-", "0..3", "1.5"])
def test_seeds_that_mean_nothing(text: str) -> None:
    with pytest.raises(RequestError, match="0-3"):
        parse_seeds(text)


@pytest.mark.parametrize("text", ["9223372036854775808", "0-99999999999999999999", "9" * 5000])
def test_seeds_beyond_what_tables_and_generators_hold_are_refused(text: str) -> None:
    assert parse_seeds("9223372036854775807") == (2**63 - 1,)
    with pytest.raises(RequestError, match="seeds go up to 9223372036854775807"):
        parse_seeds(text)
