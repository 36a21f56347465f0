"""What judges said, as rows: one per reply, and the long table that is made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.judging.questions import PAIR, Judged, Kind
from bench.judging.replies import Read
from bench.probing.items import Item
from bench.probing.names import TOLD
from bench.records import NOT_APPLICABLE

SCALE = "scale"
NOT_NOTED = "not noted whether the caption names the target"
"""The cue of rows that were written before it was noted."""
COLUMNS = (
    *TOLD, "kind", "judge", "rubric", "judge_language", "judge_seed", "temperature", "criterion",
    "value", NOT_APPLICABLE, "against", "against_output", "winner", "reason", "flags", "cue",
)  # fmt: skip
"""Of the table. A row of kind `scale` is a judge's score of one output on one scale; one of kind
`pair` is a verdict on `output`, shown first, and `against_output`, shown second."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One row of `judgements.jsonl`: a judge's reply as it came and as it was read.

    `outputs` and `pictures` are job keys and file hashes in the order in which they were shown;
    `language` and `seed` are the judge's; `cue` says where what it was told names the target. `scores` has None where a scale could not be read, and
    `faults` why; `winner` is "" where a pair could not be, or where there was none.
    """

    key: str
    judge: str
    kind: Kind
    rubric: str
    rubric_hash: str
    outputs: tuple[str, ...]
    pictures: tuple[str, ...]
    language: str
    seed: int
    temperature: float
    scores: Mapping[str, int | str | None]
    reasons: Mapping[str, str]
    faults: Mapping[str, str]
    winner: str
    flags: tuple[str, ...]
    reply: str
    cue: str
    asked_tokens: int | None = None
    tokens: int | None = None
    seconds: float | None = None
    batch_size: int | None = None
    device: str = ""
    cost: float | None = None


def table_of(rows: Sequence[Mapping[str, Any]], outputs: Sequence[Item]) -> pd.DataFrame:
    """Return the long table of all judges' replies about the outputs as they are now.

    Replies about files that have changed since, or that are no more in the run, are left out of it,
    and of two to one question (asked in other words, by another version) the first; they stay in
    `judgements.jsonl`.
    """
    known = {str(item.row["output"]): item for item in outputs}
    last = {
        (row["judge"], row["kind"], *row["outputs"], row["language"], row["seed"]): row
        for row in rows
    }
    made = [
        line
        for row in last.values()
        if all(
            name in known and known[name].sha256 == picture
            for name, picture in zip(row["outputs"], row["pictures"], strict=True)
        )
        for line in _lines(row, known)
    ]
    return pd.DataFrame(made, columns=pd.Index(COLUMNS))


def _lines(row: Mapping[str, Any], known: Mapping[str, Item]) -> Iterator[dict[str, Any]]:
    first = known[row["outputs"][0]]
    about = {
        **first.row,
        "judge": row["judge"],
        "rubric": row["rubric"],
        "judge_language": row["language"],
        "judge_seed": str(row["seed"]),
        "temperature": float(row["temperature"]),
        "cue": row.get("cue", NOT_NOTED),
        "criterion": "",
        "value": None,
        NOT_APPLICABLE: False,
        "against": "",
        "against_output": "",
        "winner": "",
    }
    if row["kind"] == PAIR:
        second = known[row["outputs"][1]]
        yield {
            **about,
            "kind": PAIR,
            "against": second.row["model"],
            "against_output": second.row["output"],
            "winner": row["winner"],
            "reason": row["reasons"].get(PAIR, ""),
            "flags": ", ".join(row["flags"]),
        }
        return
    for name, score in row["scores"].items():
        lacks = score == NOT_APPLICABLE
        yield {
            **about,
            "kind": SCALE,
            "criterion": name,
            "value": None if lacks or score is None else float(score),
            NOT_APPLICABLE: lacks,
            "reason": row["reasons"].get(name, ""),
            "flags": row["faults"].get(name, ""),
        }


def judgement(job: Judged, read: Read, reply: str, **about: Any) -> Judgement:
    """Return the row of a reply; `about` is who judged, how, and what it took."""
    return Judgement(
        key=job.key,
        kind=job.kind,
        outputs=job.outputs,
        pictures=job.pictures,
        language=job.language,
        seed=job.seed,
        scores=read.scores,
        reasons=read.reasons,
        faults=read.faults,
        winner=read.winner,
        flags=read.flags,
        reply=reply,
        cue=job.cue,
        **about,
    )
