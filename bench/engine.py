"""A loaded model at work: placed on the device, batch after batch, outputs on their way to the host.

On a GPU nothing here waits for the device, whatever the pipelines it calls do: pictures are decoded
on a stream of their own while the next batch is denoised, and whoever writes them waits for theirs.
Imports torch.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from bench import pipelines
from bench.context_parallel import Ranks
from bench.device import device_errors, is_out_of_memory
from bench.device_maps import devices_of
from bench.errors import WorkError
from bench.fast import FastPath, takes_fast_path
from bench.lengths import Lengths
from bench.placing import compile_parts, denoisers, exact_attention, place, size_of
from bench.records import Batch, Job, ModelSpec
from bench.sizes import check_asked, check_made
from bench.steps import without_waiting
from bench.transfer import Made, Pending, mark, send
from bench.tuning import Tuning


class Engine:
    """One model, loaded and placed. Call it from one thread."""

    def __init__(self, pipeline: Any, tuning: Tuning, ranks: Ranks | None = None) -> None:
        """Place a pipeline that was read and make it ready to work.

        `ranks` are the other processes of a model that is cut over several devices.

        Raises:
            WorkError: such a model is too large for each of them.
        """
        self.pipeline, self.tuning, self._ranks = pipeline, tuning, ranks
        if ranks:
            ranks.join(pipeline)
        with device_errors():
            self.placement = place(pipeline)
        self._waits_again = without_waiting(pipeline, denoisers(pipeline))
        in_turn = self.placement in {"parts in turn", "layers in turn", "over devices"}
        self.fast = FastPath(pipeline) if takes_fast_path(pipeline) and not in_turn else None
        self.text_seconds = 0.0
        self.cut: dict[str, str] = {}
        """Prompts that an encoder did not take whole, and how much of them it took."""
        self._lengths = Lengths(pipeline)
        self._stream: torch.cuda.Stream | None = None
        if torch.cuda.is_available():
            # beside other ranks nothing is decoded while they denoise: memory gives out on all or none
            self._stream = torch.cuda.current_stream() if ranks else torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._modules = {
            name: part
            for name, part in pipeline.components.items()
            if isinstance(part, torch.nn.Module)
        }
        # layers that come and go, or lie on several devices, are hooked one by one
        by_layers = self.placement in {"layers in turn", "layers over devices"}
        self.compiled = tuning.compile and not by_layers
        """Whether parts are compiled: asked for, and possible as the model lies."""
        if self.compiled:
            compile_parts(pipeline)

    @property
    def path(self) -> str:
        """Return by which path pictures are made: "fast" or "plain"."""
        return "fast" if self.fast else "plain"

    def encode(self, texts: Iterable[str], arguments: Mapping[str, Any]) -> None:
        """Encode these texts ahead of their batches; those before are forgotten."""
        if self.fast is None:
            return
        texts = list(texts)
        with self._beside("encode", texts, arguments, together=False):
            self._encode(self.fast, texts, arguments)

    def _encode(self, fast: FastPath, texts: Sequence[str], arguments: Mapping[str, Any]) -> None:
        began = time.perf_counter()
        apart = self.placement == "encoders apart"
        check_asked(self.pipeline, arguments)
        fast.forget()
        self._lengths.expect(texts, arguments)
        with device_errors():
            if apart:
                self._put(encoders=True)
            for text in texts:
                fast.encode(text, arguments, store="cpu" if apart else None)
            self.cut |= self._lengths.taken()
            if apart:
                self._put(encoders=False)
            if self._stream:
                torch.cuda.synchronize()
        self.text_seconds += time.perf_counter() - began

    def make(
        self, jobs: Sequence[Job], arguments: Mapping[str, Any], wanted: Iterable[Job]
    ) -> Made:
        """Make a padded batch, at most as many at once as memory takes.

        Args:
            jobs: the batch, padded; each draws its noise from a CPU generator of its own.
            arguments: of the pipeline's call.
            wanted: the jobs whose outputs are asked for.

        Raises:
            DeviceLostError: the device answers no more.
            WorkError: there is no memory for a single output, or the pipeline misbehaves.
        """
        keys = {job.key for job in wanted}
        # asked anew of each batch: what one did must not decide the bits of the next, which a
        # resumed run makes without having seen it
        by_cudnn = True
        at_once = len(jobs)
        while True:
            try:
                with device_errors(), exact_attention(by_cudnn=by_cudnn):
                    made = self._tried(jobs, arguments, keys, at_once, by_cudnn)
            except RuntimeError as error:
                if not by_cudnn or "cudnn" not in str(error).lower():
                    raise
                by_cudnn = False  # a shape that its attention does not take
                self.compile_anew()  # its kernel was chosen when this was compiled
                continue
            if made is not None:
                return made
            # here the exception, and with it the frames that held tensors, is gone
            gc.collect()
            if self._stream:
                torch.cuda.empty_cache()
            if at_once == 1:
                raise WorkError("out of memory with a single output: ask for a smaller size")
            at_once = (at_once + 1) // 2

    def _tried(
        self,
        jobs: Sequence[Job],
        arguments: Mapping[str, Any],
        wanted: set[str],
        at_once: int,
        by_cudnn: bool,
    ) -> Made | None:
        pictures: dict[str, Pending] = {}
        spans: list[tuple[str, Any, Any]] = []
        try:
            for start in range(0, len(jobs), at_once):
                piece = jobs[start : start + at_once]
                with self._beside("follow", piece, arguments, by_cudnn):
                    pictures |= self._piece(piece, arguments, wanted, spans)
        except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                return None
            raise
        note, size = "", self._together(jobs, at_once)
        if at_once < len(jobs):
            note = f"out of memory with {len(jobs)} at once: made {size} at once"
        return Made(pictures, size, note, self.devices, spans)

    def _together(self, jobs: Sequence[Job], at_once: int) -> int:
        """Return how many outputs share a call at most."""
        if self.fast:
            return at_once
        pieces = (jobs[start : start + at_once] for start in range(0, len(jobs), at_once))
        calls = (pipelines.calls_of(self.pipeline, _batch(piece)) for piece in pieces)
        return max(call.size for some in calls for call in some)

    def follow(self, jobs: Sequence[Job], arguments: Mapping[str, Any], by_cudnn: bool) -> None:
        """Denoise beside the rank that makes these jobs; it alone decodes them."""
        with exact_attention(by_cudnn=by_cudnn):
            self._piece(jobs, arguments, set(), [])

    def compile_anew(self) -> None:
        """Forget what was compiled: the next batch compiles for itself."""
        with self._beside("compile_anew", together=False):
            if self.compiled:
                torch.compiler.reset()

    def _beside(
        self, method: str, *arguments: Any, together: bool = True
    ) -> AbstractContextManager[None]:
        if self._ranks is None:
            return nullcontext()
        return self._ranks.doing(method, *arguments, together=together)

    def _piece(
        self,
        jobs: Sequence[Job],
        arguments: Mapping[str, Any],
        wanted: set[str],
        spans: list[tuple[str, Any, Any]],
    ) -> dict[str, Pending]:
        texts, seeds = [job.text for job in jobs], [job.seed for job in jobs]
        began = mark()
        if self.fast is None:
            self._lengths.expect(texts, arguments)
            batch = _batch(jobs)
            outputs = pipelines.draw(self.pipeline, batch, arguments)
            spans.append(("denoise", began, mark()))
            self.cut |= self._lengths.taken()
            return {job.key: Pending(one) for job, one in zip(batch.jobs, outputs, strict=True)}
        latents = self.fast.denoise(texts, seeds, arguments)
        spans.append(("denoise", began, mark()))
        pictures: dict[str, Pending] = {}
        if self._stream:
            self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream) if self._stream else nullcontext():
            began = mark()
            for job, one in zip(jobs, latents, strict=True):
                if job.key in wanted and job.key not in pictures:  # padding repeats a job
                    one.used_on(self._stream)
                    pixels, finite = self.fast.decode(one, arguments)
                    check_made(type(self.pipeline).__name__, (1, *pixels.shape), arguments)
                    pictures[job.key] = send(pixels, finite)
            spans.append(("decode", began, mark()))
        return pictures

    def _put(self, *, encoders: bool) -> None:
        """Put the encoders on the device and the rest on the host, or the other way round."""
        for name, part in self._modules.items():
            part.to("cuda" if name.startswith("text_encoder") == encoders else "cpu")

    @property
    def devices(self) -> int:
        """Return on how many devices the model works."""
        return self._ranks.count if self._ranks else devices_of(self.pipeline)

    def close(self) -> None:
        """Free the memory."""
        if self._ranks:
            self._ranks.close()
        large = sum(map(size_of, self._modules.values())) > 2**28
        if self.fast:
            self.fast.let_go()
        self._waits_again()
        self._modules.clear()
        self.fast = self.pipeline = None
        if large:
            gc.collect()  # some parts and their hooks hold each other
        if self._stream:
            torch.cuda.empty_cache()


def _batch(jobs: Sequence[Job]) -> Batch:
    """Return jobs as a batch of so many; padding repeats a job."""
    return Batch(jobs[0].model, 0, len(jobs), tuple({job.key: job for job in jobs}.values()))


def load(spec: ModelSpec, tuning: Tuning) -> Engine:
    """Read a model and place it, on as many devices as its spec asks for.

    Raises:
        WorkError: it does not load, or does not fit.
    """
    ranks = Ranks(spec, tuning) if spec.context_parallel > 1 else None
    try:
        return Engine(pipelines.load(spec, spec.dtype), tuning, ranks)
    except BaseException:
        if ranks:
            ranks.close()
        raise
