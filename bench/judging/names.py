"""The files that judges leave in a run."""

from __future__ import annotations

REPLIES = "judgements.jsonl"
"""One row per reply of a judge, as it came and as it was read; it only grows."""
TABLE = "judgements.parquet"
"""What the scorer reads: one row per scale of a reply, and one per pair; made anew each time."""
REPORT = "judge.json"
"""Who judged, by which rubric, how, and what could not be asked."""
