"""Suites for other tools: a Hugging Face dataset, CSV, and the prompt layouts of OneIG and VBench."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from bench.errors import ConflictError, RequestError
from bench.files import write_whole
from bench.suite_texts import lexicon_path
from bench.suites import Suite

LONGEST_NAME = 255
"""Bytes of a file's name, on the usual file systems."""
_BYTE_ORDER_MARK = "\ufeff"
"""Without it Excel takes UTF-8 for the local encoding; pandas and datasets pass over it."""


def export_suite(suite: Suite, form: str, out: Path) -> list[Path]:
    """Write a suite into the folder `out` in one form.

    Args:
        suite: what to write.
        form: "dataset" (a Hugging Face dataset that `load_suite` reads back too), "csv", "oneig"
            or "vbench".
        out: the folder, made where needed.

    Returns:
        The files written.

    Raises:
        RequestError: an unknown form, one that does not fit the suite's modality, or `out` is a
            file.
        ConflictError: `out` holds a suite of its own, such as the one that is exported.
    """
    if form not in FORMS:
        raise RequestError(f"no form {form!r}: choose from {', '.join(FORMS)}")
    if (out / "suite.yaml").exists():
        raise ConflictError(f"{out} holds a suite: export into another folder")
    if form == "vbench" and suite.modality != "video":
        raise RequestError(
            f"the vbench form is for suites of video, and {suite.name} asks for {suite.modality}s"
        )
    if out.is_file():
        raise RequestError(f"{out} is a file: give a folder")
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in FORMS[form](suite).items():
        write_whole(out / name, text.encode())
        written.append(out / name)
    return written


def export_notes(suite: Suite, form: str) -> list[str]:
    """Return a sentence for each thing that the other tool may stumble over."""
    notes = []
    for language in suite.languages if form == "vbench" else ():
        texts = [" ".join(prompt.text[language].split()) for prompt in suite.prompts.values()]
        long = sum(len(f"{text}-0.mp4".encode()) > LONGEST_NAME for text in texts)
        if long:
            notes.append(
                f"{suite.name}: VBench names a clip by its prompt, and {long} of {len(texts)} "
                f"prompts in {language!r} are too long for a file's name ({LONGEST_NAME} bytes)"
            )
    return notes


def rows_of(suite: Suite) -> list[dict[str, Any]]:
    """Return one row per prompt and language."""
    return [
        {
            "prompt": prompt.id,
            "scene": prompt.scene,
            "target": prompt.target,
            "language": language,
            "text": text,
            "genre": prompt.genre,
            "stratum": prompt.stratum,
            "diagnosticity": prompt.diagnosticity,
            "tags": " ".join(prompt.tags),
            "note": prompt.notes.get(language, ""),
        }
        for prompt in suite.prompts.values()
        for language, text in prompt.text.items()
    ]


def _dataset(suite: Suite) -> dict[str, str]:
    front = yaml.safe_dump(
        {
            "pretty_name": suite.name,
            "license": "apache-2.0",
            "language": list(suite.languages),
            "configs": [{"config_name": "default", "data_files": ["prompts.jsonl"]}],
        },
        sort_keys=False,
    )
    card = (
        f"---\n{front}---\n\n# {suite.name}\n\nVersion {suite.version}, content hash "
        f"`{suite.hash}`. One row per prompt and language; `suite.yaml` is the suite itself, with what "
        "it is checked against beside it.\n"
    )
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows_of(suite))
    whole = yaml.safe_dump(dict(suite.content), allow_unicode=True, sort_keys=False, width=1000)
    beside = [suite.folder / name for name in ("references.yaml", "versions.yaml")]
    return {"README.md": card, "prompts.jsonl": lines, "suite.yaml": whole} | {
        path.name: path.read_text(encoding="utf-8-sig")
        for path in (*beside, lexicon_path(suite.folder))
        if path.is_file()
    }


def _csv(suite: Suite) -> dict[str, str]:
    return {f"{suite.name}.csv": _BYTE_ORDER_MARK + _table(rows_of(suite))}


def _oneig(suite: Suite) -> dict[str, str]:
    """One CSV a language: `category, id, prompt_en` or `prompt_cn`."""
    tables = {}
    for language, column in (("en", "prompt_en"), ("zh", "prompt_cn")):
        rows = [
            {
                "category": prompt.genre or prompt.target,
                "id": prompt.id.replace("/", "--"),
                column: prompt.text[language],
            }
            for prompt in suite.prompts.values()
            if language in prompt.text
        ]
        if rows:
            name = suite.name if language == "en" else f"{suite.name}-{language.upper()}"
            tables[f"{name}.csv"] = _table(rows)
    return tables


def _vbench(suite: Suite) -> dict[str, str]:
    """The full-information list of `prompt_en` and `dimension`, and a text file a language."""
    prompts = list(suite.prompts.values())
    listed = [
        {
            "prompt_en": prompt.text["en"],
            "dimension": ["aesthetic_quality", "overall_consistency"],
            "id": prompt.id.replace("/", "--"),
        }
        for prompt in prompts
        if "en" in prompt.text
    ]
    files = {
        f"{suite.name}_full_info.json": json.dumps(listed, ensure_ascii=False, indent=1) + "\n"
    }
    for language in suite.languages:
        texts = [" ".join(prompt.text[language].split()) for prompt in prompts]
        files[f"{suite.name}.{language}.txt"] = "".join(f"{text}\n" for text in texts)
    return files


def _table(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


FORMS: Mapping[str, Callable[[Suite], dict[str, str]]] = {
    "dataset": _dataset,
    "csv": _csv,
    "oneig": _oneig,
    "vbench": _vbench,
}
"""Form → the files it consists of, by name."""
