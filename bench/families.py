"""The families of models that go by the fast path (`bench.fast`)."""

from __future__ import annotations

FAMILIES = frozenset(
    {
        "AuraFlowPipeline",
        "ChromaPipeline",
        "CogVideoXPipeline",
        "CogView4Pipeline",
        "Flux2KleinPipeline",
        "Flux2Pipeline",
        "FluxPipeline",
        "HunyuanDiTPipeline",
        "HunyuanVideo15Pipeline",
        "HunyuanVideoPipeline",
        "KolorsPipeline",
        "LTXPipeline",
        "Lumina2Pipeline",
        "MochiPipeline",
        "PixArtSigmaPipeline",
        "QwenImagePipeline",
        "SanaPipeline",
        "StableDiffusion3Pipeline",
        "StableDiffusionPipeline",
        "StableDiffusionXLPipeline",
        "WanPipeline",
        "ZImagePipeline",
    }
)
"""Pipeline classes that go by the fast path: each is held to the plain call by a test on a tiny
checkpoint. Every other class goes by the plain call."""

TO_THE_LONGEST = frozenset({"CogView4Pipeline"})
"""Those of them whose plain call pads a prompt to the longest of its batch, and lets the padding
decide pixels; of the others a test shows that it does not."""

IN_FP32 = {
    "AllegroPipeline": ("vae",),
    "HeliosPipeline": ("vae",),
    "HeliosPyramidPipeline": ("vae",),
    "SanaPipeline": ("vae",),
    "SkyReelsV2Pipeline": ("vae",),
    "WanPipeline": ("vae",),
    "WanVACEPipeline": ("vae",),
}
"""Parts that the class's own example in diffusers 0.42 loads in fp32 beside others in bf16."""
