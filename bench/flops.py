"""Floating-point operations: counted of the denoiser, measured of the device. Imports torch."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.flop_counter import FlopCounterMode

MOST_SHAPES = 4
"""Shapes of input that are counted; rarer ones are taken to cost what these do on average."""

_KNOWN: dict[Any, float] = {}
"""Operations of a pass by class, configuration and shapes: a process counts each once."""

_Call = tuple[torch.nn.Module, tuple[Any, ...], Mapping[str, Any]]


class ForwardCounter:
    """Counts a denoiser's forward passes by the shapes of their inputs, as they happen."""

    def __init__(self, modules: Sequence[torch.nn.Module]) -> None:
        """Watch these modules from here on."""
        self._times: Counter[Any] = Counter()
        self._calls: dict[Any, _Call] = {}
        self._watches = [
            module.register_forward_pre_hook(self._note, with_kwargs=True) for module in modules
        ]

    def _note(
        self, module: torch.nn.Module, inputs: tuple[Any, ...], options: Mapping[str, Any]
    ) -> None:
        shapes = (id(module), *_shapes([inputs, dict(options)]))
        self._times[shapes] += 1
        if shapes not in self._calls and len(self._calls) < 64:
            self._calls[shapes] = (module, *_on_meta((inputs, dict(options))))

    def total(self) -> float:
        """Return the operations of all passes so far; NaN where they cannot be counted."""
        common = [shapes for shapes, _ in self._times.most_common() if shapes in self._calls]
        counted = {shapes: _known_flops(*self._calls[shapes]) for shapes in common[:MOST_SHAPES]}
        times = sum(self._times[shapes] for shapes in counted)
        known = sum(self._times[shapes] * flops for shapes, flops in counted.items())
        return known * sum(self._times.values()) / times if times else float("nan")

    def close(self) -> None:
        """Stop watching."""
        for watch in self._watches:
            watch.remove()


@functools.cache
def matrix_rate(dtype: torch.dtype) -> float:
    """Return the operations per second that a large matrix product reaches on this device."""
    cuda = torch.cuda.is_available()
    size = 8192 if cuda else 1024
    left = torch.randn(size, size, dtype=dtype, device="cuda" if cuda else "cpu")
    result = torch.empty_like(left)

    def seconds(times: int) -> float:
        began = time.perf_counter()
        for _ in range(times):
            torch.mm(left, left, out=result)
        if cuda:
            torch.cuda.synchronize()
        return time.perf_counter() - began

    seconds(2)  # loads the library and chooses a kernel
    # so many at a time that launching them is nothing beside them
    times = max(1, round((0.1 if cuda else 0.02) / (seconds(2) / 2)))
    seconds(4 * times)  # until the clocks have risen
    best = min(seconds(times) for _ in range(5)) / times
    return 2 * size**3 / best


def _known_flops(module: Any, inputs: Sequence[Any], options: Mapping[str, Any]) -> float:
    """Count one pass, or remember what one like it was counted at."""
    sizes = _shapes([inputs, options])
    key = (type(module), repr(sorted(module.config.items(), key=str)), sizes)
    if key not in _KNOWN:
        _KNOWN[key] = _flops(module, inputs, options)
    return _KNOWN[key]


def _shapes(values: Any) -> tuple[Any, ...]:
    leaves = tree_leaves(values)
    return tuple(tuple(leaf.shape) for leaf in leaves if isinstance(leaf, torch.Tensor))


def _flops(module: Any, inputs: Sequence[Any], options: Mapping[str, Any]) -> float:
    """Count one pass on a copy of the module that has shapes and no values."""
    try:
        with torch.device("meta"):
            shell = type(module).from_config(module.config).eval()
        like = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        for name, tensor in [*shell.named_parameters(), *shell.named_buffers()]:
            kept = like[name].dtype  # weights kept in FP8 are computed with in the denoiser's own
            tensor.data = tensor.data.to(module.dtype if kept.itemsize == 1 else kept)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            shell(*inputs, **options)
    except Exception:  # noqa: BLE001 - a module that looks at values cannot be counted so
        return float("nan")
    return float(counter.get_total_flops())


def _on_meta(values: Any) -> Any:
    return tree_map(
        lambda leaf: leaf.to("meta") if isinstance(leaf, torch.Tensor) else leaf, values
    )
