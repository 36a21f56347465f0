"""Which pipeline classes turn a text alone into pictures or clips, and what their calls take.

Imports diffusers.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import diffusers

from bench.errors import RequestError
from bench.records import Modality

OURS = frozenset(
    {
        "prompt",
        "generator",
        "output_type",
        "return_dict",
        "num_images_per_prompt",
        "num_videos_per_prompt",
        "latents",
        "callback_on_step_end",
    }
)
"""Arguments of a pipeline's call that belong to the plan, not to a spec."""


_THE_PROMPT = re.compile(r"(pooled_)?prompt_(\d|embeds.*|attention_mask.*)")
"""Arguments by which a prompt goes to a further encoder, or comes encoded."""

_CHANGES_TEXT = ("clean_caption", "enable_prompt_rewrite", "use_pe")
"""Arguments that let a pipeline clean a prompt, or have a language model write it anew."""

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

_OTHER_FRAMES = {"video_length", "frames"}
"""How some calls name the number of a clip's frames: theirs are not asked."""


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
    if _OTHER_FRAMES & takes.keys():
        return None
    return "video" if "num_frames" in takes else "image"


def check_call(model: str, name: Any, arguments: Mapping[str, Any]) -> None:
    """Check that diffusers has the pipeline class `name`, and that its call takes the arguments.

    Of values it is seen whether they are numbers, and true or false, where the call wants them.

    Raises:
        RequestError: it has not, or does not; the sentence names model and argument.
    """
    pipeline = getattr(diffusers, name, None) if isinstance(name, str) else None
    if pipeline is None:
        raise RequestError(
            f"model {model} needs {name}, which diffusers {diffusers.__version__} does not have"
        )
    if wanted := _not_installed(pipeline):
        raise RequestError(
            f"model {model} needs {name}, which needs {wanted}: pip install {wanted}"
        )
    if makes(str(name)) is None:
        raise RequestError(
            f"model {model}: {name} does not turn a text alone into pictures, or into clips of "
            "num_frames"
        )
    takes = inspect.signature(pipeline.__call__).parameters
    for argument, value in arguments.items():
        if argument in OURS or _THE_PROMPT.fullmatch(argument):
            raise RequestError(f"model {model}: {argument!r} belongs to the plan, not to a spec")
        if argument not in takes:
            raise RequestError(f"model {model}: {name} takes no argument {argument!r}")
        if wanted := _unfit(value, takes[argument].annotation):
            raise RequestError(
                f"model {model}: {name} takes {wanted} for {argument}, not {value!r}"
            )


def as_it_stands(pipeline: str) -> dict[str, bool]:
    """Return the arguments by which a class leaves prompts alone that it would clean or rewrite.

    Cleaning also depends on what else is installed, and the text must not.
    """
    takes = inspect.signature(getattr(diffusers, pipeline).__call__).parameters
    return {name: False for name in _CHANGES_TEXT if name in takes and takes[name].default is True}


def _unfit(value: Any, annotation: Any) -> str:
    """Return what a call wants in the place of a value; nothing where that is not told, or fits."""
    union = typing.get_origin(annotation) in {types.UnionType, typing.Union}
    kinds = {*typing.get_args(annotation)} if union else {annotation}
    kinds -= {types.NoneType}
    if value is None or not kinds:
        return ""
    if kinds == {bool}:  # some take a number there, and say so nowhere
        return "" if isinstance(value, bool | int | float) else "true or false"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return "a number" if kinds <= {int, float} and not number else ""


def _not_installed(pipeline: Any) -> str:
    """Return the packages that stand between diffusers and a class that it only stands in for."""
    wanted = getattr(pipeline, "_backends", ())
    return " ".join(package for package in wanted if find_spec(package) is None)
