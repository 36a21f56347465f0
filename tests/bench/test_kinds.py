"""Every pipeline class that diffusers exports: which make pictures or clips of a text alone."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import diffusers
import pytest

from bench.errors import RequestError
from bench.families import FAMILIES
from bench.kinds import check_call, makes

IMAGE = """
AltDiffusion Amused AuraFlow Bria BriaFibo BriaFibo2 Chroma CogView3Plus CogView4
Cosmos2TextToImage DreamLite DreamLiteMobile ErnieImage Flux Flux2 Flux2Klein Flux2KleinKV
FluxKontext GlmImage HiDreamImage HunyuanDiT HunyuanDiTPAG HunyuanImage IF Ideogram4 Kandinsky3
Kandinsky5T2I KandinskyCombined KandinskyV22Combined Kolors KolorsPAG Krea2 LDMTextToImage
LatentConsistencyModel LongCatImage Lumina Lumina2 NucleusMoEImage OmniGen OvisImage PRX
PRXPixel PixArtAlpha PixArtSigma PixArtSigmaPAG QwenImage QwenImage21 Sana SanaPAG SanaSprint
SemanticStableDiffusion StableCascadeCombined StableDiffusion StableDiffusion3
StableDiffusion3PAG StableDiffusionModelEditing StableDiffusionPAG StableDiffusionPanorama
StableDiffusionParadigms StableDiffusionPipelineSafe StableDiffusionSAG StableDiffusionXL
StableDiffusionXLPAG StableUnCLIP UnCLIP UniDiffuser VQDiffusion VersatileDiffusionTextToImage
WuerstchenCombined ZImage ZImageOmni
"""
VIDEO = """
Allegro AnimateDiff AnimateDiffPAG AnimateDiffSDXL AnyFlow AnyFlowFAR CogVideoX
Cosmos2_5_PredictBase CosmosTextToWorld EasyAnimate Helios HeliosPyramid HunyuanVideo
HunyuanVideo15 Kandinsky5T2V Kandinsky6TI2VA LTX LTX2 LTX2Condition LTX2DFR LTXCondition
Mochi MotifVideo SkyReelsV2 SkyReelsV2DiffusionForcing TextToVideoSD Wan WanVACE
"""


def exported() -> Iterator[tuple[str, Any]]:
    """The classes that are installed; names that end otherwise than in "Pipeline" stay whole."""
    for name in dir(diffusers):
        kind = getattr(diffusers, name) if "Pipeline" in name else None
        if not isinstance(kind, type) or kind is diffusers.DiffusionPipeline:
            continue
        if issubclass(kind, diffusers.DiffusionPipeline):
            yield name, kind


def test_what_each_class_makes_is_known() -> None:
    found: dict[str | None, list[str]] = {}
    for name, kind in exported():
        if "__call__" in dir(kind):
            found.setdefault(makes(name), []).append(name.removesuffix("Pipeline"))
    assert sorted(found["image"]) == sorted(IMAGE.split())
    assert sorted(found["video"]) == sorted(VIDEO.split())
    assert len(found[None]) > 150
    assert {name.removesuffix("Pipeline") for name in FAMILIES} <= {*IMAGE.split(), *VIDEO.split()}


@pytest.mark.parametrize(
    "name",
    [
        "AudioLDM2Pipeline",
        "StableAudioPipeline",
        "QwenImageEditPipeline",
        "StableDiffusionInpaintPipeline",
        "StableDiffusionImg2ImgPipeline",
        "KandinskyPriorPipeline",
        "WanImageToVideoPipeline",
        "LLaDA2Pipeline",
    ],
)
def test_a_class_that_wants_more_than_text_or_makes_other_things_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match=f"model m: {name} does not turn a text alone into"):
        check_call("m", name, {"num_inference_steps": 4})


def test_every_class_with_a_list_of_sizes_is_left_where_it_looks_them_up() -> None:
    looked_at = 0
    for name, kind in exported():
        takes = inspect.signature(kind.__call__).parameters if "__call__" in dir(kind) else {}
        if "use_resolution_binning" in takes:
            looked_at += 1
            tells = "classify_height_width_bin(" in inspect.getsource(kind.__call__)
            assert tells or hasattr(inspect.getmodule(kind), "map_to_standard_shapes"), name
    assert looked_at > 8


def test_a_number_is_taken_where_a_call_says_true_or_false() -> None:
    check_call("m", "ZImagePipeline", {"cfg_normalization": 1.0})
    with pytest.raises(RequestError, match="takes true or false for cfg_normalization"):
        check_call("m", "ZImagePipeline", {"cfg_normalization": "yes"})
