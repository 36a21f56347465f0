"""Tells the manner of a picture from its pixels, and how crisp it is.

It knows nothing of prompts or models, as a rater knows nothing of them. It serves to measure the
atelier's models and to simulate raters; it judges painter's pictures and their like, no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from bench.atelier.painter import MANNERS, draw_subjects, paint

_SIDE = 48
_PAINTED_SIZE = 64
_HUE_BINS = 8
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_CRISP_SIDE = 128
# The log ratio of fine to coarse gradients is about -0.2 for painter's pictures, -0.55 after a blur
# of one pixel in 128, and -0.65 after one of two
_CRISP_MIDDLE = -0.36
_CRISP_SLOPE = 0.12

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MannerModel:
    """A fitted classifier: standardised features times weights plus bias, then softmax."""

    centre: Array
    scale: Array
    weights: Array
    bias: Array

    def predict(self, images: Sequence[Image.Image]) -> Array:
        """Return probabilities, shape (n, 3), in the order chinese, japanese, western."""
        features = np.stack([_features(image) for image in images])
        return _softmax((features - self.centre) / self.scale @ self.weights + self.bias)


def fit(rng: np.random.Generator, pictures_per_manner: int = 120) -> MannerModel:
    """Paint some hundred pictures and fit the classifier to them and to blurred copies."""
    rows, manners = [], []
    for _ in range(pictures_per_manner):
        for index, manner in enumerate(MANNERS):
            picture = paint(manner, draw_subjects(rng), rng, _PAINTED_SIZE)
            blurred = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.4)))
            rows += [_features(picture), _features(blurred)]
            manners += [index, index]
    features = np.stack(rows)
    centre, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    weights, bias = _logistic_regression((features - centre) / scale, np.array(manners))
    return MannerModel(centre, scale, weights, bias)


def crispness(image: Image.Image) -> float:
    """Rate how crisp a picture is, 0 to 1, about 0.8 for a painter's picture and 0.2 once blurred.

    It compares the gradients at full and at half resolution: blur takes from the fine ones first,
    whatever the manner and the contrast.
    """
    grey = image.convert("L").resize((_CRISP_SIDE, _CRISP_SIDE), Image.Resampling.LANCZOS)
    half = grey.resize((_CRISP_SIDE // 2, _CRISP_SIDE // 2), Image.Resampling.BOX)
    ratio = np.log((_gradient_energy(grey) + 1e-3) / (_gradient_energy(half) + 1e-3))
    return float(1.0 / (1.0 + np.exp(-(ratio - _CRISP_MIDDLE) / _CRISP_SLOPE)))


def _gradient_energy(image: Image.Image) -> float:
    pixels = np.asarray(image, dtype=float)
    across, down = np.diff(pixels, axis=1), np.diff(pixels, axis=0)
    return float(np.sqrt(np.mean(across**2) + np.mean(down**2)))


def _features(image: Image.Image) -> Array:
    """Colour, tone and edge statistics of a small copy, so that size and sharpness matter little."""
    small = image.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    red, green, blue = np.moveaxis(np.asarray(small, dtype=float) / 255, 2, 0)
    hue, saturation, value = np.moveaxis(np.asarray(small.convert("HSV"), dtype=float) / 255, 2, 0)
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    hues, _ = np.histogram(hue, _HUE_BINS, (0, 1), weights=saturation * value)
    parts = [
        *(channel.mean() for channel in (red, green, blue, saturation)),
        *(channel.std() for channel in (red, green, blue, saturation)),
        *np.quantile(grey, _QUANTILES),
        *np.quantile(saturation, _QUANTILES),
        *np.sqrt(hues / hues.sum() if hues.sum() > 0 else hues),
        *(band.mean() for band in np.array_split(grey, 4)),
        *(band.mean() for band in np.array_split(saturation, 4)),
    ]
    for step in (1, 2, 4):
        across = np.abs(grey[:, step:] - grey[:, :-step])
        down = np.abs(grey[step:] - grey[:-step])
        parts += [across.mean(), down.mean(), across.std(), (across < 0.02).mean()]
    return np.array(parts, dtype=float)


def _logistic_regression(features: Array, labels: npt.NDArray[np.int64]) -> tuple[Array, Array]:
    """Fit multinomial logistic regression with a small ridge penalty by gradient descent."""
    wanted = np.eye(len(MANNERS))[labels]
    weights, bias = np.zeros((features.shape[1], len(MANNERS))), np.zeros(len(MANNERS))
    for _ in range(600):
        error = _softmax(features @ weights + bias) - wanted
        weights -= 0.2 * (features.T @ error / len(features) + 1e-3 * weights)
        bias -= 0.2 * error.mean(axis=0)
    return weights, bias


def _softmax(logits: Array) -> Array:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
