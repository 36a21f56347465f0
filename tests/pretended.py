"""A device that is none: what a pipeline would wait for on a GPU, seen on a CPU.

Tensors that say they lie on `DEVICE` hold their values on the CPU. Whatever is computed of them is
computed there, each moment at which the host would have to wait for a device is counted, and what
mixes tensors of both places is refused as a GPU refuses it.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self
from unittest import mock

import diffusers
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")
"""The one device beside the CPU that every build of torch knows."""


class Elsewhere(torch.Tensor):
    """A tensor that says it lies on `DEVICE`; `here` has its values."""

    here: torch.Tensor

    def __new__(cls, here: torch.Tensor) -> Self:
        made = torch.Tensor._make_wrapper_subclass(
            cls, here.size(), here.stride(), here.storage_offset(), dtype=here.dtype, device=DEVICE
        )
        made.here = here
        return made

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        del tensor_contents
        return f"Elsewhere({tuple(self.shape)})"

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, _types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        raise AssertionError(f"{func} outside of pretended()")


WAITS_IN_PYTHON = (
    torch.Tensor.tolist,
    torch.Tensor.item,
    torch.Tensor.__float__,
    torch.Tensor.__int__,
    torch.Tensor.__bool__,
)
WAITS = ("_local_scalar_dense", "nonzero", "linalg_solve")


class _Calls(TorchFunctionMode):
    def __init__(self, waits: Counter[str]) -> None:
        super().__init__()
        self.waits = waits

    def __torch_function__(
        self, func: Any, _types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in WAITS_IN_PYTHON and isinstance(args[0], Elsewhere):
            self.waits[_where(func.__name__)] += 1
            return func(args[0].here)
        if func is torch.tensor and any(isinstance(one, Elsewhere) for one in tree_leaves(args)):
            self.waits[_where("tensor")] += 1
            args = tree_map(
                lambda one: one.here.item() if isinstance(one, Elsewhere) else one, args
            )
        return func(*args, **kwargs)


class _Operations(TorchDispatchMode):
    def __init__(self, waits: Counter[str]) -> None:
        super().__init__()
        self.waits = waits

    def __torch_dispatch__(
        self, func: Any, _types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        args, kwargs = tree_map(_wrapped, (args, kwargs or {}))
        tensors = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
        there = [one for one in tensors if isinstance(one, Elsewhere)]
        asked = kwargs.get("device")
        to_device = bool(there) if asked is None else torch.device(asked).type == DEVICE.type
        if not there and not to_device:
            return func(*args, **kwargs)
        name = func.overloadpacket.__name__
        sent = to_device and not there and kwargs.get("non_blocking", False)
        if name == "_to_copy":
            if bool(there) != to_device and not sent:
                self.waits[_where("copy")] += 1
        elif name == "copy_":
            if len(there) == 1:
                self.waits[_where("copy")] += 1
        else:
            if there and name in WAITS:
                self.waits[_where(name)] += 1
            to_device &= self._indexes(name, args, tensors, there)
        given, options = tree_map(_here, (args, kwargs))
        made = func(*given, **options)
        known = {id(one.here): one for one in there}
        return tree_map(lambda one: known.get(id(one), one), _placed(made, known, there=to_device))

    def _indexes(self, name: str, args: Any, tensors: list[Any], there: list[Any]) -> bool:
        """Refuse what mixes both places; return whether the result is on the device."""
        mixed = len(there) < len(tensors) and any(
            one.ndim and not isinstance(one, Elsewhere) for one in tensors
        )
        if name == "index" and there and len(there) < len(tensors):
            self.waits[_where(name)] += 1
            return isinstance(args[0], Elsewhere)
        if there and mixed:
            raise RuntimeError(f"{name} of tensors on two devices")
        return True


def _wrapped(one: Any) -> Any:
    """Take in what torch itself made on `DEVICE`, without values."""
    bare = isinstance(one, torch.Tensor) and not isinstance(one, Elsewhere)
    if bare and one.device.type == DEVICE.type:
        return Elsewhere(torch.zeros(one.shape, dtype=one.dtype))
    return one


def _here(one: Any) -> Any:
    if isinstance(one, Elsewhere):
        return one.here
    if isinstance(one, torch.device) and one.type == DEVICE.type:
        return torch.device("cpu")
    return one


def _placed(made: Any, known: dict[int, Elsewhere], *, there: bool) -> Any:
    def placed(one: Any) -> Any:
        new = isinstance(one, torch.Tensor) and id(one) not in known
        return Elsewhere(one) if there and new else one

    return tree_map(placed, made)


def _where(what: str) -> str:
    """Return what waits, and the line of diffusers or of ours at which it does."""
    ours = ("/diffusers/", "/bench/", "/transformers/")
    frames = [one for one in traceback.extract_stack() if any(map(one.filename.count, ours))]
    last = frames[-1] if frames else None
    return f"{what} at {last.filename.rsplit('/', 1)[-1]}:{last.lineno}" if last else what


@contextmanager
def pretended() -> Iterator[Counter[str]]:
    """Have `DEVICE` work like a GPU; yields the waits, counted by place."""
    waits: Counter[str] = Counter()
    autocast = torch.autocast.__init__

    def on_cpu(self: Any, device_type: str, *more: Any, **options: Any) -> None:
        autocast(self, "cpu" if device_type == DEVICE.type else device_type, *more, **options)

    def device(self: Any) -> torch.device:
        parts = [part for part in self.components.values() if isinstance(part, torch.nn.Module)]
        return DEVICE if any(part.device == DEVICE for part in parts) else torch.device("cpu")

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(torch.autocast, "__init__", on_cpu))
        # as it is of a GPU: a pipeline of which one part lies there works there
        stack.enter_context(
            mock.patch.object(diffusers.DiffusionPipeline, "device", property(device))
        )
        stack.enter_context(torch.no_grad())
        stack.enter_context(_Operations(waits))
        stack.enter_context(_Calls(waits))
        yield waits
