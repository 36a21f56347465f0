"""Which pipeline classes of diffusers turn a text alone into pictures or clips. Imports diffusers."""

from __future__ import annotations

import inspect
import re

import diffusers

from bench.records import Modality

_WANTS_MORE = re.compile(
    r"Img2Img|Inpaint|Edit(Plus)?Pipeline|Pix2Pix|Depth2Img|I2I|Layered|Fill"
    r"|(Image|Video)ToVideo|VideoToWorld|I2V(Gen|Long|Pipeline)|InContext|HDR|Control|Adapter"
    r"|GLIGEN|Upscale|SuperResolution|Refine|Prior"
)
"""What names of classes say that want a picture, a clip, boxes or embeddings beside the text. Their
calls often do not: there the picture is optional, and missed only when all is loaded."""

_OTHER_THINGS = re.compile(
    r"Audio|Music|AceStep|Cosmos3Omni|DiffusionGemma|LLaDA2|LDM3D|ShapE|TextToVideoZero"
)
"""What names of classes say that make sound, text, depth or bodies; or one clip a call, as pictures."""

_FRAMES = {"num_frames", "video_length", "frames"}
"""How calls name the number of a clip's frames."""


def makes(pipeline: str) -> Modality | None:
    """Return what a pipeline class makes of a text alone; None where that is no picture and no clip."""
    takes = inspect.signature(getattr(diffusers, pipeline).__call__).parameters
    required = {
        name
        for name, one in takes.items()
        if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD and name != "self"
    }
    if not {"prompt", "generator"} <= takes.keys() or required - {"prompt"}:
        return None
    if _WANTS_MORE.search(pipeline) or _OTHER_THINGS.search(pipeline):
        return None
    return "video" if _FRAMES & takes.keys() else "image"
