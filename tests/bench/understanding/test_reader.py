"""Families of vision–language models, each loaded, batched and drawn from by the code itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench.errors import RequestError, WorkError
from bench.models import load_model
from bench.records import ModelSpec
from bench.understanding.jobs import Asked
from bench.understanding.reader import Drawing, Reader, architecture, collated
from tests import tiny
from tests.tiny_readers import FAMILIES, make_reader

PICTURES = {
    f"work-{n}": Image.fromarray(
        np.random.default_rng(n).integers(0, 255, (60, 60 + 90 * n, 3), dtype=np.uint8)
    )
    for n in range(3)
}


def job(number: int, text: str = "What is it?", longest: int = 12) -> Asked:
    work = f"work-{number % 3}"
    return Asked(str(number), f"{work}/q", "en", text, "m", number, work, "hash", "q", longest)


def reader_of(folder: Path, **arguments: object) -> Reader:
    spec = load_model(str(folder))
    spec = ModelSpec(spec.id, spec.source, spec.revision, dtype={"default": "float32"})
    return Reader(spec, {"temperature": 0.0, **arguments}, PICTURES.__getitem__)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_batch_equals_single_answers(family: str, temperature: float, tmp_path: Path) -> None:
    reader = reader_of(make_reader(tmp_path / family, family), temperature=temperature)
    jobs = [job(n, "What is it? " * (1 + n % 3)) for n in range(6)]
    together = reader.answer(jobs)
    alone = [reader.answer([one])[0] for one in jobs]
    assert together == alone
    assert len({one.text for one in together}) > 1
    assert [reader.length(one) for one in jobs] == [one.asked_tokens for one in together]


def test_each_picture_is_prepared_once(tmp_path: Path) -> None:
    asked: Counter[str] = Counter()
    spec = load_model(str(make_reader(tmp_path / "r", "idefics3")))
    spec = ModelSpec(spec.id, spec.source, spec.revision, dtype={"default": "float32"})

    def picture(work: str) -> Image.Image:
        asked[work] += 1
        return PICTURES[work]

    reader = Reader(spec, {"temperature": 0.0}, picture)
    jobs = [job(n, f"Question {n}?") for n in range(9)]
    for one in jobs:
        reader.length(one)
    reader.answer(jobs)
    assert asked == {"work-0": 1, "work-1": 1, "work-2": 1}


def test_the_longest_cuts_and_says_so(tmp_path: Path) -> None:
    reader = reader_of(make_reader(tmp_path / "r", "llava"))
    short, long = reader.answer([job(0, longest=3), job(0, longest=9)])
    assert (short.tokens, short.cut) == (3, True)
    assert long.tokens > 3


def test_draws_have_the_models_probabilities_and_follow_the_seed() -> None:
    scores = torch.log(torch.tensor([[0.6, 0.3, 0.1]])).repeat(4000, 1)
    seeds = range(4000)
    drawn = Drawing(seeds, 1.0, 1.0)(None, scores).argmax(-1)  # type: ignore[arg-type]
    shares = np.bincount(drawn.numpy(), minlength=3) / 4000
    assert np.abs(shares - [0.6, 0.3, 0.1]).max() < 0.025
    again = Drawing(seeds, 1.0, 1.0)(None, scores).argmax(-1)  # type: ignore[arg-type]
    assert torch.equal(drawn, again)
    nucleus = Drawing(seeds, 1.0, 0.5)(None, scores).argmax(-1)  # type: ignore[arg-type]
    assert set(nucleus.tolist()) == {0}
    cold = Drawing(seeds, 0.05, 1.0)(None, scores).argmax(-1)  # type: ignore[arg-type]
    assert (cold == 0).float().mean() > 0.99


def test_collating_fills_up_on_the_left_and_tiles_at_the_end() -> None:
    first = {
        "input_ids": torch.tensor([[5, 6]]),
        "attention_mask": torch.ones(1, 2, dtype=torch.long),
        "pixel_values": torch.ones(1, 1, 3, 2, 2),
    }
    second = {
        "input_ids": torch.tensor([[7, 8, 9]]),
        "attention_mask": torch.ones(1, 3, dtype=torch.long),
        "pixel_values": torch.ones(1, 2, 3, 2, 2),
    }
    made = collated([first, second], pad=1)
    assert made["input_ids"].tolist() == [[1, 5, 6], [7, 8, 9]]
    assert made["attention_mask"].tolist() == [[0, 1, 1], [1, 1, 1]]
    assert made["pixel_values"].shape == (2, 2, 3, 2, 2)
    assert made["pixel_values"][0, 1].sum() == 0


def test_what_is_no_reader_is_refused(tmp_path: Path) -> None:
    painter = load_model(str(tiny.save("stable-diffusion", tmp_path / "sd")))
    with pytest.raises(RequestError, match="cannot read its config"):
        architecture(painter)
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "config.json").write_text(
        '{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}'
    )
    with pytest.raises(RequestError, match=r"is a gpt2, which transformers .* does not load"):
        architecture(load_model(str(tmp_path / "text")))
    (tmp_path / "text" / "config.json").write_text(
        '{"model_type": "x", "architectures": ["X"], "auto_map": {"AutoModel": "x.X"}}'
    )
    with pytest.raises(RequestError, match="needs code of its own to be trusted"):
        load_model(str(tmp_path / "text"))


def test_memory_that_runs_out_halves_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = reader_of(make_reader(tmp_path / "r", "llava"))
    whole = reader.answer([job(n) for n in range(4)])
    true = reader._answered
    sizes = []

    def small(jobs: list[Asked]) -> object:
        sizes.append(len(jobs))
        if len(jobs) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return true(jobs)

    monkeypatch.setattr(reader, "_answered", small)
    assert reader.answer([job(n) for n in range(4)]) == whole
    assert sizes == [4, 2, 1, 1, 1, 1]
    monkeypatch.setattr(reader, "_answered", lambda _: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(WorkError, match="out of memory with a single answer"):
        reader.answer([job(0)])


def test_jobs_of_one_seed_do_not_share_their_luck(tmp_path: Path) -> None:
    reader = reader_of(make_reader(tmp_path / "r", "llava"), temperature=1.0)
    one, other = replace(job(0), key="1a"), replace(job(0), key="2b")
    same, again, different = reader.answer([one, one, other])
    assert same == again
    assert same.text != different.text
