"""What the tests of understanding share: a small suite of questions, a folder of works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.files import append_rows, file_hash
from tests.conftest import write_yaml

CHOICE: dict[str, Any] = {
    "id": "tradition",
    "facts": ["tradition"],
    "longest": 12,
    "choices": {
        "chinese": {"zh": "中国", "en": "Chinese"},
        "japanese": {"zh": "日本", "en": "Japanese"},
        "other": {"zh": "其他", "en": "other"},
    },
    "text": {"zh": "中国、日本，还是其他？", "en": "Chinese, Japanese or other?"},
}
SEEN: dict[str, Any] = {
    "id": "depicted",
    "longest": 16,
    "text": {"zh": "画了什么？", "en": "What is shown, and where in the picture does it stand?"},
}
OF_PRINTS: dict[str, Any] = {
    "id": "printing",
    "strata": ["woodblock"],
    "longest": 16,
    "text": {"zh": "怎样印成？", "en": "How was it printed?"},
}
WORKS = {
    "early-spring": ("chinese", "ink", (90, 140)),
    "wind-in-pines": ("chinese", "ink", (64, 64)),
    "a-print": ("japanese", "woodblock", (200, 80)),
}


def suite_of_questions(path: Path, *questions: dict[str, Any], **header: Any) -> Path:
    """Write a suite of understanding as one file."""
    content = {
        "suite": "tiny-questions",
        "version": 1,
        "modality": "understanding",
        "home": "chinese",
        "traditions": ["chinese", "japanese"],
        "questions": list(questions or (CHOICE, SEEN, OF_PRINTS)),
    }
    return write_yaml(path, content | header)


def works_folder(folder: Path, *, without: str = "") -> Path:
    """Write a folder as `pinlu references add` leaves it; `without` has no file."""
    (folder / "originals").mkdir(parents=True)
    rows = []
    for number, (name, (tradition, stratum, size)) in enumerate(WORKS.items()):
        rng = np.random.default_rng(number)
        picture = Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))
        file = folder / f"{name}.png"
        picture.resize((64, 64)).save(file)
        if name == "early-spring":
            picture.save(folder / "originals" / f"{name}.png")
        rows.append(
            {
                "file_name": file.name,
                "id": name,
                "tradition": tradition,
                "genre": "landscape",
                "stratum": stratum,
                "period": "",
                "sha256": file_hash(file),
                "synthetic": False,
                "work": name,
            }
        )
        if name == without:
            file.unlink()
    append_rows(folder / "metadata.jsonl", rows)
    return folder
