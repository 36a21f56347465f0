"""The fast path: text is encoded once, and pictures are decoded one by one, apart from denoising.

The pipeline is called as it stands, so guidance, schedule, packing and scaling stay its own. Two of
its doors are ours: `encode_prompt` answers from what was encoded before, one prompt at a time, and
`vae.decode` leaves the call with the latents that the pipeline has scaled and unpacked for it.
Imports torch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from bench.errors import WorkError
from bench.families import FAMILIES
from bench.speedups import CACHES


@dataclass(frozen=True, slots=True)
class Latents:
    """What the pipeline would have given its decoder for one sample."""

    arguments: tuple[Any, ...]
    options: Mapping[str, Any]

    def used_on(self, stream: torch.cuda.Stream | None) -> None:
        """Keep this memory from being handed out anew before `stream` has read it."""
        for value in (*self.arguments, *self.options.values()):
            if stream and isinstance(value, torch.Tensor) and value.is_cuda:
                value.record_stream(stream)


def takes_fast_path(pipeline: Any) -> bool:
    """Say whether a loaded pipeline goes by the fast path."""
    return type(pipeline).__name__ in FAMILIES


_BY_NEIGHBOURS = {cache.config for cache in CACHES.values() if cache.neighbours}


def caches(pipeline: Any) -> list[Any]:
    """Return the parts of a pipeline that keep what they computed for the next step."""
    parts = pipeline.components.values()
    return [part for part in parts if getattr(part, "is_cache_enabled", False)]


def decide_together(pipeline: Any) -> bool:
    """Say whether a step cache looks at the whole batch, so that neighbours decide pixels."""
    kept = [type(part._cache_config).__name__ for part in caches(pipeline)]  # noqa: SLF001
    return any(name in _BY_NEIGHBOURS for name in kept)


def begin_anew(pipeline: Any) -> None:
    """Forget the steps of the call before: a call that is left early does not do it itself."""
    for part in caches(pipeline):
        part._reset_stateful_cache()  # noqa: SLF001 - what diffusers does at the end of a call


class FastPath:
    """A pipeline whose text is encoded ahead and whose latents are decoded later."""

    def __init__(self, pipeline: Any) -> None:
        """Take a pipeline over: from here on it is called through this object alone."""
        self.pipeline = pipeline
        self._encode, self._decode = pipeline.encode_prompt, pipeline.vae.decode
        self._signature = inspect.signature(self._encode)
        self._encoded: dict[str, tuple[Any, ...]] = {}
        self._shapes: dict[str, tuple[Any, ...]] = {}
        self._asked: list[str] = []
        self._cast_back = _keep_upcast(pipeline) if _upcasts(pipeline) else None
        pipeline.encode_prompt = self._look_up
        pipeline.vae.decode = _leave

    def let_go(self) -> None:
        """Give the pipeline back as it was."""
        self.forget()
        del self.pipeline.encode_prompt, self.pipeline.vae.decode
        if self._cast_back:
            self._cast_back()

    def forget(self) -> None:
        """Drop what was encoded."""
        self._encoded.clear()
        self._shapes.clear()

    def encode(
        self, text: str, arguments: Mapping[str, Any], store: torch.device | str | None = None
    ) -> None:
        """Encode one prompt ahead of its batches.

        The pipeline is called and left before it draws noise: its own checks of size and arguments
        are passed before any work.

        Args:
            text: the prompt.
            arguments: of the pipeline's call.
            store: the device to keep embeddings on; None leaves them where they were made.
        """
        self._asked = []
        with _left_at(self.pipeline, "prepare_latents"):
            self.pipeline(prompt=[text], **for_batch(arguments, 1))
        for key in self._asked:
            self._encoded[key] = _put(self._encoded[key], store)
        self._shapes[text] = tuple(_shape(self._encoded[key]) for key in self._asked)

    def denoise(
        self, texts: Sequence[str], seeds: Sequence[int], arguments: Mapping[str, Any]
    ) -> list[Latents]:
        """Denoise one batch; each sample draws its noise from a CPU generator of its own.

        Samples whose embeddings have one length go together: none is padded for its neighbours.

        Raises:
            WorkError: the pipeline gave another number of samples than it was asked for.
        """
        missing = [text for text in texts if text not in self._shapes]
        if missing:
            raise WorkError(f"{missing[0][:40]!r} was not encoded")
        groups: dict[Any, list[int]] = {}
        alone = decide_together(self.pipeline)
        for index, text in enumerate(texts):
            groups.setdefault(index if alone else self._shapes[text], []).append(index)
        found: dict[int, Latents] = {}
        for indices in groups.values():
            generators = [torch.Generator("cpu").manual_seed(seeds[index]) for index in indices]
            begin_anew(self.pipeline)
            try:
                self.pipeline(
                    prompt=[texts[index] for index in indices],
                    generator=generators,
                    **for_batch(arguments, len(indices)),
                )
            except _LatentsReady as ready:
                found |= zip(indices, _apart(ready, len(indices)), strict=True)
            else:
                raise WorkError(f"{type(self.pipeline).__name__} did not decode by its VAE")
        return [found[index] for index in range(len(texts))]

    @torch.no_grad()
    def decode(
        self, latents: Latents, arguments: Mapping[str, Any]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Decode one sample as its pipeline does.

        Returns:
            Its bytes on the device, height × width × 3 (a clip: frames first), and whether all
            that the decoder was given, and gave, was finite (a boolean tensor).
        """
        options = {**latents.options, "return_dict": False}
        decoded = self._decode(*latents.arguments, **options)[0]
        # asked here: what is infinite will be clamped, by some decoders at once
        finite = torch.isfinite(latents.arguments[0]).all() & torch.isfinite(decoded).all()
        video = getattr(self.pipeline, "video_processor", None)
        if decoded.ndim == 5 and video is not None:
            image = video.postprocess_video(decoded, output_type="pt")[0]
        else:
            decoded = decoded[:, :, 0] if decoded.ndim == 5 else decoded
            image = self.pipeline.image_processor.postprocess(
                self._unbinned(decoded, arguments), output_type="pt"
            )[0]
        image = image.float()
        pixels = (torch.nan_to_num(image, nan=0.0) * 255).round().to(torch.uint8)
        return pixels.movedim(-3, -1).contiguous(), finite

    def _unbinned(self, decoded: torch.Tensor, arguments: Mapping[str, Any]) -> torch.Tensor:
        """Bring a picture made at a size of the family's list to the size that was asked for."""
        resize = getattr(self.pipeline.image_processor, "resize_and_crop_tensor", None)
        binning = inspect.signature(self.pipeline.__call__).parameters.get("use_resolution_binning")
        width, height = arguments.get("width"), arguments.get("height")
        if resize is None or binning is None or not (width and height):
            return decoded
        if not arguments.get("use_resolution_binning", binning.default):
            return decoded
        resized: torch.Tensor = resize(decoded, width, height)
        return resized

    def _look_up(self, *arguments: Any, **options: Any) -> tuple[Any, ...]:
        """Stand in for `encode_prompt`: encode what is new, sample by sample."""
        asked = self._signature.bind(*arguments, **options)
        given, count = asked.arguments.get("prompt"), 1
        if isinstance(given, list):
            count = len(given)
        elif given is None:  # no negative prompt: some encode what stands for it, so many times
            count = asked.arguments.get("batch_size", 0)
            if not count or asked.arguments.get("prompt_embeds") is not None:
                whole: tuple[Any, ...] = self._encode(*arguments, **options)
                return whole
        singles = []
        for number in range(count):
            one = self._signature.bind(*arguments, **options)
            for name, value in asked.arguments.items():
                if "prompt" in name and isinstance(value, list) and len(value) == count:
                    one.arguments[name] = [value[number]]
                elif name == "batch_size":
                    one.arguments[name] = 1
            key = repr(sorted(one.arguments.items()))
            if key not in self._encoded:
                self._encoded[key] = tuple(self._encode(*one.args, **one.kwargs))
            self._asked.append(key)
            singles.append(self._encoded[key])
        device = self.pipeline._execution_device  # noqa: SLF001 - what its own call goes by
        return tuple(_together(part) for part in zip(*_put(singles, device), strict=True))


def for_batch(arguments: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return a call's arguments for `count` samples: negative prompts are lists like prompts."""
    return {
        name: [value] * count if name.startswith("negative_prompt") and value is not None else value
        for name, value in arguments.items()
    } | {"output_type": "np"}


def _upcasts(pipeline: Any) -> bool:
    """Say whether a pipeline has its decoder work in fp32 since that overflows in fp16.

    `force_upcast` is the decoder's default and says nothing of its own: most pipelines ignore it.
    """
    wanted = getattr(pipeline.vae.config, "force_upcast", False) and hasattr(pipeline, "upcast_vae")
    return bool(wanted) and pipeline.vae.dtype == torch.float16


_CAST_BACK = frozenset({"KolorsPipeline", "StableDiffusionXLPipeline"})
"""Classes that have their decoder in fp32 for the length of a decode alone."""


def _keep_upcast(pipeline: Any) -> Callable[[], None]:
    """Have a decoder that overflows in fp16 rest in fp32, where its pipeline would cast it.

    Those that cast it to and fro go on as if it were in fp16: only then do they cast the latents
    for it, before they scale them. AuraFlow casts those to whatever dtype the decoder has.

    Returns:
        What undoes it.
    """
    kind = type(pipeline.vae)
    pipeline.vae.to(torch.float32)
    if type(pipeline).__name__ in _CAST_BACK:
        as_it_was = property(lambda _: torch.float16)
        pipeline.vae.__class__ = type(kind.__name__, (kind,), {"dtype": as_it_was})
    pipeline.upcast_vae = lambda: None

    def undo() -> None:
        pipeline.vae.__class__ = kind
        pipeline.vae.to(torch.float16)
        del pipeline.upcast_vae

    return undo


class _LatentsReady(Exception):  # noqa: N818 - no error: how a call is left
    def __init__(self, arguments: tuple[Any, ...], options: Mapping[str, Any]) -> None:
        super().__init__()
        self.arguments, self.options = arguments, options


class _Left(Exception):  # noqa: N818 - likewise
    pass


def _leave(*arguments: Any, **options: Any) -> None:
    raise _LatentsReady(arguments, options)


@contextmanager
def _left_at(pipeline: Any, method: str) -> Iterator[None]:
    """Leave a call of the pipeline where it comes to `method`."""

    def leave(*_arguments: Any, **_options: Any) -> None:
        raise _Left

    setattr(pipeline, method, leave)
    try:
        yield
    except _Left:
        pass
    finally:
        delattr(pipeline, method)


def _apart(ready: _LatentsReady, count: int) -> Iterator[Latents]:
    """Cut what a decoder was to be given for a batch into samples."""
    latents = ready.arguments[0]
    if latents.shape[0] != count:
        raise WorkError(f"the pipeline made {latents.shape[0]} samples for {count} jobs")

    def one(value: Any, index: int) -> Any:
        if isinstance(value, torch.Tensor) and value.ndim and value.shape[0] == count:
            return value[index : index + 1]
        return [value[index]] if isinstance(value, list) and len(value) == count else value

    for index in range(count):
        yield Latents(
            tuple(one(value, index) for value in ready.arguments),
            {name: one(value, index) for name, value in ready.options.items()},
        )


def _together(values: Sequence[Any]) -> Any:
    """Join what `encode_prompt` returned for single prompts; what has no sample axis is shared."""
    first = values[0]
    if isinstance(first, list):
        return [item for value in values for item in value]
    if isinstance(first, torch.Tensor) and first.shape[0] == 1:
        return torch.cat(list(values))
    return first


def _put(value: Any, device: torch.device | str | None) -> Any:
    """Put the tensors in lists and tuples on a device; None leaves them where they are.

    What a GPU gives to the host is pinned there: so that taking it back waits for nothing.
    """
    if isinstance(value, list | tuple):
        return type(value)(_put(item, device) for item in value)
    if device is None or not isinstance(value, torch.Tensor):
        return value
    there = value.to(device, non_blocking=value.device.type == "cpu")
    return there.pin_memory() if value.is_cuda and not there.is_cuda else there


def _shape(value: Any) -> Any:
    """Return the shapes of the tensors in lists and tuples, hashable."""
    if isinstance(value, list | tuple):
        return tuple(_shape(item) for item in value)
    return tuple(value.shape) if isinstance(value, torch.Tensor) else None
