"""Prompts longer than an encoder takes: what its tokenizer cut is said, never passed over."""

from __future__ import annotations

import inspect
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


class Lengths:
    """Watches a pipeline's tokenizers for prompts that they cut."""

    def __init__(self, pipeline: Any) -> None:
        """Watch every tokenizer of a loaded pipeline, from here on."""
        takes = inspect.signature(type(pipeline).__call__).parameters
        self._default = takes.get("max_sequence_length")
        self._template = getattr(pipeline, "prompt_template_encode_start_idx", None)
        self._texts: tuple[str, ...] = ()
        self._negative: tuple[str, ...] = ()
        self._cuts: dict[str, dict[str, None]] = {}
        self._kept: int | None = None
        for name, part in pipeline.components.items():
            if name.startswith("tokenizer") and callable(part):
                part.__class__ = _watching(type(part), self, name)

    def expect(self, texts: Iterable[str], arguments: Mapping[str, Any]) -> None:
        """Take the prompts and arguments of the calls to come.

        Qwen-Image cuts embeddings, not tokens, by one of the arguments.
        """
        self._texts = tuple(dict.fromkeys(texts))
        self._negative = tuple(
            value
            for name, value in arguments.items()
            if name.startswith("negative_prompt") and isinstance(value, str)
        )
        self._cuts.clear()
        if self._template is not None and self._default is not None:
            most = arguments.get("max_sequence_length", self._default.default)
            self._kept = self._template + most

    def taken(self) -> dict[str, str]:
        """Return what was cut since the prompts were told: prompt → a sentence.

        A negative prompt that was cut is said of every prompt.
        """
        negative = [said for text in self._negative for said in self._cuts.get(text, ())]
        cuts = {text: dict.fromkeys([*self._cuts.get(text, ()), *negative]) for text in self._texts}
        return {text: ", ".join(said) for text, said in cuts.items() if said}

    def note(self, tokenizer: str, texts: list[str], lengths: list[int], most: int) -> None:
        """Take down the prompts that have more tokens than the encoder takes."""
        most = min(most, self._kept or most)
        for index, length in enumerate(lengths):
            if length <= most:
                continue
            for text in self._of(texts, index):
                what = "prompt" if text in self._texts else "negative prompt"
                said = f"{tokenizer} cut the {what} from {length} tokens to {most}"
                self._cuts.setdefault(text, {})[said] = None

    def _of(self, texts: list[str], index: int) -> Sequence[str]:
        """Return the prompt that a tokenizer was given within a template, or cleaned.

        Of prompts that are within others the longest is meant. What holds none goes by its place,
        and where that tells nothing either, it may be any.
        """
        given = _letters(texts[index])
        within = [
            (len(letters), text in texts[index], text in self._texts, text)
            for text in (*self._texts, *self._negative)
            if (letters := _letters(text)) and letters in given
        ]
        if within:
            return [max(within)[-1]]
        by_place = self._texts[index : index + 1] if len(texts) == len(self._texts) else ()
        return by_place or self._texts


def _letters(text: str) -> str:
    """Return what cleaning leaves of a text: no case, no widths of signs, no spaces."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).lower()))


def _watching(kind: Any, lengths: Lengths, name: str) -> Any:
    """Return a tokenizer class that does what `kind` does, and counts what it leaves out."""
    kind = getattr(kind, "watched", kind)  # nobody watches any more for those who did before

    class Watching(kind):  # type: ignore[misc]
        watched = kind

        def __call__(self, text: Any = None, *others: Any, **options: Any) -> Any:
            made = super().__call__(text, *others, **options)
            if options.get("truncation") and text is not None:
                texts = [text] if isinstance(text, str) else list(text)
                whole = super().__call__(
                    texts, add_special_tokens=options.get("add_special_tokens", True)
                )
                most = options.get("max_length") or self.model_max_length
                lengths.note(name, texts, [len(ids) for ids in whole["input_ids"]], most)
            return made

    Watching.__name__ = Watching.__qualname__ = kind.__name__
    return Watching
