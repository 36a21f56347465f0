"""Prompts longer than an encoder takes: what its tokenizer cut is said, never passed over."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any


class Lengths:
    """Watches a pipeline's tokenizers for prompts that they cut."""

    def __init__(self, pipeline: Any) -> None:
        """Watch every tokenizer of a loaded pipeline, from here on."""
        takes = inspect.signature(type(pipeline).__call__).parameters
        self._default = takes.get("max_sequence_length")
        self._template = getattr(pipeline, "prompt_template_encode_start_idx", None)
        self._cuts: dict[int, list[str]] = {}
        self._kept: int | None = None
        for name, part in pipeline.components.items():
            if name.startswith("tokenizer") and callable(part):
                part.__class__ = _watching(type(part), self, name)

    def expect(self, arguments: Mapping[str, Any]) -> None:
        """Take the arguments of the calls to come: Qwen-Image cuts embeddings, not tokens, by one."""
        if self._template is not None and self._default is not None:
            most = arguments.get("max_sequence_length", self._default.default)
            self._kept = self._template + most

    def taken(self) -> dict[int, str]:
        """Return what was cut since the last time: place in the list of prompts → a sentence."""
        cuts = {index: ", ".join(dict.fromkeys(said)) for index, said in self._cuts.items()}
        self._cuts.clear()
        return cuts

    def note(self, tokenizer: str, lengths: list[int], most: int) -> None:
        """Take down the prompts that have more tokens than the encoder takes."""
        most = min(most, self._kept or most)
        for index, length in enumerate(lengths):
            if length > most:
                said = f"{tokenizer} cut the prompt from {length} tokens to {most}"
                self._cuts.setdefault(index, []).append(said)


def _watching(kind: Any, lengths: Lengths, name: str) -> Any:
    """Return a tokenizer class that does what `kind` does, and counts what it leaves out."""
    kind = getattr(kind, "watched", kind)  # nobody watches any more for those who did before

    class Watching(kind):  # type: ignore[misc]
        watched = kind

        def __call__(self, text: Any = None, *others: Any, **options: Any) -> Any:
            made = super().__call__(text, *others, **options)
            if options.get("truncation") and text is not None:
                whole = super().__call__(
                    [text] if isinstance(text, str) else list(text),
                    add_special_tokens=options.get("add_special_tokens", True),
                )
                most = options.get("max_length") or self.model_max_length
                lengths.note(name, [len(ids) for ids in whole["input_ids"]], most)
            return made

    Watching.__name__ = Watching.__qualname__ = kind.__name__
    return Watching
