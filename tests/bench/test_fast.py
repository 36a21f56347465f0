"""The fast path gives what the plain call gives, in every family that it claims."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench import pipelines
from bench.families import FAMILIES, TO_THE_LONGEST
from bench.fast import FastPath, for_batch, takes_fast_path
from bench.records import ModelSpec
from tests import tiny_families, tiny_video

IMAGES, CLIPS = tiny_families.FAMILIES, tiny_video.FAMILIES
TEXTS = [
    "秋江孤舟，远山如黛，一叶扁舟泊于芦苇之间，天际有雁阵南飞",
    "a lone boat",
    "月下孤松",
    "a lone boat",
    "a bird above the river at dusk",
    "月下孤松",
]
SEEDS = [0, 1, 2, 3, 4, 5]
STEPS = {"num_inference_steps": 2}


def loaded(family: str, folder: Path, dtype: str = "float32", **arguments: Any) -> Any:
    (tiny_families if family in IMAGES else tiny_video).save(family, folder)
    spec = ModelSpec("m", str(folder), "r", dtype={"default": dtype}, arguments=arguments)
    return pipelines.load(spec, spec.dtype)


def plain(pipeline: Any, indices: list[int], arguments: dict[str, Any]) -> dict[int, np.ndarray]:
    """Make samples by one plain call; indices into TEXTS and SEEDS."""
    made = pipeline(
        prompt=[TEXTS[one] for one in indices],
        generator=[torch.Generator("cpu").manual_seed(SEEDS[one]) for one in indices],
        **for_batch(arguments, len(indices)),
    )
    pictures = np.asarray(made.frames if hasattr(made, "frames") else made.images)
    return dict(zip(indices, (pictures * 255).round().astype(np.uint8), strict=True))


def by_fast_path(
    fast: FastPath, arguments: dict[str, Any], batches: list[list[int]]
) -> dict[int, np.ndarray]:
    """Make the samples of the batches; indices into TEXTS and SEEDS."""
    made = {}
    for batch in batches:
        texts, seeds = [TEXTS[one] for one in batch], [SEEDS[one] for one in batch]
        for index, latents in zip(batch, fast.denoise(texts, seeds, arguments), strict=True):
            pixels, finite = fast.decode(latents, arguments)
            assert finite
            made[index] = pixels.numpy()
    return made


def levels_apart(pictures: dict[int, np.ndarray], others: dict[int, np.ndarray]) -> float:
    return max(np.abs(pictures[one].astype(float) - others[one]).max() for one in pictures)


# Chroma uses a class of diffusers by a name that is going away, Mochi asks for autocast to fp32
@pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:In CPU autocast:UserWarning")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("family", [*IMAGES, *CLIPS])
def test_the_fast_path_gives_what_plain_calls_give(family: str, dtype: str, tmp_path: Path) -> None:
    arguments = (IMAGES | CLIPS)[family][1] | STEPS
    pipeline = loaded(family, tmp_path / family, dtype)
    assert takes_fast_path(pipeline)
    everyone = list(range(len(TEXTS)))
    singles = {one: plain(pipeline, [one], arguments)[one] for one in everyone}
    plain_batch = plain(pipeline, everyone, arguments)
    assert singles[0].shape[-3:] == (arguments["height"], arguments["width"], 3)
    if dtype == "float32":  # on the plain path these go together, or by prompts
        padded = type(pipeline).__name__ in TO_THE_LONGEST
        assert (levels_apart(plain_batch, singles) > 1) == padded
    fast = FastPath(pipeline)
    for text in dict.fromkeys(TEXTS):
        fast.encode(text, arguments)
    alone = by_fast_path(fast, arguments, [[one] for one in everyone])
    assert levels_apart(alone, singles) == 0
    batched = by_fast_path(fast, arguments, [everyone])
    # rounding in larger products; random weights blow it up in bf16, in plain calls alike
    allowed = 1 if dtype == "float32" else max(4, levels_apart(plain_batch, singles))
    assert levels_apart(batched, singles) <= allowed
    assert np.abs(batched[1].astype(int) - batched[3]).max() > 4  # the same text, another seed
    assert np.abs(batched[0].astype(int) - singles[2]).max() > 4


# SDXL, Kolors and AuraFlow have their decoder upcast, the others' decodes in fp16
@pytest.mark.filterwarnings("ignore:`upcast_vae` is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:In CPU autocast:UserWarning")
@pytest.mark.parametrize("family", [*IMAGES, *CLIPS])
def test_the_fast_path_gives_what_the_plain_call_gives_in_fp16(family: str, tmp_path: Path) -> None:
    arguments = (IMAGES | CLIPS)[family][1] | STEPS
    pipeline = loaded(family, tmp_path / family, "float16")
    fast = FastPath(pipeline)
    fast.encode(TEXTS[0], arguments)
    made = by_fast_path(fast, arguments, [[0]])
    fast.let_go()
    singles = plain(pipeline, [0], arguments)
    assert levels_apart(made, singles) == 0
    assert np.ptp(singles[0].astype(int)) > 4  # numbers, not a constant


@pytest.mark.filterwarnings("ignore:`upcast_vae` is deprecated:FutureWarning")
@pytest.mark.parametrize("family", ["kolors", "stable-diffusion-xl", "aura-flow"])
def test_a_decoder_that_overflows_in_fp16_rests_in_fp32(family: str, tmp_path: Path) -> None:
    arguments = IMAGES[family][1] | STEPS
    pipeline = loaded(family, tmp_path / family, "float16")
    assert pipeline.vae.config.force_upcast
    fast = FastPath(pipeline)
    for text in TEXTS[:2]:
        fast.encode(text, arguments)
    made = by_fast_path(fast, arguments, [[0], [1]])
    assert next(pipeline.vae.parameters()).dtype == torch.float32
    fast.let_go()
    assert (pipeline.vae.dtype, next(pipeline.vae.parameters()).dtype) == (torch.float16,) * 2
    singles = {one: plain(pipeline, [one], arguments)[one] for one in (0, 1)}
    assert levels_apart(made, singles) == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("family", ["stable-diffusion", "wan"])
def test_values_that_are_no_numbers_are_seen_before_they_are_clamped(
    family: str, value: float, tmp_path: Path
) -> None:
    arguments = (IMAGES | CLIPS)[family][1] | {"num_inference_steps": 1}
    pipeline = loaded(family, tmp_path / family)
    fast = FastPath(pipeline)
    fast.encode(TEXTS[1], arguments)
    (latents,) = fast.denoise([TEXTS[1]], [0], arguments)
    assert fast.decode(latents, arguments)[1]

    def spoil(_module: Any, _given: Any, made: torch.Tensor) -> None:
        made[:, 0] = value  # one channel of three

    if family == "wan" and not np.isnan(value):  # its decoder clamps what it gives
        latents.arguments[0][:, 0] = value
    else:
        pipeline.vae.decoder.register_forward_hook(spoil)
    assert not fast.decode(latents, arguments)[1]


@pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning")
def test_every_family_claimed_is_tested() -> None:
    built = {type(build()).__name__ for build, _ in (IMAGES | CLIPS).values()}
    assert built == FAMILIES
