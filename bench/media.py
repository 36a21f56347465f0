"""Pictures as bytes: exact pixels, their hash, and what makes one suspect."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from bench.errors import WorkError

Pixels = npt.NDArray[np.uint8]
"""A picture: height × width × 3, 0 to 255."""


def to_pixels(picture: npt.NDArray[Any]) -> tuple[Pixels, str]:
    """Turn a picture (height × width × 3) or a clip (frames first) into bytes as diffusers does.

    Floats are in [0, 1]; bytes stay as they are.

    Returns:
        The pixels, and why they are suspect ("" where they are not): not-a-number values, or
        one colour everywhere (in a clip: in each frame). What is suspect is kept, flagged and
        counted.
    """
    pixels = np.empty(picture.shape, np.uint8)
    flat, numbers = True, True
    # frame by frame, so that no second clip of floats is held
    frames = zip(picture, pixels, strict=True) if picture.ndim == 4 else [(picture, pixels)]
    for given, made in frames:
        if given.dtype == np.uint8:
            made[:] = given
        else:
            if not np.isfinite(given).all():
                numbers = False
                given = np.nan_to_num(given, nan=0.0, posinf=1.0, neginf=0.0)  # noqa: PLW2901
            made[:] = (given * 255).round().clip(0, 255)
        flat = flat and bool((made == made[0, 0]).all())
    if not numbers:
        return pixels, "values that are not numbers"
    return pixels, "one colour everywhere" if flat else ""


def pixel_hash(pixels: Pixels) -> str:
    """Return the SHA-256 (hex) of the shape and the exact pixels, whatever the file format.

    Of a clip (frames × height × width × 3) likewise.
    """
    content = hashlib.sha256("x".join(map(str, pixels.shape)).encode() + b"\n")
    content.update(np.ascontiguousarray(pixels).data)
    return content.hexdigest()


def encode_png(pixels: Pixels) -> bytes:
    """Return a lossless PNG without metadata. Level 1: three times faster than PIL's default."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def read_pixels(path: Path) -> Pixels:
    """Return the picture in a file as RGB pixels.

    Raises:
        WorkError: the file does not decode.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise WorkError(f"{path} does not decode as a picture: {error}") from error


def plain_srgb(image: Image.Image) -> Image.Image:
    """Return a new sRGB picture with nothing but pixels in it, on white where it was transparent.

    Raises:
        ValueError: its colour profile does not fit its pixels.
    """
    profile = image.info.get("icc_profile")
    if "transparency" in image.info or image.mode in {"RGBA", "LA", "PA", "La"}:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    if profile and image.mode in {"RGB", "CMYK", "L"}:
        try:
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
        except ImageCms.PyCMSError as error:
            raise ValueError(
                f"its colour profile does not fit: save it as sRGB ({error})"
            ) from error
        image = converted or image
    return Image.fromarray(np.asarray(image.convert("RGB")).copy())


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return a picture of 16 bits a level, or of whole or real numbers up to 65535, in 8 bits."""
    levels = np.asarray(image, dtype=np.float64)
    most = 255 if levels.max(initial=0) <= 255 else 65535
    return Image.fromarray((levels / most * 255).round().clip(0, 255).astype(np.uint8))
