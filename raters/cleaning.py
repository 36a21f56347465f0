"""What names its maker in an answer: found by a list, and taken out before anyone reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

MAKERS = (
    "Qwen", "通义千问", "千问", "Tongyi", "InternVL", "InternLM", "书生万象", "书生·万象", "ChatGLM",
    "GLM-4V", "GLM", "智谱", "Zhipu", "MiniCPM", "面壁智能", "OpenBMB", "Gemma", "Gemini", "LLaVA",
    "Phi-3", "Phi-4", "GPT-4", "GPT-5", "GPT", "ChatGPT", "OpenAI", "Claude", "Anthropic", "Mistral",
    "Pixtral", "Aya Vision", "Cohere", "Ovis", "SmolVLM", "Idefics", "DeepSeek", "深度求索", "Llama",
    "Kimi", "月之暗面", "Moonshot", "Alibaba", "阿里巴巴", "阿里云", "豆包", "文心一言", "混元",
)  # fmt: skip
"""Models and makers that are also no word of talk about painting."""

GAP = "［…］"
_LEAST = 4
"""Letters from which a piece of a model's own id counts as a name of its own."""


def names_of(models: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what may name a model in an answer: the list, and the models' own ids and sources."""
    names = set(MAKERS)
    for model in models:
        source = str(model.get("source", "")).rstrip("/").rsplit("/", maxsplit=1)[-1]
        for name in (str(model["id"]), source):
            if name:
                names.add(name)
            stem = re.match(r"[A-Za-z]+", name)
            if stem and len(stem[0]) >= _LEAST:
                names.add(stem[0])
    return sorted(names, key=lambda name: (-len(name), name))


def cleaned(text: str, names: Iterable[str]) -> tuple[str, list[str]]:
    """Return a text with every name in it made a gap, and what was found, as it stood there."""
    either = "|".join(
        # a version may stand right behind: Qwen2.5-VL
        rf"(?<![A-Za-z]){re.escape(name)}[\w.\-]*" if name.isascii() else re.escape(name)
        for name in names
    )
    pattern = re.compile(either, re.IGNORECASE | re.ASCII)
    found = [match[0] for match in pattern.finditer(text)]
    return pattern.sub(GAP, text), found
