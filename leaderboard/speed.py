"""How fast outputs were made: scores from what a run noted, and the report's table of them.

Metrics, per model, with the source `run`: `outputs_per_second`, `matrix_share` (of what a large
matrix product reaches on the device), `load_seconds`, `compile_seconds`, `peak_gibibytes` and
`batch_size`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from bench.errors import FileFormatError
from bench.records import Score
from leaderboard.board import Board
from leaderboard.costs import FROM_RUN
from leaderboard.plots import number
from leaderboard.small_tables import Line, Table
from leaderboard.words import Words


class _Measure(NamedTuple):
    metric: str
    method: str
    digits: int


_MEASURES = (
    _Measure("outputs_per_second", "outputs by wall time from the loaded model to the last row", 2),
    _Measure("matrix_share", "operations of the denoiser by what a large product reaches", 2),
    _Measure("load_seconds", "to read the weights and place them, the mean of all calls", 1),
    _Measure("compile_seconds", "of the first batch beyond the rest, the mean of all calls", 1),
    _Measure("peak_gibibytes", "of the device's memory, on a CPU of the process's", 1),
    _Measure("batch_size", "outputs at once", 0),
)


def speed_scores(rows: Sequence[Mapping[str, Any]], where: str) -> list[Score]:
    """Return a score per model and measure, over all calls of generate.

    Args:
        rows: of a run's `speed.jsonl`.
        where: the file's name, for errors.

    Raises:
        FileFormatError: a row lacks a key, or has no number where one belongs.
    """
    scores = []
    for model in dict.fromkeys(str(row.get("model", "")) for row in rows):
        calls = [row for row in rows if row.get("model") == model]
        try:
            found = _over_calls(calls)
        except (KeyError, TypeError, ZeroDivisionError) as error:
            raise FileFormatError(f"{where}: a row of {model!r} cannot be read: {error}") from error
        devices = " and ".join(dict.fromkeys(str(row["device"]) for row in calls))
        blank = Score(source=FROM_RUN, model=model, n_items=sum(row["outputs"] for row in calls))
        for measure in _MEASURES:
            value = found[measure.metric]
            reason = "" if math.isfinite(value) else calls[-1]["reason"] or "nothing was measured"
            method = "" if reason else f"{measure.method}; on {devices}"
            score = replace(blank, metric=measure.metric, value=value, method=method, reason=reason)
            scores.append(replace(score, n_values=score.n_items))
    return scores


def _over_calls(calls: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    seconds = sum(row["seconds"] for row in calls)
    shares = [(row["matrix_share"], row["seconds"]) for row in calls]
    known = all(share is not None for share, _ in shares) and seconds > 0
    return {
        "outputs_per_second": sum(row["outputs"] for row in calls) / seconds
        if seconds
        else math.nan,
        "matrix_share": sum(s * t for s, t in shares) / seconds if known else math.nan,
        "load_seconds": sum(row["load_seconds"] for row in calls) / len(calls),
        "compile_seconds": sum(row["compile_seconds"] for row in calls) / len(calls),
        "peak_gibibytes": max(row["peak_memory_bytes"] for row in calls) / 2**30,
        "batch_size": float(calls[-1]["batch_size"]),
    }


def speed_table(board: Board, words: Words) -> Table:
    """Return how fast each model was made to work."""
    rows = []
    for model in board.models:
        cells = []
        for measure in _MEASURES:
            score = board.find(measure.metric, model=model)
            if score is None:
                cells.append("")
            elif math.isfinite(score.value):
                cells.append(number(score.value, measure.digits))
            else:
                cells.append(f"–\n{words.reason(score.reason)}")
        if any(cells):
            seconds = board.find("device_seconds", model=model)
            known = seconds is not None and math.isfinite(seconds.value)
            cells.insert(1, number(seconds.value) if seconds and known else "–")
            rows.append(Line([words.label(model), *cells]))
    heads = [words.say("model"), words.say("outputs_per_second"), words.say("device_seconds_panel")]
    heads += [words.say(measure.metric) for measure in _MEASURES[1:]]
    title, note = words.say("speed_title"), words.say("speed_note")
    return Table(title, note, heads, rows, by_raters=False)
