"""How often a step waits for the device, seen on a device that is none; and that it changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bench.fast import FastPath
from bench.placing import denoisers
from bench.steps import without_waiting
from tests import tiny_families, tiny_video
from tests.pretended import DEVICE, Elsewhere, pretended

FAMILIES = tiny_families.FAMILIES | tiny_video.FAMILIES
TEXT = "月下孤松"
deprecated = pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning")
mixed = pytest.mark.filterwarnings("ignore:In CPU autocast:UserWarning")
WAITS = {
    "aura-flow": 2,  # its pipeline reads the timestep
    "chroma": 2,  # its transformer makes a table on the host, in each of two passes
    "hunyuan-dit": 2,  # its pipeline reads the timestep; DDPM draws noise on the host
    "hunyuan-video-1.5": 2,  # its transformer looks whether there is a picture, in each pass
    "lumina-2": 8,  # its transformer asks how long the texts are
    "mochi": 8,  # its attention asks the same, in each layer
    "wan": 7,  # UniPC moves six numbers of its schedule, and solves a system of two equations
}
"""Waits per step that are left, inside of what diffusers computes: of tiny checkpoints, at most."""


def built(family: str) -> Any:
    torch.manual_seed(0)
    pipeline = FAMILIES[family][0]()
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def placed(pipeline: Any, *, encoders: bool, rest: bool) -> None:
    for name, part in pipeline.components.items():
        if isinstance(part, torch.nn.Module):
            there = encoders if name.startswith("text_encoder") else rest
            part.to(DEVICE if there else "cpu")


@deprecated
@mixed
@pytest.mark.parametrize("family", FAMILIES)
def test_a_step_waits_for_the_device_where_diffusers_itself_does_and_nowhere_else(
    family: str,
) -> None:
    """And parts that leave the device, where memory is short, leave all that is needed there."""
    pipeline = built(family)
    arguments = FAMILIES[family][1]
    found = []
    with pretended() as waits:
        placed(pipeline, encoders=True, rest=False)
        without_waiting(pipeline, denoisers(pipeline))
        fast = FastPath(pipeline)
        fast.encode(TEXT, arguments, store="cpu")
        placed(pipeline, encoders=False, rest=True)
        for steps in (2, 3):
            arguments = arguments | {"num_inference_steps": steps}
            waits.clear()
            latents = fast.denoise([TEXT] * 2, [0, 1], arguments)
            found.append(waits.copy())
        waits.clear()
        pixels, _ = fast.decode(latents[0], arguments)
        assert isinstance(pixels, Elsewhere)
    more = {place: times - found[0][place] for place, times in found[1].items()}
    assert sum(more.values()) <= WAITS.get(family, 0), more


@pytest.mark.parametrize("family", ["stable-diffusion", "hunyuan-dit", "cogview-4", "cogvideox"])
def test_what_is_looked_up_on_the_host_is_what_the_device_would_have_said(family: str) -> None:
    arguments = FAMILIES[family][1] | {"num_inference_steps": 3}

    def made(*, waiting: bool) -> tuple[torch.Tensor, int]:
        pipeline = built(family)
        with pretended() as waits:
            placed(pipeline, encoders=True, rest=True)
            undo = None if waiting else without_waiting(pipeline, denoisers(pipeline))
            fast = FastPath(pipeline)
            fast.encode(TEXT, arguments)
            waits.clear()
            (latents,) = fast.denoise([TEXT], [0], arguments)
            count = waits.total()
            pixels, _ = fast.decode(latents, arguments)
            if undo:
                undo()
                fast.denoise([TEXT], [0], arguments)
                assert waits.total() > 2 * count  # given back as it was
        return pixels.here, count

    waited, often = made(waiting=True)
    unwaited, seldom = made(waiting=False)
    assert seldom < often
    assert (waited == unwaited).all()
