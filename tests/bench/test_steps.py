"""How often a step waits for the device, seen on a device that is none; and that it changes nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import diffusers
import pytest
import torch

from bench.fast import FastPath
from bench.placing import denoisers
from bench.steps import LOOKS_UP, without_waiting
from tests import tiny_families, tiny_video
from tests.pretended import DEVICE, Elsewhere, pretended

FAMILIES = tiny_families.FAMILIES | tiny_video.FAMILIES
TEXT = "月下孤松"
OURS = {"timesteps", "set_timesteps", "step"}
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
ONCE = {
    "stable-diffusion": 1,
    "stable-diffusion-3": 4,
    "stable-diffusion-xl": 5,
    "flux": 3,
    "flux-2-klein": 3,
    "flux-2": 9,  # of each sample its pipeline asks where the patches lie
    "pixart": 4,
    "qwen-image": 4,
    "z-image": 3,
    "sana": 4,
    "hunyuan-dit": 1,
    "cogview-4": 5,
    "chroma": 3,
    "kolors": 7,
    "cogvideox": 1,
    "ltx": 4,
    "hunyuan-video-1.5": 4,
    "mochi": 4,
}
"""Waits of a batch beside those of its steps, at most; two of those not named. All are diffusers' own:
noise drawn on the host and moved, the schedule moved, its first step looked up, numbers moved."""


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
    # a batch like the one before, and all that it waits for
    once = found[1].total() - steps * sum(more.values())
    assert once <= ONCE.get(family, 2), found[1]


@pytest.mark.parametrize("kind", sorted(LOOKS_UP))
def test_timesteps_are_set_on_the_host_and_sent_on_without_waiting(kind: str) -> None:
    expected = getattr(diffusers, kind)()
    pipeline = SimpleNamespace(scheduler=getattr(diffusers, kind)())
    with pretended() as waits:
        undo = without_waiting(pipeline, [])
        scheduler = pipeline.scheduler
        for asked in (([7], {"device": DEVICE}), ([5, DEVICE], {}), ([6, str(DEVICE)], {})):
            expected.set_timesteps(asked[0][0])
            scheduler.set_timesteps(*asked[0], **asked[1])
            assert isinstance(scheduler.timesteps, Elsewhere)
            assert waits.total() == 0
            assert scheduler.timesteps.here.tolist() == expected.timesteps.tolist()
            assert scheduler.timesteps.dtype == expected.timesteps.dtype
            assert same_beside_timesteps(scheduler, expected)
        for nowhere in ({}, {"device": None}, {"device": "cpu"}):
            scheduler.set_timesteps(4, **nowhere)
            assert scheduler.timesteps.device.type == "cpu"
        undo()
        scheduler.set_timesteps(4, device=DEVICE)
        assert waits.total() == 1  # as diffusers does it
    assert vars(scheduler).keys() == vars(expected).keys()


def same_beside_timesteps(one: Any, other: Any) -> bool:
    values = [
        {name: repr(value) for name, value in vars(scheduler).items() if name not in OURS}
        for scheduler in (one, other)
    ]
    return values[0] == values[1]


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
