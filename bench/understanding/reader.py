"""A vision–language model at work: pictures prepared once, questions batched, answers drawn.

Imports torch.
"""

from __future__ import annotations

import gc
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from PIL import Image
from torch import Tensor
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

from bench.device import is_out_of_memory
from bench.errors import RequestError, WorkError, first_line
from bench.records import ModelSpec
from bench.understanding.working import Picture, Question

HELD_BYTES = 2 << 30
"""Prepared pictures that are kept for further questions, in bytes of host memory."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One answer: its text, how many tokens went in and came out, and whether it was cut."""

    text: str
    asked_tokens: int
    tokens: int
    cut: bool


def architecture(spec: ModelSpec) -> str:
    """Return the class that a checkpoint's config names.

    Raises:
        RequestError: it cannot be read, needs code of its own, or does not turn pictures and text
            into text.
    """
    try:
        config = AutoConfig.from_pretrained(spec.source, revision=_on_hub(spec))
    except (OSError, ValueError, KeyError) as error:
        raise RequestError(
            f"model {spec.id}: cannot read its config: {first_line(error)}"
        ) from error
    if type(config) not in AutoModelForImageTextToText._model_mapping:  # noqa: SLF001 - no public way
        raise RequestError(
            f"model {spec.id} is a {config.model_type}, which transformers "
            f"{transformers.__version__} does not load as image-text-to-text"
        )
    names = config.architectures or [config.model_type]
    return str(names[0])


class Reader:
    """One loaded model. Call it from one thread.

    `picture` gives a picture by its id; it is asked for when its tensors are not held.
    """

    def __init__(
        self,
        spec: ModelSpec,
        arguments: Mapping[str, Any],
        picture: Picture,
        *,
        weights: bool = True,
    ) -> None:
        """Load model and processor; the model goes to the GPU where there is one.

        Without `weights` nothing but lengths can be asked for.

        Raises:
            WorkError: whatever the checkpoint raised, in one sentence.
        """
        self.spec, self.arguments, self._picture = spec, arguments, picture
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        transformers.utils.logging.disable_progress_bar()
        try:
            self.processor = AutoProcessor.from_pretrained(
                spec.source, revision=_on_hub(spec), **dict(arguments.get("processor", {}))
            )
            self.model: Any = self._model() if weights else None
            self.config = (
                self.model.config
                if self.model is not None
                else AutoConfig.from_pretrained(spec.source, revision=_on_hub(spec))
            )
        except Exception as error:
            raise WorkError(f"model {spec.id} does not load: {first_line(error)}") from error
        self.tokenizer = getattr(self.processor, "tokenizer", self.processor)
        self.pad = _pad_of(self.tokenizer)
        self.processor.image_processor = self._looks = _Once(self.processor.image_processor)
        self._at_once: int | None = None

    def _model(self) -> Any:
        model = AutoModelForImageTextToText.from_pretrained(
            self.spec.source,
            revision=_on_hub(self.spec),
            dtype=getattr(torch, self.spec.dtype["default"]),
            use_safetensors=None if self.spec.pickled_weights else True,
        )
        return model.to(self.device).eval()

    def length(self, job: Question) -> int:
        """Return how many tokens go in for a job, those of the picture among them.

        Raises:
            WorkError: they leave no room for an answer in what the model reads at once.
        """
        length = int(self._inputs(job)["input_ids"].shape[1])
        most = getattr(self.config.get_text_config(), "max_position_embeddings", None)
        if most is not None and length + job.longest > most:
            raise WorkError(
                f"{length} tokens of picture and question and {job.longest} of the answer are more than "
                f"the {most} that {self.spec.id} reads at once: bring the picture down, or ask for "
                "shorter answers (--set longest=N)"
            )
        return length

    def answer(self, jobs: Sequence[Question]) -> list[Drawn]:
        """Answer a batch, at most as many at once as memory takes.

        Raises:
            WorkError: there is no memory for a single answer.
        """
        while True:
            at_once = min(self._at_once or len(jobs), len(jobs))
            try:
                return [
                    drawn
                    for start in range(0, len(jobs), at_once)
                    for drawn in self._answered(jobs[start : start + at_once])
                ]
            except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            gc.collect()
            if at_once == 1:
                raise WorkError("out of memory with a single answer: bring the picture down")
            self._at_once = (at_once + 1) // 2

    def _answered(self, jobs: Sequence[Question]) -> list[Drawn]:
        inputs = [self._inputs(job) for job in jobs]
        batch = {name: value.to(self.device) for name, value in collated(inputs, self.pad).items()}
        for name, value in batch.items():
            if value.is_floating_point():
                batch[name] = value.to(self.model.dtype)
        longest = max(job.longest for job in jobs)
        asked = batch["input_ids"].shape[1]
        with torch.inference_mode():
            ids = self.model.generate(
                **batch,
                do_sample=False,
                num_beams=1,
                max_new_tokens=longest,
                temperature=None,
                top_p=None,
                top_k=None,
                repetition_penalty=self.arguments.get("repetition_penalty"),
                pad_token_id=self.pad,
                logits_processor=self._draws(jobs),
            )
        # encoder-decoders give the answer alone
        own = 0 if self.model.config.is_encoder_decoder else asked
        ends = _ends(self.model, self.tokenizer)
        return [
            self._drawn(row[own:].tolist(), int(one["input_ids"].shape[1]), job.longest, ends)
            for row, one, job in zip(ids.cpu(), inputs, jobs, strict=True)
        ]

    def _draws(self, jobs: Sequence[Question]) -> transformers.LogitsProcessorList:
        temperature = float(self.arguments["temperature"])
        if not temperature:
            return transformers.LogitsProcessorList()
        # the key, and not the seed alone: works and questions asked with one seed must not share
        # their luck, or intervals over works would be far too narrow
        seeds = [int(job.key[:15], 16) for job in jobs]
        draw = Drawing(seeds, temperature, float(self.arguments.get("top_p", 1.0)))
        return transformers.LogitsProcessorList([draw])

    def _drawn(self, tokens: list[int], asked: int, longest: int, ends: set[int]) -> Drawn:
        ended = next((at for at, token in enumerate(tokens) if token in ends), None)
        own = tokens[: longest if ended is None else min(ended, longest)]
        text = self.tokenizer.decode(own, skip_special_tokens=True).strip()
        return Drawn(text, asked, len(own), cut=ended is None or ended > longest)

    def _inputs(self, job: Question) -> dict[str, Tensor]:
        """Return one job's tensors; what concerns its pictures is prepared once for all questions."""
        self._looks.next_is(job.pictures)
        held = job.pictures in self._looks.held
        images = [_BLANK if held else self._picture(name) for name in job.pictures]
        made = self.processor(
            text=[self._prompt(job.text, len(images))],
            images=[images] if len(images) > 1 else images,
            return_tensors="pt",
        )
        return {name: value for name, value in made.items() if isinstance(value, Tensor)}

    def _prompt(self, text: str, pictures: int) -> str:
        """Return a question as the model's chat template has it; without one, after its pictures."""
        template = getattr(self.processor, "chat_template", None)
        if not template:
            mark = getattr(self.processor, "image_token", None) or ""
            return f"{mark * pictures}{text}"
        content = [*([{"type": "image"}] * pictures), {"type": "text", "text": text}]
        told: str = self.processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=False,
            **dict(self.arguments.get("template", {})),
        )
        return told

    def close(self) -> None:
        """Free the memory."""
        del self.model, self.processor
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


_BLANK = Image.new("RGB", (8, 8))
"""Stands in for a picture whose tensors are held."""


class _Once:
    """An image processor that prepares what is shown once, and is asked everything else as it is."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.held: OrderedDict[tuple[str, ...], Any] = OrderedDict()
        self.prepared = 0
        self._shown: tuple[str, ...] = ()

    def next_is(self, pictures: tuple[str, ...]) -> None:
        self._shown = pictures

    def __call__(self, *args: Any, **options: Any) -> Any:
        if self._shown not in self.held:
            self.held[self._shown] = self._inner(*args, **options)
            self.prepared += 1
            while len(self.held) > 1 and self._bytes() > HELD_BYTES:
                self.held.popitem(last=False)
        self.held.move_to_end(self._shown)
        held = self.held[self._shown]
        # the processor may take things out of what it is given
        return type(held)(dict(held))

    def _bytes(self) -> int:
        return sum(
            value.nbytes
            for one in self.held.values()
            for value in one.values()
            if hasattr(value, "nbytes")
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Drawing(transformers.LogitsProcessor):  # type: ignore[misc]
    """Sampling as the largest of log-probabilities with Gumbel noise added (Gumbel, 1954).

    Each row draws its noise from a CPU generator of its own, so that an answer depends on its job
    and on no neighbour in the batch; the largest is then taken, as in greedy decoding.
    """

    def __init__(self, seeds: Sequence[int], temperature: float, top_p: float) -> None:
        """Draw for rows of these seeds; `top_p` below 1 leaves the least likely out."""
        self.generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        self.temperature, self.top_p = temperature, top_p

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return (rows, vocabulary) scores whose largest is a draw."""
        del input_ids
        warm = torch.log_softmax(scores.float() / self.temperature, dim=-1)
        if self.top_p < 1:
            ranked, order = warm.sort(descending=True)
            before = ranked.exp().cumsum(-1) - ranked.exp()
            out = torch.zeros_like(before, dtype=torch.bool).scatter(-1, order, before > self.top_p)
            warm = warm.masked_fill(out, -torch.inf)
        width = warm.shape[-1]
        noise = torch.stack(
            [torch.rand(width, generator=one, dtype=torch.float64) for one in self.generators]
        )
        gumbel = -torch.log(-torch.log(noise.clamp_min(1e-300)))
        return warm + gumbel.to(warm)


def collated(inputs: Sequence[Mapping[str, Tensor]], pad: int) -> dict[str, Tensor]:
    """Join single inputs, each with a first dimension of its own, into a batch.

    What is as long as the tokens is filled up on the left, token ids with `pad` and the rest with 0;
    everything else is joined along its first dimension, filled up with 0 where the others differ.
    """
    joined = {}
    for name in inputs[0]:
        values = [one[name] for one in inputs]
        of_tokens = all(
            one[name].shape[:2] == one["input_ids"].shape and one[name].ndim == 2 for one in inputs
        )
        filler = pad if name == "input_ids" else 0
        shape = [max(value.shape[axis] for value in values) for axis in range(1, values[0].ndim)]
        joined[name] = torch.cat([_filled(one, shape, filler, left=of_tokens) for one in values])
    return joined


def _filled(value: Tensor, shape: Sequence[int], filler: int, *, left: bool) -> Tensor:
    if list(value.shape[1:]) == list(shape):
        return value
    whole = value.new_full((value.shape[0], *shape), filler)
    place = tuple(
        slice(wide - own, wide) if left else slice(0, own)
        for own, wide in zip(value.shape[1:], shape, strict=True)
    )
    whole[(slice(None), *place)] = value
    return whole


def _pad_of(tokenizer: Any) -> int:
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    return int(pad or 0)


def _ends(model: Any, tokenizer: Any) -> set[int]:
    told = model.generation_config.eos_token_id
    ids = told if isinstance(told, list) else [told, tokenizer.eos_token_id]
    return {int(one) for one in ids if one is not None}


def _on_hub(spec: ModelSpec) -> str | None:
    return None if os.path.isdir(spec.source) else spec.revision  # noqa: PTH112 - may be a hub id
