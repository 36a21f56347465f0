"""What is written and what is read have the same names, though neither package imports the other."""

from __future__ import annotations

from bench.probing import faults, names, style_tables, tables, texts, video
from leaderboard import probes


def test_the_probes_write_what_their_scores_read() -> None:
    assert names.PROBES == "probes.parquet"
    assert (style_tables.STYLE, tables.FAULTS, tables.VIDEO) == probes.KINDS
    assert texts.OTHER == probes.OTHER
    assert probes._P == style_tables.CHANCE
    assert video.LEAST_FRAMES == probes.LEAST_FRAMES
    assert set(probes._TEXTS) - {"kind", "probe"} <= set(tables.TOLD)
    assert faults.LEAST_OUTPUTS == 8  # as the reason of an unknown watermark says in words
