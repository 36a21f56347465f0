"""Style from embeddings: zero-shot against texts, and a linear head fitted on reference works.

All functions take arrays; probabilities are rows that sum to 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

FOLDS = 5
LEAST_PER_CLASS = 5
"""Fewer works of a class leave a fold without one."""
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)
BINS = 10


@dataclass(frozen=True)
class LinearHead:
    """Standardised embeddings times weights plus bias, over a temperature, then softmax."""

    centre: Array
    scale: Array
    weights: Array
    bias: Array
    temperature: float = 1.0

    def logits(self, embeddings: npt.NDArray[np.floating]) -> Array:
        """Return logits before the temperature, (n, classes)."""
        return (embeddings - self.centre) / self.scale @ self.weights + self.bias

    def predict(self, embeddings: npt.NDArray[np.floating]) -> Array:
        """Return probabilities, (n, classes)."""
        return softmax(self.logits(embeddings) / self.temperature)


@dataclass(frozen=True)
class Fitted:
    """A head, and what it says of each reference work that it was not fitted on."""

    head: LinearHead
    held_out: Array
    """Calibrated probabilities from the fold in which the work was left out, (n, classes)."""
    penalty: float


def softmax(logits: Array) -> Array:
    """Return probabilities along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    found: Array = shifted / shifted.sum(axis=-1, keepdims=True)
    return found


def zero_shot(
    embeddings: npt.NDArray[np.floating], texts: Sequence[npt.NDArray[np.floating]], scale: float
) -> Array:
    """Return probabilities of classes whose texts are nearest (Radford et al. 2021, section 3.1.4).

    Args:
        embeddings: of pictures, unit vectors, (n, width).
        texts: per class the unit vectors of its prompt ensemble; their mean stands for the class.
        scale: what the checkpoint multiplies cosines by.
    """
    means = np.stack([np.asarray(of_class, float).mean(axis=0) for of_class in texts])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    return softmax(scale * np.asarray(embeddings, float) @ means.T)


def fit_linear_head(
    embeddings: npt.NDArray[np.floating], classes: Whole, *, groups: Sequence[str], seed: int = 0
) -> Fitted:
    """Fit multinomial logistic regression on references by stratified cross-validation.

    The ridge penalty is the one with the best held-out likelihood, the temperature (Guo et al.
    2017) is fitted on held-out logits, and the head returned is fitted on all works. What is held
    out is calibrated fold by fold, by the temperature of the other folds' held-out logits.

    Args:
        embeddings: (n, width).
        classes: codes from 0, (n,); each occurs at least `LEAST_PER_CLASS` times.
        groups: the work behind each picture: variants of one work share a fold, of whatever class.
        seed: deals the works to folds.
    """
    rows: Array = np.asarray(embeddings, dtype=np.float64)
    folds = stratified_folds(classes, groups, seed)
    best: tuple[float, float, Array] | None = None
    for penalty in PENALTIES:
        logits = np.zeros((len(rows), int(classes.max()) + 1))
        for fold in range(FOLDS):
            out = folds == fold
            if out.any():
                logits[out] = _fit(rows[~out], classes[~out], penalty).logits(rows[out])
        loss = _loss(logits, classes, fit_temperature(logits, classes))
        if best is None or loss < best[0]:
            best = (loss, penalty, logits)
    assert best is not None  # noqa: S101 - there are penalties
    _, penalty, logits = best
    temperature = fit_temperature(logits, classes)
    head = _fit(rows, classes, penalty)
    head = LinearHead(head.centre, head.scale, head.weights, head.bias, temperature)
    return Fitted(head, _calibrated(logits, classes, folds), penalty)


def _calibrated(logits: Array, classes: Whole, folds: Whole) -> Array:
    """Return probabilities of held-out logits, each fold's by a temperature that did not see it."""
    found = np.zeros_like(logits)
    for fold in np.unique(folds):
        out = folds == fold
        found[out] = softmax(logits[out] / fit_temperature(logits[~out], classes[~out]))
    return found


def stratified_folds(classes: Whole, groups: Sequence[str], seed: int) -> Whole:
    """Deal works to folds, each class evenly, (n,); a work of several classes lies in one fold whole."""
    rng = np.random.default_rng(seed)
    names = np.array(groups)
    codes = np.unique(classes)
    of_class = {code: np.unique(names[classes == code]) for code in codes}
    works, in_classes = np.unique(np.concatenate([*of_class.values()]), return_counts=True)
    held = np.zeros((int(codes.max(initial=0)) + 1, FOLDS), dtype=np.int64)
    dealt: dict[str, int] = {}

    def deal(some: Iterable[str]) -> None:
        for work in some:
            own = np.unique(classes[names == work])
            dealt[work] = int(held[own].sum(axis=0).argmin())
            held[own, dealt[work]] += 1

    # those of several classes first: what is in one class alone evens out what they leave
    if (in_classes > 1).any():
        deal(rng.permutation(works[in_classes > 1]))
    for code in codes:
        deal([work for work in rng.permutation(of_class[code]) if work not in dealt])
    return np.array([dealt[name] for name in names], dtype=np.int64)


def fit_temperature(logits: Array, classes: Whole) -> float:
    """Return the temperature with the best likelihood, in 1/50 to 50.

    The wanted probabilities are Platt's (1999, section 2.2), (n + 1) / (n + K) for a class of n works
    among K: a few works that are all told right do not make the head certain.
    """
    n_classes = logits.shape[1]
    sizes = np.bincount(classes, minlength=n_classes)[classes].astype(float)
    wanted = np.repeat(1 / (sizes + n_classes), n_classes).reshape(-1, n_classes)
    wanted[np.arange(len(classes)), classes] = (sizes + 1) / (sizes + n_classes)
    found = minimize_scalar(
        lambda log_t: _soft_loss(logits / float(np.exp(log_t)), wanted),
        bounds=(-np.log(50), np.log(50)),
        method="bounded",
    )
    return float(np.exp(found.x))


def confusion(probabilities: Array, classes: Whole, n_classes: int) -> Array:
    """Return mean probabilities by true class: M(k, l), rows k; NaN where a class has no work."""
    rows = [
        probabilities[classes == code].mean(axis=0)
        if (classes == code).any()
        else np.full(probabilities.shape[1], np.nan)
        for code in range(n_classes)
    ]
    return np.stack(rows)


def calibration(probabilities: Array, classes: Whole) -> list[Mapping[str, float]]:
    """Return the calibration curve of the likeliest class in ten bins: said, found, number."""
    said = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == classes
    place = np.minimum((said * BINS).astype(int), BINS - 1)
    return [
        {
            "said": float(said[place == one].mean()),
            "found": float(right[place == one].mean()),
            "number": int((place == one).sum()),
        }
        for one in range(BINS)
        if (place == one).any()
    ]


def calibration_error(curve: Sequence[Mapping[str, float]]) -> float:
    """Return the expected calibration error: |said − found|, weighted by the bins' numbers."""
    total = sum(one["number"] for one in curve)
    if not total:
        return float("nan")
    return float(sum(one["number"] * abs(one["said"] - one["found"]) for one in curve) / total)


def _loss(logits: Array, classes: Whole, temperature: float) -> float:
    """Return the mean negative log likelihood."""
    scaled = logits / temperature
    top = scaled.max(axis=1, keepdims=True)
    norm = np.log(np.exp(scaled - top).sum(axis=1)) + top[:, 0]
    return float((norm - scaled[np.arange(len(classes)), classes]).mean())


def _soft_loss(logits: Array, wanted: Array) -> float:
    """Return the mean cross-entropy with wanted probabilities."""
    top = logits.max(axis=1, keepdims=True)
    norm = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
    return float((norm * wanted.sum(axis=1) - (logits * wanted).sum(axis=1)).mean())


def _fit(embeddings: Array, classes: Whole, penalty: float) -> LinearHead:
    """Minimise the likelihood with a ridge penalty; classes weigh the same, however many works."""
    centre, scale = embeddings.mean(axis=0), embeddings.std(axis=0) + 1e-6
    features = (embeddings - centre) / scale
    n_classes, width = int(classes.max()) + 1, features.shape[1]
    wanted = np.eye(n_classes)[classes]
    sizes = np.bincount(classes, minlength=n_classes)
    weight = (1.0 / np.maximum(sizes, 1) / n_classes)[classes]

    def objective(flat: Array) -> tuple[float, Array]:
        weights, bias = flat[:-n_classes].reshape(width, n_classes), flat[-n_classes:]
        logits = features @ weights + bias
        top = logits.max(axis=1, keepdims=True)
        norm = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
        loss = float(weight @ (norm - (logits * wanted).sum(axis=1)))
        error = weight[:, None] * (softmax(logits) - wanted)
        slope = np.concatenate(
            [(features.T @ error + penalty * weights).ravel(), error.sum(axis=0)]
        )
        return loss + penalty / 2 * float((weights**2).sum()), slope

    start = np.zeros(width * n_classes + n_classes)
    flat = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    return LinearHead(centre, scale, flat[:-n_classes].reshape(width, n_classes), flat[-n_classes:])
